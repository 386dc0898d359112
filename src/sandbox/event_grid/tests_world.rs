//! A sandbox for the tests of Event Grid, with a receiver that records its requests.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::ports::Clock;
use crate::sandbox::model::{NewVersion, TimelineEvent, VersionChange};
use crate::sandbox::{FaultLevel, Options, Sandbox};

pub(super) const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

/// A request as the receiver saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) uri: String,
    headers: HeaderMap,
    pub(super) text: String,
}

/// A webhook or queue that records its requests and answers as configured.
#[derive(Clone, Default)]
pub(super) struct Receiver {
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    held: Arc<Mutex<Option<oneshot::Receiver<u16>>>>,
    /// The answer to a handshake; `None` for the correct one.
    pub(super) handshake: Arc<Mutex<Option<(u16, &'static str)>>>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

impl Receiver {
    pub(super) async fn start(tasks: &TaskTracker) -> (Self, SocketAddr) {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, receiver) = (socket.local_addr().unwrap(), Self::default());
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        tasks.spawn(async move { axum::serve(socket, router).await });
        (receiver, address)
    }

    /// Sets the statuses of the next deliveries; later ones get 200.
    pub(super) fn will_answer(&self, statuses: impl IntoIterator<Item = u16>) {
        self.answers.lock().unwrap().extend(statuses);
    }

    /// Makes the next delivery wait for its status from the returned sender.
    pub(super) fn will_wait(&self) -> oneshot::Sender<u16> {
        let (sender, receiver) = oneshot::channel();
        *self.held.lock().unwrap() = Some(receiver);
        sender
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns all requests except handshakes.
    pub(super) fn deliveries(&self) -> Vec<Seen> {
        let is_delivery =
            |seen: &Seen| seen.method == "POST" && seen.header("aeg-event-type") != "SubscriptionValidation";
        self.all().into_iter().filter(is_delivery).collect()
    }

    /// Returns the kind and time of every event, in the Event Grid schema.
    pub(super) fn events(&self) -> Vec<(String, String)> {
        let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
        let events = self.deliveries().into_iter().flat_map(|seen| seen.json().as_array().unwrap().clone());
        events.map(|event| (text(&event, "eventType"), text(&event, "eventTime"))).collect()
    }

    /// Returns the days after the start on which events of this kind happened, without adjacent duplicates.
    pub(super) fn days(&self, kind: &str) -> Vec<i64> {
        let of_kind = self.events().into_iter().filter(|(found, _)| found.ends_with(kind));
        let parsed = |at: String| {
            let format = &time::format_description::well_known::Rfc3339;
            (OffsetDateTime::parse(&at, format).unwrap() - START).whole_days()
        };
        let mut days: Vec<_> = of_kind.map(|(_, at)| parsed(at)).collect();
        days.dedup();
        days
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8(body.to_vec()).unwrap();
    let seen = Seen { method, uri: uri.to_string(), headers, text };
    receiver.seen.lock().unwrap().push(seen.clone());
    if seen.method == Method::OPTIONS || seen.header("aeg-event-type") == "SubscriptionValidation" {
        return answer_handshake(&receiver, &seen);
    }
    let held = receiver.held.lock().unwrap().take();
    let status = match held {
        Some(held) => held.await.unwrap(),
        None => receiver.answers.lock().unwrap().pop_front().unwrap_or(200),
    };
    let status = StatusCode::from_u16(status).unwrap();
    match status {
        StatusCode::FOUND => (status, [("location", "/elsewhere")]).into_response(),
        _ => status.into_response(),
    }
}

fn answer_handshake(receiver: &Receiver, seen: &Seen) -> Response {
    let configured = *receiver.handshake.lock().unwrap();
    let (status, echo) = configured.unwrap_or((200, "as asked"));
    let status = StatusCode::from_u16(status).unwrap();
    if seen.method == Method::OPTIONS {
        let origin = if echo == "as asked" { seen.header("webhook-request-origin") } else { echo };
        return match origin {
            "" => status.into_response(),
            origin => (status, [("webhook-allowed-origin", origin.to_owned())]).into_response(),
        };
    }
    let code = seen.json()[0]["data"]["validationCode"].as_str().unwrap().to_owned();
    let code = if echo == "as asked" { code } else { echo.to_owned() };
    let body = if echo.is_empty() { json!({}) } else { json!({"validationResponse": code}) };
    (status, axum::Json(body)).into_response()
}

/// A sandbox without secrets, a receiver, and a client of the controls.
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) receiver: Receiver,
    pub(super) address: SocketAddr,
    pub(super) http: reqwest::Client,
    pub(super) timeline: UnboundedReceiver<TimelineEvent>,
    _tasks: TaskTracker,
}

impl World {
    /// Starts a world without the daemon's subscription.
    pub(super) async fn start() -> Self {
        let tasks = TaskTracker::new();
        let (receiver, address) = Receiver::start(&tasks).await;
        let unreachable = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let world = Self::with_daemon_at(unreachable, None, receiver, address, tasks).await;
        assert_eq!(world.control("DELETE", "subscriptions/rekeyd-sandbox", Value::Null).await.0, 204);
        world
    }

