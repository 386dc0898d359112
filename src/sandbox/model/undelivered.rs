//! Events that Event Grid gave up: the dead letters, and the number of events dropped without one.

use serde_json::Value;

use super::Model;

/// The undelivered events, kept for `/_sandbox/state`; nothing is ever removed.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    pub(super) dead_letters: Vec<Value>,
    pub(super) dropped: u64,
}

impl Model {
    /// Keeps an event that could not be delivered, as in the dead-letter blob.
    pub(crate) fn keep_dead_letter(&self, letter: Value) {
        self.lock().undelivered.dead_letters.push(letter);
    }

    /// Counts an event that could not be delivered and is not kept.
    pub(crate) fn count_dropped_event(&self) {
        self.lock().undelivered.dropped += 1;
    }
}
