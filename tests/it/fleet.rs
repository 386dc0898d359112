//! A fleet: the real daemon on the sandbox's HTTPS, in one process, in virtual time.
//!
//! The daemon runs on a runtime of its own, so that it can be killed at any moment as a process is.

use std::cell::Cell;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use rekeyd::app::App;
use rekeyd::config::Config;
use rekeyd::domain::SecretId;
use rekeyd::ports::Clock;
use rekeyd::reconcile::SecretStatus;
use rekeyd::sandbox::model::{ManagedSecret, Model, SignInRefusal};
use rekeyd::sandbox::{Options, Sandbox, SandboxClock, Summary};
use reqwest::{Client, Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tempfile::TempDir;
use time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A simulated Azure with its consumers, and the daemon that works on it.
pub(crate) struct Fleet {
    daemon: Daemon,
    pub(crate) sandbox: Sandbox,
    config: Config,
    http: Client,
    /// The number of lives so far: each has another random seed.
    lives: u64,
    trail: Trail,
    /// Holds the files that the configuration names.
    _directory: TempDir,
}

/// One life of the daemon.
struct Daemon {
    /// Taken only to end it.
    app: Option<App>,
    runtime: Option<Runtime>,
}

/// The audit trail as JSON lines, over all lives of the daemon.
#[derive(Clone, Default)]
struct Trail(Arc<Mutex<Vec<u8>>>);

impl Write for Trail {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Trail {
    /// Writes the audit events of the current thread to this trail only, from now on.
    fn follow_this_thread(&self) {
        let trail = self.clone();
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(move || trail.clone())
            .with_filter(Targets::new().with_target("audit", LevelFilter::INFO));
        FOLLOWING.set(Some(tracing_subscriber::registry().with(lines).set_default()));
    }
}

thread_local! {
    static FOLLOWING: Cell<Option<DefaultGuard>> = const { Cell::new(None) };
}

impl Fleet {
    /// Starts a daemon in a world with these `options`. `configure` edits the TOML text that the sandbox wrote for it.
    pub(crate) async fn start(options: Options, configure: impl FnOnce(String) -> String) -> Self {
        Self::start_in(options, |text, _| configure(text)).await
    }

    /// Starts a fleet as [`Self::start`] does, if `configure` needs the sandbox's addresses.
    pub(crate) async fn start_in(
        options: Options,
        configure: impl FnOnce(String, &Sandbox) -> String,
    ) -> Self {
        // Event Grid delivers to the daemon's address, so that it has to be known first.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let daemon_address = listener.local_addr().unwrap();
        let sandbox = Sandbox::start(Options { daemon_address, ..options }).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        sandbox.write_directory(directory.path(), false).unwrap();
        let file = directory.path().join("rekeyd.toml");
        let text = configure(std::fs::read_to_string(&file).unwrap(), &sandbox);
        let mut config = Config::parse(&text, "rekeyd.toml", &[]).unwrap();
        // At the end the clock stands still, so that there is nothing to wait for.
        config.reconcile.shutdown_grace = StdDuration::from_secs(1);
        let trail = Trail::default();
        let daemon = Daemon::start(listener, &config, sandbox.clock(), 1, &trail).await;
        let http = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { daemon, sandbox, config, http, lives: 1, trail, _directory: directory }
    }

    /// Kills the daemon at whatever point it is, as `kill -9` does, and starts another one in the same world.
    pub(crate) async fn restart(&mut self) {
        self.daemon.kill().await;
        self.lives += 1;
        let listener = TcpListener::bind(self.config.listen).await.unwrap();
        let clock = self.sandbox.clock();
        self.daemon = Daemon::start(listener, &self.config, clock, self.lives, &self.trail).await;
    }

    /// Stops the daemon in order.
    pub(crate) async fn end_daemon(&mut self) {
        self.daemon.drain().await;
    }

    /// Opens the stream of an operation's events.
    pub(crate) async fn events(&self, operation: &str) -> Response {
        let url = format!("http://{}{operation}/events", self.app().address());
        let token = self.sandbox.api_token().expose_secret();
        self.http.get(url).bearer_auth(token).send().await.unwrap()
    }

    /// Stops everything in order.
    pub(crate) async fn end(mut self) {
        self.daemon.drain().await;
        self.sandbox.shutdown().await;
    }

    /// Runs the fleet for `duration` of virtual time.
    pub(crate) async fn live(&self, duration: Duration) {
        let clock = self.sandbox.clock();
        let lived = timeout(PATIENCE, clock.run_until(clock.now() + duration));
        lived.await.expect("virtual time stands still: a task holds the clock");
    }

    /// Runs the fleet until `holds`, checked every ten minutes of virtual time; fails after `limit` of it.
    pub(crate) async fn until(&self, limit: Duration, holds: impl Fn(&Self) -> bool) {
        let clock = self.sandbox.clock();
        let end = clock.now() + limit;
        while !holds(self) {
            assert!(clock.now() < end, "not within {limit}: {:#?}", self.app().board().list());
            self.live(STEP).await;
        }
    }

    /// Returns the daemon's status of a secret.
    pub(crate) fn status(&self, secret: &SecretId) -> SecretStatus {
        self.app().board().show(secret).expect("a managed secret")
    }

    /// Returns the name of one of the secrets that the world began with.
    pub(crate) fn secret(&self, index: usize) -> SecretId {
        let managed = &self.model().managed()[index];
        format!("{}/{}", managed.vault, managed.name).parse().unwrap()
    }

    pub(crate) fn model(&self) -> &Model {
        self.sandbox.model()
    }

    pub(crate) fn summary(&self) -> Summary {
        self.sandbox.summary()
    }

    /// Returns how often a consumer was refused, or had nothing to sign in with.
    pub(crate) fn consumers_failed(&self) -> u64 {
        self.summary().consumer_sign_in_failures
    }

    /// Signs in as a consumer of `secret` does, with the current text.
    pub(crate) fn sign_in(&self, secret: &SecretId) -> Result<(), SignInRefusal> {
        self.sign_in_with(secret, &self.text(secret))
    }

    /// Signs in as a consumer of `secret` that has `text`.
    pub(crate) fn sign_in_with(&self, secret: &SecretId, text: &SecretString) -> Result<(), SignInRefusal> {
        let client_id = self.managed(secret).client_id;
        self.model().sign_in(client_id, text.expose_secret(), self.sandbox.clock().now())
    }

    /// Returns the text that consumers of `secret` read now.
    pub(crate) fn text(&self, secret: &SecretId) -> SecretString {
        let now = self.sandbox.clock().now();
        self.model().get_secret(secret.vault.as_str(), secret.name.as_str(), None, now).unwrap().value
    }

    /// Returns the secret as the world began with it, with the ids of its application.
    pub(crate) fn managed(&self, secret: &SecretId) -> ManagedSecret {
        let mut managed = self.model().managed().iter();
        let is_it = |one: &&ManagedSecret| format!("{}/{}", one.vault, one.name) == secret.to_string();
        managed.find(is_it).expect("a secret of the sandbox's start").clone()
    }

    /// Returns the daemon's metrics, as Prometheus reads them.
    pub(crate) fn metrics_text(&self) -> String {
        self.app().metrics().render().unwrap()
    }

    /// Returns the answer of the daemon's API to a GET; null if the body is not JSON.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, &Value::Null).await
    }

    /// Returns the answer of the daemon's API to a POST; `body` may be null.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let url = format!("http://{}{path}", self.app().address());
        let token = self.sandbox.api_token().expose_secret();
        let request = self.http.request(method, url).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = request.send().await.unwrap();
        (answer.status(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// Returns the lines of the daemon's audit trail.
    pub(crate) fn audit_lines(&self) -> Vec<Value> {
        let lines = self.trail.0.lock().unwrap().clone();
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parsed).collect()
    }

    /// Runs `work` on the daemon's thread, as a part of the daemon would.
    pub(crate) async fn as_daemon(&self, work: impl FnOnce() + Send + 'static) {
        let runtime = self.daemon.runtime.as_ref().expect("the daemon is running");
        runtime.spawn(async { work() }).await.unwrap();
    }

    fn app(&self) -> &App {
        self.daemon.app.as_ref().expect("the daemon is running")
    }
}

impl Daemon {
    async fn start(
        listener: TcpListener,
        config: &Config,
        clock: SandboxClock,
        seed: u64,
        trail: &Trail,
    ) -> Self {
        let trail = trail.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .on_thread_start(move || trail.follow_this_thread())
            .enable_all()
            .build()
            .unwrap();
        let (listener, config) = (listener.into_std().unwrap(), config.clone());
        let started = runtime.spawn(async move {
            let clock: Arc<dyn Clock> = Arc::new(clock);
            App::start_on(listener, &config, &clock, seed).await.unwrap()
        });
        let app = started.await.unwrap();
        Self { app: Some(app), runtime: Some(runtime) }
    }

    async fn drain(&mut self) {
        let app = self.app.take().expect("the daemon is running");
        let runtime = self.runtime.as_ref().expect("the daemon is running");
        // The audit trail follows the daemon's own threads.
        assert!(runtime.spawn(app.drain()).await.unwrap(), "the daemon does not end");
        self.kill().await;
    }

    /// Kills the daemon, and returns once nothing of it is left.
    async fn kill(&mut self) {
        self.app = None;
        let runtime = self.runtime.take().expect("the daemon is running");
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
    }
}

impl Drop for Daemon {
    /// Drops the daemon without waiting for its runtime: a failing test drops it where waiting is not allowed.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn parsed(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

/// The limit in real time: a machine that builds something else at the same time is slow.
const PATIENCE: StdDuration = StdDuration::from_secs(120);

/// The step in virtual time.
const STEP: Duration = Duration::minutes(10);
