//! What Event Grid is told: by the model when something happens, by the controls when somebody wants something.

use serde_json::Value;
use tokio::sync::oneshot;

use super::subscription::Subscription;
use crate::ports::Hold;
use crate::sandbox::model::{Version, VersionCreated};

/// What Event Grid has to know. A hold keeps the clock still until it does.
pub(crate) enum Notice {
    /// A version was put.
    Created(VersionCreated, Hold),
    /// A version was patched, or has come back with its restored secret; its `at` is still when it was put.
    Patched(VersionCreated, Hold),
    /// Somebody wants to see a `SecretNearExpiry` now; told whether any subscription got it.
    Wanted { vault: String, secret: String, version: Box<Version>, reply: oneshot::Sender<bool> },
    /// A subscription is made or changed; told, once the handshake has ended, what came of it.
    Subscribe { subscription: Box<Subscription>, reply: oneshot::Sender<Provisioned> },
    /// A subscription is deleted; told, once the other side was, whether there was one.
    Unsubscribe { name: String, reply: oneshot::Sender<bool> },
    /// Somebody opens a validation URL; told whether it was good.
    Validate { name: String, token: String, reply: oneshot::Sender<bool> },
    /// Somebody wants to see all subscriptions.
    List { reply: oneshot::Sender<Vec<Value>> },
}

/// What came of a subscription: `Err` says why it failed.
pub(crate) type Provisioned = Result<(), String>;
