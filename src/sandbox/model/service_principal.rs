//! Service principals: those of the tenant's applications, and those of Microsoft's own services.

use time::OffsetDateTime;
use uuid::{Uuid, uuid};

use super::application::Application;
use super::graph_refusal::GraphRefusal;
use super::tenant::Tenant;
use super::{Model, State, guid};

/// A service principal: an application's identity in a tenant, which signs in and has permissions.
#[derive(Debug, Clone)]
pub struct ServicePrincipal {
    /// Its own object id.
    pub object_id: Uuid,
    /// Its application's client id (`appId`).
    pub client_id: Uuid,
    /// Its application's name.
    pub display_name: String,
    /// The tenant the application is registered in.
    pub owner_tenant: Uuid,
    /// True if it may sign in.
    pub enabled: bool,
    /// Its application's tags.
    pub tags: Vec<String>,
}

impl Model {
    /// Returns all service principals, by object id.
    pub fn service_principals(&self, now: OffsetDateTime) -> Vec<ServicePrincipal> {
        let tenant = self.tenant().id;
        let mut found = self.lock().first_parties.clone();
        let applications = self.applications(now);
        let with_principal = applications.iter().filter(|application| application.has_service_principal);
        found.extend(with_principal.map(|application| ServicePrincipal::of(application, tenant)));
        found.sort_by_key(|principal| principal.object_id);
        found
    }

    /// Returns the service principal with this client id, also one of Microsoft's own; `None` if it doesn't exist.
    pub fn service_principal_of(&self, client_id: Uuid, now: OffsetDateTime) -> Option<ServicePrincipal> {
        let is_it = |principal: &&ServicePrincipal| principal.client_id == client_id;
        let own = self.lock().first_parties.iter().find(is_it).cloned();
        own.or_else(|| {
            let application = self.application_by_client_id(client_id, now)?;
            let has_one = application.has_service_principal;
            has_one.then(|| ServicePrincipal::of(&application, self.tenant().id))
        })
    }

    /// Creates the service principal of an application.
    ///
    /// # Errors
    /// `NoBackingApplication`; `PrincipalExists`.
    pub fn create_service_principal(
        &self,
        client_id: Uuid,
        now: OffsetDateTime,
    ) -> Result<ServicePrincipal, GraphRefusal> {
        let tenant = self.tenant().id;
        let mut state = self.lock();
        let object_id = state.object_ids.get(&client_id).copied().unwrap_or_default();
        let application = state
            .known_application(object_id, now)
            .map_err(|_| GraphRefusal::NoBackingApplication(client_id))?;
        if application.has_service_principal {
            return Err(GraphRefusal::PrincipalExists(client_id));
        }
        application.has_service_principal = true;
        Ok(ServicePrincipal::of(application, tenant))
    }

    /// Deletes a service principal; its application stays.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for one of Microsoft's own.
    pub fn delete_service_principal(&self, id: Uuid) -> Result<(), GraphRefusal> {
        self.lock().backing_application(id)?.has_service_principal = false;
        Ok(())
    }

    /// Enables or disables sign-in for a service principal.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for one of Microsoft's own.
    pub fn enable_service_principal(&self, id: Uuid, enabled: bool) -> Result<(), GraphRefusal> {
        self.lock().backing_application(id)?.enabled = enabled;
        Ok(())
    }

    /// Returns the object id of the service principal with this client id, also of one of Microsoft's own.
    pub(crate) fn principal_by_client_id(&self, client_id: Uuid) -> Option<Uuid> {
        self.lock().principal(client_id)
    }

    /// Returns the object id of the application that a service principal belongs to; only for this tenant's.
    pub(crate) fn application_of_principal(&self, id: Uuid) -> Option<Uuid> {
        self.lock().backing_application(id).ok().map(|application| application.object_id)
    }
}

impl State {
    fn backing_application(&mut self, id: Uuid) -> Result<&mut Application, GraphRefusal> {
        if self.first_parties.iter().any(|principal| principal.object_id == id) {
            return Err(GraphRefusal::Forbidden);
        }
        let mut applications = self.applications.values_mut();
        let is_it = |found: &&mut Application| found.service_principal == id && found.has_service_principal;
        applications.find(is_it).ok_or(GraphRefusal::NotFound(id))
    }

