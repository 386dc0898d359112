//! A replica: another vault secret that holds the same credential, for consumers that read there.

use super::names::{KeyId, SecretId};
use super::observed::VersionFacts;
use time::OffsetDateTime;

/// What one look at a replica showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaFacts {
    /// Which vault secret.
    pub secret: SecretId,
    /// How it compares with the primary.
    pub state: ReplicaState,
    /// Every version, by the time it was created.
    pub versions: Vec<VersionFacts>,
}

/// How a replica compares with the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaState {
    /// The same text and credential, since then.
    InSync(OffsetDateTime),
    /// Another text, or none yet: the primary's has to be copied.
    OutOfSync,
    /// Somebody disabled its current version, or deleted it: people are not fought.
    Disabled,
    /// It can't be read or is not known now, for this reason.
    Unreadable(String),
}

impl ReplicaState {
    /// Its name in the API and in metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::InSync(_) => "in_sync",
            Self::OutOfSync => "out_of_sync",
            Self::Disabled => "disabled",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Returns why it can't be read, if it can't.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Unreadable(why) => Some(why),
            Self::InSync(_) | Self::OutOfSync | Self::Disabled => None,
        }
    }

    /// Returns since when it holds the text and credential of the primary; `None` unless it does.
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
    /// The versions that its consumers don't read any more: all but the newest.
    pub fn older(&self) -> impl Iterator<Item = &VersionFacts> {
        let older = self.versions.len().saturating_sub(1);
        self.versions.iter().take(older)
    }

    /// Whether any of its versions holds this credential.
    #[must_use]
    pub fn holds(&self, key_id: KeyId) -> bool {
        self.versions.iter().any(|version| version.holds(key_id))
    }
}
