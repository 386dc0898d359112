//! A running sandbox as its users see it: its clock, its model, its faults, and the directory that it writes.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::mpsc::UnboundedReceiver;
use url::Url;

use crate::ports::Clock;
use crate::sandbox::certificates::Certificates;
use crate::sandbox::clock::SandboxClock;
use crate::sandbox::directory::{Contents, DaemonSettings};
use crate::sandbox::endpoints::Endpoints;
use crate::sandbox::error::SandboxError;
use crate::sandbox::faults::{FaultLevel, ScriptedFault};
use crate::sandbox::model::{Model, Summary, TimelineEvent};
use crate::sandbox::service::Azure;
use crate::sandbox::storage::ExternalQueue;
use crate::sandbox::task_group::TaskGroup;

/// A running simulated Azure. If dropped without [`Self::shutdown`], its tasks are asked to stop, but not awaited.
pub struct Sandbox {
    pub(in crate::sandbox) azure: Arc<Azure>,
    pub(super) certificates: Certificates,
    pub(super) daemon: DaemonSettings,
    /// The consumers and Event Grid, which need the servers.
    pub(super) clients: TaskGroup,
    pub(super) servers: TaskGroup,
}

impl Sandbox {
    /// Returns the clock of the whole sandbox. It stands still until it is started.
    #[must_use]
    pub fn clock(&self) -> SandboxClock {
        self.azure.clock.clone()
    }

    /// Returns the state of the simulated Azure.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.azure.model
    }

    /// Returns the CA to trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.certificates.ca_pem
    }

    /// Returns the token that the daemon's API requires, as in `api-token`.
    #[must_use]
    pub fn api_token(&self) -> &SecretString {
        &self.daemon.api_token
    }

    /// Returns the key that the built-in subscription delivers with, as in `webhook-key`.
    #[must_use]
    pub fn webhook_key(&self) -> &SecretString {
        &self.daemon.webhook_key
    }

    /// Returns the URL at which a daemon in another process reads the time.
    #[must_use]
    pub fn clock_url(&self) -> String {
        self.azure.addresses.clock_url()
    }

    /// Returns all endpoints; the files' members are `None`, since the files may not exist.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        Endpoints::of(&self.azure.model, &self.azure.addresses)
    }

    /// Subscribes to the timeline from now on. Each caller gets every event.
    #[must_use]
    pub fn timeline(&self) -> UnboundedReceiver<TimelineEvent> {
        self.azure.model.timeline()
    }

    /// Makes the next matching requests fail, before any random fault.
    pub fn script_faults(&self, faults: Vec<ScriptedFault>) {
        self.azure.faults.script(faults);
    }

    /// Sets the share of requests that fail at random from now on.
    pub fn set_fault_level(&self, level: FaultLevel) {
        self.azure.faults.set_level(level);
    }

    /// Stops all faults, random and scripted.
    pub fn stop_faults(&self) {
        self.azure.faults.stop();
    }

    /// Returns the counters of everything that has happened so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.azure.model.summary(self.azure.clock.now())
    }

    /// Sends events to this queue too, and adds it to the daemon's configuration. The queue is created once a server
    /// answers at its address, with a certificate of the sandbox's CA (`localhost.pem`).
    ///
    /// # Errors
    /// If no HTTP client can be created.
    pub fn with_queue(mut self, url: Url) -> Result<Self, SandboxError> {
        let queue = ExternalQueue::new(url.clone(), &self.certificates.ca_pem)?;
        let (azure, stop) = (Arc::clone(&self.azure), self.clients.stop.clone());
        self.clients.tasks.spawn(async move {
            stop.run_until_cancelled(queue.subscribe(&azure.tokens, &azure.notices)).await;
        });
        self.daemon.queue = Some(url);
        Ok(self)
    }

    /// Writes `ca.pem`, `localhost.pem` and `localhost.key` (a certificate of that CA for programs that run beside the
    /// sandbox), `rekeyd.toml`, `daemon-secret`, `api-token`, `webhook-key`, with production names `hosts`, and
    /// finally, by renaming, `endpoints.json`.
    ///
    /// # Errors
    /// If the directory can't be created or a file can't be written.
    pub fn write_directory(&self, dir: &Path, clock_url: bool) -> Result<(), SandboxError> {
        self.contents().write(dir, clock_url)
    }

    /// Returns a complete configuration for a daemon that works on this sandbox, with files in `dir`.
    #[must_use]
    pub fn daemon_configuration(&self, dir: &Path, clock_url: bool) -> String {
        self.contents().daemon_configuration(dir, clock_url)
    }

    /// Stops the consumers and Event Grid, then the servers, and waits for them.
    pub async fn shutdown(self) {
        self.clients.end().await;
        self.servers.end().await;
    }

    fn contents(&self) -> Contents<'_> {
        Contents {
            model: &self.azure.model,
            addresses: &self.azure.addresses,
            certificates: &self.certificates,
            daemon: &self.daemon,
        }
    }
}