    pub(super) fn principal(&self, client_id: Uuid) -> Option<Uuid> {
        let mut first_parties = self.first_parties.iter();
        let found = first_parties.find(|principal| principal.client_id == client_id);
        found.map(|principal| principal.object_id).or_else(|| {
            let application = self.applications.get(self.object_ids.get(&client_id)?)?;
            Some(application.service_principal)
        })
    }

    /// Registers the daemon's and the client's applications, Microsoft's services, and the owners of the rotated
    /// applications.
    pub(super) fn register_services(&mut self, tenant: &Tenant, at: OffsetDateTime) {
        for application in self.applications.values_mut() {
            application.owners.insert(tenant.daemon.object_id);
        }
        for (name, identity) in [("rekeyd", &tenant.daemon), ("Sandbox client", &tenant.client)] {
            let ids = [guid(&mut self.rng), identity.client_id, identity.object_id];
            self.register(Application::new(name, ids, at));
        }
        let rng = &mut self.rng;
        let first_party = |service: &FirstParty| ServicePrincipal {
            object_id: guid(rng),
            client_id: service.client_id,
            display_name: service.name.to_owned(),
            owner_tenant: MICROSOFT,
            enabled: true,
            tags: Vec::new(),
        };
        self.first_parties = FIRST_PARTIES.iter().map(first_party).collect();
    }
}

impl ServicePrincipal {
    fn of(application: &Application, tenant: Uuid) -> Self {
        Self {
            object_id: application.service_principal,
            client_id: application.client_id,
            display_name: application.display_name.clone(),
            owner_tenant: tenant,
            enabled: application.enabled,
            tags: application.tags.clone(),
        }
    }
}

/// The tenant that Microsoft's services are registered in.
const MICROSOFT: Uuid = uuid!("f8cdef31-a31e-4b4a-93e4-5f571e91255a");

/// One of Microsoft's own services, with a service principal in every tenant.
#[derive(Debug)]
pub(crate) struct FirstParty {
    /// Its client id.
    pub(crate) client_id: Uuid,
    /// Its name.
    pub(crate) name: &'static str,
    /// The resource to request tokens for.
    pub(crate) identifier: &'static str,
}

impl FirstParty {
    /// Finds the service that a resource names, by identifier or by client id.
    pub(crate) fn named(resource: &str) -> Option<&'static Self> {
        let client_id = Uuid::try_parse(resource).ok();
        let is_it = |service: &&Self| service.identifier == resource || client_id == Some(service.client_id);
        FIRST_PARTIES.iter().find(is_it)
    }

    const fn new(client_id: Uuid, name: &'static str, identifier: &'static str) -> Self {
        Self { client_id, name, identifier }
    }
}

/// Microsoft Graph's client id.
pub(super) const GRAPH: Uuid = uuid!("00000003-0000-0000-c000-000000000000");

/// Event Grid's client id, in the public cloud.
pub(crate) const EVENT_GRID: Uuid = uuid!("4962773b-9cdb-44cf-a8bf-237846a00ab7");

/// The client id of the health services, which is the audience of FHIR's tokens.
pub(crate) const HEALTHCARE: Uuid = uuid!("4f6778d8-5aef-43dc-a1ff-b073724b9495");

/// The audience of every DICOM service's tokens.
pub(crate) const DICOM_AUDIENCE: &str = "https://dicom.healthcareapis.azure.com";

const FIRST_PARTIES: [FirstParty; 7] = [
    FirstParty::new(GRAPH, "Microsoft Graph", "https://graph.microsoft.com"),
    FirstParty::new(
        uuid!("cfa8b339-82a2-471a-a3c9-0fc0be7a4093"),
        "Azure Key Vault",
        "https://vault.azure.net",
    ),
    FirstParty::new(EVENT_GRID, "Microsoft.EventGrid", "https://eventgrid.azure.net"),
    FirstParty::new(
        uuid!("e406a681-f3d4-42a8-90b6-c2b029497af1"),
        "Azure Storage",
        "https://storage.azure.com",
    ),
    FirstParty::new(
        uuid!("797f4846-ba00-4fd7-ba43-dac1f8f63013"),
        "Windows Azure Service Management API",
        "https://management.azure.com",
    ),
    FirstParty::new(HEALTHCARE, "Azure Healthcare APIs", "https://azurehealthcareapis.com"),
    FirstParty::new(uuid!("75e725bf-66ce-4cea-9b9a-5c4caae57f33"), "Azure API for DICOM", DICOM_AUDIENCE),
];
