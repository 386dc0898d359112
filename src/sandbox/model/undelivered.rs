//! What Event Grid gave up: dead letters, and how many events were dropped for want of a place for them.

use serde_json::Value;

use super::Model;

/// Kept for `/_sandbox/state`; nothing is ever taken out.
#[derive(Debug, Default)]
pub(super) struct Undelivered {
    pub(super) dead_letters: Vec<Value>,
    pub(super) dropped: u64,
}

impl Model {
    /// Keeps an event that could not be delivered, as the dead-letter blob has it.
    pub(crate) fn keep_dead_letter(&self, letter: Value) {
        self.lock().undelivered.dead_letters.push(letter);
    }

    /// Counts an event that could not be delivered and that nobody keeps.
    pub(crate) fn count_dropped_event(&self) {
        self.lock().undelivered.dropped += 1;
    }
}
