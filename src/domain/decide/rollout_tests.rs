//! What brakes hold back, and what goes on whatever they say: as a table, and for anything that can be seen.

use proptest::prelude::*;

use super::properties::any_observed;
use super::tests::{NOW, decided};
use super::*;
use crate::domain::decision::Action;
use crate::domain::reasons::{IssueReason, WaitReason};
use crate::domain::rollout::{Brake, Brakes, Freeze};

const LATER: OffsetDateTime = NOW.saturating_add(Duration::HOUR);

fn hard() -> Brakes {
    let (brake, is_hard) = (Some(Brake { until: Some(LATER) }), true);
    let freeze = Some(Freeze { until: LATER, is_hard });
    Brakes { freeze, closed: brake, canary: brake, hour: brake, sweep: brake }
}

/// For each brake alone: what waits for it, of a due secret, one below urgent_before, and a person's word.
#[test]
fn each_brake_holds_what_it_is_for() {
    use WaitReason::{Canary, Frozen, OutsideWindow, RolloutLimit};
    let none = Brakes::default();
    let brake = Some(Brake { until: Some(LATER) });
    let freeze = |is_hard| Brakes { freeze: Some(Freeze { until: LATER, is_hard }), ..none.clone() };
    let table = [
        ("nothing", none.clone(), [None; 3]),
        ("soft freeze", freeze(false), [Some(Frozen), None, None]),
        ("hard freeze", freeze(true), [Some(Frozen); 3]),
        ("window", Brakes { closed: brake, ..none.clone() }, [Some(OutsideWindow), None, None]),
        ("canary", Brakes { canary: brake, ..none.clone() }, [Some(Canary), None, None]),
        ("hour", Brakes { hour: brake, ..none.clone() }, [Some(RolloutLimit), Some(RolloutLimit), None]),
        ("sweep", Brakes { sweep: brake, ..none }, [Some(RolloutLimit), None, None]),
    ];
    for (name, brakes, expected) in table {
        let asked = [
            (IssueReason::NearExpiry, false),
            (IssueReason::NearExpiry, true),
            (IssueReason::Command, false),
        ];
        let held = asked.map(|(reason, is_urgent)| brakes.on(reason, is_urgent).map(|(why, _)| why));
        assert_eq!(held, expected, "{name}");
        for emergency in [IssueReason::CurrentLost, IssueReason::CurrentExpired, IssueReason::Compromised] {
            assert_eq!(brakes.on(emergency, false), None, "{name}: {emergency:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn brakes_never_hold_a_republish_nor_what_replaces_a_credential_that_is_lost(seen in any_observed()) {
        let free = decided(&seen);
        let held = decided(&Observed { brakes: hard(), ..seen });
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

    #[test]
    fn a_hard_freeze_lets_nothing_else_be_made(seen in any_observed()) {
        if let Decision::Act(Action::Issue { reason, .. }) = decided(&Observed { brakes: hard(), ..seen }) {
            prop_assert!(matches!(reason, IssueReason::CurrentLost | IssueReason::CurrentExpired | IssueReason::Compromised));
        }
    }

    #[test]
    fn what_a_brake_holds_is_looked_at_again_when_it_ends(seen in any_observed()) {
        let decision = decided(&Observed { brakes: hard(), ..seen });
        if let Decision::Wait { until, reason: WaitReason::Frozen } = decision {
            prop_assert!(until.is_some_and(|until| until <= LATER));
        }
    }
}
