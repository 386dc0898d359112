//! The preview: what a pass would do about a secret now, without doing it.

use super::Reconciler;
use crate::domain::{Decision, SecretId, decide};
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
    /// The reason why that is not known: its label, and its meaning.
    pub async fn preview(&self, secret: &SecretId) -> Result<Preview, (&'static str, String)> {
        let now = self.ports.clock.now();
        let managed =
            self.catalogue.find(secret).ok_or(("not_managed", format!("{secret} is not managed")))?;
        let observed = self.observe(&managed, None, false, now).await;
        let observation = observed.map_err(|blocked| (blocked.reason.label(), blocked.message()))?;
        let decision = decide(&observation.seen, &observation.policy, now);
        self.show(&managed, &observation, &decision, now);
        let status = self.board.show(secret).ok_or(("not_managed", format!("{secret} is not managed")))?;
        Ok(Preview { decision, status })
    }
}
