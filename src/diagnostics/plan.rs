//! The plan: the action that the reconcile loop would take for each managed secret now. Never runs the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::ClockSkew;
use crate::config::Config;
use crate::domain::{Action, Decision, ManagedSecret, SecretId, WaitReason};
use crate::metrics::Metrics;
use crate::ports::chain;
use crate::reconcile::{
    Blocked, Catalogue, Deps, Ports, Preview, Reconciler, Rollout, StatusBoard, WorkQueue,
};

/// A preview of each managed secret.
#[derive(Debug)]
pub struct Plan {
    /// By secret: the preview, or the reason why there is none.
    pub previews: Vec<(SecretId, Result<Preview, Blocked>)>,
    /// The vaults that could not be searched for tagged secrets.
    pub gaps: Vec<String>,
}

/// The parts of a daemon that a plan needs.
#[derive(Debug)]
pub struct Planner<'a> {
    /// The daemon's configuration.
    pub config: &'a Config,
    /// The services, as the daemon would reach them.
    pub ports: &'a Ports,
    /// The difference between this machine's clock and the services'.
    pub skew: &'a Arc<ClockSkew>,
    /// The metrics that the calls are counted in.
    pub metrics: &'a Arc<Metrics>,
}

impl Planner<'_> {
    /// Previews every managed secret. Calls `progress` with the number done so far and the total.
    pub async fn plan(&self, progress: impl Fn(usize, usize)) -> Plan {
        let (catalogue, gaps) = self.catalogue().await;
        let catalogue = Arc::new(catalogue);
        let reconciler = Reconciler::new(self.deps(&catalogue));
        let secrets = catalogue.list();
        let mut previews = BTreeMap::new();
        for (index, managed) in secrets.iter().enumerate() {
            progress(index, secrets.len());
            previews.insert(managed.id.clone(), reconciler.preview(managed).await);
        }
        for managed in secrets.iter().filter(|managed| has_siblings(managed, &secrets)) {
            previews.insert(managed.id.clone(), reconciler.preview(managed).await);
        }
        let was_of_many: BTreeSet<_> = previews
            .iter()
            .filter(|(_, previewed)| is_of_many(previewed))
            .map(|(id, _)| id.clone())
            .collect();
        // These decisions depend on what became known of the others since: the canaries, the rotations of the last
        // hour.
        for managed in secrets.iter().filter(|managed| was_of_many.contains(&managed.id)) {
            previews.insert(managed.id.clone(), reconciler.preview(managed).await);
        }
        Plan { previews: previews.into_iter().collect(), gaps }
    }

    /// Returns every managed secret, and the vaults that could not be searched for tagged ones.
    async fn catalogue(&self) -> (Catalogue, Vec<String>) {
        let (catalogue, mut gaps) = (Catalogue::new(self.config.secrets.iter().cloned()), Vec::new());
        for vault in &self.config.discovery.vaults {
            match self.ports.store.list_secrets(vault).await {
                Ok(listed) => catalogue.add_listed(&self.config.discovery, vault, &listed),
                Err(error) => gaps.push(format!("vault {vault}: {}", chain(&error))),
            }
        }
        (catalogue, gaps)
    }

    /// Returns what a reconcile loop over `catalogue` is made of, for one that never runs.
    fn deps(&self, catalogue: &Arc<Catalogue>) -> Deps {
        let secrets = catalogue.list();
        let ids = secrets.iter().map(|managed| &managed.id);
        Deps {
            ports: self.ports.clone(),
            skew: Arc::clone(self.skew),
            catalogue: Arc::clone(catalogue),
            rules: self.config.applications.clone(),
            rollout: Arc::new(Rollout::new(self.config.rollout.clone())),
            tenant: self.config.azure.tenant_id.clone(),
            own: self.config.identity.client_id(),
            concurrency: 1,
            queue: Arc::new(WorkQueue::new(Arc::clone(&self.ports.clock), Arc::clone(self.metrics))),
            board: Arc::new(StatusBoard::new(Arc::clone(self.metrics), ids)),
            metrics: Arc::clone(self.metrics),
            seed: 0,
            stop: CancellationToken::new(),
        }
    }
}

/// Returns true if another secret may be of the same application. A GUID of another kind may name the same one.
fn has_siblings(managed: &ManagedSecret, all: &[Arc<ManagedSecret>]) -> bool {
    let kind = std::mem::discriminant(&managed.application);
    all.iter().any(|other| {
        let is_of_kind = std::mem::discriminant(&other.application) == kind;
        other.id != managed.id && (!is_of_kind || other.application == managed.application)
    })
}

/// Returns true if the decision depends on what is known of all secrets.
fn is_of_many(previewed: &Result<Preview, Blocked>) -> bool {
    let Ok(preview) = previewed else { return false };
    match &preview.decision {
        Decision::Act(action) => matches!(action, Action::Issue { .. }),
        Decision::Wait { reason, .. } => matches!(reason, WaitReason::Canary | WaitReason::RolloutLimit),
        Decision::Blocked { .. } => false,
    }
}
