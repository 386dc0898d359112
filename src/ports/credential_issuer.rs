//! Who makes and unmakes credentials: the tenant's directory of applications.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::{OwnIdentity, PortError};
use crate::domain::{AppObjectId, ApplicationRef, ClientId, KeyId};

/// Reads applications, adds and removes their credentials. Adding is sent once, never repeated by the adapter.
#[async_trait]
pub trait CredentialIssuer: fmt::Debug + Send + Sync {
    /// The application and its credentials; `None` if there is none.
    async fn read_application(&self, application: ApplicationRef) -> Result<Option<Application>, PortError>;

    /// Makes a credential that is good from now until `end`. Its text is known only from the answer.
    async fn issue(
        &self,
        application: AppObjectId,
        display_name: &str,
        end: OffsetDateTime,
    ) -> Result<IssuedCredential, PortError>;

    /// Takes a credential away, unless there is none: it is gone already, or made so lately that the directory
    /// doesn't know it everywhere.
    async fn revoke(&self, application: AppObjectId, key_id: KeyId) -> Result<Revocation, PortError>;

    /// The application's service principal in the tenant; `None` if there is none, so that it can't sign in.
    async fn read_service_principal(
        &self,
        client_id: ClientId,
    ) -> Result<Option<ServicePrincipal>, PortError>;

    /// What the tenant's application management policies allow this application, as far as they may be read.
    async fn read_credential_rules(&self, application: AppObjectId) -> Result<CredentialRules, PortError>;

    /// Who the daemon itself is, by its own token. Asks nobody but the identity.
    async fn read_own_identity(&self) -> Result<OwnIdentity, PortError>;
}

/// What makes an application able to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Its directory object: what roles are assigned to.
    pub object_id: String,
    /// Whether it may sign in (`accountEnabled`).
    pub is_enabled: bool,
}

/// What tenant policy allows for passwords. The default is: anything, as far as is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CredentialRules {
    /// Whether the policies could be read at all; if not, only a refusal tells.
    pub is_known: bool,
    /// Whether passwords must not be added.
    pub passwords_forbidden: bool,
    /// The longest lifetime of a password.
    pub longest_lifetime: Option<time::Duration>,
}

/// What became of a credential that was to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// It was taken away.
    Revoked,
    /// There was no such credential, as far as the server that was asked knew.
    NotFound,
}

/// An application as far as its credentials are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// What Graph URLs name.
    pub object_id: AppObjectId,
    /// What it signs in as.
    pub client_id: ClientId,
    /// Its name in the portal.
    pub display_name: String,
    /// Its credentials, without texts.
    pub credentials: Vec<Credential>,
    /// Its tags in Entra.
    pub tags: Vec<String>,
    /// Whether its audience includes personal accounts, which allows it two passwords only.
    pub admits_personal_accounts: bool,
    /// Whether it is a public client and nothing else: no web redirect, no App ID URI, no app role, no password.
    pub is_public_only: bool,
}

/// One credential, without its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Entra's name for it.
    pub key_id: KeyId,
    /// What its maker called it.
    pub display_name: Option<String>,
    /// The first characters of its text, as Entra shows them to everybody who may read the application.
    pub hint: Option<String>,
    /// When it begins to be good.
    pub start: OffsetDateTime,
    /// When it ends.
    pub end: OffsetDateTime,
}

impl fmt::Debug for Credential {
    /// Leaves the hint out: no part of a text is shown anywhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("key_id", &self.key_id)
            .field("display_name", &self.display_name)
            .field("start", &self.start)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

/// A credential that was just made.
#[derive(Debug, Clone)]
pub struct IssuedCredential {
    /// Entra's name for it.
    pub key_id: KeyId,
    /// Its text: shown this once.
    pub secret_text: SecretString,
    /// When it ends, by Entra's word.
    pub end: OffsetDateTime,
}
