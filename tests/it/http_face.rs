//! The HTTP face on a real port, without Azure behind it: handshakes, deliveries, refusals.

use std::sync::Arc;

use futures::FutureExt as _;
use rekeyd::clock::SystemClock;
use rekeyd::config::ManagedSecret;
use rekeyd::config::{ApiConfig, ScheduleConfig, StaticToken, WebhookConfig};
use rekeyd::domain::{
    AppObjectId, ApplicationRef, CommandKind, Origin, PolicyValues, Role, RotationPolicy, SecretId,
    VerifyPolicy,
};
use rekeyd::http::access::{ApiAccess, KeyCache, TokenRules, WebhookAccess};
use rekeyd::http::{HttpState, Operations, Readiness, describe, health_router, router};
use rekeyd::metrics::Metrics;
use rekeyd::ports::{Clock, IssuerKeys, PortError, TokenKeys};
use rekeyd::reconcile::{Catalogue, StatusBoard, WorkQueue};
use rekeyd::triggers::commands::{COMMANDS, Commands};
use rekeyd::triggers::intake::Intake;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A server that knows `kv-1/app-foo`, another secret of the same application, and one of another.
pub(crate) struct Face {
    base: String,
    pub(crate) queue: Arc<WorkQueue>,
    pub(crate) board: Arc<StatusBoard>,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
}

