//! A queue of events that outlives this process.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;

/// A Storage Queue, as the loop's trigger needs it.
#[async_trait]
pub trait EventQueue: std::fmt::Debug + Send + Sync {
    /// The messages that can be had now, at most 32, each hidden from others for `hidden`.
    ///
    /// # Errors
    /// None could be had. What was hidden without being told comes again.
    async fn receive(&self, hidden: Duration) -> Result<Vec<QueueMessage>, PortError>;

    /// Hides `message` for `hidden` from now on; it has another receipt then.
    ///
    /// # Errors
    /// It may come again earlier. [`RefusalKind::MessageLost`](super::RefusalKind): another client has it, or it is gone.
    async fn hide(&self, message: &mut QueueMessage, hidden: Duration) -> Result<(), PortError>;

    /// Takes `message` out of the queue.
    ///
    /// # Errors
    /// It may come again. [`RefusalKind::MessageLost`](super::RefusalKind): another client has it, or it is gone.
    async fn delete(&self, message: &QueueMessage) -> Result<(), PortError>;

    /// Puts the text of `message` into the queue for what nobody can use, where it stays until a person takes it.
    ///
    /// # Errors
    /// It may not be there; repeating it may put it there twice.
    async fn move_to_poison(&self, message: &QueueMessage) -> Result<(), PortError>;
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Which.
    pub id: String,
    /// What it is changed and deleted with; good until it is received again.
    pub receipt: String,
    /// Its content as it came.
    pub text: String,
    /// How often it was received, this time included.
    pub attempts: u64,
}
