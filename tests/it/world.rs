//! An in-memory world: the ports on the sandbox's model, with a point before and after the effect of every call.
//!
//! At one chosen point something happens: the process ends, the call fails, its answer is lost, another instance
//! makes its passes. After every call the promise is checked: the text that consumers read signs in.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration as StdDuration;

use async_trait::async_trait;
use rekeyd::clock::ClockSkew;
use rekeyd::config::ManagedSecret;
use rekeyd::domain::tags::{CREDENTIAL_ID, Tags};
use rekeyd::domain::{
    AppObjectId, ApplicationRef, ClientId, KeyId, PolicyValues, RotationPolicy, SecretId, VerifyPolicy,
    VersionId, Wish,
};
use rekeyd::metrics::Metrics;
use rekeyd::ports::{
    Application, Clock, CredentialIssuer, CurrentVersion, IssuedCredential, NewVersion, PortError,
    ReadVersion, SecretStore, SignIn, SignInVerifier, Version, sleep, unheld,
};
use rekeyd::reconcile::{Parts, Ports, Reconciler, SecretStatus, StatusBoard, WorkQueue};
use rekeyd::sandbox::model::{Model, Seed};
use rekeyd::sandbox::{DirectPorts, SandboxClock};
use rekeyd::shutdown::Shutdown;
use secrecy::{ExposeSecret, SecretString};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;
use tokio::time::timeout;

pub(crate) const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

/// What happens at the chosen point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interference {
    /// The process ends for good; another one is started an hour later.
    Stop,
    /// The process sleeps for 26 hours, in which another instance works. Only between two calls.
    Stall,
    /// Another instance makes its passes.
    OtherInstance,
    /// The call fails before it is sent.
    NotSent,
    /// The service refuses: too many requests.
    Throttled,
    /// The call has its effect, and nobody hears of it.
    LostReply,
    /// A person makes a credential and publishes it.
    PersonPublishes,
    /// A person publishes the oldest version's text again.
    PersonGoesBack,
}

/// One secret, its application, and whoever interferes with its daemon.
pub(crate) struct World {
    pub(crate) direct: DirectPorts,
    pub(crate) secret: SecretId,
    pub(crate) application: ApplicationRef,
    client_id: ClientId,
    calls: AtomicUsize,
    interference: Option<(usize, Interference)>,
    interfered: AtomicBool,
    /// Told when the process ends.
    ended: Notify,
    /// What a person asks for when the next daemon starts.
    wishes: Mutex<Vec<Wish>>,
    /// What the last daemon knew of the secret when it ended.
    status: Mutex<Option<SecretStatus>>,
    /// Another managed secret of the same application, if there is one.
    sibling: Option<SecretId>,
    /// Who has issued a credential and not published it yet.
    issuing: Mutex<Option<String>>,
    /// When the promise was broken, and how.
    broken: Mutex<Vec<String>>,
    /// Whether consumers must be able to sign in; off where a test locks them out on purpose.
    promised: AtomicBool,
    /// What services say the time is, besides what it is.
    skew: Arc<ClockSkew>,
    /// Whether the next `PUT`'s answer is lost, and for how long nothing reaches the vault then.
    lost_put: Mutex<Option<Duration>>,
    blind_until: Mutex<OffsetDateTime>,
}

impl World {
    /// A world with one secret, whose credential is due.
    pub(crate) fn new(interference: Option<(usize, Interference)>) -> Arc<Self> {
        Arc::new(Self::make(interference, Duration::ZERO, 1))
    }

    /// A world in which a new credential takes this long to be known, and flickers as long again.
    pub(crate) fn with_propagation(longest: Duration, seed: u64) -> Arc<Self> {
        Arc::new(Self::make(None, longest, seed))
    }

    /// A world in whose vault the secret does not exist yet.
    pub(crate) fn without_secret() -> Arc<Self> {
        let mut world = Self::make(None, Duration::ZERO, 1);
        world.secret = format!("{}/not-yet", world.secret.vault).parse().unwrap();
        Arc::new(world)
    }

    /// A world in which another secret, without a version yet, shares the application.
    pub(crate) fn with_sibling() -> Arc<Self> {
        let mut world = Self::make(None, Duration::ZERO, 1);
        world.sibling = Some(format!("{}/sibling", world.secret.vault).parse().unwrap());
        Arc::new(world)
    }

