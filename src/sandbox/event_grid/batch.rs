//! Batches on their way, and when the next attempt is made.

use time::{Duration, OffsetDateTime};

use super::event::Event;
use super::webhook::Outcome;

/// Events that are sent together; they arrive, or not, as a whole.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    pub(super) attempt: usize,
    first_tried: OffsetDateTime,
}

impl Batch {
    pub(super) fn new(events: Vec<Event>, now: OffsetDateTime) -> Self {
        Self { events, attempt: 0, first_tried: now }
    }

    pub(super) fn tried(self) -> Self {
        Self { attempt: self.attempt + 1, ..self }
    }
}

/// How long to wait before the batch is tried again; `None`: it has arrived, or is given up.
pub(super) fn retry_delay(batch: &Batch, outcome: Outcome, now: OffsetDateTime) -> Option<Duration> {
    let at_least = match outcome {
        Outcome::Delivered | Outcome::Refused(400 | 401 | 403 | 413) => return None,
        Outcome::Refused(404) => Duration::minutes(5),
        Outcome::Refused(408) => Duration::minutes(2),
        Outcome::Refused(503) => Duration::seconds(30),
        Outcome::Refused(_) | Outcome::Unreachable => Duration::seconds(10),
    };
    let planned = RETRY_DELAYS.get(batch.attempt).copied().unwrap_or(Duration::hours(12));
    let delay = planned.max(at_least);
    (now + delay - batch.first_tried <= Duration::hours(24)).then_some(delay)
}

/// As documented, without its jitter.
const RETRY_DELAYS: [Duration; 9] = [
    Duration::seconds(10),
    Duration::seconds(30),
    Duration::minutes(1),
    Duration::minutes(5),
    Duration::minutes(10),
    Duration::minutes(30),
    Duration::hours(1),
    Duration::hours(3),
    Duration::hours(6),
];

/// The handshake is tried for as long as it takes, since the daemon may come up late.
pub(super) const HANDSHAKE_DELAYS: [Duration; 4] =
    [Duration::seconds(10), Duration::seconds(30), Duration::minutes(1), Duration::minutes(5)];

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn delay(attempt: usize, outcome: Outcome, after: Duration) -> Option<Duration> {
        let batch = Batch { events: Vec::new(), attempt, first_tried: NOW };
        retry_delay(&batch, outcome, NOW + after)
    }

    #[test]
    fn attempts_get_rarer_and_end_after_a_day() {
        assert_eq!(delay(0, Outcome::Unreachable, Duration::ZERO), Some(Duration::seconds(10)));
        assert_eq!(delay(0, Outcome::Refused(404), Duration::ZERO), Some(Duration::minutes(5)));
        assert_eq!(delay(8, Outcome::Refused(500), Duration::hours(5)), Some(Duration::hours(6)));
        assert_eq!(delay(9, Outcome::Unreachable, Duration::hours(13)), None);
    }

    #[test]
    fn a_clear_no_is_final() {
        for status in [400, 401, 403, 413] {
            assert_eq!(delay(0, Outcome::Refused(status), Duration::ZERO), None);
        }
    }
}
