//! A Storage Queue beside the sandbox, not part of it: Azurite, or anything else that speaks its protocol.

use std::time::Duration;

use reqwest::{Certificate, Client};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use url::Url;

use super::error::SandboxError;
use super::event_grid::{Notice, Subscription, create_queue};
use super::tokens::TokenIssuer;

/// A queue that events are sent to, once a server answers at its address with a certificate of the sandbox's CA.
pub(crate) struct ExternalQueue {
    http: Client,
    url: Url,
    ca_pem: String,
}

impl ExternalQueue {
    pub(crate) fn new(url: Url, ca_pem: &str) -> Result<Self, SandboxError> {
        let roots = Certificate::from_pem(ca_pem.as_bytes()).map_err(SandboxError::HttpClient)?;
        let http = Client::builder().no_proxy().timeout(TIMEOUT).tls_certs_only([roots]).build();
        Ok(Self { http: http.map_err(SandboxError::HttpClient)?, url, ca_pem: ca_pem.to_owned() })
    }

    /// Creates the queue and makes Event Grid deliver to it. Run it as a task of its own: the emulator needs the
    /// sandbox's certificate to start, so it starts later.
    #[expect(clippy::disallowed_methods, reason = "the emulator lives in real time")]
    pub(crate) async fn subscribe(&self, tokens: &TokenIssuer, notices: &UnboundedSender<Notice>) {
        while let Some(token) = tokens.storage_token() {
            if create_queue(&self.http, &self.url, &token).await {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let definition =
            json!({"destination": {"storageQueue": {"queueUrl": self.url}}, "caPem": self.ca_pem});
        match Subscription::parse(NAME, definition.to_string().as_bytes()) {
            Ok(subscription) => {
                let (reply, _) = oneshot::channel();
                // Event Grid is gone only while the sandbox is stopping too.
                let _ = notices.send(Notice::Subscribe { subscription: Box::new(subscription), reply });
            }
            Err(reason) => tracing::error!(queue = %self.url, reason, "queue subscription rejected"),
        }
    }
}

const NAME: &str = "rekeyd-sandbox-queue";

const PAUSE: Duration = Duration::from_millis(500);

const TIMEOUT: Duration = Duration::from_secs(10);
