//! The sandbox: a simulated Azure behind real HTTPS on loopback, with a clock of its own.
//!
//! **Modelled.** What a client can see of the services that the daemon and its consumers use:
//! * Key Vault: every operation on secrets, with soft delete, backup, roles, network rules, limits and quotas.
//! * Graph: applications, service principals, owners, federated credentials, passwords, app management policies,
//!   `$batch`, the beta report on sign-ins, permissions, quotas, conflicts, propagation delay and flicker.
//! * Entra: discovery and signing keys of both versions, both token endpoints for client credentials (secret, HTTP
//!   Basic, federated assertion), AADSTS errors, managed identities as virtual machines and App Service have them.
//! * Event Grid: subscriptions to the three secret events in both schemas, by webhook or Storage Queue, with
//!   handshakes, batches, retries, dead letters, Entra-secured delivery, duplicates and disorder.
//! * One FHIR and one DICOM service that need audience and role. And under `--production-names`, all of it by `Host`.
//!
//! Also outages, lost requests and lost replies, by chance or by script, and consumers that must never be refused.
//!
//! **Not modelled** (501, saying so): keys and certificates, and every other path of a vault; users, groups, app role
//! assignments, `$expand`, `$orderby`, `$search` and other kinds of objects in Graph; passwords of service principals;
//! grants other than client credentials; Event Grid namespaces, Service Bus, Event Hubs; writing FHIR or DICOM; the
//! management plane, of which `/_sandbox/...` has what tests need. Simplified: a role counts at once, a purge is done
//! at once, retries have no jitter, and a managed identity's token isn't cached for a day.
//!
//! Each request, each consumer and Event Grid hold the clock while they work: it never jumps in the middle.
//!
#![doc = include_str!("CONTRACTS.md")]

mod azure;
mod certificates;
pub mod clock;
mod consumer_https;
mod consumers;
mod direct;
mod directory;
mod endpoints;
mod event_grid;
mod faults;
mod https;
pub mod model;
mod real_time;
pub mod remote_clock;
mod resources;
mod service;
mod signing_keys;
mod start;
mod storage;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use self::clock::SandboxClock;
pub use self::direct::DirectPorts;
pub use self::endpoints::{Endpoints, HealthEndpoint, IdentityEndpoint, SecretEndpoint, VaultEndpoint};
pub use self::faults::{FaultKind, FaultLevel, ScriptedFault};
pub use self::model::{Model, Requests, Service, Summary, TimelineEvent, TimelineEventKind};
pub use self::remote_clock::RemoteClock;

use self::azure::Azure;
use crate::ports::Clock;

/// What kind of world to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many secrets, each with an application of its own.
    pub secrets: usize,
    /// How many vaults they are spread over.
    pub vaults: usize,
    /// How long a credential that came or went takes to be known, or forgotten, everywhere.
    pub propagation: RangeInclusive<Duration>,
    /// How much goes wrong by chance.
    pub faults: FaultLevel,
    /// Where all chance comes from.
    pub seed: u64,
    /// The clock's first moment.
    pub start: OffsetDateTime,
    /// Where the daemon listens: Event Grid delivers there, and `rekeyd.toml` says so.
    pub daemon_address: SocketAddr,
    /// Serve everything on this one port of 127.0.0.1, under the names that Azure has in production; 0 is any free
    /// port. `None`: a free port for each service, on `localhost`.
    pub production_names: Option<u16>,
}

/// Why a sandbox, or its clock, can't be had.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// No key or certificate could be made.
    #[error("can't make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// TLS refuses what was made.
    #[error("can't set up TLS")]
    Tls(#[from] rustls::Error),
    /// The token key is unusable.
    #[error("can't set up the token key")]
    TokenKey(#[from] jsonwebtoken::errors::Error),
    /// No port is free on loopback.
    #[error("can't open a port on loopback")]
    Bind(#[source] io::Error),
    /// The port for production names is taken, or not for everybody.
    #[error(
        "can't open port {port} of 127.0.0.1: run as root, in a network namespace of your own (unshare --net), or with another --https-port"
    )]
    BindProduction {
        /// The port.
        port: u16,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The HTTP client of the consumers or of Event Grid can't be made.
    #[error("can't make an HTTP client")]
    HttpClient(#[source] reqwest::Error),
    /// A file of the sandbox's directory can't be written.
    #[error("can't write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A sandbox elsewhere doesn't tell the time.
    #[error("can't read the sandbox's clock")]
    RemoteClock(#[source] reqwest::Error),
}

/// A running simulated Azure. Dropped without [`Self::shutdown`] its tasks are told to stop, not waited for.
pub struct Sandbox {
    azure: Arc<Azure>,
    ca_pem: String,
    /// For what runs beside.
    leaf_pem: String,
    leaf_key_pem: SecretString,
    queue: Option<Url>,
    api_token: SecretString,
    webhook_key: SecretString,
    daemon_address: SocketAddr,
    max_propagation: Duration,
    /// Consumers and Event Grid, which need the servers.
    people: Crew,
    servers: Crew,
}

/// Tasks that stop together.
#[derive(Debug, Default)]
struct Crew {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Sandbox {
    /// The clock everything goes by. It stands still until somebody lets it run.
    #[must_use]
    pub fn clock(&self) -> SandboxClock {
        self.azure.clock.clone()
    }

    /// What the simulated Azure knows.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.azure.model
    }

    /// The CA to trust, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The token that the daemon's API asks for, as `api-token` has it.
    #[must_use]
    pub fn api_token(&self) -> &SecretString {
        &self.api_token
    }

    /// The key that the built-in subscription delivers with, as `webhook-key` has it.
    #[must_use]
    pub fn webhook_key(&self) -> &SecretString {
        &self.webhook_key
    }

    /// What happens from now on. Each caller gets everything.
    #[must_use]
    pub fn timeline(&self) -> UnboundedReceiver<TimelineEvent> {
        self.azure.model.timeline()
    }

    /// Makes the next fitting requests fail, before any fault by chance.
    pub fn script_faults(&self, faults: Vec<ScriptedFault>) {
        self.azure.faults.script(faults);
    }

    /// How much goes wrong by chance from now on.
    pub fn set_fault_level(&self, level: FaultLevel) {
        self.azure.faults.set_level(level);
    }

    /// From now on nothing goes wrong any more, neither by chance nor scripted.
    pub fn stop_faults(&self) {
        self.azure.faults.stop();
    }

    /// What has come of it all so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.azure.model.summary(self.azure.clock.now())
    }

    /// Ends the consumers and Event Grid, then the servers, and waits for them.
    pub async fn shutdown(self) {
        self.people.end().await;
        self.servers.end().await;
    }
}

impl Crew {
    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests;
