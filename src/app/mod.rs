//! The composition root: makes all parts of a daemon, starts them, and stops them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::azure::{self, Azure, AzureError};
use crate::clock::ClockSkew;
use crate::config::Config;
use crate::domain::{SecretId, VaultName};
use crate::http::{ApiToken, HttpState, Readiness, router};
use crate::metrics::Metrics;
use crate::ports::{Clock, PortError, chain, sleep};
use crate::reconcile::{Catalogue, Parts, Ports, Reconciler, Rollout, StatusBoard, Sweeper, WorkQueue};
use crate::shutdown::Shutdown;
use crate::triggers::schedule::Schedule;

/// A daemon that is running.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    board: Arc<StatusBoard>,
    metrics: Arc<Metrics>,
    readiness: Arc<Readiness>,
    shutdown: Shutdown,
    server: Server,
    grace: Duration,
}

/// Answers until the last moment, so that `/readyz` can say that the daemon is being stopped.
#[derive(Debug)]
struct Server {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Why a daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The port is taken, or may not be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Azure can't be set up.
    #[error(transparent)]
    Azure(#[from] AzureError),
    /// A metric can't be registered.
    #[error("metrics can't be set up")]
    Metrics(#[from] prometheus::Error),
}

impl App {
    /// Starts a daemon that listens where the configuration says.
    ///
    /// # Errors
    /// Why it can't.
    pub async fn start(config: &Config, clock: &Arc<dyn Clock>, seed: u64) -> Result<Self, AppError> {
        let listen = |source| AppError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        Self::start_on(listener, config, clock, seed)
    }

    /// Starts a daemon on a port that is already open. `seed` is for jitter and rotation ids.
    ///
    /// # Errors
    /// Why it can't.
    pub fn start_on(
        listener: TcpListener,
        config: &Config,
        clock: &Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, AppError> {
        let address =
            listener.local_addr().map_err(|source| AppError::Listen { address: config.listen, source })?;
        let (metrics, skew) = (Arc::new(Metrics::new()?), Arc::new(ClockSkew::default()));
        let azure = azure::connect(config, clock, &skew, &metrics)?;
        let secrets: Vec<SecretId> = config.secrets.iter().map(|managed| managed.id.clone()).collect();
        let queue = Arc::new(WorkQueue::new(Arc::clone(clock), Arc::clone(&metrics)));
        let board = Arc::new(StatusBoard::new(Arc::clone(&metrics), &secrets));
        let readiness = Arc::new(Readiness::new(awaited(config)));
        let shutdown = Shutdown::default();

        let catalogue = Arc::new(Catalogue::new(config.secrets.iter().cloned()));
        let rollout = Arc::new(Rollout::new(config.rollout.clone()));
        let sweeper = Sweeper {
            store: azure.key_vault.clone(),
            discovery: config.discovery.clone(),
            catalogue: Arc::clone(&catalogue),
            queue: Arc::clone(&queue),
            board: Arc::clone(&board),
            rollout: Arc::clone(&rollout),
            metrics: Arc::clone(&metrics),
            clock: Arc::clone(clock),
        };
        let reconciler = Arc::new(Reconciler::new(Parts {
            ports: ports(&azure, clock),
            skew,
            catalogue: Arc::clone(&catalogue),
            rules: config.applications.clone(),
            rollout: Arc::clone(&rollout),
            tenant: config.azure.tenant_id.clone(),
            concurrency: config.reconcile.concurrency,
            queue: Arc::clone(&queue),
            board: Arc::clone(&board),
            metrics: Arc::clone(&metrics),
            seed,
            stop: shutdown.stop(),
        }));
        let state = HttpState {
            queue: Arc::clone(&queue),
            board: Arc::clone(&board),
            metrics: Arc::clone(&metrics),
            readiness: Arc::clone(&readiness),
            clock: Arc::clone(clock),
            token: config.api.token.as_ref().map(ApiToken::new),
        };
        let schedule = Schedule {
            config: config.schedule.clone(),
            sweeper,
            clock: Arc::clone(clock),
            metrics: Arc::clone(&metrics),
        };

        shutdown.spawn(reconciler.run(shutdown.clone()));
        shutdown.spawn(schedule.run(shutdown.stop()));
        spawn_probes(azure, config, clock, &readiness, &shutdown);
        let server = Server::start(listener, state);
        info!(%address, version = env!("CARGO_PKG_VERSION"), secrets = config.secrets.len(), "listening");
        Ok(Self {
            address,
            board,
            metrics,
            readiness,
            shutdown,
            server,
            grace: config.reconcile.shutdown_grace,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it knows of its secrets.
    #[must_use]
    pub fn board(&self) -> Arc<StatusBoard> {
        Arc::clone(&self.board)
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Takes no more work, waits for what is in hand (at most the grace period), leaves. Whether all ended.
    pub async fn drain(self) -> bool {
        self.readiness.drain();
        let drained = self.shutdown.drain(self.grace).await;
        self.server.stop().await;
        drained
    }
}

impl Server {
    fn start(listener: TcpListener, state: HttpState) -> Self {
        let stop = CancellationToken::new();
        let asked = stop.clone();
        let serving = axum::serve(listener, router(state))
            .with_graceful_shutdown(async move { asked.cancelled().await });
        #[expect(clippy::disallowed_methods, reason = "it outlives the tasks that shutdown waits for")]
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                warn!(%error, "the HTTP server ended");
            }
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        // A client that keeps its connection open must not keep the process.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.task).await;
    }
}

fn ports(azure: &Azure, clock: &Arc<dyn Clock>) -> Ports {
    Ports {
        store: azure.key_vault.clone(),
        issuer: azure.graph.clone(),
        verifier: azure.entra.clone(),
        usage: azure.graph.clone(),
        probe: azure.probe.clone(),
        clock: Arc::clone(clock),
    }
}

fn awaited(config: &Config) -> impl Iterator<Item = String> {
    let vaults = config.vaults.iter().map(|vault| format!("vault {}", vault.name));
    vaults.chain([GRAPH.to_owned()])
}

/// Asks each vault and Graph for something small until it answers.
fn spawn_probes(
    azure: Azure,
    config: &Config,
    clock: &Arc<dyn Clock>,
    readiness: &Arc<Readiness>,
    shutdown: &Shutdown,
) {
    let vaults: Vec<_> = config.vaults.iter().map(|vault| vault.name.clone()).collect();
    let (clock, readiness, stop) = (Arc::clone(clock), Arc::clone(readiness), shutdown.stop());
    let hold = clock.hold();
    shutdown.spawn(async move {
        let _hold = hold;
        let mut open: Vec<_> = vaults.into_iter().map(Some).chain([None]).collect();
        while !open.is_empty() {
            let mut unanswered = Vec::new();
            for target in open {
                let name = target.as_ref().map_or_else(|| GRAPH.to_owned(), |vault| format!("vault {vault}"));
                let answer = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    answer = probe(&azure, target.as_ref()) => answer,
                };
                match answer {
                    Ok(()) => readiness.answered(&name),
                    Err(error) => {
                        warn!(service = name, error = chain(&error), "{name} does not answer as it should");
                        unanswered.push(target);
                    }
                }
            }
            open = unanswered;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(&*clock, PROBE_PAUSE) => {}
            }
        }
    });
}

async fn probe(azure: &Azure, vault: Option<&VaultName>) -> Result<(), PortError> {
    match vault {
        Some(vault) => azure.key_vault.probe(vault).await,
        None => azure.graph.probe().await,
    }
}

const GRAPH: &str = "graph";
const PROBE_PAUSE: time::Duration = time::Duration::seconds(10);
