//! The `WebhookHandshake` in the form that Event Grid uses. Sends no events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Certificate, Client, redirect};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::ports::{Clock, HandshakeError, WebhookHandshake, WebhookTarget, chain};

/// A client that stands in for Event Grid.
pub struct EventGridHandshake {
    /// The certificate authorities to trust for webhooks, as PEM, instead of the system's.
    ca: Option<Vec<u8>>,
    clock: Arc<dyn Clock>,
}

impl EventGridHandshake {
    /// Returns a client that trusts the certificate authorities in `ca`, or the system's if there is none.
    #[must_use]
    pub const fn new(ca: Option<Vec<u8>>, clock: Arc<dyn Clock>) -> Self {
        Self { ca, clock }
    }

    /// Builds the client for one webhook. Plain HTTP means a daemon on this machine, which no proxy reaches.
    fn client(&self, webhook: &WebhookTarget) -> reqwest::Result<Client> {
        let mut builder = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none());
        if let Some(pem) = &self.ca {
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        if webhook.url.scheme() == "http" {
            builder = builder.no_proxy();
        }
        builder.build()
    }

    fn event(&self, webhook: &WebhookTarget, code: &str) -> Value {
        json!([{
            "id": Uuid::new_v4(),
            "topic": webhook.topic,
            "subject": "",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": self.clock.now().format(&Rfc3339).unwrap_or_default(),
            "dataVersion": "1",
            "data": {"validationCode": code},
        }])
    }
}

impl fmt::Debug for EventGridHandshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventGridHandshake").finish_non_exhaustive()
    }
}

#[async_trait]
impl WebhookHandshake for EventGridHandshake {
    async fn try_handshake(&self, webhook: &WebhookTarget) -> Result<(), HandshakeError> {
        let code = Uuid::new_v4().to_string();
        let request = self
            .client(webhook)
            .map_err(unreachable)?
            .post(webhook.url.clone())
            .header("aeg-event-type", "SubscriptionValidation")
            .header("aeg-subscription-name", &webhook.subscription)
            .header("x-rekeyd-key", webhook.key.expose_secret())
            .json(&self.event(webhook, &code));
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        interpret(status, &body, &code)
    }
}

fn unreachable(error: reqwest::Error) -> HandshakeError {
    HandshakeError::Unreachable(chain(&error.without_url()))
}

/// Interprets the answer to a handshake with this code.
fn interpret(status: u16, body: &Value, code: &str) -> Result<(), HandshakeError> {
    let is_echo = body.get("validationResponse").and_then(Value::as_str) == Some(code);
    match (status, is_echo) {
        (200, true) => Ok(()),
        (200, false) => {
            Err(HandshakeError::Unexpected("answered without the handshake's validation code".to_owned()))
        }
        (status, _) => {
            Err(HandshakeError::Unexpected(format!("answered the handshake with status {status}")))
        }
    }
}

const TIMEOUT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    /// An Event Grid handshake succeeds only if the response has status 200 and echoes the validation code.
    #[test]
    fn handshake_needs_code_and_status_200() {
        let echo = json!({"validationResponse": "code"});
        assert_eq!(interpret(200, &echo, "code"), Ok(()));
        for (status, body) in [(200, Value::Null), (200, json!({"validationResponse": "other"})), (404, echo)]
        {
            assert!(
                matches!(interpret(status, &body, "code"), Err(HandshakeError::Unexpected(_))),
                "{status}"
            );
        }
    }
}
