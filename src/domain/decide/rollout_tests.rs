//! Rollout limits: the rotations that they hold back and those that they don't, as a table and for any observation.

use proptest::prelude::*;

use super::properties::any_observed;
use super::tests::{NOW, decided};
use super::*;
use crate::domain::decision::Action;
use crate::domain::reasons::{IssueReason, WaitReason};
use crate::domain::rollout::{ActiveLimit, Freeze, RolloutLimits};

const LATER: OffsetDateTime = NOW.saturating_add(Duration::HOUR);

fn hard() -> RolloutLimits {
    let (limit, is_hard) = (Some(ActiveLimit { until: Some(LATER) }), true);
    let freeze = Some(Freeze { until: LATER, is_hard });
    RolloutLimits { freeze, closed: limit, canary: limit, hour: limit, sweep: limit }
}

/// Each limit alone holds back its own kind of rotation: a due one, one below `urgent_before`, or a command.
#[test]
fn each_brake_holds_what_it_is_for() {
    use WaitReason::{Canary, Frozen, OutsideWindow, RolloutLimit};
    let none = RolloutLimits::default();
    let limit = Some(ActiveLimit { until: Some(LATER) });
    let freeze = |is_hard| RolloutLimits { freeze: Some(Freeze { until: LATER, is_hard }), ..none.clone() };
    let table = [
        ("nothing", none.clone(), [None; 3]),
        ("soft freeze", freeze(false), [Some(Frozen), None, None]),
        ("hard freeze", freeze(true), [Some(Frozen); 3]),
        ("window", RolloutLimits { closed: limit, ..none.clone() }, [Some(OutsideWindow), None, None]),
        ("canary", RolloutLimits { canary: limit, ..none.clone() }, [Some(Canary), None, None]),
        (
            "hour",
            RolloutLimits { hour: limit, ..none.clone() },
            [Some(RolloutLimit), Some(RolloutLimit), None],
        ),
        ("sweep", RolloutLimits { sweep: limit, ..none }, [Some(RolloutLimit), None, None]),
    ];
    for (name, limits, expected) in table {
        let asked = [
            (IssueReason::NearExpiry, false),
            (IssueReason::NearExpiry, true),
            (IssueReason::Command, false),
        ];
        let held = asked.map(|(reason, is_urgent)| limits.applying_to(reason, is_urgent).map(|(why, _)| why));
        assert_eq!(held, expected, "{name}");
        for emergency in [IssueReason::CurrentLost, IssueReason::CurrentExpired, IssueReason::Compromised] {
            assert_eq!(limits.applying_to(emergency, false), None, "{name}: {emergency:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Rollout limits never hold back a republish or the replacement of a lost, expired or compromised credential.
    #[test]
    fn brakes_never_hold_emergencies(seen in any_observed()) {
        let free = decided(&seen);
        let held = decided(&Observed { rollout_limits: hard(), ..seen });
        let is_emergency = match &free {
            Decision::Act(Action::Issue { reason, .. }) => {
                !matches!(reason, IssueReason::NearExpiry | IssueReason::Command | IssueReason::FirstCredential | IssueReason::Unadopted)
            }
            Decision::Act(_) => true,
            Decision::Wait { .. } | Decision::Blocked { .. } => false,
        };
        if is_emergency {
            prop_assert_eq!(held, free);
        }
    }

    /// During a hard freeze only a lost, expired or compromised credential gets a successor.
    #[test]
    fn hard_freeze_allows_only_emergency_issues(seen in any_observed()) {
        if let Decision::Act(Action::Issue { reason, .. }) = decided(&Observed { rollout_limits: hard(), ..seen }) {
            prop_assert!(matches!(reason, IssueReason::CurrentLost | IssueReason::CurrentExpired | IssueReason::Compromised));
        }
    }

    /// A decision that a freeze holds back is made again no later than when the freeze ends.
    #[test]
    fn frozen_wait_ends_with_the_freeze(seen in any_observed()) {
        let decision = decided(&Observed { rollout_limits: hard(), ..seen });
        if let Decision::Wait { until, reason: WaitReason::Frozen } = decision {
            prop_assert!(until.is_some_and(|until| until <= LATER));
        }
    }
}
