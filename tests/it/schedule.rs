//! The schedule at clock changes, against a table that Python's zoneinfo has made.

use std::process::Command;

use jiff::tz::TimeZone;
use rekeyd::config::ScheduleConfig;
use rekeyd::triggers::schedule::next_run;
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// Made by `tests/it/schedule/dst.py`, which also documents the rule.
const TABLE: &str = include_str!("schedule/dst.json");

/// The runs of one expression after `from`, up to and including `until`, in days in which the clocks change.
#[derive(Debug, Deserialize)]
struct Case {
    zone: String,
    cron: String,
    from: String,
    until: String,
    fires: Vec<String>,
}

impl Case {
    fn config(&self) -> ScheduleConfig {
        ScheduleConfig {
            cron: self.cron.parse().unwrap(),
            expression: self.cron.clone(),
            time_zone: TimeZone::get(&self.zone).unwrap(),
            at_start: false,
            jitter: std::time::Duration::ZERO,
        }
    }

    /// Returns the runs as the daemon computes them: each from the one before.
    fn walked(&self) -> Vec<String> {
        let (config, until) = (self.config(), moment(&self.until));
        std::iter::successors(next_run(&config, moment(&self.from)), |run| next_run(&config, *run))
            .take_while(|run| *run <= until)
            .map(|run| run.format(&Rfc3339).unwrap())
            .collect()
    }
}

fn table() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(TABLE).unwrap();
    assert!(!cases.is_empty());
    cases
}

fn moment(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).unwrap()
}

/// Scheduled runs around every daylight-saving change match those computed with Python's `zoneinfo`.
#[test]
fn runs_around_dst_match_zoneinfo() {
    for case in table() {
        assert_eq!(case.walked(), case.fires, "{case:?}");
    }
}

// A daemon that starts between two runs, maybe in a doubled hour, has no earlier run to start from.
#[test]
fn next_run_is_independent_of_start() {
    for case in table() {
        let (config, fires) = (case.config(), case.fires.iter().map(|run| moment(run)).collect::<Vec<_>>());
        let mut now = moment(&case.from);
        while let Some(due) = fires.iter().find(|run| **run > now) {
            assert_eq!(next_run(&config, now), Some(*due), "at {now} of {case:?}");
            now += Duration::minutes(5);
        }
    }
}

/// The table of daylight-saving changes is exactly the output of its script.
#[test]
#[ignore = "needs python3"]
fn dst_table_matches_its_script() {
    let root = env!("CARGO_MANIFEST_DIR");
    let script = Command::new("python3").arg("tests/it/schedule/dst.py").current_dir(root).output().unwrap();
    assert!(script.status.success(), "{}", String::from_utf8_lossy(&script.stderr));
    let printed = String::from_utf8(script.stdout).unwrap();
    for (now, kept) in printed.lines().zip(TABLE.lines()) {
        assert_eq!(now, kept);
    }
    assert_eq!(printed.len(), TABLE.len());
}
