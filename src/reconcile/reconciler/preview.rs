//! The preview: what a pass would do about a secret now, without doing it.

use super::Reconciler;
use crate::domain::{Decision, ManagedSecret, decide};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::observe::Observation;
use crate::reconcile::status::SecretStatus;

/// The decision about a secret that was not executed.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The decision, as of now.
    pub decision: Decision,
    /// The status that it gives.
    pub status: SecretStatus,
}

/// The observation that a preview decides on.
#[derive(Debug)]
pub struct Inspected(Observation);

impl Reconciler {
    /// Reads everything that the decision about a secret depends on, once.
    ///
    /// # Errors
    /// The reason why that is not known.
    pub async fn inspect(&self, managed: &ManagedSecret) -> Result<Inspected, Blocked> {
        let now = self.ports.clock.now();
        self.observe(managed, None, false, now).await.map(Inspected)
    }

    /// Returns what would be done about a secret now, and why, without doing it: as it was inspected, and as the other
    /// secrets were previewed so far.
    pub fn preview(&self, managed: &ManagedSecret, Inspected(observation): &mut Inspected) -> Preview {
        let now = self.ports.clock.now();
        self.add_fleet(observation, managed, now);
        let decision = decide(&observation.seen, &observation.policy, now);
        self.show(managed, observation, &decision, now);
        let status = self.board.show(&managed.id).unwrap_or_else(|| SecretStatus::unknown(&managed.id));
        Preview { decision, status }
    }
}
