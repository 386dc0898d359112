//! What a decision means for somebody who only wants to know what would happen.

use time::OffsetDateTime;

use super::decision::Decision;
use super::reasons::WaitReason;

/// What is to be expected of a managed secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outlook {
    /// Nothing is due.
    Nothing,
    /// Something would be done now.
    Due,
    /// Something is due, and held back for a while.
    Held,
    /// Something is in the way.
    Blocked,
}

impl Outlook {
    /// Its name in tables and JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Due => "due",
            Self::Held => "held",
            Self::Blocked => "blocked",
        }
    }
}

impl Decision {
    /// What it means for somebody who only looks.
    #[must_use]
    pub const fn outlook(&self) -> Outlook {
        match self {
            Self::Act(_) => Outlook::Due,
            Self::Wait { reason, .. } => reason.outlook(),
            Self::Blocked { .. } => Outlook::Blocked,
        }
    }

    /// The first moment at which it can change by itself; `None`: now, or only by an event or a person.
    #[must_use]
    pub const fn until(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Act(_) => None,
            Self::Wait { until, .. } | Self::Blocked { until, .. } => *until,
        }
    }
}

impl WaitReason {
    const fn outlook(self) -> Outlook {
        match self {
            Self::BackOff
            | Self::TooManyOrphans
            | Self::ConfirmingLoss
            | Self::Frozen
            | Self::OutsideWindow
            | Self::Canary
            | Self::RolloutLimit => Outlook::Held,
            Self::NotDue
            | Self::Overlap
            | Self::InFlight
            | Self::Propagating
            | Self::RotationDisabled
            | Self::RolledBack
            | Self::InUse
            | Self::ReplicaBehind
            | Self::ProvingRevocation => Outlook::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Action, BlockReason};
    use time::macros::datetime;

    #[test]
    fn what_is_held_back_is_due_all_the_same_and_what_waits_for_its_time_is_not() {
        let until = Some(datetime!(2026-11-23 0:00 UTC));
        let wait = |reason| Decision::Wait { until, reason };
        for (decision, outlook, moment) in [
            (Decision::Act(Action::ClearIndex), Outlook::Due, None),
            (wait(WaitReason::OutsideWindow), Outlook::Held, until),
            (wait(WaitReason::NotDue), Outlook::Nothing, until),
            (wait(WaitReason::RotationDisabled), Outlook::Nothing, until),
            (Decision::Blocked { until, reason: BlockReason::NoConsent }, Outlook::Blocked, until),
        ] {
            assert_eq!((decision.outlook(), decision.until()), (outlook, moment), "{decision:?}");
        }
    }
}
