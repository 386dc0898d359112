//! The rules of one managed secret: lifetime of a credential, due date of its successor, overlap of the two.

use std::ops::RangeInclusive;

use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use super::names::SecretId;
use super::policy_values::{Adopt, ForeignExpired, PolicyProblem, PolicyValues, UsageGate, human};
use super::tags::{OVERLAP_DAYS, ROTATE_BEFORE_DAYS, Tags, UnusableTag, VALIDITY_PERIOD_DAYS};

/// The rotation policy of one managed secret. Only consistent ones exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationPolicy {
    values: PolicyValues,
    bounds: TagBounds,
    /// Time by which this secret is due earlier, so that the rotations of a fleet are spread.
    earlier: Duration,
}

/// The bounds of the values that a secret's tags may ask for, on top of the general ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagBounds {
    /// Bounds of `ValidityPeriodDays`.
    pub validity: RangeInclusive<Duration>,
    /// Bounds of `RotateBeforeDays`.
    pub rotate_before: RangeInclusive<Duration>,
    /// Bounds of `OverlapDays`.
    pub overlap: RangeInclusive<Duration>,
}

impl Default for TagBounds {
    fn default() -> Self {
        Self {
            validity: Duration::days(1)..=Duration::days(730),
            rotate_before: Duration::DAY..=Duration::days(365),
            overlap: Duration::DAY..=Duration::days(365),
        }
    }
}

impl RotationPolicy {
    /// Checks `values` one by one and against each other.
    ///
    /// # Errors
    /// Every problem that they have, not only the first one.
    pub fn try_new(values: PolicyValues) -> Result<Self, Vec<PolicyProblem>> {
        let mut problems = values.out_of_bounds();
        if problems.is_empty() {
            problems.extend(values.contradictions());
        }
        if problems.is_empty() {
            Ok(Self { values, bounds: TagBounds::default(), earlier: Duration::ZERO })
        } else {
            Err(problems)
        }
    }

    /// Returns the same policy, in which tags may ask for no more than `bounds`.
    #[must_use]
    pub fn with_bounds(self, bounds: TagBounds) -> Self {
        Self { bounds, ..self }
    }

    /// Returns the lifetime of a new credential.
    #[must_use]
    pub const fn validity(&self) -> Duration {
        self.values.validity
    }

    /// Returns the time for which a superseded credential stays valid.
    #[must_use]
    pub const fn overlap(&self) -> Duration {
        self.values.overlap
    }

    /// Returns the age at which a credential that was never published is revoked.
    #[must_use]
    pub const fn orphan_grace(&self) -> Duration {
        self.values.orphan_grace
    }

    /// Returns the time from which consumers of a credential with these dates would be locked out soon: `urgent_before`
    /// before its end.
    ///
    /// If that is not later than the due date of the successor, half of the time from the due date to the end counts
    /// instead, so that a short-lived credential is not urgent as soon as it is due.
    #[must_use]
    pub fn urgent_from(&self, start: OffsetDateTime, end: OffsetDateTime) -> OffsetDateTime {
        let lifetime = (end - start).max(Duration::ZERO);
        let due_before = self.values.rotate_before.min(lifetime / 3);
        let urgent_before = self.values.urgent_before;
        end.saturating_sub(if urgent_before < due_before { urgent_before } else { due_before / 2 })
    }

