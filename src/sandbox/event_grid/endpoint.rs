//! The HTTP side of a subscription: one request at a time, with Event Grid's headers. Makes no decisions.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::event::{Schema, own_event, subscription_id};
use super::outcome::Outcome;
use super::subscription::{Address, Destination, Subscription};

/// The destination of a subscription's events, and the client and settings to send them with.
pub(super) struct Endpoint {
    pub(super) http: Client,
    pub(super) name: String,
    pub(super) schema: Schema,
    destination: Destination,
}

/// One delivery, already serialized.
pub(super) struct DeliveryRequest {
    pub(super) events: Vec<Value>,
    pub(super) output_id: Uuid,
    /// The number of earlier attempts.
    pub(super) attempts: u32,
    /// Entra's token, if deliveries carry one.
    pub(super) token: Option<SecretString>,
}

impl Endpoint {
    /// Creates the endpoint of a subscription. `response_timeout` is in real time.
    pub(super) fn new(
        subscription: &Subscription,
        response_timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let mut http = Client::builder().no_proxy().redirect(Policy::none()).timeout(response_timeout);
        if let Some(ca_pem) = &subscription.ca_pem {
            http = http.tls_certs_only([Certificate::from_pem(ca_pem.as_bytes())?]);
        }
        Ok(Self {
            http: http.build()?,
            name: subscription.name.clone(),
            schema: subscription.schema,
            destination: subscription.destination.clone(),
        })
    }

    pub(super) async fn deliver(&self, delivery: DeliveryRequest) -> Outcome {
        match &self.destination {
            Destination::Webhook { url, batching, .. } => {
                self.notify(url, delivery, batching.max_events > 1).await
            }
            Destination::StorageQueue { url, time_to_live } => {
                self.put_message(url, *time_to_live, &delivery).await
            }
        }
    }

    async fn notify(&self, url: &Address, delivery: DeliveryRequest, is_batched: bool) -> Outcome {
        let (kind, body) = match self.schema {
            Schema::EventGrid => (JSON, Value::Array(delivery.events)),
            Schema::CloudEvents if is_batched => (CLOUD_EVENTS, Value::Array(delivery.events)),
            // Without batches, the delivery has exactly one event.
            Schema::CloudEvents => (CLOUD_EVENT, delivery.events.into_iter().next().unwrap_or_default()),
        };
        let request = self
            .post(url, "Notification", delivery.attempts)
            .headers(self.own_headers(IsDelivery(true)))
            .header("aeg-output-event-id", delivery.output_id.to_string())
            .header(header::CONTENT_TYPE, kind);
        let sent = authorised(request, delivery.token.as_ref()).body(body.to_string()).send().await;
        Outcome::of(sent, &[400, 401, 403, 413])
    }

    /// Sends the first event of a subscription, which asks for its code back. Returns `None` for a queue.
    pub(super) async fn ask_for_code(
        &self,
        data: &Value,
        now: OffsetDateTime,
        token: Option<&SecretString>,
    ) -> Option<Result<Response, reqwest::Error>> {
        let Destination::Webhook { url, .. } = &self.destination else { return None };
        let event = own_event("SubscriptionValidationEvent", Schema::EventGrid, data, now);
        let request = self
            .post(url, "SubscriptionValidation", 0)
            .headers(self.own_headers(IsDelivery(false)))
            .header(header::CONTENT_TYPE, JSON);
        Some(authorised(request, token).body(json!([event]).to_string()).send().await)
    }

    /// Sends the handshake of CloudEvents. Returns `None` for a queue.
    pub(super) async fn ask_for_consent(
        &self,
        token: Option<&SecretString>,
    ) -> Option<Result<Response, reqwest::Error>> {
        let Destination::Webhook { url, .. } = &self.destination else { return None };
        let request = self
            .http
            .request(reqwest::Method::OPTIONS, url.full())
            .headers(self.own_headers(IsDelivery(false)))
            .header("aeg-subscription-name", &self.name)
            .header("webhook-request-origin", ORIGIN);
        Some(authorised(request, token).send().await)
    }

    /// Announces that there will be no more events. A failure has no consequences.
    pub(super) async fn announce_deletion(&self, now: OffsetDateTime, token: Option<SecretString>) {
        let Destination::Webhook { url, .. } = &self.destination else { return };
        let data = json!({"eventSubscriptionId": subscription_id(&self.name)});
        let event = own_event("SubscriptionDeletedEvent", self.schema, &data, now);
        let (kind, body) = match self.schema {
            Schema::EventGrid => (JSON, json!([event])),
            Schema::CloudEvents => (CLOUD_EVENT, event),
        };
        let request = self
            .post(url, "SubscriptionDeletion", 0)
            .headers(self.own_headers(IsDelivery(true)))
            .header(header::CONTENT_TYPE, kind);
        if let Err(error) = authorised(request, token.as_ref()).body(body.to_string()).send().await {
            tracing::debug!(error = %error.without_url(), "deletion notice not delivered");
        }
    }

    fn post(&self, url: &Address, kind: &str, attempts: u32) -> RequestBuilder {
        let request = self
            .http
            .post(url.full())
            .header("aeg-subscription-name", &self.name)
            .header("aeg-delivery-count", attempts.to_string())
            .header("aeg-event-type", kind);
        match self.schema {
            Schema::EventGrid => request.header("aeg-metadata-version", "1").header("aeg-data-version", "1"),
            Schema::CloudEvents => request,
        }
    }

    /// Returns the headers that the subscription adds.
    fn own_headers(&self, is_delivery: IsDelivery) -> header::HeaderMap {
        let Destination::Webhook { headers, .. } = &self.destination else {
            return header::HeaderMap::new();
        };
        let sent = headers.iter().filter(|(name, value)| !is_delivery.drops(name, value));
        let pair = |(name, value): &(HeaderName, SecretString)| {
            let mut value = HeaderValue::try_from(value.expose_secret()).ok()?;
            value.set_sensitive(true);
            Some((name.clone(), value))
        };
        sent.filter_map(pair).collect()
    }
}

/// True for a delivery of events, false for a handshake.
#[derive(Clone, Copy)]
struct IsDelivery(bool);

impl IsDelivery {
    /// Returns true if this is a delivery and the header is an `Authorization` with an unsuitable value. Handshakes
    /// keep it.
    fn drops(self, name: &HeaderName, value: &SecretString) -> bool {
        let suits = value.expose_secret().trim().split_once(' ').is_some();
        self.0 && *name == header::AUTHORIZATION && !suits
    }
}

/// Sets Entra's token, which replaces any `Authorization` that the subscription adds.
fn authorised(request: RequestBuilder, token: Option<&SecretString>) -> RequestBuilder {
    let Some(token) = token else { return request };
    let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())) else {
        return request;
    };
    value.set_sensitive(true);
    request.headers([(header::AUTHORIZATION, value)].into_iter().collect())
}

/// The origin that Event Grid gives for itself.
pub(super) const ORIGIN: &str = "eventgrid.azure.net";

const JSON: &str = "application/json; charset=utf-8";

const CLOUD_EVENT: &str = "application/cloudevents+json; charset=utf-8";

const CLOUD_EVENTS: &str = "application/cloudevents-batch+json; charset=utf-8";
