//! The preview: what a pass would do about a secret now, without doing it.

use super::Reconciler;
use crate::domain::{Decision, ManagedSecret, decide};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::status::SecretStatus;

/// The decision about a secret that was not executed.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The decision, as of now.
    pub decision: Decision,
    /// The status that it gives.
    pub status: SecretStatus,
}

impl Reconciler {
    /// Returns what would be done about a secret now, and why, without doing it.
    ///
    /// # Errors
    /// The reason why that is not known.
    pub async fn preview(&self, managed: &ManagedSecret) -> Result<Preview, Blocked> {
        let now = self.ports.clock.now();
        let observation = self.observe(managed, None, false, now).await?;
        let decision = decide(&observation.seen, &observation.policy, now);
        self.show(managed, &observation, &decision, now);
        let status = self.board.show(&managed.id).unwrap_or_else(|| SecretStatus::unknown(&managed.id));
        Ok(Preview { decision, status })
    }
}
