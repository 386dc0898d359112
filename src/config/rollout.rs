//! The limits on rotations in a fleet: `[rollout]`, with its windows and freezes as calendars.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousTimestamp, TimeZone};
use time::{Duration, OffsetDateTime};

use super::azure::Vaults;
use super::cron::Cron;
use super::problems::Problems;
use super::reader::{Found, Section};
use super::secrets::{SECRET_ID, SecretEntries};
use super::values;
use crate::domain::SecretId;

/// The limits on scheduled rotations.
#[derive(Debug, Clone, Default)]
pub struct RolloutConfig {
    /// The maximum number of rotations that one sweep starts; `None`: as many as are due.
    pub max_per_sweep: Option<usize>,
    /// The maximum number of rotations that are started in any hour; `None`: as many as are due.
    pub max_per_hour: Option<usize>,
    /// The secrets that go first.
    pub canaries: BTreeSet<SecretId>,
    /// The windows in which rotations may be started; any time, if there are none.
    pub windows: Vec<Window>,
    /// The periods in which no rotation may be started.
    pub freezes: Vec<FreezePeriod>,
}

/// A recurring maintenance window.
#[derive(Debug, Clone)]
pub struct Window {
    /// The times at which it opens.
    pub cron: Cron,
    /// The expression as written.
    pub expression: String,
    /// The time for which it is open: 1 minute to 7 days.
    pub duration: Duration,
    /// The time zone of the expression.
    pub time_zone: TimeZone,
}

/// A single period without rotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreezePeriod {
    /// Its first moment.
    pub from: OffsetDateTime,
    /// The first moment after it.
    pub until: OffsetDateTime,
    /// True if even secrets below `urgent_before` wait.
    pub is_hard: bool,
}

/// Reads the table `[rollout]`. Returns `None` only if a problem was reported.
pub(super) fn rollout(
    mut section: Section<'_>,
    secrets: &SecretEntries,
    vaults: &Vaults,
    problems: &Problems,
) -> Option<RolloutConfig> {
    let max_per_sweep = section.number("max_per_sweep", values::number_within(0..=MAX_ROTATIONS));
    let max_per_hour = section.number("max_per_hour", values::number_within(0..=MAX_ROTATIONS));
    let canaries = section.texts("canaries", values::name::<SecretId>(SECRET_ID));
    let canaries = canaries.map(|canaries| checked_canaries(canaries, secrets, vaults, problems));
    let time_zone = section.text("time_zone", values::time_zone).map(|found| found.value);
    // If the zone is unreadable, the values that are read with this one are never used.
    let zone = time_zone.clone().unwrap_or(TimeZone::UTC);
    let windows = section.tables("windows").into_iter().filter_map(|table| window(table, &zone)).collect();
    let freezes = section.tables("freezes").into_iter();
    let freezes = freezes.filter_map(|table| freeze(table, &zone, problems)).collect();
    section.finish();
    Some(RolloutConfig {
        max_per_sweep: limit(&max_per_sweep?),
        max_per_hour: limit(&max_per_hour?),
        canaries: canaries?,
        windows,
        freezes,
    })
}

/// Returns the limit. `None`: 0, which means that there is no limit.
fn limit(most: &Found<usize>) -> Option<usize> {
    (most.value > 0).then_some(most.value)
}

fn checked_canaries(
    canaries: Vec<Found<SecretId>>,
    secrets: &SecretEntries,
    vaults: &Vaults,
    problems: &Problems,
) -> BTreeSet<SecretId> {
    for (index, canary) in (1..).zip(&canaries) {
        if !secrets.may_have(&canary.value) && !vaults.discovered.contains(&canary.value.vault) {
            let message = format!(
                "rollout.canaries[{index}] is {}, which is neither one of [[secrets]] nor in a vault with discover = true",
                canary.shown
            );
            problems.add(&canary.location, message);
        }
    }
    canaries.into_iter().map(|canary| canary.value).collect()
}

/// Reads one window. Returns `None` only if a problem was reported.
fn window(mut section: Section<'_>, zone: &TimeZone) -> Option<Window> {
    let cron = section.required("cron", values::cron);
    let duration = section.required("duration", |text: &str| {
        let bounds = std::time::Duration::from_secs(60)..=std::time::Duration::from_secs(7 * 86_400);
        Duration::try_from(values::duration_within(bounds)(text)?).map_err(|_| "too long".to_owned())
    });
    section.finish();
    let (cron, expression) = cron?.value;
    Some(Window { cron, expression, duration: duration?.value, time_zone: zone.clone() })
}

/// Reads one freeze. Returns `None` only if a problem was reported. An hour that occurs twice is frozen both times, and
/// an hour that is skipped is frozen from before it.
fn freeze(mut section: Section<'_>, zone: &TimeZone, problems: &Problems) -> Option<FreezePeriod> {
    let from = section.required("from", |text: &str| moment(text, zone, AmbiguousTimestamp::earlier));
    let until = section.required("until", |text: &str| moment(text, zone, AmbiguousTimestamp::later));
    let is_hard = section.boolean("hard");
    let path = section.path_of("until");
    section.finish();
    let (from, until) = (from?, until?);
    if until.value <= from.value {
        let message = format!("{path} is {}, which is not after from, {}", until.shown, from.shown);
        problems.add(&until.location, message);
        return None;
    }
    Some(FreezePeriod { from: from.value, until: until.value, is_hard: is_hard?.value })
}

fn moment(
    text: &str,
    zone: &TimeZone,
    choose: fn(AmbiguousTimestamp) -> Result<Timestamp, jiff::Error>,
) -> Result<OffsetDateTime, String> {
    in_zone(text, zone, choose)
        .ok_or_else(|| "not a date and time without a zone (for example \"2026-12-20T00:00\")".to_owned())
}

/// Converts a local date and time of `zone`. Returns `None` if `text` is anything else.
fn in_zone(
    text: &str,
    zone: &TimeZone,
    choose: fn(AmbiguousTimestamp) -> Result<Timestamp, jiff::Error>,
) -> Option<OffsetDateTime> {
    let civil = DateTime::strptime("%Y-%m-%dT%H:%M", text).ok()?;
    let stamp = choose(zone.to_ambiguous_timestamp(civil)).ok()?;
    OffsetDateTime::from_unix_timestamp(stamp.as_second()).ok()
}

/// The upper bound of both limits: more than any fleet has.
const MAX_ROTATIONS: usize = 100_000;
