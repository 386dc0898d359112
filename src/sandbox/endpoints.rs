//! The facts that clients need to use a sandbox: its URLs and its identities. It writes no files.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::addresses::Addresses;
use super::model::{DICOM_AUDIENCE, ManagedSecret, Model, ServiceIdentity};

/// The URLs and identities of a sandbox, as in `endpoints.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Endpoints {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Entra's base URL, without a trailing slash.
    pub authority: String,
    /// The base URL of the sandbox's own controls (`/_sandbox/...`).
    pub controls: String,
    /// Graph's base URL, without `/v1.0`.
    pub graph: String,
    /// The vaults.
    pub vaults: Vec<VaultEndpoint>,
    /// The FHIR service.
    pub fhir: HealthEndpoint,
    /// The DICOM service.
    pub dicom: HealthEndpoint,
    /// `IDENTITY_ENDPOINT` of App Service's managed identity.
    pub identity_endpoint: String,
    /// The `IDENTITY_HEADER` that goes with it, of use in this sandbox only.
    #[serde(serialize_with = "exposed")]
    pub identity_header: SecretString,
    /// The replacement for `http://169.254.169.254`, the metadata service (`AZURE_POD_IDENTITY_AUTHORITY_HOST`).
    pub imds_endpoint: String,
    /// The secrets that the world began with, and their applications, without texts.
    pub secrets: Vec<SecretEndpoint>,
    /// The file of the CA's certificate, once it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The identity with the permissions that the daemon needs.
    pub daemon: IdentityEndpoint,
    /// The identity with all permissions.
    pub client: IdentityEndpoint,
    /// The file with all production names in the form of `/etc/hosts`, if there are any, once it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts_file: Option<PathBuf>,
    /// The file of the daemon's API token, once it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token_file: Option<PathBuf>,
}

/// A vault and its URL.
#[derive(Debug, Clone, Serialize)]
pub struct VaultEndpoint {
    /// Its name.
    pub name: String,
    /// Its URL, without a trailing slash.
    pub url: String,
}

/// A health service.
#[derive(Debug, Clone, Serialize)]
pub struct HealthEndpoint {
    /// Its URL, without a trailing slash.
    pub url: String,
    /// The audience that its tokens need; with `/.default` appended it is a scope.
    pub audience: String,
}

/// A secret and the application whose credential it holds.
#[derive(Debug, Clone, Serialize)]
pub struct SecretEndpoint {
    /// The vault's name.
    pub vault: String,
    /// The secret's name.
    pub name: String,
    /// The application's object id.
    pub object_id: Uuid,
    /// The application's client id.
    pub client_id: Uuid,
}

/// A service identity with its secret, which is of use in this sandbox only.
#[derive(Debug, Clone, Serialize)]
pub struct IdentityEndpoint {
    /// The client id.
    pub client_id: Uuid,
    /// The secret.
    #[serde(serialize_with = "exposed")]
    pub client_secret: SecretString,
}

fn exposed<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

impl Endpoints {
    /// Returns the endpoints of this model; the files' members are `None`, since the files may not exist.
    pub(crate) fn of(model: &Model, addresses: &Addresses) -> Self {
        let tenant = model.tenant();
        let vault = |(name, url): &(String, String)| VaultEndpoint { name: name.clone(), url: url.clone() };
        let health =
            |url: &str, audience: &str| HealthEndpoint { url: url.to_owned(), audience: audience.to_owned() };
        Self {
            tenant_id: tenant.id,
            authority: addresses.authority.clone(),
            controls: addresses.controls.clone(),
            graph: addresses.graph.clone(),
            vaults: addresses.vaults.iter().map(vault).collect(),
            fhir: health(&addresses.fhir, &addresses.fhir),
            dicom: health(&addresses.dicom, DICOM_AUDIENCE),
            identity_endpoint: format!("{}/msi/token", addresses.identity),
            identity_header: tenant.identity_header.clone(),
            imds_endpoint: addresses.identity.clone(),
            secrets: model.managed().iter().map(SecretEndpoint::of).collect(),
            ca_file: None,
            daemon: IdentityEndpoint::of(&tenant.daemon),
            client: IdentityEndpoint::of(&tenant.client),
            hosts_file: None,
            api_token_file: None,
        }
    }
}

impl SecretEndpoint {
    fn of(secret: &ManagedSecret) -> Self {
        let ManagedSecret { vault, name, object_id, client_id } = secret.clone();
        Self { vault, name, object_id, client_id }
    }
}

impl IdentityEndpoint {
    fn of(identity: &ServiceIdentity) -> Self {
        Self { client_id: identity.client_id, client_secret: identity.secret.clone() }
    }
}
