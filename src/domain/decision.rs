//! The answers that a decision can give. Their reasons are in [`super::reasons`].

use time::OffsetDateTime;

use super::names::{KeyId, SecretId, VersionId};
use super::quarantine::QuarantineReason;
use super::reasons::{BlockReason, IssueReason, RepublishReason, RevokeReason, WaitReason};

/// What to do about a managed secret now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Do this, then look again.
    Act(Action),
    /// Nothing to do before `until`, the first moment at which this answer can change by itself.
    Wait {
        /// `None`: only an event or a person changes it.
        until: Option<OffsetDateTime>,
        /// Why.
        reason: WaitReason,
    },
    /// Something that rekeyd may not or can't get past is in the way.
    Blocked {
        /// As for [`Decision::Wait`].
        until: Option<OffsetDateTime>,
        /// What it is.
        reason: BlockReason,
    },
}

/// One step. Each has at most one effect that can't be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Makes a successor: issue, verify, publish. One action, because the text lives only in memory.
    ///
    /// # If it stops half-way
    /// After the intent: the next pass sees `PendingRotation` and waits. After issue or verify: it sees a
    /// credential with our marker in no version, waits, issues anew and revokes it after `orphan_grace`.
    /// After the publication nothing is left to do.
    Issue {
        /// Why.
        reason: IssueReason,
        /// The how-manieth attempt since the last version was published, from 1.
        attempt: u32,
    },
    /// Publishes an older version's text again, because the current credential is lost or a person went back.
    ///
    /// # If it stops half-way
    /// The text is published, or it isn't: then the next pass sees the same loss.
    Republish {
        /// The version whose text still signs in.
        from: VersionId,
        /// Why.
        reason: RepublishReason,
    },
    /// Takes a credential out of Entra.
    ///
    /// # If it stops half-way
    /// It is gone, or still there: revoking twice does no harm.
    Revoke {
        /// Which.
        key_id: KeyId,
        /// Why.
        reason: RevokeReason,
    },
    /// Disables an older version whose credential is gone.
    ///
    /// # If it stops half-way
    /// It is disabled, or not: doing it twice does no harm.
    Disable {
        /// Which; never the current one.
        version: VersionId,
        /// The replica that it is a version of; `None`: the primary.
        replica: Option<SecretId>,
    },
    /// Removes the index of superseded credentials from the current version, when none is left.
    ///
    /// # If it stops half-way
    /// The tag is gone, or the next pass removes it.
    ClearIndex,
    /// Writes which credential the current version holds, so that a secret made by others is taken over.
    ///
    /// # If it stops half-way
    /// The tag is there, or the next pass writes it.
    Adopt {
        /// The credential whose text it is.
        key_id: KeyId,
    },
    /// Copies the current version to a replica.
    ///
    /// # If it stops half-way
    /// The replica has it, or is still behind: then the next pass copies it.
    Copy {
        /// The replica.
        to: SecretId,
    },
    /// Marks the current version so that it is never published again: the first effect of a rollback or a compromise.
    ///
    /// # If it stops half-way
    /// The tag is there and the next pass goes on from it, or nothing has happened.
    Quarantine {
        /// Why.
        reason: QuarantineReason,
    },
    /// Sets `RotationDisabled`.
    ///
    /// # If it stops half-way
    /// The tag is as asked for, or as before.
    Pause,
    /// Removes `RotationDisabled`.
    ///
    /// # If it stops half-way
    /// The tag is as asked for, or as before.
    Resume,
}

impl Action {
    /// Its name in logs, metrics and the API.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Issue { .. } => "issue",
            Self::Republish { .. } => "republish",
            Self::Revoke { .. } => "revoke",
            Self::Disable { .. } => "disable",
            Self::ClearIndex => "clear_index",
            Self::Adopt { .. } => "adopt",
            Self::Copy { .. } => "copy",
            Self::Quarantine { .. } => "quarantine",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// Why it makes a credential, if it makes one.
    #[must_use]
    pub const fn issue_reason(&self) -> Option<IssueReason> {
        if let Self::Issue { reason, .. } = self { Some(*reason) } else { None }
    }

    /// All names, for metrics that show a zero as a zero.
    pub const LABELS: [&'static str; 10] = [
        "issue",
        "republish",
        "revoke",
        "disable",
        "clear_index",
        "adopt",
        "copy",
        "quarantine",
        "pause",
        "resume",
    ];
}
