//! A sweep: finds the secrets that tags bind to applications, then asks for a pass over everything.

use std::sync::Arc;

use tracing::{info, warn};

use super::catalogue::Catalogue;
use super::queue::WorkQueue;
use super::rollout::Rollout;
use super::status_board::StatusBoard;
use crate::domain::{DiscoveryRules, ManagedSecret, Origin, SecretId, VaultName, provider_address, tags};
use crate::metrics::{Metrics, unix_seconds};
use crate::ports::{Clock, ListedSecret, PortError, SecretStore, chain};
use crate::telemetry::audit;

/// The sweeper of the fleet.
#[derive(Debug)]
pub struct Sweeper {
    /// The store that tags are read from.
    pub store: Arc<dyn SecretStore>,
    /// The rules for which vaults are searched.
    pub discovery: DiscoveryRules,
    /// The managed secrets.
    pub catalogue: Arc<Catalogue>,
    /// The queue that names are put in.
    pub queue: Arc<WorkQueue>,
    /// The board of their statuses.
    pub board: Arc<StatusBoard>,
    /// The rollout, which counts the rotations of a sweep.
    pub rollout: Arc<Rollout>,
    /// The metrics that show sweeps.
    pub metrics: Arc<Metrics>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Sweeper {
    /// Sweeps once. Returns the vaults that could not be searched for tagged secrets.
    pub async fn sweep(&self) -> Vec<VaultName> {
        let gaps = self.discover().await;
        self.sweep_over(|_| true);
        gaps
    }

    /// Asks for a pass over the managed secrets that `which` selects.
    pub fn sweep_over(&self, which: impl Fn(&SecretId) -> bool) {
        let secrets: Vec<_> =
            self.catalogue.list().into_iter().filter(|managed| which(&managed.id)).collect();
        self.metrics.last_sweep_timestamp_seconds.set(unix_seconds(self.clock.now()));
        info!(secrets = secrets.len(), "started sweep");
        for managed in secrets {
            self.metrics.triggers_total.with_label_values(&["schedule"]).inc();
            self.queue.enqueue(&managed.id);
        }
    }

    /// Finds secrets whose tags name an application. Each pass checks that the application agrees.
    ///
    /// A sweep begins with it. A vault that can't be searched keeps the secrets that were found in it before; such
    /// vaults are returned.
    pub async fn discover(&self) -> Vec<VaultName> {
        self.rollout.sweep_begins(self.clock.now());
        let (mut found, mut gaps) = (Vec::new(), Vec::new());
        for vault in &self.discovery.vaults {
            let searched = self.search(vault).await;
            self.metrics.set_discovery_failed(vault, searched.is_err());
            match searched {
                Ok(secrets) => found.extend(secrets),
                Err(error) => {
                    warn!(%vault, error = chain(&error), "vault search failed: keeping the secrets found before");
                    let before = self.discovered_before();
                    found.extend(
                        before.filter(|managed| managed.id.vault == *vault).map(|managed| (*managed).clone()),
                    );
                    gaps.push(vault.clone());
                }
            }
        }
        if !self.discovery.vaults.is_empty() {
            self.replace(found);
        }
        gaps
    }

    /// Stops managing secrets that discovery no longer finds, and logs it, because nothing else manages them.
    fn replace(&self, found: Vec<ManagedSecret>) {
        let before: Vec<_> = self.discovered_before().collect();
        self.catalogue.replace_discovered(found);
        for gone in before.iter().filter(|managed| self.catalogue.find(&managed.id).is_none()) {
            let why = "the secret or its ProviderAddress tag no longer exists";
            warn!(secret = %gone.id, detail = why, "stopped managing secret");
            audit::blocked(&gone.id, "not_managed", why);
            for command in self.queue.drain_commands(&gone.id) {
                let why = format!("the secret is not managed any more: {why}");
                self.board.reject_command(&gone.id, command, &why);
            }
        }
        self.board.keep(self.catalogue.list().iter().map(|managed| &managed.id));
    }

    fn discovered_before(&self) -> impl Iterator<Item = Arc<ManagedSecret>> {
        self.catalogue.list().into_iter().filter(|managed| managed.origin == Origin::Discovered)
    }

    async fn search(&self, vault: &VaultName) -> Result<Vec<ManagedSecret>, PortError> {
        let listed = self.store.list_secrets(vault).await?;
        Ok(listed.iter().filter_map(|secret| discovered(&self.discovery, vault, secret)).collect())
    }
}

/// Returns the managed secret that a listed secret is by its own tags, if its `ProviderAddress` names an application.
/// Microsoft's templates for other services use the tag too.
#[must_use]
pub fn discovered(
    discovery: &DiscoveryRules,
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
