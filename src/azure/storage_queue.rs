//! The `EventQueue` on Microsoft's Storage Queue client: with tokens, never with an account key.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RequestContent, XmlFormat};
use azure_storage_queue::models::{
    QueueClientReceiveMessagesOptions, QueueClientSendMessageOptions, QueueMessage as NewMessage,
    ReceivedMessage,
};
use azure_storage_queue::{QueueClient, QueueClientOptions};
use url::Url;

use super::errors::{from_queue_message, from_sdk};
use crate::ports::{EventQueue, PortError, QueueMessage};

/// A queue and its poison queue, which takes the unusable messages.
pub struct StorageQueue {
    events: QueueClient,
    poison: QueueClient,
}

impl StorageQueue {
    /// Creates the client of the queue at `url`; its poison queue has the same name followed by `-poison`.
    pub(super) fn new(
        url: &Url,
        credential: &Arc<dyn TokenCredential>,
        options: &ClientOptions,
    ) -> azure_core::Result<Self> {
        let events = client(url.clone(), credential, options)?;
        let poison = client(poison_url(url), credential, options)?;
        Ok(Self { events, poison })
    }
}

#[async_trait]
impl EventQueue for StorageQueue {
    async fn receive(&self, hidden: Duration) -> Result<Vec<QueueMessage>, PortError> {
        let options = QueueClientReceiveMessagesOptions {
            number_of_messages: Some(MAX_MESSAGES),
            visibility_timeout: Some(seconds(hidden)),
            ..Default::default()
        };
        let received = match self.events.receive_messages(Some(options)).await {
            Ok(response) => response.into_model(),
            Err(error) => Err(error),
        };
        let received = received.map_err(|error| from_sdk("receive messages", error))?;
        Ok(received.items.unwrap_or_default().into_iter().filter_map(message).collect())
    }

    async fn hide(&self, message: &mut QueueMessage, hidden: Duration) -> Result<(), PortError> {
        let changed = self.events.update_message(&message.id, &message.receipt, seconds(hidden), None).await;
        let response = changed.map_err(|error| from_queue_message("hide a message", error))?;
        if let Some(receipt) = response.headers().get_optional_string(&POP_RECEIPT) {
            message.receipt = receipt;
        }
        Ok(())
    }

    async fn delete(&self, message: &QueueMessage) -> Result<(), PortError> {
        let deleted = self.events.delete_message(&message.id, &message.receipt, None).await;
        deleted.map(drop).map_err(|error| from_queue_message("delete a message", error))
    }

    async fn move_to_poison(&self, message: &QueueMessage) -> Result<(), PortError> {
        const OPERATION: &str = "move a message to the poison queue";
        // Succeeds also if the queue exists already; without the permission to create it, it may still exist.
        let _ = self.poison.create(None).await;
        let text = NewMessage { message_text: Some(message.text.clone()) };
        let content: RequestContent<NewMessage, XmlFormat> =
            text.try_into().map_err(|error| from_sdk(OPERATION, error))?;
        let never_expires =
            QueueClientSendMessageOptions { message_time_to_live: Some(-1), ..Default::default() };
        let sent = self.poison.send_message(content, Some(never_expires)).await;
        sent.map(drop).map_err(|error| from_sdk(OPERATION, error))
    }
}

impl std::fmt::Debug for StorageQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StorageQueue").field("url", &self.events.url().as_str()).finish_non_exhaustive()
    }
}

/// Converts a message. One without an id or a receipt can't be handled and comes again.
fn message(received: ReceivedMessage) -> Option<QueueMessage> {
    Some(QueueMessage {
        id: received.message_id?,
        receipt: received.pop_receipt?,
        text: received.message_text.unwrap_or_default(),
        attempts: received.dequeue_count.and_then(|count| count.try_into().ok()).unwrap_or(1),
    })
}

fn client(
    url: Url,
    credential: &Arc<dyn TokenCredential>,
    options: &ClientOptions,
) -> azure_core::Result<QueueClient> {
    let options = QueueClientOptions {
        client_options: options.clone(),
        // A version that Azurite supports too; no later feature is used here.
        version: API_VERSION.to_owned(),
    };
    QueueClient::new(url, Some(Arc::clone(credential)), Some(options))
}

fn poison_url(url: &Url) -> Url {
    let mut poison = url.clone();
    poison.set_path(&format!("{}-poison", url.path().trim_end_matches('/')));
    poison
}

/// Returns whole seconds, as the service counts; at least one.
fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX).max(1)
}

/// The maximum number of messages that one call returns.
const MAX_MESSAGES: i32 = 32;

const API_VERSION: &str = "2025-11-05";

const POP_RECEIPT: azure_core::http::headers::HeaderName =
    azure_core::http::headers::HeaderName::from_static("x-ms-popreceipt");
