//! Tokens of an identity provider that shares no code with ours: which are taken, how others are refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{Azure, Daemon, PATIENCE, Provider, eventually};

#[tokio::test]
async fn each_token_that_is_not_good_is_refused_told_once_and_counted() {
    let mut world = World::start().await;
    let good = world.good(READER).await;
    assert_eq!(world.send(LIST, &good).await.status(), StatusCode::OK);
    let bad = [world.with_wrong_claims().await, world.forged().await, malformed()].concat();
    for Bad { what, token, status, reason } in bad {
        for route in [LIST, ROTATE] {
            world.refuses(route, &token, status, reason, &what).await;
        }
    }
    world.refuses(ROTATE, &good, StatusCode::FORBIDDEN, "role_too_low", "a reader who rotates").await;
    assert_eq!(world.send(LIST, &good).await.status(), StatusCode::OK);
    world.has_shown_no_token();
}

#[tokio::test]
async fn good_tokens_of_either_version_are_let_in_as_far_as_their_role_goes() {
    let mut world = World::start().await;
    let forms = [world.claims(READER).await, world.version_1(READER).await];
    for claims in forms {
        let reader = world.provider.token(&claims);
        assert_eq!(world.send(LIST, &reader).await.status(), StatusCode::OK, "{claims}");
        world.refuses(ROTATE, &reader, StatusCode::FORBIDDEN, "role_too_low", "a reader").await;

        let operator = world.provider.token(&with(&claims, "roles", &json!(["Other", READER, OPERATOR])));
        assert_eq!(world.send(LIST, &operator).await.status(), StatusCode::OK, "{claims}");
        assert_eq!(world.send(ROTATE, &operator).await.status(), StatusCode::ACCEPTED, "{claims}");
    }
    world.has_shown_no_token();
}

#[tokio::test]
async fn a_clock_that_is_a_minute_off_is_tolerated_and_no_more() {
    let mut world = World::start().await;
    // Time goes on while a token is under way: to the one side by as much as a slow machine needs.
    for (claim, tolerated, too_much, reason) in
        [("exp", -40, -62, "expired"), ("nbf", 59, 90, "not_yet_valid")]
    {
        let token = world.good_but(claim, tolerated).await;
        assert_eq!(world.send(LIST, &token).await.status(), StatusCode::OK, "{claim} {tolerated} s");
        let token = world.good_but(claim, too_much).await;
        world.refuses(LIST, &token, StatusCode::UNAUTHORIZED, reason, claim).await;
    }
    world.has_shown_no_token();
}

#[tokio::test]
async fn a_key_that_was_rolled_over_is_known_without_a_restart() {
    let mut world = World::start().await;
    let before = world.good(READER).await;
    assert_eq!(world.send(LIST, &before).await.status(), StatusCode::OK);
    world.provider.rotate();
    let after = world.good(READER).await;
    assert_eq!(world.send(LIST, &after).await.status(), StatusCode::OK);
    let what = "signed with a key that its issuer has no more";
    world.refuses(LIST, &before, StatusCode::UNAUTHORIZED, "unknown_key", what).await;
    assert_eq!(world.send(LIST, &after).await.status(), StatusCode::OK);
    world.has_shown_no_token();
}

#[tokio::test]
async fn while_keys_cannot_be_read_known_ones_count_and_nobody_is_refused_for_ever() {
    let mut world = World::start().await;
    world.provider.show_keys(false);
    let (known, known_event) = (world.good(READER).await, world.event_grid_s().await);
    world
        .refuses(LIST, &known, StatusCode::SERVICE_UNAVAILABLE, "cannot_judge", "no key was ever read")
        .await;
    world.provider.show_keys(true);
    assert_eq!(world.send(LIST, &known).await.status(), StatusCode::OK);

    world.provider.show_keys(false);
    world.provider.rotate();
    let (new, new_event) = (world.good(READER).await, world.event_grid_s().await);
    for (route, token) in [(LIST, &new), (DELIVER, &new_event)] {
        world.refuses(route, token, StatusCode::SERVICE_UNAVAILABLE, "cannot_judge", "a new key").await;
    }
    assert_eq!(world.send(LIST, &known).await.status(), StatusCode::OK);
    assert_eq!(world.send(DELIVER, &known_event).await.status(), StatusCode::OK);
    world.provider.show_keys(true);
    assert_eq!(world.send(LIST, &new).await.status(), StatusCode::OK);
    world.has_shown_no_token();
}

