//! The daemon's webhook: the validation handshake and deliveries, over plain HTTP on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::event::{event_time, topic};

/// In real time; Event Grid's own is 30 s.
const TIMEOUT: Duration = Duration::from_secs(5);

const SUBSCRIPTION: &str = "rekeyd-sandbox";

/// Where events go.
pub(crate) struct Webhook {
    http: reqwest::Client,
    url: String,
}

/// What came of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// Answered with this status.
    Refused(u16),
    /// No answer.
    Unreachable,
}

impl Webhook {
    pub(crate) fn new(daemon: SocketAddr) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { http, url: format!("http://{daemon}/events/key-vault") })
    }

    /// Whether the other side has echoed our code, with status 200 and no other.
    pub(super) async fn validate(&self, now: OffsetDateTime) -> bool {
        let code = Uuid::new_v4().to_string();
        let body = json!([{
            "id": Uuid::new_v4(),
            "topic": topic("*"),
            "subject": "",
            "data": {
                "validationCode": code,
                "validationUrl": format!("https://sandbox.eventgrid.azure.net:553/validate?token={}", Uuid::new_v4()),
            },
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": event_time(now),
            "metadataVersion": "1",
            "dataVersion": "1",
        }]);
        let Ok(response) = self.post(&body, "SubscriptionValidation", 0).await else { return false };
        if response.status() != reqwest::StatusCode::OK {
            return false;
        }
        let answer: Value = response.json().await.unwrap_or_default();
        answer.get("validationResponse").and_then(Value::as_str) == Some(code.as_str())
    }

    pub(super) async fn notify(&self, events: &Value, attempt: usize) -> Outcome {
        match self.post(events, "Notification", attempt).await {
            Ok(response) if (200..=204).contains(&response.status().as_u16()) => Outcome::Delivered,
            Ok(response) => Outcome::Refused(response.status().as_u16()),
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "the webhook can't be reached");
                Outcome::Unreachable
            }
        }
    }

    async fn post(
        &self,
        body: &Value,
        kind: &str,
        attempt: usize,
    ) -> Result<reqwest::Response, reqwest::Error> {
        self.http
            .post(&self.url)
            .header("aeg-subscription-name", SUBSCRIPTION)
            .header("aeg-delivery-count", attempt.to_string())
            .header("aeg-event-type", kind)
            .header("aeg-metadata-version", "1")
            .header("aeg-data-version", "1")
            .header("content-type", "application/json; charset=utf-8")
            .body(body.to_string())
            .send()
            .await
    }
}
