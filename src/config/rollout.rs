//! How far a fleet may move at a time: `[rollout]`, with its windows and freezes as calendars.

use std::collections::BTreeSet;

use croner::Cron;
use jiff::tz::TimeZone;
use time::{Duration, OffsetDateTime};

use crate::domain::SecretId;

/// What holds scheduled rotations back.
#[derive(Debug, Clone, Default)]
pub struct RolloutConfig {
    /// The most rotations that one sweep begins; `None`: as many as are due.
    pub max_per_sweep: Option<usize>,
    /// The most rotations that are begun in any hour; `None`: as many as are due.
    pub max_per_hour: Option<usize>,
    /// The secrets that go first.
    pub canaries: BTreeSet<SecretId>,
    /// When rotations may be begun; any time, if there is none.
    pub windows: Vec<Window>,
    /// When none may be begun.
    pub freezes: Vec<FreezePeriod>,
}

/// A maintenance window that comes again and again.
#[derive(Debug, Clone)]
pub struct Window {
    /// When it opens.
    pub cron: Cron,
    /// The expression as written.
    pub expression: String,
    /// How long it is open: 1 minute to 7 days.
    pub duration: Duration,
    /// The zone in which the expression is meant.
    pub time_zone: TimeZone,
}

/// Whether rotations may be begun now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowState {
    /// They may.
    Open,
    /// Not before the next window opens; `None`: none will.
    Closed {
        /// When it does.
        next: Option<OffsetDateTime>,
    },
}

impl RolloutConfig {
    /// Whether a maintenance window is open.
    #[must_use]
    pub fn window(&self, _: OffsetDateTime) -> WindowState {
        WindowState::Open
    }

    /// The freeze that is on.
    #[must_use]
    pub fn freeze(&self, _: OffsetDateTime) -> Option<crate::domain::Freeze> {
        None
    }
}

/// A time without rotations, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreezePeriod {
    /// Its first moment.
    pub from: OffsetDateTime,
    /// The first moment after it.
    pub until: OffsetDateTime,
    /// Whether even secrets below `critical` wait.
    pub is_hard: bool,
}
