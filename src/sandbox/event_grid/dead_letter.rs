//! Dead letters: events given up, shown five minutes later with the reason, or only counted.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::batch::{Batch, Reason};
use super::event::{Schema, event_time};
use super::outcome::Outcome;

/// The delay between giving up an event and writing its blob.
pub(super) const DEAD_LETTER_DELAY: Duration = Duration::minutes(5);

/// Dead letters that wait for their time.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    waiting: BTreeMap<(OffsetDateTime, u64), Value>,
    next_id: u64,
}

/// The end of a batch.
pub(super) struct End<'a> {
    pub(super) batch: &'a Batch,
    pub(super) reason: Reason,
}

impl DeadLetters {
    pub(super) fn add(&mut self, given_up: OffsetDateTime, letter: Value) {
        self.waiting.insert((given_up + DEAD_LETTER_DELAY, self.next_id), letter);
        self.next_id += 1;
    }

    pub(super) fn next_moment(&self) -> Option<OffsetDateTime> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn take_due(&mut self, now: OffsetDateTime) -> Vec<Value> {
        let later = self.waiting.split_off(&(now + Duration::nanoseconds(1), 0));
        std::mem::replace(&mut self.waiting, later).into_values().collect()
    }
}

impl End<'_> {
    /// Returns the event with the known details of its end, which are fewer if it was never tried. CloudEvents allows
    /// only lower-case names.
    pub(super) fn write_on(&self, event: Value, schema: Schema) -> Value {
        let Value::Object(mut event) = event else { return event };
        let (outcome, last_attempt) = self.batch.latest.unzip();
        let known = [
            ("deadLetterReason", json!(self.reason())),
            ("deliveryAttempts", json!(self.batch.attempts)),
            ("lastDeliveryOutcome", json!(outcome.map(Outcome::name))),
            ("lastHttpStatusCode", json!(outcome.and_then(Outcome::status))),
            ("publishTime", json!(event_time(self.batch.published))),
            ("lastDeliveryAttemptTime", json!(last_attempt.map(event_time))),
        ];
        for (name, value) in known.into_iter().filter(|(_, value)| !value.is_null()) {
            let name = match schema {
                Schema::EventGrid => name.to_owned(),
                Schema::CloudEvents => name.to_ascii_lowercase(),
            };
            event.insert(name, value);
        }
        Value::Object(event)
    }

    pub(super) fn reason(&self) -> String {
        match self.reason {
            Reason::Refused(outcome) => format!("UndeliverableDueToHttp{}", outcome.name()),
            Reason::AttemptsExceeded => "MaxDeliveryAttemptsExceeded".to_owned(),
            Reason::TimeToLiveExceeded => "TimeToLiveExceeded".to_owned(),
        }
    }
}
