//! The HTTP server on a real port, without Azure behind it: handshakes, deliveries, refusals.

mod api;
mod commands;
mod webhook;

use std::sync::Arc;

use futures::FutureExt as _;
use rekeyd::clock::SystemClock;
use rekeyd::commands::Commands;
use rekeyd::config::{ApiConfig, Role, ScheduleConfig, StaticToken, WebhookConfig};
use rekeyd::domain::{
    AppObjectId, ApplicationRef, CommandKind, ManagedSecret, Origin, PolicyValues, RotationPolicy, SecretId,
    VerifyPolicy,
};
use rekeyd::http::access::{ApiAuth, KeyCache, TokenRules, WebhookAuth};
use rekeyd::http::{EventStreams, HttpState, Readiness, describe, health_router, router};
use rekeyd::metrics::Metrics;
use rekeyd::ports::{Clock, IssuerKeys, PortError, TokenKeys};
use rekeyd::reconcile::{Catalogue, StatusBoard, WorkQueue};
use rekeyd::triggers::ingest::EventSink;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use uuid::Uuid;

/// A server that knows `kv-1/app-foo`, another secret of the same application, and one of another.
pub(crate) struct TestServer {
    base: String,
    pub(crate) queue: Arc<WorkQueue>,
    pub(crate) board: Arc<StatusBoard>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
}

impl TestServer {
    pub(crate) async fn new() -> Self {
        Self::with_tokens(vec![
            token("the-right-token", Role::Operator),
            token("a-reader-s-token", Role::Reader),
        ])
        .await
    }

