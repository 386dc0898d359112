//! An in-memory world: one secret on the sandbox's model, and the daemon that lives in it.
//!
//! Its ports, and the interference between their calls, are in [`ports`]; commands and what is shown of them, in
//! [`commands`].

mod commands;
mod ports;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

pub(crate) use ports::Interference;
use rekeyd::clock::ClockSkew;
use rekeyd::config::RolloutConfig;
use rekeyd::domain::{
    AppObjectId, ApplicationRef, ApplicationRules, BlockReason, ClientId, Command, CommandKind,
    ManagedSecret, Origin, PolicyValues, RotationPolicy, SecretId, VerifyPolicy,
};
use rekeyd::metrics::Metrics;
use rekeyd::ports::{
    Application, Clock, CredentialIssuer, CurrentVersion, ReadVersion, SecretStore, Version, sleep,
};
use rekeyd::reconcile::{
    Catalogue, Deps, EndedCommand, Ports, Reconciler, Rollout, SecretStatus, StatusBoard, WorkQueue,
};
use rekeyd::sandbox::model::{Model, Seed};
use rekeyd::sandbox::{DirectPorts, SandboxClock};
use rekeyd::shutdown::Shutdown;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;
use tokio::time::timeout;

pub(crate) const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

/// One secret, its application, and the interference with its daemon.
pub(crate) struct World {
    pub(crate) direct: DirectPorts,
    pub(crate) secret: SecretId,
    pub(crate) application: ApplicationRef,
    client_id: ClientId,
    calls: AtomicUsize,
    interference: Mutex<Option<(usize, Interference)>>,
    interfered: AtomicBool,
    /// Notified when the process ends.
    ended: Notify,
    /// The commands that a person gives while the next daemon lives, each at its time.
    commands: Mutex<Vec<Command>>,
    /// The commands that ended while the last daemon lived, and those that were pending when it ended.
    ends: Mutex<Vec<EndedCommand>>,
    pending: Mutex<Vec<CommandKind>>,
    /// The number of passes of the last daemon that were blocked.
    blocked: Mutex<u64>,
    /// The last daemon's status of the secret when it ended.
    status: Mutex<Option<SecretStatus>>,
    /// Another managed secret of the same application, if there is one.
    sibling: Option<SecretId>,
    /// True if the sweeps ask for a pass over that one too.
    sweeps_sibling: bool,
    /// Other vault secrets that hold the same credential.
    replicas: Vec<SecretId>,
    /// The rotation that has issued a credential and not published it yet.
    issuing: Mutex<Option<String>>,
    policy: RotationPolicy,
    /// The hint that Entra shows as the beginning of every credential's text, in place of the true one.
    pub(crate) hint: Mutex<Option<String>>,
    /// The times at which the promise was broken, and how.
    broken: Mutex<Vec<String>>,
    /// True if consumers must be able to sign in; off where a test locks them out on purpose.
    promised: AtomicBool,
    /// The clock skew that services report.
    skew: Arc<ClockSkew>,
    /// Set if the reply to the next `PUT` is lost: how long no call reaches the vault after it.
    lost_put: Mutex<Option<Duration>>,
    blind_until: Mutex<OffsetDateTime>,
}

impl World {
    /// Creates a world with one secret, whose credential is due.
    pub(crate) fn new(interference: Option<(usize, Interference)>) -> Arc<Self> {
        Arc::new(Self::make(interference, Duration::ZERO, 1))
    }

    /// Creates a world in which a new credential takes up to
    /// `longest` to propagate, and is intermittent for as long again.
    pub(crate) fn with_propagation(longest: Duration, seed: u64) -> Arc<Self> {
        Arc::new(Self::make(None, longest, seed))
    }

    /// Creates a world in whose vault the secret does not exist yet.
    pub(crate) fn without_secret() -> Arc<Self> {
        let mut world = Self::make(None, Duration::ZERO, 1);
        world.secret = format!("{}/not-yet", world.secret.vault).parse().unwrap();
        Arc::new(world)
    }

    /// Creates a world in which another secret, without a version yet, shares the application.
    pub(crate) fn with_sibling() -> Arc<Self> {
        let mut world = Self::make(None, Duration::ZERO, 1);
        world.sibling = Some(format!("{}/sibling", world.secret.vault).parse().unwrap());
        Arc::new(world)
    }

    /// Creates a world in which another secret shares the application, and nothing asks for a pass over that one.
    pub(crate) fn with_unread_sibling() -> Arc<Self> {
        let mut world = Self::make(None, Duration::ZERO, 1);
        world.sibling = Some(format!("{}/sibling", world.secret.vault).parse().unwrap());
        world.sweeps_sibling = false;
        Arc::new(world)
    }

