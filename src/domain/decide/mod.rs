//! The decision: facts, rules and the time go in, one answer comes out.
//!
//! Each check is one rule with its reason; the first that applies decides. A new rule is a new
//! function and one word in [`CHECKS`].

mod cleanup;
mod idle;
mod issue;
mod operator;
mod rejection;

use time::{Duration, OffsetDateTime};

pub use rejection::{CommandRejection, command_rejection};

use super::decision::Decision;
use super::observed::Observed;
use super::policy::RotationPolicy;

/// A lost credential has to be refused for this long, at every pass, before it counts as lost.
pub const LOSS_CONFIRMED_AFTER: Duration = Duration::minutes(10);

/// Longest assumed lag of Entra's lists behind a write; only credentials that are absent for longer count as gone.
pub const WORST_LAG: Duration = Duration::hours(1);

/// Returns the answer of the first check that applies, otherwise a wait until one can apply.
#[must_use]
pub fn decide(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Decision {
    CHECKS.iter().find_map(|check| check(seen, policy, now)).unwrap_or_else(|| idle::idle(seen, policy, now))
}

type DecisionCheck = fn(&Observed, &RotationPolicy, OffsetDateTime) -> Option<Decision>;

/// The checks in order of precedence: operators first, then republish, issue, publish everywhere, clear up, retire.
///
/// Issuing comes before clearing up: a credential that can't be revoked must not keep a successor from being made.
/// A compromised credential is revoked after a copy to the replicas was tried, and before anything that can wait.
const CHECKS: [DecisionCheck; 21] = [
    operator::binding_denied,
    operator::pause_asked_for,
    operator::rotation_disabled,
    operator::current_disabled,
    operator::compromise_reported,
    operator::rollback_asked_for,
    operator::rollback_under_way,
    issue::current_lost,
    issue::current_unnamed,
    issue::current_unlisted,
    issue::successor_wanted,
    cleanup::replica_behind,
    cleanup::compromised_left,
    cleanup::orphan_abandoned,
    cleanup::expired_left_behind,
    cleanup::foreign_expired,
    cleanup::superseded_over,
    cleanup::revoked_version_enabled,
    cleanup::revoked_replica_enabled,
    cleanup::index_left_behind,
    idle::current_in_doubt,
];

#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod managed_tests;
#[cfg(test)]
mod proof_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod rollout_tests;
#[cfg(test)]
mod tests;
