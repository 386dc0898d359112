//! A replica: another vault secret that holds the same credential, for consumers that read there.

use super::names::{KeyId, SecretId};
use super::observed::VersionFacts;
use time::OffsetDateTime;

/// The observation of a replica in one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaFacts {
    /// The vault secret.
    pub secret: SecretId,
    /// State compared with the primary.
    pub state: ReplicaState,
    /// Every version, by creation time.
    pub versions: Vec<VersionFacts>,
}

/// The state of a replica compared with the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaState {
    /// The same text and credential, since then.
    InSync(OffsetDateTime),
    /// Another text, or none yet: the primary's has to be copied.
    OutOfSync,
    /// A person disabled its current version, or deleted it: rekeyd does not undo that.
    Disabled,
    /// It can't be read or is not known now, for this reason.
    Unreadable(String),
}

impl ReplicaState {
    /// Returns the name in the API and in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::InSync(_) => "in_sync",
            Self::OutOfSync => "out_of_sync",
            Self::Disabled => "disabled",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Returns the reason why it can't be read, if it can't.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Unreadable(why) => Some(why),
            Self::InSync(_) | Self::OutOfSync | Self::Disabled => None,
        }
    }

    /// Returns the time since when it holds the text and credential of the primary; `None` unless it does.
    #[must_use]
    pub const fn in_sync_since(&self) -> Option<OffsetDateTime> {
        match self {
            Self::InSync(since) => Some(*since),
            Self::OutOfSync | Self::Disabled | Self::Unreadable(_) => None,
        }
    }

    /// All names.
    pub const LABELS: [&'static str; 4] = ["in_sync", "out_of_sync", "disabled", "unreadable"];
}

impl ReplicaFacts {
    /// Returns the versions that its consumers don't read any more: all but the newest.
    pub fn older(&self) -> impl Iterator<Item = &VersionFacts> {
        let older = self.versions.len().saturating_sub(1);
        self.versions.iter().take(older)
    }

    /// Returns true if any of its versions holds this credential.
    #[must_use]
    pub fn holds(&self, key_id: KeyId) -> bool {
        self.versions.iter().any(|version| version.holds(key_id))
    }
}