#[tokio::test]
async fn the_webhook_hears_event_grid_s_own_application_only() {
    let mut world = World::start().await;
    let good = world.event_claims().await;
    let version_1 = json!({"iss": world.version_1_issuer(), "appid": EVENT_GRID, "azp": null});
    let version_1 = with_all(&good, &version_1);
    for claims in [&good, &version_1] {
        let token = world.provider.token(claims);
        assert_eq!(world.send(DELIVER, &token).await.status(), StatusCode::OK, "{claims}");
    }
    let now = world.now().await;
    let (unauthorized, forbidden) = (StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN);
    for (claim, is, status, reason) in [
        ("azp", json!(CALLER), forbidden, "wrong_client"),
        ("azp", Value::Null, forbidden, "wrong_client"),
        ("roles", json!([OPERATOR]), forbidden, "no_role"),
        ("roles", Value::Null, forbidden, "no_role"),
        ("exp", json!(now - 120), unauthorized, "expired"),
        ("nbf", json!(now + 3_600), unauthorized, "not_yet_valid"),
        ("aud", json!(API), unauthorized, "wrong_audience"),
        ("iss", json!(STRANGER), unauthorized, "wrong_issuer"),
        ("tid", json!(OTHER_TENANT), unauthorized, "wrong_tenant"),
    ] {
        let token = world.provider.token(&with(&good, claim, &is));
        world.refuses(DELIVER, &token, status, reason, claim).await;
    }
    world.has_shown_no_token();
}

#[tokio::test]
async fn a_clock_that_is_known_to_be_off_refuses_nobody_for_the_time() {
    let azure = Azure::start(&["--secrets", "2", "--no-clock-url"]).await;
    azure.advance("1h").await;
    let mut world = World::on(azure, -3_600).await;
    eventually("the daemon sees that its clock is off", PATIENCE, async || {
        let skew = world.daemon.metric("rekeyd_clock_skew_seconds").await;
        (skew > 3_000.0).then_some(())
    })
    .await;
    let good = world.good(READER).await;
    assert_eq!(world.send(LIST, &good).await.status(), StatusCode::OK);
    let (api, event, now) = (world.claims(READER).await, world.event_claims().await, world.now().await);
    for (claim, is) in [("exp", now - 120), ("nbf", now + 1_800)] {
        for (route, claims) in [(LIST, &api), (DELIVER, &event)] {
            let token = world.provider.token(&with(claims, claim, &json!(is)));
            world.refuses(route, &token, StatusCode::SERVICE_UNAVAILABLE, "cannot_judge", claim).await;
        }
    }
    let other = world.provider.token(&with(&api, "aud", &json!(WEBHOOK)));
    world.refuses(LIST, &other, StatusCode::UNAUTHORIZED, "wrong_audience", "not for the time").await;
    world.has_shown_no_token();
}

/// A token that is not taken.
#[derive(Clone)]
struct Bad {
    what: String,
    token: String,
    status: StatusCode,
    reason: &'static str,
}

/// Whom a request is for, as refusals are counted, and the request.
struct Route {
    face: &'static str,
    method: Method,
    path: &'static str,
}

/// A daemon that takes the tokens of a provider.
struct World {
    azure: Azure,
    provider: Provider,
    daemon: Daemon,
    /// How far the daemon's clock is from the sandbox's, in seconds.
    clock_is_off: i64,
    sent: Vec<String>,
    /// By face and reason: what has to be in the log and in the metrics.
    refused: Vec<(String, String)>,
}

impl World {
    async fn start() -> Self {
        Self::on(Azure::start(&["--secrets", "2"]).await, 0).await
    }

