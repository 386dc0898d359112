//! A simulated Azure in a process of its own.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Daemon, PATIENCE, Process, State, eventually, rekeyd};

pub(crate) struct Azure {
    process: Process,
    directory: TempDir,
    endpoints: Value,
    http: Client,
}

impl Azure {
    /// Starts `rekeyd sandbox --azure-only` with `arguments`, and returns once it is ready.
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let mut command = rekeyd();
        command.args(["sandbox", "--azure-only", "--dir"]).arg(directory.path()).args(arguments);
        let mut process = Process::start(command, directory.path(), "azure");
        let endpoints = eventually("endpoints.json is written", PATIENCE, async || {
            assert_eq!(process.ended(), None, "the sandbox ended:\n{}", process.printed());
            std::fs::read(directory.path().join("endpoints.json")).ok()
        });
        let endpoints: Value = serde_json::from_slice(&endpoints.await).unwrap();
        let ca = std::fs::read(directory.path().join("ca.pem")).unwrap();
        let http = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .tls_certs_only([Certificate::from_pem(&ca).unwrap()])
            .build()
            .unwrap();
        Self { process, directory, endpoints, http }
    }

    /// Returns the whole state, which never has a secret's text.
    pub(crate) async fn state(&self) -> State {
        serde_json::from_str(&self.state_text().await).unwrap()
    }

    pub(crate) async fn state_text(&self) -> String {
        let response = self.http.get(self.control("state")).send().await.unwrap();
        response.error_for_status().unwrap().text().await.unwrap()
    }

    /// Advances the clock. Consumers have lived through that time when this returns.
    pub(crate) async fn advance(&self, by: &str) {
        let request = self.http.post(self.control("clock")).json(&json!({"advance": by}));
        request.send().await.unwrap().error_for_status().unwrap();
    }

    pub(crate) async fn advance_by(&self, by: time::Duration) {
        self.advance(&format!("{}s", by.whole_seconds().max(1))).await;
    }

    /// Makes the next fitting requests fail.
    pub(crate) async fn fail(&self, script: Value) {
        let request = self.http.post(self.control("faults")).json(&json!({"script": script}));
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Starts a daemon in a process of its own, and returns once it listens.
    pub(crate) async fn daemon(&self, environment: &[(&str, &str)]) -> Daemon {
        Daemon::start(&self.file("rekeyd.toml"), environment).await
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn endpoint(&self, pointer: &str) -> &str {
        self.endpoints.pointer(pointer).and_then(Value::as_str).expect("documented in endpoints.json")
    }

    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }

    /// Returns a token for Key Vault, for the identity that may do everything.
    pub(crate) async fn vault_token(&self) -> String {
        self.token("https://vault.azure.net/.default").await
    }

    /// Returns a token of that identity for any service.
    pub(crate) async fn token(&self, scope: &str) -> String {
        let url =
            format!("{}/{}/oauth2/v2.0/token", self.endpoint("/authority"), self.endpoint("/tenant_id"));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.endpoint("/client/client_id")),
            ("client_secret", self.endpoint("/client/client_secret")),
            ("scope", scope),
        ];
        let response = self.http.post(url).form(&form).send().await.unwrap().error_for_status().unwrap();
        let answer: Value = response.json().await.unwrap();
        answer.pointer("/access_token").and_then(Value::as_str).unwrap().to_owned()
    }

    /// Returns the texts of all versions that can be read.
    pub(crate) async fn texts(&self) -> Vec<String> {
        let (state, token) = (self.state().await, self.vault_token().await);
        let mut texts = Vec::new();
        for (secret, versions) in state.secrets() {
            let (vault, name) = secret.split_once('/').unwrap();
            let url = self.vault_url(vault);
            for version in versions.iter().filter(|version| version.enabled) {
                let url = format!("{url}/secrets/{name}/{}?api-version=2025-07-01", version.id);
                let response = self.http.get(url).bearer_auth(&token).send().await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                let answer: Value = response.json().await.unwrap();
                texts.push(answer.pointer("/value").and_then(Value::as_str).unwrap().to_owned());
            }
        }
        texts
    }

    /// Lets time pass until the daemon has nothing to do for a while. It is given the real time it needs.
    pub(crate) async fn settle(&self, daemon: &Daemon) {
        let (mut last, mut at_rest) = (Vec::new(), 0);
        let settled = super::within(PATIENCE, async || {
            let (secrets, now) = (daemon.secrets().await, self.state().await.now);
            if secrets.iter().all(|secret| secret.is_settled(now)) {
                // A pass that has just begun doesn't show yet: what counts is a while of rest.
                at_rest += 1;
                return (at_rest > 5).then_some(());
            }
            at_rest = 0;
            let looks: Option<Vec<_>> = secrets.iter().map(|secret| secret.next_look_after(now)).collect();
            last = secrets;
            if let Some(next) = looks.into_iter().flatten().min() {
                self.advance_by((next - now + time::Duration::SECOND).min(time::Duration::hours(6))).await;
                // The daemon reads the clock every 100 ms.
                super::pause(Duration::from_millis(150)).await;
            }
            None
        });
        assert!(settled.await.is_some(), "the daemon does not settle: {last:#?}\n{}", daemon.printed());
    }

    /// Sends a request that has to succeed; returns the body, or `null` if it is not JSON.
    pub(crate) async fn call(&self, method: Method, url: &str, token: Option<&str>, body: Value) -> Value {
        let request = token.into_iter().fold(self.http.request(method, url), RequestBuilder::bearer_auth);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) fn vault_url(&self, name: &str) -> &str {
        let vaults = self.endpoints.pointer("/vaults").and_then(Value::as_array).unwrap();
        let vault = vaults.iter().find(|vault| vault.pointer("/name").is_some_and(|found| found == name));
        vault.and_then(|vault| vault.pointer("/url")).and_then(Value::as_str).unwrap()
    }

    /// Returns the URL of one of the sandbox's own controls.
    pub(crate) fn control(&self, what: &str) -> String {
        format!("{}/_sandbox/{what}", self.endpoint("/graph"))
    }
}