    /// A world whose configuration names this application.
    pub(crate) fn for_application(application: ApplicationRef) -> Arc<Self> {
        let world = Self::make(None, Duration::ZERO, 1);
        Arc::new(Self { application, ..world })
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
            interference,
            interfered: AtomicBool::new(false),
            ended: Notify::new(),
            wishes: Mutex::default(),
            status: Mutex::default(),
            sibling: None,
            issuing: Mutex::default(),
            broken: Mutex::default(),
            promised: AtomicBool::new(true),
            skew: Arc::default(),
            lost_put: Mutex::default(),
            blind_until: Mutex::new(START),
        }
    }

    pub(crate) fn clock(&self) -> SandboxClock {
        self.direct.clock.clone()
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.direct.clock.now()
    }

    pub(crate) fn has_interfered(&self) -> bool {
        self.interfered.load(Ordering::SeqCst)
    }

    /// How many credentials were made since the start.
    pub(crate) fn issued(&self) -> u64 {
        self.direct.model.summary(self.now()).issued
    }

    /// The application as it is now.
    pub(crate) async fn application(&self) -> Application {
        self.direct.read_application(self.application).await.unwrap().unwrap()
    }

    pub(crate) async fn current(&self) -> ReadVersion {
        match self.direct.read_current(&self.secret).await.unwrap() {
            CurrentVersion::Readable(read) => read,
            CurrentVersion::Missing | CurrentVersion::Disabled => panic!("the current version can't be read"),
        }
    }

    /// Lives for `duration`.
    pub(crate) fn live(self: &Arc<Self>, duration: Duration) {
        self.live_until(self.now() + duration);
    }

    /// Asks for a rotation, as a person does through the API.
    pub(crate) fn wish_to_rotate(&self) {
        self.wishes.lock().unwrap().push(Wish { at: self.now() });
    }

    /// From here on consumers are locked out, by what the test does.
    pub(crate) fn lock_consumers_out(&self) {
        self.promised.store(false, Ordering::SeqCst);
    }

    /// From here on services say that it is `distance` later than it is.
    pub(crate) fn skew_clock(&self, distance: Duration) {
        self.skew.note("graph", self.now(), self.now(), self.now() + distance);
    }

    /// The last action of the last daemon, and how it ended.
    pub(crate) fn last_outcome(&self) -> Option<(&'static str, &'static str)> {
        let status = self.status.lock().unwrap();
        let outcome = status.as_ref().and_then(|status| status.last_outcome.as_ref());
        outcome.map(|last| (last.action, last.outcome))
    }

    /// The state and reason that the last daemon showed.
    pub(crate) fn last_state(&self) -> (&'static str, &'static str) {
        let status = self.status.lock().unwrap();
        let status = status.as_ref().expect("a daemon lived");
        (status.state, status.reason)
    }

    fn secrets(&self) -> impl Iterator<Item = &SecretId> {
        [&self.secret].into_iter().chain(&self.sibling)
    }

    /// Every version of the secret.
    pub(crate) async fn versions(&self) -> Vec<Version> {
        self.direct.list_versions(&self.secret).await.unwrap()
    }

    /// The promise: whoever reads the current version can sign in with it.
    ///
    /// Noted, not asserted, since the loop survives a panic of its pass; [`Self::live_until`] asserts.
    pub(crate) async fn check_promise(&self) {
        if !self.promised.load(Ordering::SeqCst) {
            return;
        }
        let answer = match self.direct.read_current(&self.secret).await.unwrap() {
            CurrentVersion::Readable(read) => {
                format!("{:?}", self.direct.sign_in(self.client_id, &read.text).await)
            }
            CurrentVersion::Missing | CurrentVersion::Disabled => "nothing to read".to_owned(),
        };
        if answer != "Accepted" {
            self.broken.lock().unwrap().push(format!("{answer} at {}", self.now()));
        }
    }

    /// Lives until `end`, with a daemon that is started again whenever it ends.
    pub(crate) fn live_until(self: &Arc<Self>, end: OffsetDateTime) {
        let mut lives = 0;
        while self.now() < end {
            lives += 1;
            assert!(lives < 5, "the daemon ends again and again");
            one_life(self, end);
            assert_eq!(*self.broken.lock().unwrap(), [""; 0], "a consumer is locked out");
            // An hour passes before somebody starts it again.
            if self.now() < end {
                runtime().block_on(self.clock().run_until(self.now() + Duration::HOUR));
            }
        }
    }

    /// Calls are counted, and the chosen one is interfered with.
    async fn call<T>(
        &self,
        effect: impl Future<Output = Result<T, PortError>> + Send,
    ) -> Result<T, PortError> {
        let before = self.calls.fetch_add(2, Ordering::SeqCst);
        self.interfere(before).await?;
        let result = effect.await;
        self.check_promise().await;
        self.interfere(before + 1).await?;
        result
    }

    async fn interfere(&self, point: usize) -> Result<(), PortError> {
        let Some((chosen, how)) = self.interference else { return Ok(()) };
        let is_before = point.is_multiple_of(2);
        if point != chosen || self.interfered.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        match how {
            Interference::Stop => {
                self.clock().freeze();
                self.ended.notify_one();
                std::future::pending::<()>().await;
            }
            Interference::Stall if !is_before => self.other_instance(Duration::hours(26)).await,
            Interference::PersonPublishes => self.publish_by_hand().await,
            Interference::PersonGoesBack => self.go_back_by_hand().await,
            Interference::OtherInstance => self.other_instance(Duration::minutes(10)).await,
            Interference::NotSent if is_before => {
                return Err(PortError::NotSent { operation: "test", source: "no route".into() });
            }
            Interference::Throttled if is_before => {
                let (operation, code) = ("test", "TooManyRequests".to_owned());
                return Err(PortError::Refused { operation, status: 429, code, retry_after: None });
            }
            Interference::LostReply if !is_before => {
                return Err(PortError::OutcomeUnknown { operation: "test", source: "no answer".into() });
            }
            Interference::Stall
            | Interference::NotSent
            | Interference::Throttled
            | Interference::LostReply => {
                self.interfered.store(false, Ordering::SeqCst);
            }
        }
        Ok(())
    }

    /// What a person does in the portal: a new credential, a new version.
    pub(crate) async fn publish_by_hand(&self) {
        let application = self.application().await;
        let end = self.now() + Duration::days(180);
        let made = self.direct.issue(application.object_id, "made by hand", end).await.unwrap();
        let tags = [(CREDENTIAL_ID, made.key_id.to_string())].into_iter().collect();
        let new = NewVersion { text: made.text, enabled: true, expires: Some(end), content_type: None, tags };
        self.direct.put(&self.secret, new).await.unwrap();
    }

    /// Publishes the oldest version again, with its tags, if its credential is still good.
    pub(crate) async fn go_back_by_hand(&self) {
        let versions = self.versions().await;
        let oldest = versions.iter().min_by_key(|version| version.created).unwrap();
        let Some(read) = self.direct.read_version(&self.secret, &oldest.version).await.unwrap() else {
            return;
        };
        if self.direct.sign_in(self.client_id, &read.text).await != SignIn::Accepted {
            return;
        }
        let Version { expires, content_type, tags, .. } = read.properties;
        let again = NewVersion { text: read.text, enabled: true, expires, content_type, tags };
        self.direct.put(&self.secret, again).await.unwrap();
    }

    /// The answer to the next `PUT` is lost; then no call reaches the vault for this long.
    pub(crate) fn lose_next_put(&self, then_blind: Duration) {
        *self.lost_put.lock().unwrap() = Some(then_blind);
    }

    /// Notes a write to the application by a rotation, and whether another one is under way.
    fn note_writer(&self, display_name: &str) {
        let before = self.issuing.lock().unwrap().replace(display_name.to_owned());
        if let Some(before) = before {
            self.broken
                .lock()
                .unwrap()
                .push(format!("{display_name} was issued while {before} was under way"));
        }
    }

    /// Fails what can't reach the vault now.
    fn reach_vault(&self) -> Result<(), PortError> {
        if self.now() < *self.blind_until.lock().unwrap() {
            return Err(PortError::NotSent {
                operation: "test",
                source: "the vault can't be reached".into(),
            });
        }
        Ok(())
    }

    /// Another instance works for a while, and sees what this one has done so far.
    async fn other_instance(&self, duration: Duration) {
        let daemon = Daemon::start(&self.undisturbed(), 2);
        daemon.queue.enqueue(&self.secret, None);
        let clock = self.clock();
        let end = clock.now() + duration;
        while clock.now() < end {
            sleep(&clock, Duration::minutes(10)).await;
            daemon.queue.enqueue(&self.secret, None);
        }
        unheld(&clock, daemon.shutdown.drain(StdDuration::from_secs(5))).await;
    }

    /// The same world for somebody who is not interfered with.
    fn undisturbed(&self) -> Arc<Self> {
        Arc::new(Self {
            direct: self.direct.clone(),
            secret: self.secret.clone(),
            skew: Arc::clone(&self.skew),
            ..Self::make(None, Duration::ZERO, 1)
        })
    }
}