    async fn on(azure: Azure, clock_is_off: i64) -> Self {
        let config = azure.file("rekeyd.toml");
        let provider = Provider::start(config.parent().unwrap());
        // What nobody logs at this level is logged at none.
        let log = [("REKEYD_LOG__FILTER", "trace"), ("REKEYD_LOG__FORMAT", "json")];
        let daemon = Daemon::start(&configuration(&azure, &provider), &log).await;
        Self { azure, provider, daemon, clock_is_off, sent: Vec::new(), refused: Vec::new() }
    }

    /// What the daemon's clock shows, in seconds since 1970.
    async fn now(&self) -> i64 {
        self.azure.state().await.now.unix_timestamp() + self.clock_is_off
    }

    /// What a good token says, in the form of version 2: its audience is the bare id.
    async fn claims(&self, role: &str) -> Value {
        let now = self.now().await;
        json!({
            "iss": self.provider.issuer,
            "aud": API.strip_prefix("api://"),
            "tid": self.azure.endpoint("/tenant_id"),
            "azp": CALLER,
            "roles": [role],
            "nbf": now - 60,
            "exp": now + 3_600,
            "ver": "2.0",
        })
    }

    /// The same in the form of version 1.
    async fn version_1(&self, role: &str) -> Value {
        let differing = json!({
            "iss": self.version_1_issuer(), "aud": API, "appid": CALLER, "azp": null, "ver": "1.0"
        });
        with_all(&self.claims(role).await, &differing)
    }

    /// What Event Grid's own tokens say.
    async fn event_claims(&self) -> Value {
        with_all(&self.claims(EVENT_ROLE).await, &json!({"aud": WEBHOOK, "azp": EVENT_GRID}))
    }

    fn version_1_issuer(&self) -> String {
        format!("https://sts.windows.net/{}/", self.azure.endpoint("/tenant_id"))
    }

    async fn good(&mut self, role: &str) -> String {
        let claims = self.claims(role).await;
        self.provider.token(&claims)
    }

    /// A good token but for a time, in seconds from now.
    async fn good_but(&mut self, claim: &str, seconds: i64) -> String {
        let claims = self.claims(READER).await;
        let time = self.now().await + seconds;
        self.provider.token(&with(&claims, claim, &json!(time)))
    }

    async fn event_grid_s(&mut self) -> String {
        let claims = self.event_claims().await;
        self.provider.token(&claims)
    }

