//! Notices to Event Grid: from the model when something happens, and from the controls on request.

use serde_json::Value;
use tokio::sync::oneshot;

use super::subscription::Subscription;
use crate::ports::Hold;
use crate::sandbox::model::{Version, VersionCreated};

/// A notice to Event Grid. A hold stops the clock until the notice is handled.
pub(crate) enum Notice {
    /// A version was put.
    Created(VersionCreated, Hold),
    /// A version was patched, or is current in a restored secret; its `at` is still the time it was put.
    Patched(VersionCreated, Hold),
    /// A request to send a `SecretNearExpiry` now; the reply is true if any subscription got it.
    Wanted { vault: String, secret: String, version: Box<Version>, reply: oneshot::Sender<bool> },
    /// A request to create or change a subscription; the reply is the result once the handshake has ended.
    Subscribe { subscription: Box<Subscription>, reply: oneshot::Sender<Provisioned> },
    /// A request to delete a subscription; the reply, once the endpoint was notified, is true if there was one.
    Unsubscribe { name: String, reply: oneshot::Sender<bool> },
    /// An opened validation URL; the reply is true if it was valid.
    Validate { name: String, token: String, reply: oneshot::Sender<bool> },
    /// A request for all subscriptions.
    List { reply: oneshot::Sender<Vec<Value>> },
}

/// The result of creating a subscription: `Err` is the reason for the failure.
pub(crate) type Provisioned = Result<(), String>;