/// One process, from its start to its end or to `end`.
fn one_life(world: &Arc<World>, end: OffsetDateTime) {
    let runtime = runtime();
    runtime.block_on(async {
        let daemon = Daemon::start(world, 1);
        for wish in world.wishes.lock().unwrap().drain(..) {
            daemon.queue.enqueue(&world.secret, Some(wish));
        }
        let clock = world.clock();
        let secrets: Vec<_> = world.secrets().cloned().collect();
        let sweeps = sweep(Arc::clone(&daemon.queue), secrets, clock.clone());
        let limit = StdDuration::from_secs(60);
        tokio::select! {
            biased;
            () = world.ended.notified() => {}
            () = sweeps => {}
            lived = timeout(limit, clock.run_until(end)) => {
                lived.expect("virtual time stands still: somebody holds the clock");
                world.check_promise().await;
            }
        }
        *world.status.lock().unwrap() = daemon.board.show(&world.secret);
    });
    // Everything that was under way is gone, wherever it was.
    runtime.shutdown_background();
}

/// Every fifth day all secrets are looked at, as a schedule would.
async fn sweep(queue: Arc<WorkQueue>, secrets: Vec<SecretId>, clock: SandboxClock) {
    let _hold = clock.hold();
    loop {
        for secret in &secrets {
            queue.enqueue(secret, None);
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
            policy: policy(),
        };
        let reconciler = Reconciler::new(Parts {
            ports: Ports { store: world.clone(), issuer: world.clone(), verifier: world.clone(), clock },
            skew: Arc::clone(&world.skew),
            secrets: world.secrets().map(managed).collect(),
            verify: VerifyPolicy::default(),
            concurrency: 2,
            queue: Arc::clone(&queue),
            board: Arc::clone(&board),
            metrics,
            seed,
            stop: shutdown.stop(),
        });
        shutdown.spawn(Arc::new(reconciler).run(shutdown.clone()));
        Self { queue, board, shutdown }
    }
}

