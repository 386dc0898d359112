//! What clients have to know of a sandbox: where everything is, and who may come in. It writes no files.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::addresses::Addresses;
use super::model::{DICOM_AUDIENCE, ManagedSecret, Model, ServiceIdentity};

/// Where everything is and who may come in, as `endpoints.json` has it.
#[derive(Debug, Clone, Serialize)]
pub struct Endpoints {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Entra's base URL; no slash at the end.
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
    /// `IDENTITY_HEADER` that goes with it, of use in this sandbox only.
    #[serde(serialize_with = "exposed")]
    pub identity_header: SecretString,
    /// What stands for `http://169.254.169.254`, the metadata service (`AZURE_POD_IDENTITY_AUTHORITY_HOST`).
    pub imds_endpoint: String,
    /// The secrets the world began with, and their applications; no texts.
    pub secrets: Vec<SecretEndpoint>,
    /// The CA's certificate, once it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The identity that may do what the daemon needs.
    pub daemon: IdentityEndpoint,
    /// The identity that may do everything.
    pub client: IdentityEndpoint,
    /// With production names, a file in the form of `/etc/hosts` that has them all, once it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hosts_file: Option<PathBuf>,
    /// The daemon's API token, once it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token_file: Option<PathBuf>,
}

/// A vault and its URL.
#[derive(Debug, Clone, Serialize)]
pub struct VaultEndpoint {
    /// Its name.
    pub name: String,
    /// Its URL; no slash at the end.
    pub url: String,
}

/// A health service.
#[derive(Debug, Clone, Serialize)]
pub struct HealthEndpoint {
    /// Its URL; no slash at the end.
    pub url: String,
    /// The audience that its tokens need; `/.default` makes it a scope.
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
    /// Returns the endpoints of this model; the files' members are missing, since there may be none.
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
