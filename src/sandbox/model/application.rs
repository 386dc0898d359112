//! Applications: their properties, and reading them as Graph shows them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::credential::{Change, Credential};
use super::federated_identity::FederatedIdentity;
use super::graph_refusal::GraphRefusal;
use super::{Model, State};

/// An app registration with its credentials.
#[derive(Debug, Clone)]
pub struct Application {
    /// The id in Graph's URLs.
    pub object_id: Uuid,
    /// The id it signs in with (`appId`).
    pub client_id: Uuid,
    /// The object id of its service principal: `oid` in its tokens, and the principal that roles are assigned to.
    ///
    /// Reserved even while the service principal doesn't exist.
    pub service_principal: Uuid,
    /// True if it has a service principal; without one it can't sign in.
    pub has_service_principal: bool,
    /// Its name.
    pub display_name: String,
    /// Its tags; `rekeyd:secret=<vault>/<name>` names the secret that it belongs to.
    pub tags: Vec<String>,
    /// True if it may sign in at all.
    pub enabled: bool,
    /// When it was registered.
    pub created: OffsetDateTime,
    /// The accounts that it admits.
    pub audience: Audience,
    /// `isFallbackPublicClient`; `None` if it was never set.
    pub is_fallback_public_client: Option<bool>,
    /// Its App ID URIs.
    pub identifier_uris: Vec<String>,
    /// Its redirects as a web application.
    pub web: Redirects,
    /// Its redirects as a single-page application.
    pub spa: Redirects,
    /// Its redirects as a public client: on a desktop or a phone.
    pub public_client: Redirects,
    /// The app roles that it offers to others.
    pub app_roles: Vec<AppRole>,
    /// Its owners, by the object ids of their service principals.
    pub owners: BTreeSet<Uuid>,
    /// The most passwords it may have, if a test has set a limit.
    pub password_limit: Option<usize>,
    /// The app management policy assigned to it.
    pub policy: Option<Uuid>,
    /// Its federated identity credentials, as Graph shows them.
    pub federated: Vec<FederatedIdentity>,
    /// Its credentials; in a read, those that the read shows.
    pub credentials: Vec<Credential>,
    /// The spread of its registration; `None` if it has long been known everywhere.
    pub(super) appeared: Option<Change>,
}

/// The accounts that an application admits: `signInAudience`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    /// Accounts of this tenant.
    #[default]
    #[serde(rename = "AzureADMyOrg")]
    MyOrganisation,
    /// Accounts of any tenant.
    #[serde(rename = "AzureADMultipleOrgs")]
    AnyOrganisation,
    /// Accounts of any tenant, and personal ones.
    #[serde(rename = "AzureADandPersonalMicrosoftAccount")]
    AnyOrganisationAndPersonal,
    /// Personal accounts.
    #[serde(rename = "PersonalMicrosoftAccount")]
    Personal,
}

/// The redirects of an application after a person's sign-in, on one kind of platform.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redirects {
    /// The addresses.
    #[serde(default)]
    pub redirect_uris: Vec<String>,
}

/// An app role that an application offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppRole {
    /// Its id.
    pub id: Uuid,
    /// `User`, `Application` or both.
    pub allowed_member_types: Vec<String>,
    /// Its short name.
    pub display_name: String,
    /// A description of the access that it allows.
    pub description: String,
    /// True if it can be assigned.
    pub is_enabled: bool,
    /// The name that represents it in a token.
    #[serde(default)]
    pub value: Option<String>,
}

impl Audience {
    /// Returns true if personal accounts may sign in. Such applications are stored elsewhere, with lower limits.
    #[must_use]
    pub fn admits_personal_accounts(self) -> bool {
        match self {
            Self::AnyOrganisationAndPersonal | Self::Personal => true,
            Self::MyOrganisation | Self::AnyOrganisation => false,
        }
    }
}

