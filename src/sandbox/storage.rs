//! A Storage Queue beside the sandbox and not part of it: Azurite, or anything else that speaks its protocol.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Certificate, Client};
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::oneshot;
use url::Url;

use super::azure::Azure;
use super::event_grid::{Notice, Subscription, create_queue};
use super::tokens::Grant;
use super::{Sandbox, SandboxError};

impl Sandbox {
    /// Events go to this queue too, and the daemon's configuration has it. It is made once somebody answers at its address,
    /// with a certificate of the sandbox's CA (`localhost.pem`).
    ///
    /// # Errors
    /// If no HTTP client can be had.
    pub fn with_queue(mut self, url: Url) -> Result<Self, SandboxError> {
        let roots = Certificate::from_pem(self.ca_pem.as_bytes()).map_err(SandboxError::HttpClient)?;
        let http = Client::builder().no_proxy().timeout(TIMEOUT).tls_certs_only([roots]).build();
        let http = http.map_err(SandboxError::HttpClient)?;
        let (azure, stop) = (Arc::clone(&self.azure), self.people.stop.clone());
        let (queue, ca_pem) = (url.clone(), self.ca_pem.clone());
        self.people.tasks.spawn(async move {
            stop.run_until_cancelled(subscribe(&azure, &http, &queue, &ca_pem)).await;
        });
        self.queue = Some(url);
        Ok(self)
    }
}

impl Azure {
    /// Entra's token for Storage, as the identity that may do everything. It lives in real time, as whoever takes it does.
    pub(crate) fn storage_token(&self) -> Option<SecretString> {
        let client = &self.model.tenant().client;
        let grant = Grant {
            client_id: client.client_id,
            object_id: client.object_id,
            audience: "https://storage.azure.com".to_owned(),
            by_assertion: true,
            roles: Vec::new(),
        };
        self.issue_token(&grant).ok().map(SecretString::from)
    }
}

/// The emulator needs the sandbox's certificate to come up, so it comes up later.
#[expect(clippy::disallowed_methods, reason = "the emulator lives in real time")]
async fn subscribe(azure: &Azure, http: &Client, queue: &Url, ca_pem: &str) {
    while let Some(token) = azure.storage_token() {
        if create_queue(http, queue, &token).await {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    let definition = json!({"destination": {"storageQueue": {"queueUrl": queue}}, "caPem": ca_pem});
    match Subscription::parse(NAME, definition.to_string().as_bytes()) {
        Ok(subscription) => {
            let (reply, _) = oneshot::channel();
            // Event Grid is gone only while the sandbox is going too.
            let _ = azure.notices.send(Notice::Subscribe { subscription: Box::new(subscription), reply });
        }
        Err(reason) => tracing::error!(%queue, reason, "no events go to the queue"),
    }
}

const NAME: &str = "rekeyd-sandbox-queue";

const PAUSE: Duration = Duration::from_millis(500);

const TIMEOUT: Duration = Duration::from_secs(10);
