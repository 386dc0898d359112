//! What a rotation policy is made of, and when it makes sense.

use time::Duration;

/// Whether a superseded credential has to be out of use before it is retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageGate {
    /// Entra's report on sign-ins decides, where there is one.
    Report,
    /// Time alone decides.
    Off,
}

/// What to do about a secret that does not say which credential it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Adopt {
    /// Take the one credential over that its text and end belong to; without one, report.
    Match,
    /// As [`Adopt::Match`]; without one, make a successor.
    Rotate,
    /// Report, and change nothing.
    Report,
}

/// What to do about an expired credential that somebody else made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForeignExpired {
    /// Report it.
    Report,
    /// Remove it.
    Remove,
}

/// What a policy is made of, not yet checked. The default is what an empty configuration means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyValues {
    /// Lifetime of a new credential: whole days, 1 to 730.
    pub validity: Duration,
    /// How long before its end a credential is due; never more than a third of its lifetime counts.
    pub rotate_before: Duration,
    /// How long a superseded credential stays alive: 1 hour to 365 days.
    pub overlap: Duration,
    /// The age at which a credential that was never published is revoked: 2 hours to 30 days.
    pub orphan_grace: Duration,
    /// The time to the end below which more risks are taken to get a successor: up to 90 days.
    pub urgent_before: Duration,
    /// How long one rotation may take, from intent to publication: 10 minutes to 6 hours.
    pub deadline: Duration,
    /// When a superseded credential is retired although it is in use: at least `overlap`, up to 730 days.
    pub max_overlap: Duration,
    /// How long a superseded credential must not have signed in, by a report that may lag: 1 hour to 90 days.
    pub usage_quiet: Duration,
    /// How far the due dates of a fleet are spread, towards earlier ones: up to 90 days.
    pub jitter: Duration,
    /// Whether a superseded credential has to be out of use.
    pub usage_gate: UsageGate,
    /// What to do about a secret that does not name its credential.
    pub adopt: Adopt,
    /// What to do about expired credentials of others.
    pub foreign_expired: ForeignExpired,
}

impl Default for PolicyValues {
    fn default() -> Self {
        Self {
            validity: Duration::days(90),
            rotate_before: Duration::days(30),
            overlap: Duration::days(7),
            orphan_grace: Duration::hours(24),
            urgent_before: Duration::days(7),
            deadline: Duration::minutes(60),
            max_overlap: Duration::days(30),
            usage_quiet: Duration::days(3),
            jitter: Duration::ZERO,
            usage_gate: UsageGate::Off,
            adopt: Adopt::Match,
            foreign_expired: ForeignExpired::Report,
        }
    }
}

/// One way in which [`PolicyValues`] make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {} and must be {must}", human(*.value))]
pub struct PolicyProblem {
    /// Which value, as the configuration names it.
    pub key: &'static str,
    value: Duration,
    must: String,
}

impl PolicyValues {
    pub(super) fn out_of_bounds(&self) -> Vec<PolicyProblem> {
        let bounds = [
            ("validity", self.validity, Duration::days(1), Duration::days(730)),
            ("rotate_before", self.rotate_before, Duration::hours(1), Duration::days(365)),
            ("overlap", self.overlap, Duration::hours(1), Duration::days(365)),
            ("orphan_grace", self.orphan_grace, Duration::hours(2), Duration::days(30)),
            ("urgent_before", self.urgent_before, Duration::ZERO, Duration::days(90)),
            ("deadline", self.deadline, Duration::minutes(10), Duration::hours(6)),
            ("max_overlap", self.max_overlap, Duration::HOUR, Duration::days(730)),
            ("usage_quiet", self.usage_quiet, Duration::HOUR, Duration::days(90)),
            ("jitter", self.jitter, Duration::ZERO, Duration::days(90)),
        ];
        let outside = bounds.into_iter().filter(|(_, value, least, most)| value < least || value > most);
        outside
            .map(|(key, value, least, most)| PolicyProblem {
                key,
                value,
                must: format!("from {} to {}", human(least), human(most)),
            })
            .collect()
    }

    pub(super) fn contradictions(&self) -> Vec<PolicyProblem> {
        let rules = [
            ("validity", self.validity, self.validity.whole_seconds() % 86_400 == 0, "whole days".to_owned()),
            below("rotate_before", self.rotate_before, "validity", self.validity),
            below("overlap", self.overlap, "validity", self.validity),
            (
                "deadline",
                self.deadline,
                self.deadline * 2 <= self.orphan_grace,
                format!("at most half of orphan_grace ({})", human(self.orphan_grace)),
            ),
        ];
        let broken = rules.into_iter().filter(|(_, _, holds, _)| !holds);
        broken.map(|(key, value, _, must)| PolicyProblem { key, value, must }).collect()
    }
}

type Rule = (&'static str, Duration, bool, String);

fn below(key: &'static str, value: Duration, bound: &str, most: Duration) -> Rule {
    (key, value, value < most, format!("less than {bound} ({})", human(most)))
}

/// Days as days: years and months of a duration are no calendar's.
pub(super) fn human(duration: Duration) -> String {
    if duration.whole_seconds() % 86_400 == 0 && !duration.is_zero() {
        return format!("{}d", duration.whole_days());
    }
    humantime::format_duration(duration.unsigned_abs()).to_string()
}