impl Face {
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
        let commands = Arc::new(Commands {
            queue: Arc::clone(&queue),
            catalogue: Arc::clone(&catalogue),
            board: Arc::clone(&board),
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(&clock),
        });
        let state = HttpState {
            intake: Arc::new(Intake {
                queue: Arc::clone(&queue),
                catalogue,
                vaults: ["kv-1", "kv-2"].map(|vault| vault.parse().unwrap()).into(),
                metrics: Arc::clone(&metrics),
            }),
            operations: Arc::new(Operations::new(Arc::clone(&commands))),
            commands,
            keys: Arc::default(),
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            api: Arc::new(ApiAccess::new(&api(tokens), rules(&clock), Arc::clone(&metrics))),
            webhook: Arc::new(WebhookAccess::new(&webhook(), rules(&clock), Arc::clone(&metrics))),
            schedule: Arc::new(schedule()),
            description: describe().unwrap().into(),
            max_concurrent: 8,
            stop: CancellationToken::new(),
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

    /// Asks for the command `label` for `kv-1/app-foo`.
    pub(crate) async fn ask(&self, label: &str, key: Option<&str>, body: &str) -> Response {
        let request = self.request(Method::POST, &format!("/api/v1/secrets/kv-1/app-foo/{label}"));
        let request = request.bearer_auth("the-right-token").body(body.to_owned());
        key.into_iter()
            .fold(request, |request, key| request.header("idempotency-key", key))
            .send()
            .await
            .unwrap()
    }

    /// What the queue has now, each with its command.
    pub(crate) fn queued(&self) -> Vec<(String, Option<CommandKind>)> {
        let next = || self.queue.next().now_or_never();
        let items: Vec<_> = std::iter::from_fn(next).collect();
        items
            .into_iter()
            .map(|item| (item.secret.to_string(), item.command.map(|command| command.kind)))
            .collect()
    }

    /// How many requests to the API were refused for this reason.
    pub(crate) fn refusals(&self, reason: &str) -> u64 {
        self.metrics.refusals.with_label_values(&["api", reason]).get()
    }

    fn events(&self, outcome: &str) -> u64 {
        self.metrics.events.with_label_values(&["webhook", outcome]).get()
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

/// Nobody's tokens: they are tried with an identity provider of their own.
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
        Err(PortError::NotSent { operation: "read keys", source: "there is nobody to ask".into() })
    }
}

fn managed(secret: &str, application: u128) -> ManagedSecret {
    ManagedSecret {
        id: secret.parse().unwrap(),
        application: ApplicationRef::ObjectId(AppObjectId(Uuid::from_u128(application))),
        policy: RotationPolicy::try_new(PolicyValues::default()).unwrap(),
        verify: VerifyPolicy::default(),
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

fn event(secret: &str) -> Value {
    let id = format!("https://kv-1.vault.azure.net/secrets/{secret}/03bcccc7c8cf4546a0e3e21e52560441");
    json!({"eventType": "Microsoft.KeyVault.SecretNearExpiry", "subject": secret,
           "data": {"Id": id, "VaultName": "kv-1", "ObjectName": secret, "NBF": null, "EXP": "1798000000"}})
}

#[tokio::test]
async fn both_handshakes_are_answered() {
    let face = Face::new().await;
    let code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6";
    let asked = json!([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": code}}]);
    assert_eq!(face.deliver(asked.to_string()).await, (StatusCode::OK, json!({"validationResponse": code})));

    let asked = face
        .request(Method::OPTIONS, "/events/key-vault")
        .header("WebHook-Request-Origin", "eventgrid.azure.net")
        .header("x-rekeyd-key", KEY);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(answer.headers()["webhook-allowed-rate"], "*");
}

#[tokio::test]
async fn an_event_about_a_managed_secret_puts_its_name_into_the_queue() {
    let face = Face::new().await;
    let many = json!([event("app-foo"), event("app-foo"), event("other")]);
    assert_eq!(
        face.deliver(many.to_string()).await,
        (StatusCode::OK, json!({"received": 3, "enqueued": 2, "malformed": []}))
    );
    assert_eq!((face.events("enqueued"), face.events("not_managed")), (2, 1));
    let item = face.queue.next().await;
    assert_eq!((item.secret.to_string().as_str(), item.command), ("kv-1/app-foo", None));
    assert_eq!(face.metrics.queue_depth.get(), 0, "two events are one pass");
}

#[tokio::test]
async fn a_batch_of_five_thousand_events_is_taken_in_one() {
    let face = Face::new().await;
    let events: Vec<_> = (0..5_000).map(|_| event("app-foo")).collect();
    let body = json!(events).to_string();
    assert!(body.len() > 1_000_000, "{}", body.len());
    let (status, answer) = face.deliver(body).await;
    assert_eq!((status, &answer["enqueued"]), (StatusCode::OK, &json!(5_000)));
    assert_eq!(face.queued().len(), 1);
}

#[tokio::test]
async fn what_can_t_be_understood_is_taken_with_a_200_and_counted() {
    let face = Face::new().await;
    for body in ["", "nonsense", "[{}]", "{\"eventType\": 3}"] {
        assert_eq!(face.deliver(body).await.0, StatusCode::OK, "{body}");
    }
    assert_eq!(face.events("malformed"), 4);
    let huge = vec![b' '; 3 * 1024 * 1024];
    let answer = face
        .request(Method::POST, "/events/key-vault")
        .header("x-rekeyd-key", KEY)
        .body(huge)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn only_the_right_token_opens_the_api() {
    let face = Face::new().await;
    let ask = |header: Option<&'static str>| {
        let request = face.request(Method::GET, "/api/v1/secrets");
        header.map_or(request.try_clone().unwrap(), |header| request.header("authorization", header)).send()
    };
    for header in [None, Some("Bearer wrong"), Some("Basic dGhlLXJpZ2h0LXRva2Vu"), Some("the-right-token")] {
        let answer = ask(header).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{header:?}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        problem(answer).await;
    }
    let answer = ask(Some("bearer the-right-token")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let list: Value = answer.json().await.unwrap();
    assert_eq!(list["secrets"][1]["secret"], "kv-1/app-foo");
    assert_eq!(list["secrets"][1]["state"], "unknown");

    let closed = Face::with_tokens(Vec::new()).await;
    let answer = closed.request(Method::GET, "/api/v1/secrets").bearer_auth("").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_command_is_taken_for_a_managed_secret_and_refused_while_stopping() {
    let face = Face::new().await;
    let rotate = |path: &'static str| face.request(Method::POST, path).bearer_auth("the-right-token").send();
    // The letter case of a name does not matter.
    let answer = rotate("/api/v1/secrets/KV-1/App-Foo/rotate").await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(face.queue.next().await.command.is_some());
    for unknown in ["/api/v1/secrets/kv-1/other/rotate", "/api/v1/secrets/kv-1/..%2Fapp-foo/rotate"] {
        let answer = rotate(unknown).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
        problem(answer).await;
    }
    face.readiness.drain();
    assert_eq!(
        rotate("/api/v1/secrets/kv-1/app-foo/rotate").await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(face.deliver(event("app-foo").to_string()).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn ready_is_who_heard_from_everybody_and_is_not_being_stopped() {
    let face = Face::new().await;
    let ready = async || face.request(Method::GET, "/readyz").send().await.unwrap().status();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    face.readiness.answered("graph");
    assert_eq!(ready().await, StatusCode::OK);
    face.readiness.drain();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(face.request(Method::GET, "/livez").send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_route_is_a_problem_that_says_so() {
    let face = Face::new().await;
    let answer = face.request(Method::GET, "/nothing").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(problem(answer).await["detail"], "there is no such route");
}

#[tokio::test]
async fn every_command_has_a_route_is_counted_and_stands_until_it_is_met() {
    let face = Face::new().await;
    for kind in COMMANDS {
        let answer = face.ask(kind.label(), None, "").await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{kind:?}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!((&answer["secret"], &answer["command"]), (&json!("kv-1/app-foo"), &json!(kind.label())));
        let shown = face.request(Method::GET, answer["secret_url"].as_str().unwrap());
        let shown: Value = shown.bearer_auth("the-right-token").send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&shown["pending_command"]["kind"], &shown["pending_command"]["tried"]),
            (&json!(kind.label()), &json!(false))
        );
        assert_eq!((answer["at"].is_string(), &shown["pending_command"]["at"]), (true, &answer["at"]));
        assert_eq!(face.queued(), [("kv-1/app-foo".to_owned(), Some(kind))]);
        face.queue.finish(&"kv-1/app-foo".parse().unwrap(), None, None);
        assert_eq!(face.metrics.commands.with_label_values(&[kind.label()]).get(), 1);
    }
}

#[tokio::test]
async fn whoever_asks_for_a_replica_is_told_of_its_primary() {
    let face = Face::new().await;
    for (method, path) in [(Method::POST, "/rotate"), (Method::GET, "")] {
        let request = face.request(method, &format!("/api/v1/secrets/kv-2/app-bar{path}"));
        let answer = request.bearer_auth("the-right-token").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let detail = problem(answer).await["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("kv-2/app-bar is a replica of kv-1/app-bar"), "{detail}");
    }
    assert_eq!(face.queued(), []);
}

#[tokio::test]
async fn compromised_means_the_secret_alone_unless_all_credentials_are_meant() {
    let face = Face::new().await;
    let (alone, all) = (
        CommandKind::Compromised { all_credentials: false },
        CommandKind::Compromised { all_credentials: true },
    );
    let answer: Value = face.ask("compromised", None, "{}").await.json().await.unwrap();
    assert_eq!(answer["also"], json!([]));
    assert_eq!(face.queued(), [("kv-1/app-foo".to_owned(), Some(alone))]);
    face.queue.finish(&"kv-1/app-foo".parse().unwrap(), None, None);

    let answer: Value =
        face.ask("compromised", None, r#"{"all_credentials": true}"#).await.json().await.unwrap();
    assert_eq!(answer["also"], json!(["kv-2/app-foo"]));
    let mut queued = face.queued();
    queued.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(queued, [("kv-1/app-foo".to_owned(), Some(all)), ("kv-2/app-foo".to_owned(), Some(all))]);
}

#[tokio::test]
async fn a_body_that_can_t_be_used_asks_for_nothing() {
    let face = Face::new().await;
    let (bad, wrong) = (StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY);
    for (label, body, status) in [
        ("compromised", "{", bad),
        ("compromised", r#"{"all_credentials": 1}"#, wrong),
        ("compromised", r#"{"all": true}"#, wrong),
        ("compromised", "[true]", wrong),
        ("rotate", "[]", wrong),
        ("rotate", "\"x\"", wrong),
        ("rotate", "nonsense", bad),
        ("rotate", r#"{"all_credentials": true}"#, wrong),
    ] {
        let answer = face.ask(label, None, body).await;
        assert_eq!(answer.status(), status, "{label} {body}");
        problem(answer).await;
    }
    assert_eq!(face.queued(), []);
}

#[tokio::test]
async fn a_repeated_key_gets_the_same_answer_and_no_new_command() {
    let face = Face::new().await;
    let first: Value = face.ask("rotate", Some("key-1"), "").await.json().await.unwrap();
    assert_eq!(face.queued().len(), 1);
    face.queue.finish(&"kv-1/app-foo".parse().unwrap(), None, None);
    let again = face.ask("rotate", Some("key-1"), "").await;
    assert_eq!(again.status(), StatusCode::ACCEPTED);
    assert_eq!(again.json::<Value>().await.unwrap()["id"], first["id"]);
    assert_eq!(face.queued(), []);

    let other = face.ask("rollback", Some("key-1"), "").await;
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    problem(other).await;
    for unusable in ["", "two words", &"x".repeat(129)] {
        let answer = face.ask("rotate", Some(unusable), "").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{unusable}");
    }
    assert_eq!(face.queued(), []);
    assert_eq!(face.ask("rotate", Some("key-2"), "").await.status(), StatusCode::ACCEPTED);
    assert_eq!(face.queued().len(), 1);
}