    /// Returns the maximum duration of one rotation.
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.values.deadline
    }

    /// Returns the time after which a superseded credential is retired although it is in use. Never less than the
    /// overlap.
    #[must_use]
    pub fn max_overlap(&self) -> Duration {
        self.values.max_overlap.max(self.values.overlap)
    }

    /// Returns the time without a sign-in after which a superseded credential counts as out of use.
    #[must_use]
    pub const fn usage_quiet(&self) -> Duration {
        self.values.usage_quiet
    }

    /// Returns the rule that decides if a superseded credential has to be out of use.
    #[must_use]
    pub const fn usage_gate(&self) -> UsageGate {
        self.values.usage_gate
    }

    /// Returns the treatment of a secret that does not name its credential.
    #[must_use]
    pub const fn adopt(&self) -> Adopt {
        self.values.adopt
    }

    /// Returns the treatment of expired credentials of others.
    #[must_use]
    pub const fn foreign_expired(&self) -> ForeignExpired {
        self.values.foreign_expired
    }

    /// Returns this policy with a due date of its own within the jitter: always the same one for the same secret.
    ///
    /// The date is earlier, never later.
    #[must_use]
    pub fn spread(self, secret: &SecretId) -> Self {
        Self { earlier: self.values.jitter * share_of(secret), ..self }
    }

    /// Returns this policy with the earliest due date within the jitter, for a secret that goes ahead of the others.
    #[must_use]
    pub fn ahead(self) -> Self {
        Self { earlier: self.values.jitter, ..self }
    }

    /// Returns the time when the successor of a credential with these dates (Entra's, not the version's) is due.
    ///
    /// Never earlier than after two thirds of its life, so that a short or clamped one is not permanently due; the
    /// spread of a fleet takes at most a sixth of it more.
    #[must_use]
    pub fn due(&self, start: OffsetDateTime, end: OffsetDateTime) -> OffsetDateTime {
        let lifetime = (end - start).max(Duration::ZERO);
        let before = self.values.rotate_before.min(lifetime / 3) + self.earlier.min(lifetime / 6);
        end.saturating_sub(before)
    }

    /// Returns this policy with the values that the tags of a version ask for, as far as they make sense.
    ///
    /// The other values stay as configured and are reported, since a bad tag must not stop a rotation.
    #[must_use]
    pub fn with_tags(&self, tags: &Tags) -> (Self, Vec<TagProblem>) {
        let commands: [(&'static str, Apply); 3] = [
            (VALIDITY_PERIOD_DAYS, |values, days| values.validity = days),
            (ROTATE_BEFORE_DAYS, |values, days| values.rotate_before = days),
            (OVERLAP_DAYS, |values, days| values.overlap = days),
        ];
        let mut problems = Vec::new();
        let mut asked = Vec::new();
        for (name, apply) in commands {
            match tags.days(name) {
                Ok(Some(days)) if !self.bounds.of(name).contains(&days) => {
                    problems.push(TagProblem::OutOfBounds {
                        tag: name,
                        asked: days,
                        bounds: self.bounds.of(name).clone(),
                    });
                }
                Ok(days) => asked.extend(days.map(|days| (name, days, apply))),
                Err(unusable) => problems.push(TagProblem::Unusable(unusable)),
            }
        }
        let mut together = self.values.clone();
        for (_, days, apply) in &asked {
            apply(&mut together, *days);
        }
        if let Ok(policy) = Self::try_new(together) {
            return (policy.with_bounds(self.bounds.clone()), problems);
        }
        let mut policy = self.clone();
        for (name, days, apply) in asked {
            policy = policy.with(name, days, apply, &mut problems);
        }
        (policy, problems)
    }

    fn with(self, tag: &'static str, days: Duration, apply: Apply, problems: &mut Vec<TagProblem>) -> Self {
        let mut values = self.values.clone();
        apply(&mut values, days);
        match Self::try_new(values) {
            Ok(policy) => policy.with_bounds(self.bounds),
            Err(refused) => {
                problems.extend(refused.into_iter().map(|problem| TagProblem::Refused { tag, problem }));
                self
            }
        }
    }
}

impl TagBounds {
    fn of(&self, tag: &str) -> &RangeInclusive<Duration> {
        match tag {
            VALIDITY_PERIOD_DAYS => &self.validity,
            ROTATE_BEFORE_DAYS => &self.rotate_before,
            _ => &self.overlap,
        }
    }
}

/// Returns a share from 0 to 1, evenly distributed over names and always the same for one name.
fn share_of(secret: &SecretId) -> f64 {
    let digest = Sha256::digest(secret.to_string().as_bytes());
    let (first, second) = (digest.first().copied(), digest.get(1).copied());
    f64::from(u16::from_be_bytes([first.unwrap_or(0), second.unwrap_or(0)])) / f64::from(u16::MAX)
}

/// A function that sets a tag's days in the policy.
type Apply = fn(&mut PolicyValues, Duration);