    /// Creates a world in which another secret, without a version yet, holds the same credential.
    pub(crate) fn with_replica() -> Arc<Self> {
        let mut world = Self::make(None, Duration::ZERO, 1);
        world.replicas = vec![format!("{}/replica", world.secret.vault).parse().unwrap()];
        Arc::new(world)
    }

    /// Creates a world whose configuration names this application.
    pub(crate) fn for_application(application: ApplicationRef) -> Arc<Self> {
        let world = Self::make(None, Duration::ZERO, 1);
        Arc::new(Self { application, ..world })
    }

    /// Creates a world whose configuration has these rules.
    pub(crate) fn with_policy(values: PolicyValues) -> Arc<Self> {
        let world = Self::make(None, Duration::ZERO, 1);
        Arc::new(Self { policy: RotationPolicy::try_new(values).unwrap(), ..world })
    }

    fn make(interference: Option<(usize, Interference)>, longest: Duration, seed: u64) -> Self {
        let propagation = longest..=longest;
        let model = Model::new(&Seed { secrets: 1, vaults: 1, propagation, seed, start: START });
        let managed = model.managed()[0].clone();
        Self {
            direct: DirectPorts { model: Arc::new(model), clock: SandboxClock::new(START) },
            secret: format!("{}/{}", managed.vault, managed.name).parse().unwrap(),
            application: ApplicationRef::ObjectId(AppObjectId(managed.object_id)),
            client_id: ClientId(managed.client_id),
            calls: AtomicUsize::new(0),
            interference: Mutex::new(interference),
            interfered: AtomicBool::new(false),
            ended: Notify::new(),
            commands: Mutex::default(),
            ends: Mutex::default(),
            pending: Mutex::default(),
            blocked: Mutex::default(),
            status: Mutex::default(),
            sibling: None,
            sweeps_sibling: true,
            replicas: Vec::new(),
            issuing: Mutex::default(),
            policy: policy(),
            hint: Mutex::default(),
            broken: Mutex::default(),
            promised: AtomicBool::new(true),
            skew: Arc::default(),
            lost_put: Mutex::default(),
            blind_until: Mutex::new(START),
        }
    }

    /// Counts calls from zero again, and interferes at this point of them.
    pub(crate) fn interfere_at(&self, point: usize, how: Interference) {
        self.calls.store(0, Ordering::SeqCst);
        self.interfered.store(false, Ordering::SeqCst);
        *self.interference.lock().unwrap() = Some((point, how));
    }

    /// Returns the other managed secret of the application.
    pub(crate) fn sibling(&self) -> &SecretId {
        self.sibling.as_ref().expect("a world with a sibling")
    }

    /// Returns the other vault secret that holds the same credential.
    pub(crate) fn replica(&self) -> &SecretId {
        self.replicas.first().expect("a world with a replica")
    }

    pub(crate) fn clock(&self) -> SandboxClock {
        self.direct.clock.clone()
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.direct.clock.now()
    }

    /// Returns the number of credentials issued since the start.
    pub(crate) fn issued(&self) -> u64 {
        self.direct.model.summary(self.now()).issued
    }

    /// Returns the application as it is now.
    pub(crate) async fn application(&self) -> Application {
        self.direct.read_application(self.application).await.unwrap().unwrap()
    }

    pub(crate) async fn current(&self) -> ReadVersion {
        match self.direct.read_current(&self.secret).await.unwrap() {
            CurrentVersion::Readable(read) => read,
            CurrentVersion::Missing | CurrentVersion::Disabled => panic!("the current version can't be read"),
        }
    }

    /// Runs the world for `duration`.
    pub(crate) fn live(self: &Arc<Self>, duration: Duration) {
        self.live_until(self.now() + duration);
    }

    /// Makes services report a time that is `distance` ahead from now on.
    pub(crate) fn skew_clock(&self, distance: Duration) {
        self.skew.note("graph", self.now(), self.now(), self.now() + distance);
    }

    fn secrets(&self) -> impl Iterator<Item = &SecretId> {
        [&self.secret].into_iter().chain(&self.sibling)
    }

    /// Returns every version of the secret.
    pub(crate) async fn versions(&self) -> Vec<Version> {
        self.direct.list_versions(&self.secret).await.unwrap()
    }

    /// Runs the world until `end`, with a daemon that is started again whenever it ends.
    pub(crate) fn live_until(self: &Arc<Self>, end: OffsetDateTime) {
        let mut lives = 0;
        while self.now() < end {
            lives += 1;
            assert!(lives < 5, "the daemon ends repeatedly");
            one_life(self, end);
            assert_eq!(*self.broken.lock().unwrap(), [""; 0], "a consumer is locked out");
            // An hour passes before the process is started again.
            if self.now() < end {
                runtime().block_on(self.clock().run_until(self.now() + Duration::HOUR));
            }
        }
    }
}

