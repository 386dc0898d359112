//! Batches to deliver, and the next step after each attempt.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::event::Event;
use super::outcome::Outcome;
use super::subscription::RetryPolicy;

/// Events that are sent together; they are delivered, or not, as a whole.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    /// The number of attempts so far.
    pub(super) attempts: u32,
    /// The outcome of the latest attempt, and its time; `None` before the first.
    pub(super) latest: Option<(Outcome, OffsetDateTime)>,
    pub(super) published: OffsetDateTime,
    /// An id that stays the same for each attempt.
    pub(super) output_id: Uuid,
}

/// The next step after an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The batch was delivered.
    Done,
    /// The batch is retried at this time.
    Retry(OffsetDateTime),
    /// The batch is given up, at this time.
    GiveUp(Reason, OffsetDateTime),
}

/// The reason for giving up a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The response was final: a retry can't succeed.
    Refused(Outcome),
    AttemptsExceeded,
    TimeToLiveExceeded,
}

impl Batch {
    pub(super) fn new(events: Vec<Event>, now: OffsetDateTime) -> Self {
        Self { events, attempts: 0, latest: None, published: now, output_id: Uuid::new_v4() }
    }

    pub(super) fn tried(self, outcome: Outcome, now: OffsetDateTime) -> Self {
        Self { attempts: self.attempts + 1, latest: Some((outcome, now)), ..self }
    }

    /// Returns true if its time to live ended while it waited for its turn.
    pub(super) fn has_outlived(&self, policy: RetryPolicy, now: OffsetDateTime) -> bool {
        now > self.published + policy.time_to_live
    }

    /// Returns the next step after the latest of `attempts` attempts, which had this outcome at `now`.
    pub(super) fn next(&self, outcome: Outcome, policy: RetryPolicy, now: OffsetDateTime) -> Next {
        match outcome {
            Outcome::Delivered => return Next::Done,
            Outcome::Refused(_) => return Next::GiveUp(Reason::Refused(outcome), now),
            Outcome::Failed(_) | Outcome::TimedOut | Outcome::Unreachable => {}
        }
        if self.attempts >= policy.max_attempts {
            return Next::GiveUp(Reason::AttemptsExceeded, now);
        }
        let (due, end) = (now + self.delay(outcome), self.published + policy.time_to_live);
        if due > end { Next::GiveUp(Reason::TimeToLiveExceeded, end.max(now)) } else { Next::Retry(due) }
    }

    fn delay(&self, outcome: Outcome) -> Duration {
        let at_least = match outcome {
            Outcome::Failed(404) => Duration::minutes(5),
            Outcome::Failed(408) => Duration::minutes(2),
            Outcome::Failed(503) => Duration::seconds(30),
            Outcome::Delivered
            | Outcome::Refused(_)
            | Outcome::Failed(_)
            | Outcome::TimedOut
            | Outcome::Unreachable => Duration::seconds(10),
        };
        let tried = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let planned = RETRY_DELAYS.get(tried.saturating_sub(1)).copied().unwrap_or(Duration::hours(12));
        planned.max(at_least)
    }
}

/// The documented delays, without Event Grid's jitter.
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

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    fn next(attempts: u32, outcome: Outcome, after: Duration, policy: RetryPolicy) -> Next {
        let batch = Batch { attempts, ..Batch::new(Vec::new(), NOW) };
        batch.next(outcome, policy, NOW + after)
    }

    fn retry(attempts: u32, outcome: Outcome, after: Duration) -> Next {
        next(attempts, outcome, after, RetryPolicy::default())
    }

    /// The delay between delivery attempts grows up to 12 hours, and an event is given up after one day.
    #[test]
    fn retries_slow_down_for_one_day() {
        let (minute, hour) = (60, 3600);
        let delays =
            [10, 30, minute, 5 * minute, 10 * minute, 30 * minute, hour, 3 * hour, 6 * hour, 12 * hour];
        for (attempts, seconds) in (1..).zip(delays.into_iter().chain([12 * hour])) {
            let delay = Duration::seconds(seconds);
            for outcome in [Outcome::Unreachable, Outcome::TimedOut, Outcome::Failed(500)] {
                assert_eq!(
                    retry(attempts, outcome, Duration::HOUR),
                    Next::Retry(NOW + Duration::HOUR + delay)
                );
            }
        }
        let end = Next::GiveUp(Reason::TimeToLiveExceeded, NOW + Duration::days(1));
        assert_eq!(retry(10, Outcome::Unreachable, Duration::hours(13)), end);
    }

    #[test]
    fn some_answers_ask_for_more_patience() {
        let expected = [(404, 300), (408, 120), (503, 30), (429, 10), (500, 10), (302, 10)];
        for (status, seconds) in expected {
            let then = NOW + Duration::seconds(seconds);
            assert_eq!(retry(1, Outcome::Failed(status), Duration::ZERO), Next::Retry(then));
        }
    }

    #[test]
    fn a_clear_no_is_final() {
        let no = Next::GiveUp(Reason::Refused(Outcome::Refused(403)), NOW);
        assert_eq!(retry(1, Outcome::Refused(403), Duration::ZERO), no);
    }

    /// A subscription's retry policy limits the number of attempts and the time to live of an event.
    #[test]
    fn retry_policy_limits_attempts_and_time() {
        let policy = RetryPolicy { max_attempts: 3, time_to_live: Duration::minutes(1) };
        let next =
            |attempts, seconds| next(attempts, Outcome::Failed(500), Duration::seconds(seconds), policy);
        assert_eq!(next(2, 10), Next::Retry(NOW + Duration::seconds(40)));
        assert_eq!(next(3, 10), Next::GiveUp(Reason::AttemptsExceeded, NOW + Duration::seconds(10)));
        let end = NOW + Duration::minutes(1);
        assert_eq!(next(2, 31), Next::GiveUp(Reason::TimeToLiveExceeded, end));
    }
}
