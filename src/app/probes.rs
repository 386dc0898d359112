//! The start-up probes: each vault and Graph are asked for something small until they answer.
//!
//! They only set the daemon's readiness; nothing waits for them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Engine;
use crate::config::Config;
use crate::domain::VaultName;
use crate::http::Readiness;
use crate::ports::{Clock, DirectoryAccess, PortError, VaultAccess, chain, sleep};

/// Returns the names of the services that a daemon with this configuration waits for.
pub(super) fn names(config: &Config) -> impl Iterator<Item = String> {
    probed_services(config).map(|service| service.name())
}

fn probed_services(config: &Config) -> impl Iterator<Item = ProbedService> {
    let vaults = config.vaults.iter().map(|vault| ProbedService::Vault(vault.name.clone()));
    vaults.chain([ProbedService::Directory])
}

/// A service that is probed at start-up.
#[derive(Debug)]
enum ProbedService {
    Vault(VaultName),
    Directory,
}

impl ProbedService {
    fn name(&self) -> String {
        match self {
            Self::Vault(vault) => format!("vault {vault}"),
            Self::Directory => "graph".to_owned(),
        }
    }
}

/// The services that have not answered yet.
#[derive(Debug)]
pub(super) struct Probes {
    open: Vec<ProbedService>,
    vaults: Arc<dyn VaultAccess>,
    directory: Arc<dyn DirectoryAccess>,
    readiness: Arc<Readiness>,
    clock: Arc<dyn Clock>,
}

impl Probes {
    pub(super) fn new(config: &Config, engine: &Engine, readiness: &Arc<Readiness>) -> Self {
        Self {
            open: probed_services(config).collect(),
            vaults: engine.azure.key_vault.clone(),
            directory: engine.azure.graph.clone(),
            readiness: Arc::clone(readiness),
            clock: Arc::clone(&engine.clock),
        }
    }

    /// Probes until every service has answered or `stop` is cancelled.
    pub(super) fn run(mut self, stop: CancellationToken) -> impl Future<Output = ()> {
        let hold = self.clock.hold();
        async move {
            let _hold = hold;
            let clock = Arc::clone(&self.clock);
            while !self.open.is_empty() {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = self.probe_all() => {}
                }
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = sleep(&*clock, PAUSE) => {}
                }
            }
        }
    }

    /// Probes each open service once and keeps those that did not answer.
    async fn probe_all(&mut self) {
        let mut unanswered = Vec::new();
        for target in std::mem::take(&mut self.open) {
            let name = target.name();
            match self.probe(&target).await {
                Ok(()) => self.readiness.answered(&name),
                Err(error) => {
                    warn!(service = name, error = chain(&error), "service not ready");
                    unanswered.push(target);
                }
            }
        }
        self.open = unanswered;
    }

    async fn probe(&self, target: &ProbedService) -> Result<(), PortError> {
        match target {
            ProbedService::Vault(vault) => self.vaults.probe(vault).await,
            ProbedService::Directory => self.directory.probe().await,
        }
    }
}

const PAUSE: time::Duration = time::Duration::seconds(10);
