//! The plan: what the loop would do about each managed secret now. It looks as the loop does, and never runs it.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::fleet::Fleet;
use super::works::ports;
use crate::azure::Azure;
use crate::clock::ClockSkew;
use crate::config::Config;
use crate::domain::SecretId;
use crate::metrics::Metrics;
use crate::ports::{Clock, SecretStore as _, chain};
use crate::reconcile::{Catalogue, Parts, Preview, Reconciler, Rollout, StatusBoard, WorkQueue};

/// What would be done about each managed secret.
#[derive(Debug)]
pub struct Plan {
    /// By secret.
    pub previews: Vec<(SecretId, Looked)>,
    /// The vaults that could not be searched for tagged secrets.
    pub gaps: Vec<String>,
}

/// A preview, or the short name of what is in the way of one, and what it means.
pub type Looked = Result<Preview, (&'static str, String)>;

/// The parts of a daemon that a plan is made with.
#[derive(Debug)]
pub struct Planner<'a> {
    /// The daemon's configuration.
    pub config: &'a Config,
    /// The services, as the daemon would reach them.
    pub azure: &'a Azure,
    /// What their answers say about the time.
    pub skew: &'a Arc<ClockSkew>,
    /// What time it is.
    pub clock: &'a Arc<dyn Clock>,
    /// What is counted meanwhile.
    pub metrics: &'a Arc<Metrics>,
}

impl Planner<'_> {
    /// Looks at every managed secret.
    pub async fn plan(&self) -> Plan {
        let (fleet, gaps) = self.fleet().await;
        let catalogue = Arc::new(Catalogue::new(fleet.secrets().iter().cloned()));
        let reconciler = Reconciler::new(self.parts(&catalogue));
        let secrets: Vec<SecretId> = catalogue.list().iter().map(|managed| managed.id.clone()).collect();
        // Some decisions rest on what is known of the other secrets: an application's others, the canaries.
        for secret in &secrets {
            let _ = reconciler.preview(secret).await;
        }
        let mut previews = Vec::new();
        for secret in secrets {
            let preview = reconciler.preview(&secret).await;
            previews.push((secret, preview));
        }
        Plan { previews, gaps }
    }

    async fn fleet(&self) -> (Fleet, Vec<String>) {
        let (mut fleet, mut gaps) = (Fleet::configured(self.config), Vec::new());
        for vault in &self.config.discovery.vaults {
            match self.azure.key_vault.list_secrets(vault).await {
                Ok(listed) => fleet.discover(self.config, vault, &listed),
                Err(error) => gaps.push(format!("vault {vault}: {}", chain(&error))),
            }
        }
        (fleet, gaps)
    }

    /// A loop over `catalogue` that nobody runs.
    fn parts(&self, catalogue: &Arc<Catalogue>) -> Parts {
        let secrets = catalogue.list();
        let ids = secrets.iter().map(|managed| &managed.id);
        Parts {
            ports: ports(self.azure, self.clock),
            skew: Arc::clone(self.skew),
            catalogue: Arc::clone(catalogue),
            rules: self.config.applications.clone(),
            rollout: Arc::new(Rollout::new(self.config.rollout.clone())),
            tenant: self.config.azure.tenant_id.clone(),
            own: self.config.identity.client_id(),
            concurrency: 1,
            queue: Arc::new(WorkQueue::new(Arc::clone(self.clock), Arc::clone(self.metrics))),
            board: Arc::new(StatusBoard::new(Arc::clone(self.metrics), ids)),
            metrics: Arc::clone(self.metrics),
            seed: 0,
            stop: CancellationToken::new(),
        }
    }
}
