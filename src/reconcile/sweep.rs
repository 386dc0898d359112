//! A sweep: finds the secrets that tags bind to applications, then asks for a pass over everything.

use std::sync::Arc;

use tracing::{info, warn};

use super::catalogue::Catalogue;
use super::queue::WorkQueue;
use super::rollout::Rollout;
use super::status::StatusBoard;
use crate::config::{DiscoveryConfig, ManagedSecret};
use crate::domain::{Origin, SecretId, VaultName, provider_address, tags};
use crate::metrics::{Metrics, unix_seconds};
use crate::ports::{Clock, ListedSecret, PortError, SecretStore, chain};

/// What sweeps over the fleet.
#[derive(Debug)]
pub struct Sweeper {
    /// Where tags are read.
    pub store: Arc<dyn SecretStore>,
    /// Which vaults are searched.
    pub discovery: DiscoveryConfig,
    /// What is managed.
    pub catalogue: Arc<Catalogue>,
    /// Where names go.
    pub queue: Arc<WorkQueue>,
    /// What is known of them.
    pub board: Arc<StatusBoard>,
    /// Counts rotations a sweep.
    pub rollout: Arc<Rollout>,
    /// Where sweeps are shown.
    pub metrics: Arc<Metrics>,
    /// By whose time.
    pub clock: Arc<dyn Clock>,
}

impl Sweeper {
    /// Sweeps once. A vault that can't be searched keeps what was found in it before, and is told.
    pub async fn sweep(&self) {
        self.discover().await;
        self.rollout.sweep_begins();
        let secrets = self.catalogue.list();
        self.metrics.last_sweep.set(unix_seconds(self.clock.now()));
        info!(secrets = secrets.len(), "sweeping over all managed secrets");
        for managed in secrets {
            self.metrics.triggers.with_label_values(&["schedule"]).inc();
            self.queue.enqueue(&managed.id, None);
        }
    }

    /// Looks for secrets whose tags name an application. Whether that application agrees is seen at each look.
    pub async fn discover(&self) {
        if self.discovery.vaults.is_empty() {
            return;
        }
        let mut found = Vec::new();
        for vault in &self.discovery.vaults {
            match self.search(vault).await {
                Ok(secrets) => found.extend(secrets),
                Err(error) => {
                    warn!(%vault, error = chain(&error), "{vault} can't be searched for tagged secrets: what was found before stays");
                    let before =
                        self.catalogue.list().into_iter().filter(|managed| managed.id.vault == *vault);
                    found.extend(
                        before
                            .filter(|managed| managed.origin == Origin::Discovered)
                            .map(|managed| (*managed).clone()),
                    );
                }
            }
        }
        self.catalogue.replace_discovered(found);
        self.board.keep(self.catalogue.list().iter().map(|managed| &managed.id));
    }

    async fn search(&self, vault: &VaultName) -> Result<Vec<ManagedSecret>, PortError> {
        let listed = self.store.list_secrets(vault).await?;
        Ok(listed.iter().filter_map(|secret| discovered(&self.discovery, vault, secret)).collect())
    }
}

/// What a listed secret's own tags make of it: managed, if its `ProviderAddress` names an application. Microsoft's
/// templates for other services use the tag too.
#[must_use]
pub fn discovered(
    discovery: &DiscoveryConfig,
    vault: &VaultName,
    listed: &ListedSecret,
) -> Option<ManagedSecret> {
    let application = provider_address(listed.tags.value(tags::PROVIDER_ADDRESS)?)?;
    (!listed.is_managed_by_key_vault).then(|| ManagedSecret {
        id: SecretId::new(vault.clone(), listed.name.clone()),
        application,
        policy: discovery.policy.clone(),
        verify: discovery.verify.clone(),
        replicas: Vec::new(),
        origin: Origin::Discovered,
    })
}
