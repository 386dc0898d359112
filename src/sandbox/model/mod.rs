//! The model: the state of the simulated Azure, behind one lock.
//!
//! Nothing here does I/O or reads a clock: the caller passes the time as `now`, and randomness comes from one seeded
//! generator. The HTTPS services read and change it; tests may use it directly.

mod access;
mod app_policy;
mod application;
mod backup;
mod changes;
mod counters;
mod credential;
mod deleted;
mod federated_identity;
mod graph_quota;
mod graph_refusal;
mod life;
mod limits;
mod meter;
mod passwords;
mod refusal;
mod registration;
mod seed;
mod service_principal;
mod sign_in;
mod sign_in_report;
mod tenant;
mod timeline;
mod undelivered;
mod vault;
mod vault_options;
mod vault_quota;
mod version;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

pub use access::{Role, Scope};
pub use app_policy::{
    AppPolicy, PasswordRestriction, PasswordRules, RestrictionKind, RestrictionState, Restrictions,
};
pub use application::{AppRole, Application, Audience, Redirects};
pub(crate) use counters::ConsumerText;
pub use counters::{ConsumerSignIns, Requests, Service, Summary};
pub use credential::Credential;
pub use deleted::DeletedSecret;
pub use federated_identity::FederatedIdentity;
pub(crate) use graph_quota::{Cost, GraphThrottled, Quota, Spent};
pub use graph_refusal::GraphRefusal;
pub(crate) use limits::check_secret_name;
pub use refusal::VaultRefusal;
pub use registration::ApplicationChange;
pub use seed::{ManagedSecret, Seed};
pub use service_principal::ServicePrincipal;
pub(crate) use service_principal::{DICOM_AUDIENCE, EVENT_GRID, FirstParty, HEALTHCARE};
pub use sign_in::SignInRefusal;
pub use sign_in_report::ReportedSignIn;
pub use tenant::{FederatedCredential, ServiceIdentity, Tenant};
pub use timeline::{TimelineEvent, TimelineEventKind};
pub use vault_options::{AccessModel, Network, VaultOptions};
pub(crate) use vault_options::{MAX_RETENTION_DAYS, MIN_RETENTION_DAYS};
pub(crate) use vault_quota::{RequestType, Throttled};
pub use version::{NewVersion, Version, VersionChange};
pub use view::StateView;

use access::Access;
use app_policy::Policies;
use counters::Counters;
use credential::Propagation;
use graph_quota::GraphQuota;
use sign_in_report::ReportSettings;
use timeline::Timeline;
use undelivered::Undelivered;
use vault::{Secret, Vault};
use vault_quota::VaultQuota;

/// The state of the simulated Azure. Shared by reference; all methods hold the lock briefly.
pub struct Model {
    tenant: Tenant,
    managed: Vec<ManagedSecret>,
    state: Mutex<State>,
    timeline: Timeline,
    on_new_version: OnceLock<Box<dyn Fn(VersionCreated) + Send + Sync>>,
    on_patched_version: OnceLock<Box<dyn Fn(VersionCreated) + Send + Sync>>,
}

struct State {
    rng: fastrand::Rng,
    propagation: Propagation,
    applications: BTreeMap<Uuid, Application>,
    object_ids: HashMap<Uuid, Uuid>,
    /// Vaults by lower-case name, because vault names are case-insensitive.
    vaults: BTreeMap<String, Vault>,
    subscription_quota: VaultQuota,
    /// Backed-up secrets, by backup text.
    backups: BTreeMap<String, Secret>,
    federated: Vec<FederatedCredential>,
    first_parties: Vec<ServicePrincipal>,
    policies: Policies,
    graph_quota: GraphQuota,
    report: ReportSettings,
    /// Applications with a write in progress.
    writing: BTreeSet<Uuid>,
    access: Access,
    counters: Counters,
    undelivered: Undelivered,
}

/// A version that has just been put or patched, as Event Grid needs it.
#[derive(Debug, Clone)]
pub struct VersionCreated {
    /// The vault's name as written.
    pub vault: String,
    /// The secret's name as written.
    pub secret: String,
    /// The version's id.
    pub version: String,
    /// When it was created.
    pub at: OffsetDateTime,
    /// The start of its validity, as in the attributes.
    pub not_before: Option<OffsetDateTime>,
    /// The end of its validity, as in the attributes.
    pub expires: Option<OffsetDateTime>,
}

impl Model {
    /// Creates the world that `seed` describes, with everything older than `seed.start` settled.
    #[must_use]
    pub fn new(seed: &Seed) -> Self {
        let mut state = State::empty(seed.seed, &seed.propagation);
        let managed = seed::populate(&mut state, seed);
        let tenant = Tenant::generate();
        state.grant_first_roles(tenant.daemon.object_id, tenant.client.object_id);
        state.grant_health_roles();
        state.register_services(&tenant, seed.start);
        Self {
            tenant,
            managed,
            state: Mutex::new(state),
            timeline: Timeline::default(),
            on_new_version: OnceLock::new(),
            on_patched_version: OnceLock::new(),
        }
    }

    /// Returns the tenant's id and the identities that work in it.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// Returns the secrets that the world began with, and their applications.
    #[must_use]
    pub fn managed(&self) -> &[ManagedSecret] {
        &self.managed
    }

    /// Returns all future events, which never contain a secret's text. Each caller gets all of them.
    pub fn timeline(&self) -> tokio::sync::mpsc::UnboundedReceiver<TimelineEvent> {
        self.timeline.subscribe()
    }

    /// Records an event from outside the model (faults, deliveries, consumers).
    pub(crate) fn report(&self, event: &TimelineEvent) {
        self.timeline.report(event);
    }

    /// Sets the `listener` to call after each new version, with the model unlocked. Only the first one counts.
    pub(crate) fn on_new_version(&self, listener: impl Fn(VersionCreated) + Send + Sync + 'static) {
        // A second listener is refused, as documented.
        let _ = self.on_new_version.set(Box::new(listener));
    }

    fn notify_of_new_version(&self, created: VersionCreated) {
        if let Some(listener) = self.on_new_version.get() {
            listener(created);
        }
    }

    /// Shuffles a slice with the seeded generator.
    pub(crate) fn shuffle<T>(&self, things: &mut [T]) {
        self.lock().rng.shuffle(things);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn empty(seed: u64, propagation: &RangeInclusive<Duration>) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            propagation: Propagation::new(propagation),
            applications: BTreeMap::new(),
            object_ids: HashMap::new(),
            vaults: BTreeMap::new(),
            subscription_quota: VaultQuota::of_subscription(),
            backups: BTreeMap::new(),
            federated: Vec::new(),
            first_parties: Vec::new(),
            policies: Policies::default(),
            graph_quota: GraphQuota::default(),
            report: ReportSettings::default(),
            writing: BTreeSet::new(),
            access: Access::default(),
            counters: Counters::default(),
            undelivered: Undelivered::default(),
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("managed", &self.managed).finish_non_exhaustive()
    }
}

/// Returns a random GUID from the seeded generator.
fn guid(rng: &mut fastrand::Rng) -> Uuid {
    uuid::Builder::from_random_bytes(rng.u128(..).to_be_bytes()).into_uuid()
}