    /// Starts a world in which the receiver takes the daemon's place and answers its handshakes with this.
    pub(super) async fn with_daemon(handshake: (u16, &'static str)) -> Self {
        let tasks = TaskTracker::new();
        let (receiver, address) = Receiver::start(&tasks).await;
        *receiver.handshake.lock().unwrap() = Some(handshake);
        Self::with_daemon_at(address, None, receiver, address, tasks).await
    }

    pub(super) async fn with_production_names() -> Self {
        let tasks = TaskTracker::new();
        let (receiver, address) = Receiver::start(&tasks).await;
        Self::with_daemon_at(address, Some(0), receiver, address, tasks).await
    }

    async fn with_daemon_at(
        daemon_address: SocketAddr,
        production_names: Option<u16>,
        receiver: Receiver,
        address: SocketAddr,
        tasks: TaskTracker,
    ) -> Self {
        let sandbox = Sandbox::start(Options {
            secrets: 0,
            vaults: 1,
            propagation: Duration::ZERO..=Duration::ZERO,
            faults: FaultLevel::None,
            long_cache: None,
            seed: 3,
            start: START,
            daemon_address,
            production_names,
        });
        let sandbox = sandbox.await.unwrap();
        let ca = reqwest::Certificate::from_pem(sandbox.ca_pem().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        let timeline = sandbox.timeline();
        Self { sandbox, receiver, address, http, timeline, _tasks: tasks }
    }

    pub(super) async fn control(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let url = self.sandbox.clock_url().replace("clock", path);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook?code=hidden", self.address)
    }

    /// Creates a subscription of the receiver, with these additional members.
    pub(super) async fn subscribe(&self, name: &str, webhook: Value, rest: Value) -> Value {
        let mut entry = json!({"url": self.url()});
        entry.as_object_mut().unwrap().extend(webhook.as_object().cloned().unwrap_or_default());
        let mut body = json!({"destination": {"webhook": entry}});
        body.as_object_mut().unwrap().extend(rest.as_object().cloned().unwrap_or_default());
        let (status, answer) = self.control("PUT", &format!("subscriptions/{name}"), body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Creates a subscription, which must succeed.
    pub(super) async fn subscribed(&self, webhook: Value, rest: Value) {
        let answer = self.subscribe("it-is", webhook, rest).await;
        assert_eq!(answer, json!({"provisioningState": "Succeeded"}));
    }

    /// Puts a version that ends after this many days; returns its id.
    pub(super) fn put(&self, name: &str, days: impl Into<Option<i64>>) -> String {
        let now = self.sandbox.clock().now();
        let expires = days.into().map(|days| now + Duration::days(days));
        let new = NewVersion { expires, ..NewVersion::of("text".into()) };
        self.sandbox.model().put_secret("vault-1", name, new, now).unwrap().version
    }

    pub(super) fn patch(&self, name: &str, version: &str, days: i64) {
        let change =
            VersionChange { expires: Some(START + Duration::days(days)), ..VersionChange::default() };
        let now = self.sandbox.clock().now();
        self.sandbox.model().patch("VAULT-1", name, version, change, now).unwrap();
    }

    pub(super) async fn until(&self, after_start: Duration) {
        self.sandbox.clock().run_until(START + after_start).await;
    }

    /// Waits for a minute, which is enough for anything that isn't retried.
    pub(super) async fn a_minute(&self) {
        self.pass(Duration::MINUTE).await;
    }

    pub(super) async fn pass(&self, time: Duration) {
        self.sandbox.clock().run_until(self.now() + time).await;
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.sandbox.clock().now()
    }

    pub(super) async fn state(&self) -> Value {
        self.control("GET", "state", Value::Null).await.1
    }
}