pub(crate) fn policy() -> RotationPolicy {
    let values = PolicyValues {
        validity: Duration::days(120),
        rotate_before: Duration::days(60),
        overlap: Duration::days(7),
        ..PolicyValues::default()
    };
    RotationPolicy::try_new(values).unwrap()
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

#[async_trait]
impl SecretStore for World {
    async fn read_current(&self, secret: &SecretId) -> Result<CurrentVersion, PortError> {
        self.reach_vault()?;
        self.call(self.direct.read_current(secret)).await
    }

    async fn read_version(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<ReadVersion>, PortError> {
        self.call(self.direct.read_version(secret, version)).await
    }

    async fn list_versions(&self, secret: &SecretId) -> Result<Vec<Version>, PortError> {
        self.call(self.direct.list_versions(secret)).await
    }

    async fn put(&self, secret: &SecretId, new: NewVersion) -> Result<VersionId, PortError> {
        self.reach_vault()?;
        if new.enabled && self.sibling.is_some() {
            *self.issuing.lock().unwrap() = None;
        }
        let result = self.call(self.direct.put(secret, new)).await;
        if let Some(blind) = self.lost_put.lock().unwrap().take() {
            *self.blind_until.lock().unwrap() = self.now() + blind;
            return Err(PortError::OutcomeUnknown { operation: "test", source: "no answer".into() });
        }
        result
    }

    async fn replace_tags(
        &self,
        secret: &SecretId,
        version: &VersionId,
        tags: &Tags,
    ) -> Result<(), PortError> {
        self.call(self.direct.replace_tags(secret, version, tags)).await
    }

    async fn disable(&self, secret: &SecretId, version: &VersionId) -> Result<(), PortError> {
        self.call(self.direct.disable(secret, version)).await
    }
}

#[async_trait]
impl CredentialIssuer for World {
    async fn read_application(&self, application: ApplicationRef) -> Result<Option<Application>, PortError> {
        self.call(self.direct.read_application(application)).await
    }

    async fn issue(
        &self,
        application: AppObjectId,
        display_name: &str,
        end: OffsetDateTime,
    ) -> Result<IssuedCredential, PortError> {
        if self.sibling.is_some() {
            self.note_writer(display_name);
        }
        self.call(self.direct.issue(application, display_name, end)).await
    }

    async fn revoke(&self, application: AppObjectId, key_id: KeyId) -> Result<(), PortError> {
        self.call(self.direct.revoke(application, key_id)).await
    }
}

#[async_trait]
impl SignInVerifier for World {
    async fn sign_in(&self, client_id: ClientId, text: &SecretString) -> SignIn {
        let text = SecretString::from(text.expose_secret().to_owned());
        match self.call(async { Ok(self.direct.sign_in(client_id, &text).await) }).await {
            Ok(answer) => answer,
            Err(error) => SignIn::Unclear(error.to_string()),
        }
    }
}
