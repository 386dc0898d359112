//! Federated identity credentials as Graph has them: the issuers an application trusts, without their keys.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::graph_refusal::GraphRefusal;
use super::tenant::FederatedCredential;
use super::{Model, State, guid};

/// The most federated credentials of an application.
const MAX_CREDENTIALS: usize = 20;

/// An issuer and subject whose assertions sign an application in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederatedIdentity {
    /// Its id.
    pub id: Uuid,
    /// Its name, which may serve as an id.
    pub name: String,
    /// The `iss` of its assertions.
    pub issuer: String,
    /// Their `sub`.
    pub subject: String,
    /// Their `aud`.
    pub audiences: Vec<String>,
    /// A description written by a person.
    pub description: Option<String>,
}

impl Model {
    /// Returns an application's federated credentials: those registered by tests, then those created through Graph.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn federated_identities(
        &self,
        object_id: Uuid,
        now: OffsetDateTime,
    ) -> Result<Vec<FederatedIdentity>, GraphRefusal> {
        let mut state = self.lock();
        let application = state.known_application(object_id, now)?.clone();
        let registered = state.federated.iter().filter(|found| found.client_id == application.client_id);
        Ok(registered.map(FederatedIdentity::registered).chain(application.federated).collect())
    }

    /// Creates one with a new id. The issuer's keys are those registered for it, if any.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest` if the name is taken or there are too many.
    pub fn add_federated_identity(
        &self,
        object_id: Uuid,
        mut wanted: FederatedIdentity,
        now: OffsetDateTime,
    ) -> Result<FederatedIdentity, GraphRefusal> {
        let mut state = self.lock();
        wanted.id = guid(&mut state.rng);
        let kept = &mut state.known_application(object_id, now)?.federated;
        if kept.len() >= MAX_CREDENTIALS {
            let message =
                format!("The application already has {MAX_CREDENTIALS} federated identity credentials.");
            return Err(GraphRefusal::bad_request(message));
        }
        if kept.iter().any(|found| found.name == wanted.name) {
            let message = format!("A federated identity credential named '{}' already exists.", wanted.name);
            return Err(GraphRefusal::bad_request(message));
        }
        kept.push(wanted.clone());
        Ok(wanted)
    }

    /// Removes one, by id or by name. One registered by a test is then no longer trusted; its issuer's keys stay.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn remove_federated_identity(
        &self,
        object_id: Uuid,
        key: &str,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        let mut state = self.lock();
        let application = state.known_application(object_id, now)?;
        let client_id = application.client_id;
        let count = application.federated.len();
        application.federated.retain(|found| !found.is_called(key));
        if application.federated.len() < count {
            return Ok(());
        }
        let is_it = |found: &&mut FederatedCredential| {
            found.client_id == client_id && FederatedIdentity::registered(found).is_called(key)
        };
        let found = state.federated.iter_mut().find(is_it);
        let missing = GraphRefusal::NotFound(Uuid::try_parse(key).unwrap_or_default());
        found.ok_or(missing)?.client_id = Uuid::nil();
        Ok(())
    }
}

impl State {
    /// Returns those created through Graph whose issuer has keys, one for each audience and registration of the issuer.
    pub(super) fn verifiable_identities(&self, client_id: Uuid) -> Vec<FederatedCredential> {
        let object_id = self.object_ids.get(&client_id).copied().unwrap_or_default();
        let identities = self.applications.get(&object_id).map(|application| &application.federated);
        identities.into_iter().flatten().flat_map(|identity| self.with_keys(client_id, identity)).collect()
    }

    fn with_keys(
        &self,
        client_id: Uuid,
        identity: &FederatedIdentity,
    ) -> impl Iterator<Item = FederatedCredential> {
        let registered = self.federated.iter().filter(|found| found.issuer == identity.issuer);
        registered.map(|found| &found.keys).flat_map(move |keys| {
            identity.audiences.iter().map(move |audience| FederatedCredential {
                client_id,
                issuer: identity.issuer.clone(),
                subject: identity.subject.clone(),
                audience: audience.clone(),
                keys: keys.clone(),
            })
        })
    }
}

impl FederatedIdentity {
    /// Returns true if this is its id or its name.
    #[must_use]
    pub fn is_called(&self, key: &str) -> bool {
        self.name == key || Uuid::try_parse(key) == Ok(self.id)
    }

    /// Converts one that a test has registered. It has no id and no name: both are derived from its other values.
    fn registered(found: &FederatedCredential) -> Self {
        let digest = Sha256::digest(format!("{}\n{}\n{}", found.issuer, found.subject, found.audience));
        let bytes = digest.first_chunk().copied().unwrap_or_default();
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        Self {
            id,
            name: format!("registered-{}", id.simple()),
            issuer: found.issuer.clone(),
            subject: found.subject.clone(),
            audiences: vec![found.audience.clone()],
            description: None,
        }
    }
}
