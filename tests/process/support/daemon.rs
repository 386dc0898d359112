//! A daemon in a process of its own.

use std::path::Path;

use reqwest::{Client, Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{PATIENCE, Process, eventually, rekeyd};

pub(crate) struct Daemon {
    pub(crate) process: Process,
    base: String,
    pub(crate) token: String,
    pub(crate) webhook_key: String,
    http: Client,
}

/// The API's status of one secret, as far as tests use it.
#[derive(Debug, Deserialize)]
pub(crate) struct Secret {
    #[serde(rename = "secret")]
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) reason: String,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) last_reconciled: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    next_reconcile: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
struct Secrets {
    secrets: Vec<Secret>,
}

impl Secret {
    /// Returns true if there is nothing to do now, except to wait for the next expiry or for the end of an overlap.
    pub(crate) fn is_settled(&self, now: OffsetDateTime) -> bool {
        self.state == "waiting"
            && ["not_due", "overlap"].contains(&self.reason.as_str())
            && self.next_reconcile.is_none_or(|next| next > now)
    }

    /// Returns the time of the next pass; `None` while a pass is running, or is about to begin.
    pub(crate) fn next_look_after(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.next_reconcile.filter(|next| *next > now)
    }
}

impl Daemon {
    /// Starts `rekeyd run` with the configuration that a sandbox wrote, and returns once it listens.
    pub(crate) async fn start(config: &Path, environment: &[(&str, &str)]) -> Self {
        let text: toml::Table = toml::from_str(&std::fs::read_to_string(config).unwrap()).unwrap();
        let of = |key: &str| text.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let token_file = text.get("api").and_then(|api| api.get("token_file")).and_then(toml::Value::as_str);
        let token = std::fs::read_to_string(token_file.unwrap()).unwrap();
        let key_file = text.get("webhook").and_then(|webhook| webhook.get("key_files")?.get(0)?.as_str());
        let webhook_key = key_file.map(|file| std::fs::read_to_string(file).unwrap()).unwrap_or_default();
        let base = format!("http://{}", of("listen").unwrap());
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();

        let start = || {
            let mut command = rekeyd();
            command.args(["run", "--config"]).arg(config).envs(environment.iter().copied());
            Process::start(command, config.parent().unwrap(), "daemon")
        };
        let mut daemon = Self { process: start(), base, token, webhook_key, http };
        eventually("the daemon listens", PATIENCE, async || {
            if let Some(status) = daemon.process.ended() {
                let printed = daemon.process.printed();
                // Another program's outgoing connection may have the port for a moment.
                assert!(printed.contains("can't listen"), "the daemon ended with {status}:\n{printed}");
                daemon.process = start();
            }
            daemon.try_get("/livez").await
        })
        .await;
        daemon
    }

    /// Waits until `/readyz` answers 200.
    pub(crate) async fn is_ready(&self) {
        eventually("the daemon is ready", PATIENCE, async || {
            (self.get("/readyz").await.0 == StatusCode::OK).then_some(())
        })
        .await;
    }

    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        request.send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.send(Method::GET, path, Some(&self.token)).await;
        (response.status(), response.text().await.unwrap())
    }

    /// Returns the status of a GET request; `None` if nothing listens there, or no longer listens.
    pub(crate) async fn try_get(&self, path: &str) -> Option<StatusCode> {
        let response = self.http.get(format!("{}{path}", self.base)).send().await;
        response.ok().map(|response| response.status())
    }

    /// Delivers as Event Grid does with the webhook's key.
    pub(crate) async fn deliver(&self, body: &Value) -> (StatusCode, String) {
        let request = self.http.post(format!("{}/events/key-vault", self.base)).json(body);
        let response = request.header("x-rekeyd-key", &self.webhook_key).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> (StatusCode, String) {
        let response = self.http.post(format!("{}{path}", self.base)).json(body).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    pub(crate) async fn rotate(&self, secret: &str) {
        let path = format!("/api/v1/secrets/{secret}/rotate");
        let response = self.send(Method::POST, &path, Some(&self.token)).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
    }

    /// Returns the API's status of every secret.
    pub(crate) async fn secrets(&self) -> Vec<Secret> {
        let (status, text) = self.get("/api/v1/secrets").await;
        assert_eq!(status, StatusCode::OK, "{text}");
        serde_json::from_str::<Secrets>(&text).unwrap().secrets
    }

    /// Returns the value of the sample that begins with `sample`.
    pub(crate) async fn metric(&self, sample: &str) -> f64 {
        let (_, text) = self.get("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{sample} is missing in\n{text}")).parse().unwrap()
    }

    /// Returns its address, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }
}
