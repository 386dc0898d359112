//! A queue of events that outlives this process.

use std::time::Duration;

use async_trait::async_trait;

use super::PortError;

/// A Storage Queue, with the operations that the queue trigger needs.
#[async_trait]
pub trait EventQueue: std::fmt::Debug + Send + Sync {
    /// Receives the messages that are available now, at most 32, and hides each from others for `hidden`.
    ///
    /// # Errors
    /// None could be received. Messages that were hidden without being returned come again.
    async fn receive(&self, hidden: Duration) -> Result<Vec<QueueMessage>, PortError>;

    /// Hides `message` for `hidden` from now on and gives it another receipt.
    ///
    /// # Errors
    /// The message may come again earlier. [`RefusalKind::MessageLost`](super::RefusalKind): another client has it, or
    /// it is gone.
    async fn hide(&self, message: &mut QueueMessage, hidden: Duration) -> Result<(), PortError>;

    /// Deletes `message` from the queue.
    ///
    /// # Errors
    /// The message may come again. [`RefusalKind::MessageLost`](super::RefusalKind): another client has it, or it is
    /// gone.
    async fn delete(&self, message: &QueueMessage) -> Result<(), PortError>;

    /// Puts the text of `message` into the poison queue, for unusable messages. It stays there until a person removes
    /// it.
    ///
    /// # Errors
    /// The text may not be in the poison queue; repeating the call may put it there twice.
    async fn move_to_poison(&self, message: &QueueMessage) -> Result<(), PortError>;
}

/// A message that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// The message's id.
    pub id: String,
    /// The receipt, needed to change or delete the message; valid until the message is received again.
    pub receipt: String,
    /// Its content as received.
    pub text: String,
    /// The number of times it was received, including this one.
    pub attempts: u64,
}