impl Model {
    /// Returns the application with this object id, as one read of Graph shows it at `now`.
    pub fn application(&self, object_id: Uuid, now: OffsetDateTime) -> Option<Application> {
        let mut state = self.lock();
        let State { applications, rng, .. } = &mut *state;
        applications.get(&object_id).and_then(|application| application.shown(now, rng))
    }

    /// Returns the application with this client id (`appId`), as one read of Graph shows it at `now`.
    pub fn application_by_client_id(&self, client_id: Uuid, now: OffsetDateTime) -> Option<Application> {
        let object_id = self.object_id(client_id)?;
        self.application(object_id, now)
    }

    /// Returns all applications, by object id, as Graph shows them at `now`.
    pub fn applications(&self, now: OffsetDateTime) -> Vec<Application> {
        let mut state = self.lock();
        let State { applications, rng, .. } = &mut *state;
        applications.values().filter_map(|application| application.shown(now, rng)).collect()
    }

    /// Returns the object id that belongs to a client id.
    pub fn object_id(&self, client_id: Uuid) -> Option<Uuid> {
        self.lock().object_ids.get(&client_id).copied()
    }

    /// Returns the object id of the service principal that belongs to a client id, existing or reserved.
    pub fn service_principal(&self, client_id: Uuid) -> Option<Uuid> {
        let state = self.lock();
        let application = state.applications.get(state.object_ids.get(&client_id)?)?;
        Some(application.service_principal)
    }

    /// Enables or disables an application, as a person would. Returns `false` if it doesn't exist.
    pub fn set_application_enabled(&self, object_id: Uuid, enabled: bool) -> bool {
        let mut state = self.lock();
        let Some(application) = state.applications.get_mut(&object_id) else { return false };
        application.enabled = enabled;
        true
    }
}

impl State {
    /// Returns the application if the server that handles the request knows it.
    pub(super) fn known_application(
        &mut self,
        object_id: Uuid,
        now: OffsetDateTime,
    ) -> Result<&mut Application, GraphRefusal> {
        let Self { applications, rng, .. } = self;
        applications
            .get_mut(&object_id)
            .filter(|application| application.is_known(now, rng))
            .ok_or(GraphRefusal::NotFound(object_id))
    }

    /// Stores an application, to be found by either id.
    pub(super) fn register(&mut self, application: Application) {
        self.object_ids.insert(application.client_id, application.object_id);
        self.applications.insert(application.object_id, application);
    }
}

impl Application {
    /// Creates an application: enabled, with a service principal, for accounts of this tenant, and known everywhere.
    pub(super) fn new(name: &str, [object_id, client_id, principal]: [Uuid; 3], at: OffsetDateTime) -> Self {
        Self {
            object_id,
            client_id,
            service_principal: principal,
            has_service_principal: true,
            display_name: name.to_owned(),
            tags: Vec::new(),
            enabled: true,
            created: at,
            audience: Audience::default(),
            is_fallback_public_client: None,
            identifier_uris: Vec::new(),
            web: Redirects::default(),
            spa: Redirects::default(),
            public_client: Redirects::default(),
            app_roles: Vec::new(),
            owners: BTreeSet::new(),
            password_limit: None,
            policy: None,
            federated: Vec::new(),
            credentials: Vec::new(),
            appeared: None,
        }
    }

    /// Returns `vault/name` of the secret that it belongs to, or its own name.
    pub(super) fn secret(&self) -> String {
        let tag = self.tags.iter().find_map(|tag| tag.strip_prefix("rekeyd:secret="));
        tag.unwrap_or(&self.display_name).to_owned()
    }

    pub(super) fn is_known(&self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> bool {
        self.appeared.is_none_or(|change| change.is_noticed(now, rng))
    }

    fn shown(&self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> Option<Self> {
        if !self.is_known(now, rng) {
            return None;
        }
        let mut shown = self.clone();
        shown.credentials.retain(|credential| credential.is_shown(now, rng));
        Some(shown)
    }
}
