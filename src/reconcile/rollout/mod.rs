//! The rollout: windows, freezes, canaries and limits of the fleet, as facts for a decision. Begins no rotation itself.
//!
//! The count of an hour is kept in memory and on the status board, which each pass fills: a restart allows at most one
//! more round.

mod admission;
mod calendar;

use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

pub(super) use admission::Admission;
pub use calendar::WindowState;

use super::status::SecretStatus;
use super::status_board::StatusBoard;
use crate::config::RolloutConfig;
use crate::domain::{ActiveLimit, IssueReason, RolloutLimits, SecretId, SecretState};

/// The rollout limits of one daemon.
#[derive(Debug)]
pub struct Rollout {
    config: RolloutConfig,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    /// When the rotations of the last hour began.
    begun: Vec<OffsetDateTime>,
    /// The number of rotations that began since the last sweep did, except those that came to nothing.
    in_sweep: usize,
    /// When that sweep began.
    swept: Option<OffsetDateTime>,
}

impl Rollout {
    /// Returns limits that have counted nothing yet.
    #[must_use]
    pub fn new(config: RolloutConfig) -> Self {
        Self { config, counted: Mutex::default() }
    }

    /// Notes that a sweep begins: it may begin as many rotations as are allowed for one.
    pub fn sweep_begins(&self, now: OffsetDateTime) {
        let mut counted = self.lock();
        (counted.in_sweep, counted.swept) = (0, Some(now));
    }

    /// Returns true if a rotation for this reason may begin now, and counts it then. Several passes may ask at a time,
    /// so that a limit may have been reached since the limits that were `known` to the decision.
    pub(super) fn begins(
        &self,
        reason: IssueReason,
        known: &RolloutLimits,
        board: &StatusBoard,
        now: OffsetDateTime,
    ) -> bool {
        let mut counted = self.lock();
        let sweep = self.sweep(&counted).filter(|_| known.sweep.is_none());
        let limits =
            RolloutLimits { hour: self.hour(&counted, board, now), sweep, ..RolloutLimits::default() };
        if limits.applying_to(reason, false).is_some() {
            return false;
        }
        counted.begun = within_an_hour(std::mem::take(&mut counted.begun), now);
        counted.begun.push(now);
        counted.in_sweep += 1;
        true
    }

    /// Notes that a rotation that began at `began` came to nothing: another one may have its place in the sweep.
    ///
    /// Otherwise a secret that can't be rotated might take the only place of every sweep. It stays in the count of the
    /// hour, so that a rotation that fails everywhere is not tried everywhere at once.
    pub(super) fn came_to_nothing(&self, began: OffsetDateTime) {
        let mut counted = self.lock();
        if counted.swept.is_none_or(|swept| swept <= began) {
            counted.in_sweep = counted.in_sweep.saturating_sub(1);
        }
    }

    /// Returns the limits that hold `secret` back now.
    pub(super) fn limits(
        &self,
        secret: &SecretId,
        board: &StatusBoard,
        now: OffsetDateTime,
    ) -> RolloutLimits {
        let closed = match self.window(now) {
            WindowState::Open => None,
            WindowState::Closed { next } => Some(ActiveLimit { until: next }),
        };
        let counted = self.lock();
        RolloutLimits {
            freeze: self.freeze(now),
            closed,
            canary: self.canary(secret, board, now),
            hour: self.hour(&counted, board, now),
            sweep: self.sweep(&counted),
        }
    }

    /// Returns true if `secret` is one of those that go first.
    #[must_use]
    pub fn is_canary(&self, secret: &SecretId) -> bool {
        self.config.canaries.contains(secret)
    }

    /// Returns the time at which a canary has to be reconciled again, so that the rest need not wait for its schedule.
    pub(super) fn canary_check(
        &self,
        secret: &SecretId,
        published: Option<OffsetDateTime>,
    ) -> Option<OffsetDateTime> {
        published.filter(|_| self.is_canary(secret)).map(|at| at + CANARY_HOUR)
    }

    /// Returns the limit on the rest, which wait until every canary is well, and has been for the first hour of its
    /// overlap.
    fn canary(&self, secret: &SecretId, board: &StatusBoard, now: OffsetDateTime) -> Option<ActiveLimit> {
        if self.is_canary(secret) {
            return None;
        }
        // A canary that discovery has not found, or not again, has not passed either.
        let waiting = self.config.canaries.iter().filter_map(|canary| match board.show(canary) {
            Some(canary) => waits_for(&canary, now),
            None => Some(ActiveLimit { until: None }),
        });
        // A canary without a known end decides: then the end of the wait is not known.
        waiting.reduce(|one, other| ActiveLimit { until: one.until.zip(other.until).map(|(a, b)| a.max(b)) })
    }

    fn sweep(&self, counted: &Counted) -> Option<ActiveLimit> {
        let full = self.config.max_per_sweep.is_some_and(|most| counted.in_sweep >= most);
        full.then_some(ActiveLimit { until: None })
    }

    fn hour(&self, counted: &Counted, board: &StatusBoard, now: OffsetDateTime) -> Option<ActiveLimit> {
        let most = self.config.max_per_hour?;
        let begun = within_an_hour(counted.begun.clone(), now);
        let published = within_an_hour(board.rotations_published(), now);
        let counted = if begun.len() >= published.len() { begun } else { published };
        let first = counted.iter().min().map(|first| *first + Duration::HOUR);
        (counted.len() >= most).then_some(ActiveLimit { until: first })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the moments of the hour before `now`.
fn within_an_hour(mut moments: Vec<OffsetDateTime>, now: OffsetDateTime) -> Vec<OffsetDateTime> {
    moments.retain(|at| *at + Duration::HOUR > now);
    moments
}

/// Returns the limit on the others, if this canary has not passed.
fn waits_for(canary: &SecretStatus, now: OffsetDateTime) -> Option<ActiveLimit> {
    if canary.last_reconciled.is_none() && canary.state == SecretState::Unknown {
        return Some(ActiveLimit { until: Some(now + FIRST_RECONCILE) });
    }
    let is_well = canary.state == SecretState::Waiting && !canary.is_due(now);
    let passed = canary.published.map(|at| at + CANARY_HOUR);
    match passed {
        Some(passed) if canary.is_rotated && canary.last_reconciled.is_none_or(|last| last < passed) => {
            Some(ActiveLimit { until: Some(passed).filter(|_| is_well) })
        }
        Some(_) | None => (!is_well).then_some(ActiveLimit { until: None }),
    }
}

/// When a daemon starts, its canaries are reconciled in about this time, like all others.
const FIRST_RECONCILE: Duration = Duration::seconds(20);

/// The part of its overlap that a canary has to pass.
const CANARY_HOUR: Duration = Duration::HOUR;