/// Runs one process, from its start to its end or to `end`.
fn one_life(world: &Arc<World>, end: OffsetDateTime) {
    let runtime = runtime();
    runtime.block_on(async {
        let daemon = Daemon::start(world, 1);
        let clock = world.clock();
        let commands: Vec<_> = world.commands.lock().unwrap().drain(..).collect();
        let (now, later): (Vec<_>, Vec<_>) =
            commands.iter().copied().partition(|command| command.at <= world.now());
        for command in now {
            daemon.give(&world.secret, command);
        }
        let secrets = world.secrets().filter(|secret| world.sweeps_sibling || **secret == world.secret);
        let secrets: Vec<_> = secrets.cloned().collect();
        let sweeps = sweep(Arc::clone(&daemon.queue), secrets, clock.clone());
        let limit = StdDuration::from_secs(60);
        tokio::select! {
            biased;
            () = world.ended.notified() => {}
            () = sweeps => {}
            () = commands::give_each(&daemon, &world.secret, later, clock.clone()) => {}
            lived = timeout(limit, clock.run_until(end)) => {
                lived.expect("virtual time stands still: a task holds the clock");
                world.check_promise().await;
            }
        }
        *world.status.lock().unwrap() = daemon.board.show(&world.secret);
        let ended = commands.iter().filter_map(|command| daemon.board.ended(&world.secret, *command));
        *world.ends.lock().unwrap() = ended.collect();
        let pending = daemon.queue.pending_commands(&world.secret);
        *world.pending.lock().unwrap() = pending.iter().map(|pending| pending.command.kind).collect();
        let blocked = BlockReason::ALL.iter().map(|reason| daemon.blocked(*reason));
        *world.blocked.lock().unwrap() = blocked.sum();
    });
    // Everything that was under way is gone, wherever it was.
    runtime.shutdown_background();
}

/// Enqueues all secrets every fifth day, as a schedule would.
async fn sweep(queue: Arc<WorkQueue>, secrets: Vec<SecretId>, clock: SandboxClock) {
    let _hold = clock.hold();
    loop {
        for secret in &secrets {
            queue.enqueue(secret);
        }
        sleep(&clock, Duration::days(5)).await;
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A running loop.
pub(crate) struct Daemon {
    pub(crate) queue: Arc<WorkQueue>,
    pub(crate) board: Arc<StatusBoard>,
    pub(crate) shutdown: Shutdown,
    metrics: Arc<Metrics>,
}

impl Daemon {
    /// Starts a loop over the world's secret, on the current runtime.
    pub(crate) fn start(world: &Arc<World>, seed: u64) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(world.clock());
        let metrics = Arc::new(Metrics::new().unwrap());
        let queue = Arc::new(WorkQueue::new(Arc::clone(&clock), Arc::clone(&metrics)));
        let board = Arc::new(StatusBoard::new(Arc::clone(&metrics), world.secrets()));
        let shutdown = Shutdown::default();
        let managed = |secret: &SecretId| ManagedSecret {
            id: secret.clone(),
            application: world.application,
            policy: world.policy.clone(),
            verify: VerifyPolicy::for_scope("https://graph.microsoft.com/.default"),
            replicas: if *secret == world.secret { world.replicas.clone() } else { Vec::new() },
            origin: Origin::Configured,
        };
        let reconciler = Reconciler::new(Deps {
            ports: Ports {
                store: world.clone(),
                issuer: world.clone(),
                verifier: world.clone(),
                usage: world.clone(),
                probe: world.clone(),
                clock,
            },
            skew: Arc::clone(&world.skew),
            catalogue: Arc::new(Catalogue::new(world.secrets().map(managed))),
            rules: ApplicationRules::default(),
            rollout: Arc::new(Rollout::new(RolloutConfig::default())),
            tenant: world.direct.model.tenant().id.to_string(),
            own: None,
            concurrency: 2,
            queue: Arc::clone(&queue),
            board: Arc::clone(&board),
            metrics: Arc::clone(&metrics),
            seed,
            stop: shutdown.stop(),
        });
        shutdown.spawn(Arc::new(reconciler).run(shutdown.clone()));
        Self { queue, board, shutdown, metrics }
    }
}

pub(crate) fn policy() -> RotationPolicy {
    RotationPolicy::try_new(policy_values()).unwrap()
}

pub(crate) fn policy_values() -> PolicyValues {
    PolicyValues {
        validity: Duration::days(120),
        rotate_before: Duration::days(60),
        overlap: Duration::days(7),
        ..PolicyValues::default()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}
