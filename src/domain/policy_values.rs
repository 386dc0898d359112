//! The values of a rotation policy, and the checks that they make sense.

use std::ops::RangeInclusive;

use time::Duration;

/// The condition on use for retiring a superseded credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageGate {
    /// Entra's report on sign-ins decides, where there is one.
    Report,
    /// Time alone decides.
    Off,
}

/// The treatment of a secret that does not name its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Adopt {
    /// Adopt the one credential that matches its text and end; without one, report.
    Match,
    /// As [`Adopt::Match`], but without a matching credential make a successor.
    Rotate,
    /// Report, and change nothing.
    Report,
}

/// The treatment of an expired credential that rekeyd did not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ForeignExpired {
    /// Report it.
    Report,
    /// Remove it.
    Remove,
}

/// Declares the values of a policy: each field with its default, durations also with their bounds.
macro_rules! policy_values {
    (
        $(#[$attribute:meta])*
        pub struct $values:ident {
            durations { $($(#[doc = $about:literal])+ $duration:ident = $default:expr, in $bounds:expr;)+ }
            choices { $($(#[doc = $whether:literal])+ $choice:ident: $kind:ty = $chosen:expr;)+ }
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $values {
            $($(#[doc = $about])+ pub $duration: Duration,)+
            $($(#[doc = $whether])+ pub $choice: $kind,)+
        }

        impl Default for $values {
            fn default() -> Self {
                Self { $($duration: $default,)+ $($choice: $chosen,)+ }
            }
        }

        impl $values {
            /// The durations, as keys of the configuration.
            pub const DURATIONS: &[PolicyDuration] = &[$(PolicyDuration {
                key: stringify!($duration),
                default: $default,
                bounds: $bounds,
                value: |values| values.$duration,
                field: |values| &mut values.$duration,
            }),+];
        }
    };
}

policy_values! {
    /// The values of a policy, not yet checked. The defaults are those of an empty configuration.
    pub struct PolicyValues {
        durations {
            /// Lifetime of a new credential: whole days.
            validity = Duration::days(90), in Duration::days(1)..=Duration::days(730);
            /// How long before its end a credential is due; never more than a third of its lifetime counts.
            rotate_before = Duration::days(30), in Duration::hours(1)..=Duration::days(365);
            /// How long a superseded credential stays alive.
            overlap = Duration::days(7), in Duration::hours(1)..=Duration::days(365);
            /// When a superseded credential is retired although it is in use; never before the overlap is over.
            max_overlap = Duration::days(30), in Duration::hours(1)..=Duration::days(730);
            /// How long a superseded credential must not have signed in, by a report that may lag.
            usage_quiet = Duration::days(3), in Duration::hours(1)..=Duration::days(90);
            /// How far the due dates of a fleet are spread, towards earlier ones.
            jitter = Duration::ZERO, in Duration::ZERO..=Duration::days(90);
            /// The age at which a credential that was never published is revoked.
            orphan_grace = Duration::hours(24), in Duration::hours(2)..=Duration::days(30);
            /// The time to the end below which more risks are taken to get a successor.
            urgent_before = Duration::days(7), in Duration::ZERO..=Duration::days(90);
            /// How long one rotation may take, from intent to publication.
            deadline = Duration::hours(1), in Duration::minutes(10)..=Duration::hours(6);
        }
        choices {
            /// If a superseded credential has to be out of use.
            usage_gate: UsageGate = UsageGate::Off;
            /// The treatment of a secret that does not name its credential.
            adopt: Adopt = Adopt::Match;
            /// The treatment of expired credentials that rekeyd did not make.
            foreign_expired: ForeignExpired = ForeignExpired::Report;
        }
    }
}

/// A duration among [`PolicyValues`], as a key of the configuration.
#[derive(Debug)]
pub struct PolicyDuration {
    /// The key's name in `[policy]`.
    pub key: &'static str,
    /// The value where the configuration gives none.
    pub default: Duration,
    /// The minimum and the maximum.
    pub bounds: RangeInclusive<Duration>,
    /// Reads the value.
    pub value: fn(&PolicyValues) -> Duration,
    /// Borrows the value to change it.
    pub field: fn(&mut PolicyValues) -> &mut Duration,
}

/// A [`PolicyValues`] value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {} and must be {must}", human(*.value))]
pub struct PolicyProblem {
    /// Name of the value in the configuration.
    pub key: &'static str,
    value: Duration,
    must: String,
}

impl PolicyValues {
    pub(super) fn out_of_bounds(&self) -> Vec<PolicyProblem> {
        let outside =
            Self::DURATIONS.iter().filter(|duration| !duration.bounds.contains(&(duration.value)(self)));
        outside
            .map(|duration| PolicyProblem {
                key: duration.key,
                value: (duration.value)(self),
                must: format!(
                    "from {} to {}",
                    human(*duration.bounds.start()),
                    human(*duration.bounds.end())
                ),
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

/// Formats a duration as the configuration does. Days stay days: years and months would not match any calendar.
#[must_use]
pub fn human(duration: Duration) -> String {
    if duration.whole_seconds() % 86_400 == 0 && !duration.is_zero() {
        return format!("{}d", duration.whole_days());
    }
    humantime::format_duration(duration.unsigned_abs()).to_string()
}