    /// Each is good but for one claim.
    async fn with_wrong_claims(&mut self) -> Vec<Bad> {
        let (good, now) = (self.claims(READER).await, self.now().await);
        let wrong = [
            ("iss", json!(STRANGER), "wrong_issuer"),
            ("iss", json!(format!("https://sts.windows.net/{OTHER_TENANT}/")), "wrong_issuer"),
            ("iss", Value::Null, "malformed"),
            ("aud", json!("api://somebody-else"), "wrong_audience"),
            ("aud", json!(WEBHOOK), "wrong_audience"),
            ("aud", Value::Null, "malformed"),
            ("tid", json!(OTHER_TENANT), "wrong_tenant"),
            ("tid", Value::Null, "wrong_tenant"),
            ("exp", json!(now - 120), "expired"),
            ("exp", Value::Null, "malformed"),
            ("nbf", json!(now + 3_600), "not_yet_valid"),
            ("roles", Value::Null, "no_role"),
            ("roles", json!([]), "no_role"),
            ("roles", json!(["Rekeyd", EVENT_ROLE]), "no_role"),
        ];
        let bad = wrong.map(|(claim, is, reason)| {
            let status = if reason == "no_role" { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
            let token = self.provider.token(&with(&good, claim, &is));
            Bad { what: format!("{claim} is {is}"), token, status, reason }
        });
        bad.into()
    }

    /// Each says what a good one says, but nobody who may has signed it.
    async fn forged(&mut self) -> Vec<Bad> {
        let claims = self.claims(OPERATOR).await;
        let (good, other) = (self.provider.token(&claims), self.good(READER).await);
        let [head, body, signature] = parts(&good);
        let [.., signature_of_other] = parts(&other);
        let kid = key_name(head);
        let unsigned = encoded(&json!({"typ": "JWT", "alg": "none", "kid": kid}));
        let nameless = encoded(&json!({"typ": "JWT", "alg": "RS256"}));
        let tampered = if signature.starts_with('A') { "B" } else { "A" };
        let forged = [
            ("alg none", format!("{unsigned}.{body}."), "wrong_algorithm"),
            ("alg none, signed", format!("{unsigned}.{body}.{signature}"), "wrong_algorithm"),
            ("HS256 with the public key", self.with_hmac(&kid, &claims), "wrong_algorithm"),
            ("an unknown key", self.provider.token_of_key("no-such-key", &claims), "unknown_key"),
            ("no key's name", format!("{nameless}.{body}.{signature}"), "malformed"),
            ("a tampered signature", format!("{head}.{body}.{tampered}{}", &signature[1..]), "bad_signature"),
            ("another's signature", format!("{head}.{body}.{signature_of_other}"), "bad_signature"),
            ("no signature", format!("{head}.{body}."), "bad_signature"),
        ];
        forged.map(|(what, token, reason)| unauthorized(what, token, reason)).into()
    }

    /// Who checks it with the public key as a secret, as the token asks for, finds it good.
    fn with_hmac(&mut self, kid: &str, claims: &Value) -> String {
        let secret = self.provider.public_key();
        assert!(secret.starts_with("-----BEGIN PUBLIC KEY-----"), "{secret}");
        let head = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&head, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    async fn send(&mut self, route: &Route, token: &str) -> Response {
        self.sent.push(token.to_owned());
        self.daemon.send(route.method.clone(), route.path, Some(token)).await
    }

    /// Sends `token`, which has to be refused in this way, told once and counted once.
    async fn refuses(&mut self, route: &Route, token: &str, status: StatusCode, reason: &str, what: &str) {
        assert_problem(self.send(route, token).await, status, what).await;
        self.refused.push((route.face.to_owned(), reason.to_owned()));
        let told = eventually("the refusal is told", PATIENCE, async || {
            let told = self.told();
            (told.len() >= self.refused.len()).then_some(told)
        })
        .await;
        assert_eq!(told, self.refused, "{what}, {}", route.path);
        assert_eq!(self.counted().await, counts(&self.refused), "{what}, {}", route.path);
    }

    /// By face and reason: the lines about refusals.
    fn told(&self) -> Vec<(String, String)> {
        let text = |line: &Value, key| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let printed = self.daemon.printed();
        let lines = printed.lines().filter(|line| line.contains("\"a request was refused"));
        let lines = lines.map(|line| serde_json::from_str(line).unwrap());
        lines.map(|line: Value| (text(&line, "face"), text(&line, "reason"))).collect()
    }

    /// By face and reason: the metric.
    async fn counted(&self) -> BTreeMap<String, f64> {
        let (_, metrics) = self.daemon.get("/metrics").await;
        let samples = metrics.lines().filter(|line| line.starts_with(METRIC));
        let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
        let samples = samples.map(|(sample, value)| (sample.to_owned(), value.parse().unwrap()));
        samples.filter(|(_, value)| *value > 0.0).collect()
    }

    /// The log shows no token that was sent, nor the beginning of any part of one.
    fn has_shown_no_token(&self) {
        let printed = self.daemon.printed();
        assert!(printed.contains("\"level\":\"TRACE\""), "everything is logged");
        let parts = self.sent.iter().flat_map(|token| token.split('.')).filter(|part| part.len() >= 8);
        for part in parts {
            let beginning: String = part.chars().take(16).collect();
            let line = printed.lines().find(|line| line.contains(&beginning));
            assert_eq!(line, None, "the log shows {beginning} of {part}");
        }
    }
}

/// That of the sandbox, with the tokens of the provider.
fn configuration(azure: &Azure, provider: &Provider) -> PathBuf {
    let [config, ca] = ["tokens.toml", "both-ca.pem"].map(|name| azure.file(name));
    let ca_of_azure = std::fs::read_to_string(azure.file("ca.pem")).unwrap();
    std::fs::write(&ca, [ca_of_azure.as_str(), &provider.ca_pem].join("\n")).unwrap();
    let metadata = format!("{}/.well-known/openid-configuration", provider.issuer);
    let text = std::fs::read_to_string(azure.file("rekeyd.toml")).unwrap();
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    for (name, key, value) in [
        ("azure", "openid_url", metadata.as_str()),
        ("azure", "ca_file", ca.to_str().unwrap()),
        ("api", "audience", API),
        ("webhook", "audience", WEBHOOK),
        ("webhook", "client_id", EVENT_GRID),
        ("webhook", "role", EVENT_ROLE),
    ] {
        table.get_mut(name).unwrap().as_table_mut().unwrap().insert(key.to_owned(), value.into());
    }
    std::fs::write(&config, table.to_string()).unwrap();
    config
}

/// What has the form of no token, or only that. A text without a dot is looked for among the known ones.
fn malformed() -> Vec<Bad> {
    let (head, long) = (encoded(&json!({"typ": "JWT"})), "long-and-senseless-".repeat(1_000));
    let malformed = [
        ("no token at all", "neither-known-nor-of-entra".to_owned(), "unknown"),
        ("a long text", long.clone(), "unknown"),
        ("dots", "...".to_owned(), "malformed"),
        ("two parts", "nonsense-in.two-parts".to_owned(), "malformed"),
        ("three parts", "nonsense-in.exactly-three.such-parts".to_owned(), "malformed"),
        ("a head that says little", format!("{head}.nonsense-body.nonsense-signature"), "malformed"),
        ("long parts", [long.as_str(); 3].join("."), "malformed"),
        ("many parts", "part-of-many.".repeat(4_000), "malformed"),
    ];
    malformed.map(|(what, token, reason)| unauthorized(what, token, reason)).into()
}

fn unauthorized(what: &str, token: String, reason: &'static str) -> Bad {
    Bad { what: what.to_owned(), token, status: StatusCode::UNAUTHORIZED, reason }
}

/// `claims` with another value; `null` leaves the claim out.
fn with(claims: &Value, claim: &str, is: &Value) -> Value {
    with_all(claims, &json!({claim: is}))
}

fn with_all(claims: &Value, differing: &Value) -> Value {
    let mut claims = claims.as_object().unwrap().clone();
    claims.extend(differing.as_object().unwrap().clone());
    claims.retain(|_, value| !value.is_null());
    claims.into()
}

fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn encoded(part: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part.to_string())
}

fn key_name(head: &str) -> String {
    let head: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    head.get("kid").and_then(Value::as_str).unwrap().to_owned()
}

/// Problem details of this status, with the header that belongs to it.
async fn assert_problem(response: Response, status: StatusCode, what: &str) {
    let headers = response.headers().clone();
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(response.status(), status, "{what}");
    assert_eq!(header("content-type"), Some("application/problem+json"), "{what}");
    assert_eq!(header("www-authenticate").is_some(), status == StatusCode::UNAUTHORIZED, "{what}");
    assert_eq!(header("retry-after").is_some(), status == StatusCode::SERVICE_UNAVAILABLE, "{what}");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body.pointer("/status"), Some(&status.as_u16().into()), "{what}");
}

/// As the metric shows them.
fn counts(refused: &[(String, String)]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for (face, reason) in refused {
        *counts.entry(format!("{METRIC}{{face=\"{face}\",reason=\"{reason}\"}}")).or_default() += 1.0;
    }
    counts
}

const METRIC: &str = "rekeyd_refused_requests_total";

const LIST: &Route = &Route { face: "api", method: Method::GET, path: "/api/v1/secrets" };
const ROTATE: &Route =
    &Route { face: "api", method: Method::POST, path: "/api/v1/secrets/vault-1/app-01/rotate" };
const DELIVER: &Route = &Route { face: "webhook", method: Method::POST, path: "/events/key-vault" };

const READER: &str = "Rekeyd.Reader";
const OPERATOR: &str = "Rekeyd.Operator";
const EVENT_ROLE: &str = "AzureEventGridSecureWebhookSubscriber";

const API: &str = "api://5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a01";
const WEBHOOK: &str = "api://5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a02";
const CALLER: &str = "5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a03";
const EVENT_GRID: &str = "5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a04";
const OTHER_TENANT: &str = "5b7f0c8e-30c9-4d0e-9a0e-6d2f8c1b4a05";
const STRANGER: &str = "https://issuer.example.org";