/// The reason why the value of a tag is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagProblem {
    /// It can't be read.
    #[error("{0}; using the configured value")]
    Unusable(UnusableTag),
    /// It asks for something out of bounds.
    #[error("tag {tag} is ignored: {problem}; using the configured value")]
    Refused {
        /// Name of the tag.
        tag: &'static str,
        /// The problem with its value.
        problem: PolicyProblem,
    },
    /// It asks for more or less than the configuration allows.
    #[error("tag {tag} asks for {}, but the configuration allows {} to {}; using the configured value",
        human(*.asked), human(*.bounds.start()), human(*.bounds.end()))]
    OutOfBounds {
        /// Name of the tag.
        tag: &'static str,
        /// The value that it asks for.
        asked: Duration,
        /// The values that are allowed.
        bounds: RangeInclusive<Duration>,
    },
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn policy() -> RotationPolicy {
        RotationPolicy::try_new(PolicyValues::default()).unwrap()
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let values = PolicyValues {
            validity: Duration::days(1_000),
            overlap: Duration::ZERO,
            ..PolicyValues::default()
        };
        let told: Vec<_> =
            RotationPolicy::try_new(values).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["validity is 1000d and must be from 1d to 730d", "overlap is 0s and must be from 1h to 365d"]
        );
    }

    /// A credential is due at most a third of its life before its end.
    #[test]
    fn due_lead_is_at_most_a_third() {
        let start = datetime!(2026-01-01 0:00 UTC);
        let due = |days| (policy().due(start, start + Duration::days(days)) - start).whole_days();
        assert_eq!((due(180), due(90), due(30), due(3)), (150, 60, 20, 2));
    }

    /// Credentials that were created on one day become due spread over the jitter, each on a stable date.
    #[test]
    fn jitter_spreads_a_fleet_created_together() {
        let values = PolicyValues { jitter: Duration::days(10), ..PolicyValues::default() };
        let policy = RotationPolicy::try_new(values).unwrap();
        let start = datetime!(2026-01-01 0:00 UTC);
        let due = |name: u32| {
            let secret = format!("kv-1/app-{name}").parse().unwrap();
            policy.clone().spread(&secret).due(start, start + Duration::days(90))
        };
        let dates: Vec<_> = (0..200).map(|name| (due(name) - start).whole_days()).collect();
        assert!(dates.iter().all(|day| (50..=60).contains(day)), "{dates:?}");
        let on_one_day =
            (50..60).map(|day| dates.iter().filter(|other| **other == day).count()).max().unwrap();
        assert!(on_one_day < 40, "{on_one_day} of 200 are due on one day");
        assert_eq!(due(1), due(1));
    }

    /// A tag outside the configured bounds is reported, and the configured value stands.
    #[test]
    fn tag_outside_bounds_is_not_followed() {
        let bounds = TagBounds { overlap: Duration::days(2)..=Duration::days(10), ..TagBounds::default() };
        let tags: Tags = [(VALIDITY_PERIOD_DAYS, "120"), (OVERLAP_DAYS, "20")].into_iter().collect();
        let (followed, problems) = policy().with_bounds(bounds).with_tags(&tags);
        assert_eq!((followed.validity(), followed.overlap()), (Duration::days(120), Duration::days(7)));
        let told = "tag OverlapDays asks for 20d, but the configuration allows 2d to 10d; using the configured value";
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [told]);
    }

    /// A short-lived credential is not already urgent at the moment it is due.
    #[test]
    fn short_lived_credential_is_due_before_urgent() {
        let start = datetime!(2026-01-01 0:00 UTC);
        let before = |days| {
            let end = start + Duration::days(days);
            (end - policy().due(start, end), end - policy().urgent_from(start, end))
        };
        assert_eq!(before(90), (Duration::days(30), Duration::days(7)));
        assert_eq!(before(18), (Duration::days(6), Duration::days(3)));
    }

    #[test]
    fn tags_are_followed_within_bounds_only() {
        let tags: Tags = [(VALIDITY_PERIOD_DAYS, "120"), (OVERLAP_DAYS, "400"), (ROTATE_BEFORE_DAYS, "soon")]
            .into_iter()
            .collect();
        let (followed, problems) = policy().with_tags(&tags);
        assert_eq!(followed.validity(), Duration::days(120));
        assert_eq!(followed.overlap(), Duration::days(7));
        assert_eq!(problems.len(), 2);
    }
}
