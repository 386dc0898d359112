//! A daemon that accepts the tokens of a provider, and a record of the tokens sent to it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{API, CALLER, EVENT_GRID, EVENT_ROLE, READER, WEBHOOK};
use crate::support::{Azure, Daemon, PATIENCE, Provider, eventually};

/// A route: the endpoint that refusals are counted for, and the request.
pub(super) struct Route {
    pub(super) endpoint: &'static str,
    pub(super) method: Method,
    pub(super) path: &'static str,
}

/// A daemon that accepts the tokens of a provider.
pub(super) struct World {
    azure: Azure,
    pub(super) provider: Provider,
    pub(super) daemon: Daemon,
    /// The distance of the daemon's clock from the sandbox's, in seconds.
    clock_is_off: i64,
    sent: Vec<String>,
    /// The refusals that have to be in the log and in the metrics, by endpoint and reason.
    refused: Vec<(String, String)>,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::on(Azure::start(&["--secrets", "2"]).await, 0).await
    }

    pub(super) async fn on(azure: Azure, clock_is_off: i64) -> Self {
        let config = azure.file("rekeyd.toml");
        let provider = Provider::start(config.parent().unwrap());
        // Anything that is not logged at this level is not logged at any other.
        let log = [("REKEYD_LOG__FILTER", "trace"), ("REKEYD_LOG__FORMAT", "json")];
        let daemon = Daemon::start(&configuration(&azure, &provider), &log).await;
        Self { azure, provider, daemon, clock_is_off, sent: Vec::new(), refused: Vec::new() }
    }

    /// Returns the time of the daemon's clock, in seconds since 1970.
    pub(super) async fn now(&self) -> i64 {
        self.azure.state().await.now.unix_timestamp() + self.clock_is_off
    }

    /// Returns the claims of a good token, in the form of version 2: its audience is the bare id.
    pub(super) async fn claims(&self, role: &str) -> Value {
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

    /// Returns the claims of a good token in the form of version 1.
    pub(super) async fn version_1(&self, role: &str) -> Value {
        let differing = json!({
            "iss": self.version_1_issuer(), "aud": API, "appid": CALLER, "azp": null, "ver": "1.0"
        });
        with_all(&self.claims(role).await, &differing)
    }

    /// Returns the claims of Event Grid's own tokens.
    pub(super) async fn event_claims(&self) -> Value {
        with_all(&self.claims(EVENT_ROLE).await, &json!({"aud": WEBHOOK, "azp": EVENT_GRID}))
    }

    pub(super) fn version_1_issuer(&self) -> String {
        format!("https://sts.windows.net/{}/", self.azure.endpoint("/tenant_id"))
    }

    pub(super) async fn good(&mut self, role: &str) -> String {
        let claims = self.claims(role).await;
        self.provider.token(&claims)
    }

    /// Returns a token that is good but for a time, in seconds from now.
    pub(super) async fn good_but(&mut self, claim: &str, seconds: i64) -> String {
        let claims = self.claims(READER).await;
        let time = self.now().await + seconds;
        self.provider.token(&with(&claims, claim, &json!(time)))
    }

    pub(super) async fn event_grid_s(&mut self) -> String {
        let claims = self.event_claims().await;
        self.provider.token(&claims)
    }

    pub(super) async fn send(&mut self, route: &Route, token: &str) -> Response {
        self.sent.push(token.to_owned());
        self.daemon.send(route.method.clone(), route.path, Some(token)).await
    }

    /// Sends `token`, and asserts that it is refused in this way, logged once and counted once.
    pub(super) async fn refuses(
        &mut self,
        route: &Route,
        token: &str,
        status: StatusCode,
        reason: &str,
        what: &str,
    ) {
        assert_problem(self.send(route, token).await, status, what).await;
        self.refused.push((route.endpoint.to_owned(), reason.to_owned()));
        let logged = eventually("the refusal is logged", PATIENCE, async || {
            let logged = self.logged();
            (logged.len() >= self.refused.len()).then_some(logged)
        })
        .await;
        assert_eq!(logged, self.refused, "{what}, {}", route.path);
        assert_eq!(self.counted().await, counts(&self.refused), "{what}, {}", route.path);
    }

    /// Returns the log lines about refusals, by endpoint and reason.
    fn logged(&self) -> Vec<(String, String)> {
        let text = |line: &Value, key| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let printed = self.daemon.printed();
        let lines = printed.lines().filter(|line| line.contains("\"refused request\""));
        let lines = lines.map(|line| serde_json::from_str(line).unwrap());
        lines.map(|line: Value| (text(&line, "endpoint"), text(&line, "reason"))).collect()
    }

    /// Returns the metric, by endpoint and reason.
    async fn counted(&self) -> BTreeMap<String, f64> {
        let (_, metrics) = self.daemon.get("/metrics").await;
        let samples = metrics.lines().filter(|line| line.starts_with(METRIC));
        let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
        let samples = samples.map(|(sample, value)| (sample.to_owned(), value.parse().unwrap()));
        samples.filter(|(_, value)| *value > 0.0).collect()
    }

    /// Asserts that the log shows no token that was sent, nor the beginning of any part of one.
    pub(super) fn has_shown_no_token(&self) {
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

/// Writes the sandbox's configuration, changed to accept the tokens of the provider.
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

/// Returns `claims` with another value; `null` leaves the claim out.
pub(super) fn with(claims: &Value, claim: &str, is: &Value) -> Value {
    with_all(claims, &json!({claim: is}))
}

pub(super) fn with_all(claims: &Value, differing: &Value) -> Value {
    let mut claims = claims.as_object().unwrap().clone();
    claims.extend(differing.as_object().unwrap().clone());
    claims.retain(|_, value| !value.is_null());
    claims.into()
}

/// Asserts that the answer has problem details of this status, with the header that belongs to it.
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

/// Counts refusals as the metric shows them.
fn counts(refused: &[(String, String)]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for (endpoint, reason) in refused {
        *counts.entry(format!("{METRIC}{{endpoint=\"{endpoint}\",reason=\"{reason}\"}}")).or_default() += 1.0;
    }
    counts
}

const METRIC: &str = "rekeyd_refused_requests_total";
