//! The plan: the action that the reconcile loop would take for each managed secret now. Never runs the loop.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::clock::ClockSkew;
use crate::config::Config;
use crate::domain::{ManagedSecret, SecretId};
use crate::metrics::Metrics;
use crate::ports::chain;
use crate::reconcile::{
    Blocked, Catalogue, Deps, Inspected, Ports, Preview, Reconciler, Rollout, StatusBoard, WorkQueue,
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
    /// Previews every managed secret. Calls `progress` with the number inspected so far and the total.
    pub async fn plan(&self, progress: impl Fn(usize, usize)) -> Plan {
        let (catalogue, gaps) = self.catalogue().await;
        let catalogue = Arc::new(catalogue);
        let reconciler = Reconciler::new(self.deps(&catalogue));
        let mut inspected = self.inspect(&reconciler, catalogue.list(), progress).await;
        // A decision depends on what became known of the siblings, then on the canaries and the rotations of the last
        // hour.
        for _ in 0..ROUNDS - 1 {
            preview(&reconciler, &mut inspected);
        }
        Plan { previews: preview(&reconciler, &mut inspected), gaps }
    }

    /// Inspects all secrets, several at a time. Returns them in the order of their names.
    async fn inspect(
        &self,
        reconciler: &Reconciler,
        secrets: Vec<Arc<ManagedSecret>>,
        progress: impl Fn(usize, usize),
    ) -> Vec<(Arc<ManagedSecret>, Result<Inspected, Blocked>)> {
        let all = secrets.len();
        let inspections = stream::iter(secrets).map(async |managed| {
            let inspected = reconciler.inspect(&managed).await;
            (managed, inspected)
        });
        let numbered = inspections.buffer_unordered(self.config.reconcile.concurrency).enumerate();
        let reported = numbered.inspect(|(index, _)| progress(index + 1, all));
        let mut inspected: Vec<_> = reported.map(|(_, inspected)| inspected).collect().await;
        inspected.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
        inspected
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

/// Decides on each secret as it was inspected.
fn preview(
    reconciler: &Reconciler,
    inspected: &mut [(Arc<ManagedSecret>, Result<Inspected, Blocked>)],
) -> Vec<(SecretId, Result<Preview, Blocked>)> {
    let previews = inspected.iter_mut().map(|(managed, inspected)| {
        let previewed = match inspected {
            Ok(inspected) => Ok(reconciler.preview(managed, inspected)),
            Err(blocked) => Err(blocked.clone()),
        };
        (managed.id.clone(), previewed)
    });
    previews.collect()
}

/// The number of times that all secrets are decided on, each time with the decisions about the others.
const ROUNDS: usize = 3;