    async fn with_tokens(tokens: Vec<StaticToken>) -> Self {
        let (clock, metrics): (Arc<dyn Clock>, _) =
            (Arc::new(SystemClock), Arc::new(Metrics::new().unwrap()));
        let secrets: [SecretId; 3] =
            ["kv-1/app-bar", "kv-1/app-foo", "kv-2/app-foo"].map(|secret| secret.parse().unwrap());
        let queue = Arc::new(WorkQueue::new(Arc::clone(&clock), Arc::clone(&metrics)));
        let board = Arc::new(StatusBoard::new(Arc::clone(&metrics), &secrets));
        let with_replica =
            ManagedSecret { replicas: vec!["kv-2/app-bar".parse().unwrap()], ..managed("kv-1/app-bar", 2) };
        let siblings = ["kv-1/app-foo", "kv-2/app-foo"].map(|secret| managed(secret, 1));
        let catalogue = Arc::new(Catalogue::new(siblings.into_iter().chain([with_replica])));
        let readiness = Arc::new(Readiness::new(["graph".to_owned()]));
        let commands = Arc::new(Commands::new(
            Arc::clone(&queue),
            Arc::clone(&catalogue),
            Arc::clone(&board),
            Arc::clone(&metrics),
            Arc::clone(&clock),
        ));
        let state = HttpState {
            event_sink: Arc::new(EventSink {
                queue: Arc::clone(&queue),
                catalogue,
                vaults: ["kv-1", "kv-2"].map(|vault| vault.parse().unwrap()).into(),
                metrics: Arc::clone(&metrics),
            }),
            commands,
            event_streams: EventStreams::default(),
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            api: Arc::new(ApiAuth::new(&api(tokens), rules(&clock), Arc::clone(&metrics))),
            webhook: Arc::new(WebhookAuth::new(&webhook(), rules(&clock), Arc::clone(&metrics))),
            schedule: Arc::new(schedule()),
            description: describe().unwrap().into(),
            max_concurrent: 8,
            clock,
        };
        let routes = health_router(state.clone()).fallback_service(router(state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { base, queue, board, readiness, metrics }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        Client::new().request(method, format!("{}{path}", self.base))
    }

    async fn deliver(&self, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        let answer = self
            .request(Method::POST, "/events/key-vault")
            .header("x-rekeyd-key", KEY)
            .header("aeg-subscription-name", "rotation")
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    /// Sends the command `label` for `kv-1/app-foo`.
    pub(crate) async fn ask(&self, label: &str, key: Option<&str>, body: &str) -> Response {
        let request = self.request(Method::POST, &format!("/api/v1/secrets/kv-1/app-foo/{label}"));
        let request = request.bearer_auth("the-right-token").body(body.to_owned());
        key.into_iter()
            .fold(request, |request, key| request.header("idempotency-key", key))
            .send()
            .await
            .unwrap()
    }

    /// Reads a route of the API as its operator.
    async fn read(&self, path: &str) -> Value {
        let answer = self.request(Method::GET, path).bearer_auth("the-right-token").send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// Returns the secrets in the queue, each with its command.
    pub(crate) fn queued(&self) -> Vec<(String, Option<CommandKind>)> {
        let next = || self.queue.next().now_or_never();
        let items: Vec<_> = std::iter::from_fn(next).collect();
        items
            .into_iter()
            .map(|item| (item.secret.to_string(), item.command.map(|command| command.kind)))
            .collect()
    }

    /// Returns the number of requests to the API that were refused for this reason.
    pub(crate) fn refusals(&self, reason: &str) -> u64 {
        self.metrics.refused_requests_total.with_label_values(&["api", reason]).get()
    }

    fn events(&self, outcome: &str) -> u64 {
        self.metrics.events_total.with_label_values(&["webhook", outcome]).get()
    }
}

const KEY: &str = "the-webhook-s-key";

fn token(text: &str, role: Role) -> StaticToken {
    let hash = <sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()).into();
    StaticToken { name: text.replace("token", "holder"), hash, role }
}

fn api(tokens: Vec<StaticToken>) -> ApiConfig {
    let requests_per_minute = std::num::NonZeroU32::new(300).unwrap();
    ApiConfig { tokens, audience: None, requests_per_minute, max_concurrent: 8 }
}

fn webhook() -> WebhookConfig {
    WebhookConfig {
        keys: vec![KEY.into(), "the-webhook-s-other-key".into()],
        audience: None,
        client_id: Uuid::nil(),
        role: None,
        subscriptions: vec!["rotation".to_owned()],
        topics: Vec::new(),
        origins: vec!["eventgrid.azure.net".to_owned()],
    }
}

fn schedule() -> ScheduleConfig {
    ScheduleConfig {
        cron: "0 3 * * *".parse().unwrap(),
        expression: "0 3 * * *".to_owned(),
        time_zone: jiff::tz::TimeZone::UTC,
        at_start: false,
        jitter: std::time::Duration::ZERO,
    }
}

/// Returns rules that accept no token: token tests have an identity provider of their own.
fn rules(clock: &Arc<dyn Clock>) -> TokenRules {
    TokenRules {
        keys: Arc::new(KeyCache::new(Arc::new(NoKeys))),
        tenant: None,
        version_1_issuer: "https://sts.windows.net",
        clock: Arc::clone(clock),
        skew: Arc::default(),
    }
}

#[derive(Debug)]
struct NoKeys;

#[async_trait::async_trait]
impl TokenKeys for NoKeys {
    async fn fetch(&self) -> Result<IssuerKeys, PortError> {
        Err(PortError::NotSent { operation: "read keys", source: "there is no key server".into() })
    }
}

fn managed(secret: &str, application: u128) -> ManagedSecret {
    ManagedSecret {
        id: secret.parse().unwrap(),
        application: ApplicationRef::ObjectId(AppObjectId(Uuid::from_u128(application))),
        policy: RotationPolicy::try_new(PolicyValues::default()).unwrap(),
        verify: VerifyPolicy::for_scope("https://graph.microsoft.com/.default"),
        replicas: Vec::new(),
        origin: Origin::Configured,
    }
}

async fn problem(answer: Response) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body: Value = answer.json().await.unwrap();
    assert!(body["status"].is_u64() && body["title"].is_string() && body["detail"].is_string(), "{body}");
    body
}
