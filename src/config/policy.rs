//! The rules of rotation: `[policy]`, overlaid with each entry's own keys, and `[bounds]` for the values that tags may
//! request.

use std::ops::RangeInclusive;

use time::Duration;

use super::problems::Problems;
use super::reader::{Found, Section};
use super::values;
use crate::domain::{
    Adopt, ForeignExpired, PolicyDuration, PolicyProblem, PolicyValues, RotationPolicy, TagBounds, UsageGate,
};

/// The tables `[policy]` and `[bounds]` as far as they could be read.
pub(super) struct Policy {
    values: PolicyValues,
    is_sound: bool,
    bounds: TagBounds,
}

impl Policy {
    pub(super) fn read(mut section: Section<'_>, bounds: TagBounds, problems: &Problems) -> Self {
        let (values, given) = overlaid(&mut section, &PolicyValues::default());
        let refused = RotationPolicy::try_new(values.clone()).err().unwrap_or_default();
        for problem in &refused {
            report(&section, problem, &given, problems);
        }
        section.finish();
        Self { values, is_sound: refused.is_empty(), bounds }
    }

    /// Returns the policy of secrets that are found by their tags, or `None` only if a problem was reported.
    pub(super) fn of_discovered(&self) -> Option<RotationPolicy> {
        let policy = RotationPolicy::try_new(self.values.clone()).ok()?;
        Some(policy.with_bounds(self.bounds.clone()))
    }

    /// Reads the policy of one secret. Problems of `[policy]` itself are not reported again.
    pub(super) fn of_secret(&self, section: &mut Section<'_>, problems: &Problems) -> Option<RotationPolicy> {
        let (values, given) = overlaid(section, &self.values);
        let refused = match RotationPolicy::try_new(values) {
            Ok(policy) => return Some(policy.with_bounds(self.bounds.clone())),
            Err(refused) => refused,
        };
        for problem in refused.iter().filter(|problem| self.is_sound || given.has(problem.key)) {
            report(section, problem, &given, problems);
        }
        None
    }
}

/// The keys that a table sets itself.
struct Given(Vec<(&'static str, Option<Found<Duration>>)>);

impl Given {
    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(given, _)| *given == key)
    }

    fn is_unreadable(&self, key: &str) -> bool {
        self.0.iter().any(|(given, found)| *given == key && found.is_none())
    }

    fn found(&self, key: &str) -> Option<&Found<Duration>> {
        self.0.iter().find(|(given, _)| *given == key).and_then(|(_, found)| found.as_ref())
    }
}

fn overlaid(section: &mut Section<'_>, base: &PolicyValues) -> (PolicyValues, Given) {
    let (mut values, mut given) = (base.clone(), Given(Vec::new()));
    for PolicyDuration { key, field, .. } in PolicyValues::DURATIONS {
        let is_given = section.has(key);
        let found = section.text(key, values::span);
        if let Some(found) = &found {
            *field(&mut values) = found.value;
        } else if is_given {
            // Out of bounds: keeps the domain from comparing the others with a value that no one intended.
            *field(&mut values) = -Duration::SECOND;
        }
        if is_given {
            given.0.push((*key, found));
        }
    }
    Found::put(section.text("usage_gate", values::one_of(&USAGE_GATES)), &mut values.usage_gate);
    Found::put(section.text("adopt", values::one_of(&ADOPTS)), &mut values.adopt);
    let foreign_expired = section.text("foreign_expired", values::one_of(&FOREIGN_EXPIRED));
    Found::put(foreign_expired, &mut values.foreign_expired);
    (values, given)
}

fn report(section: &Section<'_>, problem: &PolicyProblem, given: &Given, problems: &Problems) {
    if given.is_unreadable(problem.key) {
        return;
    }
    let path = section.path_of(problem.key);
    match given.found(problem.key) {
        Some(found) => problems.add(&found.location, format!("{path} is {}: {problem}", found.shown)),
        None => problems.add(section.location(), format!("{path}: {problem}")),
    }
}

/// Reads the table `[bounds]`. Values that could not be read have been reported, and have their defaults here.
pub(super) fn bounds(mut section: Section<'_>, problems: &Problems) -> TagBounds {
    let mut bounds = TagBounds::default();
    for (least, most, field) in BOUNDS {
        if let Some(range) = bound(&mut section, least, most, problems) {
            *field(&mut bounds) = range;
        }
    }
    section.finish();
    bounds
}

/// Reads one range of the bounds. Returns `None` only if a problem was reported.
fn bound(
    section: &mut Section<'_>,
    least: &'static str,
    most: &'static str,
    problems: &Problems,
) -> Option<RangeInclusive<Duration>> {
    let is_most_given = section.has(most);
    let (from, to) = (section.text(least, values::span), section.text(most, values::span));
    let (from, to) = (from?, to?);
    if from.value <= to.value {
        return Some(from.value..=to.value);
    }
    let location = if is_most_given { &to.location } else { &from.location };
    let (least, most) = (section.path_of(least), section.path_of(most));
    problems.add(location, format!("{least} is {}, which is more than {most}, {}", from.shown, to.shown));
    None
}

type BoundsField = fn(&mut TagBounds) -> &mut RangeInclusive<Duration>;

const BOUNDS: [(&str, &str, BoundsField); 3] = [
    ("min_validity", "max_validity", |bounds| &mut bounds.validity),
    ("min_rotate_before", "max_rotate_before", |bounds| &mut bounds.rotate_before),
    ("min_overlap", "max_overlap", |bounds| &mut bounds.overlap),
];

const USAGE_GATES: [(&str, UsageGate); 2] = [("off", UsageGate::Off), ("report", UsageGate::Report)];

const ADOPTS: [(&str, Adopt); 3] =
    [("match", Adopt::Match), ("rotate", Adopt::Rotate), ("report", Adopt::Report)];

const FOREIGN_EXPIRED: [(&str, ForeignExpired); 2] =
    [("report", ForeignExpired::Report), ("remove", ForeignExpired::Remove)];
