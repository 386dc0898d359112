//! The issuer of credentials: the tenant's directory of applications.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::{OwnIdentity, PortError};
use crate::domain::{AppObjectId, ApplicationRef, ClientId, KeyId};

/// Reads applications, adds and removes their credentials. Adding is sent once, never repeated by the adapter.
#[async_trait]
pub trait CredentialIssuer: fmt::Debug + Send + Sync {
    /// Returns the application and its credentials; `None` if it does not exist.
    async fn read_application(&self, application: ApplicationRef) -> Result<Option<Application>, PortError>;

    /// Issues a credential that is valid from now until `end`. Only the answer contains its text.
    async fn issue(
        &self,
        application: AppObjectId,
        display_name: &str,
        end: OffsetDateTime,
    ) -> Result<IssuedCredential, PortError>;

    /// Revokes a credential, unless there is none: it is gone already, or so new that the directory doesn't know it
    /// everywhere.
    async fn revoke(&self, application: AppObjectId, key_id: KeyId) -> Result<Revocation, PortError>;

    /// Returns the application's service principal in the tenant; `None` if it has none and so can't sign in.
    async fn read_service_principal(
        &self,
        client_id: ClientId,
    ) -> Result<Option<ServicePrincipal>, PortError>;

    /// Returns the password rules that the tenant's application management policies set for this application, as far as
    /// they may be read.
    async fn read_credential_rules(&self, application: AppObjectId) -> Result<CredentialRules, PortError>;

    /// Returns the daemon's own identity, from its own token. Requests nothing but that token.
    async fn read_own_identity(&self) -> Result<OwnIdentity, PortError>;
}

/// The service principal, with which an application can sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Its directory object, to which roles are assigned.
    pub object_id: String,
    /// True if it may sign in (`accountEnabled`).
    pub is_enabled: bool,
}

/// The tenant policy for passwords. The default is: anything is allowed, as far as is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CredentialRules {
    /// True if the policies could be read; otherwise only a refusal shows a rule.
    pub is_known: bool,
    /// True if passwords must not be added.
    pub passwords_forbidden: bool,
    /// The longest lifetime of a password.
    pub longest_lifetime: Option<time::Duration>,
}

/// The outcome of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The credential was revoked.
    Revoked,
    /// The server that was asked knew no such credential.
    NotFound,
}

/// An application with its credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The object id, used in Graph URLs.
    pub object_id: AppObjectId,
    /// The client id, with which it signs in.
    pub client_id: ClientId,
    /// Its name in the portal.
    pub display_name: String,
    /// Its credentials, without their texts.
    pub credentials: Vec<Credential>,
    /// Its tags in Entra.
    pub tags: Vec<String>,
    /// True if its audience includes personal accounts, which limits it to two passwords.
    pub admits_personal_accounts: bool,
    /// True if it is only a public client: no web redirect, no App ID URI, no app role, no password.
    pub is_public_only: bool,
}

/// One credential, without its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its id in Entra.
    pub key_id: KeyId,
    /// The name that its creator gave it.
    pub display_name: Option<String>,
    /// The first characters of its text, which Entra shows to everyone who may read the application.
    pub hint: Option<String>,
    /// The start of its validity.
    pub start: OffsetDateTime,
    /// The end of its validity.
    pub end: OffsetDateTime,
}

impl fmt::Debug for Credential {
    /// Omits the hint: no part of a secret's text is shown anywhere.
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
    /// Its id in Entra.
    pub key_id: KeyId,
    /// Its text, which the directory shows only this once.
    pub secret_text: SecretString,
    /// The end of its validity, as Entra reports it.
    pub end: OffsetDateTime,
}
