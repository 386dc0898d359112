//! The life of a secret: live, deleted or recovered, and the stage that it has reached at a given time.

use time::OffsetDateTime;

/// The last deletion or recovery of a secret.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Life {
    #[default]
    Live,
    Deleted(Deletion),
    Recovered {
        readable: OffsetDateTime,
        writable: OffsetDateTime,
    },
}

/// The times of a deletion.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deletion {
    pub(super) began: OffsetDateTime,
    pub(super) ended: OffsetDateTime,
    pub(super) purge: OffsetDateTime,
}

/// The stage that a life has reached at a given time.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    Live,
    BeingDeleted,
    Deleted(Deletion),
    BeingRecovered { readable: bool },
    Purged,
}

impl Life {
    pub(super) fn stage(self, now: OffsetDateTime) -> Stage {
        match self {
            Self::Deleted(deletion) if now < deletion.ended => Stage::BeingDeleted,
            Self::Deleted(deletion) if now < deletion.purge => Stage::Deleted(deletion),
            Self::Deleted(_) => Stage::Purged,
            Self::Recovered { readable, writable } if now < writable => {
                Stage::BeingRecovered { readable: now >= readable }
            }
            Self::Live | Self::Recovered { .. } => Stage::Live,
        }
    }

    /// Returns true if it is deleted or being deleted, whatever the time.
    pub(super) fn is_deleted(self) -> bool {
        matches!(self, Self::Deleted(_))
    }
}
