//! How far a fleet may move at a time: what holds a scheduled rotation back, and what overrides that.
//!
//! Only issuing is held back; retiring and repairing are not. A calendar is none of this module's business.

use time::OffsetDateTime;

use super::reasons::{IssueReason, WaitReason};

/// What holds rotations back now. Each moment is when that ends, if it ends by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolloutLimits {
    /// A freeze, and whether it is hard.
    pub freeze: Option<Freeze>,
    /// No maintenance window is open.
    pub closed: Option<ActiveLimit>,
    /// The canaries have not passed yet.
    pub canary: Option<ActiveLimit>,
    /// As many rotations were begun as are allowed for an hour.
    pub hour: Option<ActiveLimit>,
    /// As many rotations were begun as are allowed for a sweep. Nobody knows here when the next one comes.
    pub sweep: Option<ActiveLimit>,
}

/// Something that holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveLimit {
    /// When it ends; `None`: nobody knows.
    pub until: Option<OffsetDateTime>,
}

/// A time without rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// When it ends.
    pub until: OffsetDateTime,
    /// Whether even a secret below `urgent_before` waits.
    pub is_hard: bool,
}

impl Freeze {
    const fn deferral(self) -> (WaitReason, Option<OffsetDateTime>) {
        (WaitReason::Frozen, Some(self.until))
    }
}

impl RolloutLimits {
    /// What holds back a rotation for this reason; `is_urgent`: consumers would be locked out soon.
    ///
    /// A consumer that is locked out already, and a compromised credential, wait for nothing. A person's word to
    /// rotate waits for a hard freeze only; a secret below `urgent_before` for a hard freeze and the limit of an hour, which
    /// is over soon. Sweeps may be days apart, and its credential would come to its end meanwhile.
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
