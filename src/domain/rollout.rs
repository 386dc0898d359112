//! The rollout of a fleet: the limits that hold a scheduled rotation back, and the reasons that override them.
//!
//! Only issuing is held back; retiring and repairing are not. Calendars are not handled in this module.

use time::OffsetDateTime;

use super::reasons::{IssueReason, WaitReason};

/// The limits in effect now, each with its end if it ends by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolloutLimits {
    /// A freeze, which may be hard.
    pub freeze: Option<Freeze>,
    /// No maintenance window is open.
    pub closed: Option<ActiveLimit>,
    /// The canaries have not passed yet.
    pub canary: Option<ActiveLimit>,
    /// The maximum number of rotations for an hour has begun.
    pub hour: Option<ActiveLimit>,
    /// The maximum number of rotations for a sweep has begun. The time of the next sweep is not known here.
    pub sweep: Option<ActiveLimit>,
}

/// A limit in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveLimit {
    /// Time when it ends; `None` if that is not known.
    pub until: Option<OffsetDateTime>,
}

/// A period without rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// Time when it ends.
    pub until: OffsetDateTime,
    /// True if even a secret below `urgent_before` waits.
    pub is_hard: bool,
}

impl Freeze {
    const fn deferral(self) -> (WaitReason, Option<OffsetDateTime>) {
        (WaitReason::Frozen, Some(self.until))
    }
}

impl RolloutLimits {
    /// Returns the limit that holds back a rotation for this reason, and its end if known; `is_urgent`: consumers would
    /// be locked out soon.
    ///
    /// Consumers that are locked out already, and a compromised credential, wait for nothing. An operator's command to
    /// rotate waits for a hard freeze only. A secret below `urgent_before` waits for a hard freeze and for the hourly
    /// limit, which is over soon, but not for the next sweep: sweeps may be days apart, and its credential would reach
    /// its end meanwhile.
    #[must_use]
    pub fn applying_to(
        &self,
        reason: IssueReason,
        is_urgent: bool,
    ) -> Option<(WaitReason, Option<OffsetDateTime>)> {
        let hard = self.freeze.filter(|freeze| freeze.is_hard).map(Freeze::deferral);
        let hour = self.hour.map(|limit| (WaitReason::RolloutLimit, limit.until));
        match reason {
            IssueReason::CurrentLost | IssueReason::CurrentExpired | IssueReason::Compromised => None,
            IssueReason::Command => hard,
            IssueReason::NearExpiry | IssueReason::FirstCredential | IssueReason::Unadopted if is_urgent => {
                hard.or(hour)
            }
            IssueReason::NearExpiry | IssueReason::FirstCredential | IssueReason::Unadopted => self
                .freeze
                .map(Freeze::deferral)
                .or_else(|| self.closed.map(|limit| (WaitReason::OutsideWindow, limit.until)))
                .or_else(|| self.canary.map(|limit| (WaitReason::Canary, limit.until)))
                .or(hour)
                .or_else(|| self.sweep.map(|limit| (WaitReason::RolloutLimit, limit.until))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const UNTIL: OffsetDateTime = datetime!(2026-12-24 0:00 UTC);

    fn all() -> RolloutLimits {
        let limit = Some(ActiveLimit { until: None });
        RolloutLimits { freeze: None, closed: limit, canary: limit, hour: limit, sweep: limit }
    }

    fn why(limits: &RolloutLimits, reason: IssueReason, is_urgent: bool) -> Option<WaitReason> {
        limits.applying_to(reason, is_urgent).map(|(reason, _)| reason)
    }

    /// A near-expiry rotation below `urgent_before` overrides windows and soft freezes, but never a hard freeze.
    #[test]
    fn urgent_rotation_overrides_all_but_hard_freeze() {
        assert_eq!(why(&all(), IssueReason::NearExpiry, false), Some(WaitReason::OutsideWindow));
        assert_eq!(why(&all(), IssueReason::NearExpiry, true), Some(WaitReason::RolloutLimit));
        assert_eq!(why(&RolloutLimits { hour: None, ..all() }, IssueReason::NearExpiry, true), None);
        let frozen = |is_hard| RolloutLimits {
            freeze: Some(Freeze { until: UNTIL, is_hard }),
            ..RolloutLimits::default()
        };
        assert_eq!(why(&frozen(false), IssueReason::NearExpiry, true), None);
        assert_eq!(why(&frozen(true), IssueReason::NearExpiry, true), Some(WaitReason::Frozen));
    }

    /// A command waits only for a hard freeze, and an emergency waits for nothing.
    #[test]
    fn commands_wait_only_for_hard_freeze() {
        assert_eq!(why(&all(), IssueReason::Command, false), None);
        let hard = RolloutLimits { freeze: Some(Freeze { until: UNTIL, is_hard: true }), ..all() };
        assert_eq!(hard.applying_to(IssueReason::Command, false), Some((WaitReason::Frozen, Some(UNTIL))));
        for emergency in [IssueReason::CurrentLost, IssueReason::CurrentExpired, IssueReason::Compromised] {
            assert_eq!(why(&hard, emergency, false), None);
        }
    }
}
