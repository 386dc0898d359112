//! The tenant and the identities that work in it: the daemon, a client that may do everything, federated issuers.

use jsonwebtoken::jwk::JwkSet;
use secrecy::SecretString;
use uuid::Uuid;

use super::credential::random_text;
use super::{Model, guid};

/// The tenant, its service identities and the value of the managed identity's `X-IDENTITY-HEADER`.
///
/// These texts are random in each sandbox, whatever its seed, because they give access over real sockets.
#[derive(Debug)]
pub struct Tenant {
    /// The tenant's id.
    pub id: Uuid,
    /// The daemon's identity, with the permissions that the daemon needs.
    pub daemon: ServiceIdentity,
    /// An identity that may do everything.
    pub client: ServiceIdentity,
    /// The required value of `X-IDENTITY-HEADER` for a managed identity's token (the daemon's).
    pub identity_header: SecretString,
}

/// An application that works in the tenant and whose secret never changes.
#[derive(Debug)]
pub struct ServiceIdentity {
    /// The id it signs in with.
    pub client_id: Uuid,
    /// The object id of its service principal.
    pub object_id: Uuid,
    /// Its secret.
    pub secret: SecretString,
}

/// An issuer whose assertions sign in an application or a service identity.
#[derive(Debug, Clone)]
pub struct FederatedCredential {
    /// The client id that they sign in.
    pub client_id: Uuid,
    /// The `iss` they must have.
    pub issuer: String,
    /// The `sub` they must have.
    pub subject: String,
    /// The `aud` they must have, usually `api://AzureADTokenExchange`.
    pub audience: String,
    /// The keys they may be signed with (RS256, or PS256 for a certificate's).
    pub keys: JwkSet,
}

impl Tenant {
    pub(super) fn generate() -> Self {
        let mut rng = fastrand::Rng::new();
        Self {
            id: guid(&mut rng),
            daemon: ServiceIdentity::generate(&mut rng),
            client: ServiceIdentity::generate(&mut rng),
            identity_header: random_text(&mut rng),
        }
    }

    /// Returns the service identity with this client id.
    #[must_use]
    pub fn service_identity(&self, client_id: Uuid) -> Option<&ServiceIdentity> {
        [&self.daemon, &self.client].into_iter().find(|identity| identity.client_id == client_id)
    }
}

impl ServiceIdentity {
    fn generate(rng: &mut fastrand::Rng) -> Self {
        Self { client_id: guid(rng), object_id: guid(rng), secret: random_text(rng) }
    }
}

impl Model {
    /// Trusts another issuer. Replaces an earlier registration with the same client id, issuer and subject.
    pub fn add_federated_credential(&self, credential: FederatedCredential) {
        let key = |of: &FederatedCredential| (of.client_id, of.issuer.clone(), of.subject.clone());
        let mut state = self.lock();
        state.federated.retain(|known| key(known) != key(&credential));
        state.federated.push(credential);
    }

    /// Returns the issuers trusted for this client id.
    pub(crate) fn federated_credentials(&self, client_id: Uuid) -> Vec<FederatedCredential> {
        let state = self.lock();
        let registered = state.federated.iter().filter(|credential| credential.client_id == client_id);
        registered.cloned().chain(state.verifiable_identities(client_id)).collect()
    }
}
