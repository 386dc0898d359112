//! The sandbox's other face: the ports on the model itself, without HTTPS, for simulations in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::clock::SandboxClock;
use super::model::{self, GraphRefusal, Model, SignInRefusal, VaultRefusal};
use crate::domain::tags::Tags;
use crate::domain::{
    AppObjectId, ApplicationRef, ClientId, KeyId, Probe, ProbeAnswer, SecretId, VaultName, VersionId,
};
use crate::ports::{
    Application, Caller, Clock, Credential, CredentialIssuer, CredentialRules, CurrentVersion,
    IssuedCredential, ListedSecret, NewVersion, PortError, ReadVersion, ResourceProbe, Revocation,
    SecretStore, ServicePrincipal, SignIn, SignInVerifier, Token, Usage, UsageReport, Version,
};

/// Every port on one model. Each call has its effect at once and takes no time.
#[derive(Clone)]
pub struct DirectPorts {
    /// What the calls read and change.
    pub model: Arc<Model>,
    /// When they do.
    pub clock: SandboxClock,
}

impl std::fmt::Debug for DirectPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DirectPorts")
    }
}

#[async_trait]
impl SecretStore for DirectPorts {
    async fn read_current(&self, secret: &SecretId) -> Result<CurrentVersion, PortError> {
        match self.get(secret, None) {
            Ok(found) => Ok(CurrentVersion::Readable(read(&found)?)),
            Err(VaultRefusal::NotFound(_)) => Ok(CurrentVersion::Missing),
            Err(VaultRefusal::Disabled) => Ok(CurrentVersion::Disabled),
            Err(refusal) => Err(vault_refused("get secret", &refusal)),
        }
    }

    async fn read_version(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<ReadVersion>, PortError> {
        match self.get(secret, Some(version)) {
            Ok(found) => read(&found).map(Some),
            Err(VaultRefusal::NotFound(_) | VaultRefusal::Disabled) => Ok(None),
            Err(refusal) => Err(vault_refused("get secret", &refusal)),
        }
    }

    async fn list_versions(&self, secret: &SecretId) -> Result<Vec<Version>, PortError> {
        let now = self.clock.now();
        match self.model.list_versions(secret.vault.as_str(), secret.name.as_str(), now) {
            Ok(found) => found.iter().map(properties).collect(),
            Err(VaultRefusal::NotFound(_)) => Ok(Vec::new()),
            Err(refusal) => Err(vault_refused("list secret versions", &refusal)),
        }
    }

    async fn list_secrets(&self, _: &VaultName) -> Result<Vec<ListedSecret>, PortError> {
        Err(refused("list secrets", 501, &"not built yet"))
    }

    async fn put(&self, secret: &SecretId, new: NewVersion) -> Result<VersionId, PortError> {
        const OPERATION: &str = "set secret";
        let new = model::NewVersion {
            value: new.text,
            enabled: new.enabled,
            not_before: None,
            expires: new.expires,
            content_type: new.content_type,
            tags: to_map(&new.tags),
        };
        let put = self.model.put_secret(secret.vault.as_str(), secret.name.as_str(), new, self.clock.now());
        let written = put.map_err(|refusal| vault_refused(OPERATION, &refusal))?;
        written.version.parse().map_err(|error| refused(OPERATION, 400, &error))
    }

    async fn replace_tags(
        &self,
        secret: &SecretId,
        version: &VersionId,
        tags: &Tags,
    ) -> Result<(), PortError> {
        self.change(secret, version, model::VersionChange { tags: Some(to_map(tags)), ..Default::default() })
    }

    async fn disable(&self, secret: &SecretId, version: &VersionId) -> Result<(), PortError> {
        self.change(secret, version, model::VersionChange { enabled: Some(false), ..Default::default() })
    }
}

impl DirectPorts {
    fn get(&self, secret: &SecretId, version: Option<&VersionId>) -> Result<model::Version, VaultRefusal> {
        let version = version.map(VersionId::as_str);
        self.model.get_secret(secret.vault.as_str(), secret.name.as_str(), version, self.clock.now())
    }

    fn change(
        &self,
        secret: &SecretId,
        version: &VersionId,
        change: model::VersionChange,
    ) -> Result<(), PortError> {
        let (vault, name) = (secret.vault.as_str(), secret.name.as_str());
        let patched = self.model.patch(vault, name, version.as_str(), change, self.clock.now());
        patched.map(drop).map_err(|refusal| vault_refused("update secret", &refusal))
    }
}

#[async_trait]
impl CredentialIssuer for DirectPorts {
    async fn read_application(&self, application: ApplicationRef) -> Result<Option<Application>, PortError> {
        let now = self.clock.now();
        let found = match application {
            ApplicationRef::ObjectId(id) => self.model.application(id.0, now),
            ApplicationRef::ClientId(id) => self.model.application_by_client_id(id.0, now),
            ApplicationRef::Either(id) => {
                self.model.application(id, now).or_else(|| self.model.application_by_client_id(id, now))
            }
        };
        Ok(found.map(|found| Application {
            object_id: AppObjectId(found.object_id),
            client_id: ClientId(found.client_id),
            display_name: found.display_name,
            credentials: found.credentials.iter().map(credential).collect(),
            tags: Vec::new(),
            admits_personal_accounts: false,
            is_public_only: false,
        }))
    }

    async fn issue(
        &self,
        application: AppObjectId,
        display_name: &str,
        end: OffsetDateTime,
    ) -> Result<IssuedCredential, PortError> {
        let made =
            self.model.add_password(application.0, Some(display_name), None, Some(end), self.clock.now());
        let made = made.map_err(|refusal| graph_refused("addPassword", &refusal))?;
        Ok(IssuedCredential { key_id: KeyId(made.key_id), text: made.text, end: made.end })
    }

    async fn revoke(&self, application: AppObjectId, key_id: KeyId) -> Result<Revocation, PortError> {
        match self.model.remove_password(application.0, key_id.0, self.clock.now()) {
            Ok(()) => Ok(Revocation::Revoked),
            Err(GraphRefusal::UnknownCredential(_)) => Ok(Revocation::NotFound),
            Err(refusal) => Err(graph_refused("removePassword", &refusal)),
        }
    }

    async fn read_service_principal(&self, _: ClientId) -> Result<Option<ServicePrincipal>, PortError> {
        Err(refused("get service principal", 501, &"not built yet"))
    }

    async fn read_credential_rules(&self, _: AppObjectId) -> Result<CredentialRules, PortError> {
        Ok(CredentialRules::default())
    }

    async fn read_caller(&self) -> Result<Caller, PortError> {
        Err(refused("read the own token", 501, &"not built yet"))
    }
}

#[async_trait]
impl SignInVerifier for DirectPorts {
    async fn sign_in(&self, client_id: ClientId, text: &SecretString) -> SignIn {
        match self.model.sign_in(client_id.0, text.expose_secret(), self.clock.now()) {
            Ok(()) => SignIn::Accepted,
            Err(SignInRefusal::Wrong) => SignIn::Wrong,
            Err(SignInRefusal::Expired) => SignIn::Expired,
            Err(SignInRefusal::UnknownApplication) => SignIn::ApplicationUnknown,
            Err(SignInRefusal::NoServicePrincipal) => SignIn::NoServicePrincipal,
            Err(SignInRefusal::Disabled) => SignIn::ApplicationDisabled,
        }
    }

    async fn token(&self, _: ClientId, _: &SecretString, _: &str) -> Result<Token, SignIn> {
        Err(SignIn::Unclear("not built yet".to_owned()))
    }
}

#[async_trait]
impl UsageReport for DirectPorts {
    async fn last_sign_ins(&self, _: ClientId) -> Result<Usage, PortError> {
        Ok(Usage::Unavailable("not built yet".to_owned()))
    }
}

#[async_trait]
impl ResourceProbe for DirectPorts {
    async fn probe(&self, _: &Probe, _: &SecretString) -> ProbeAnswer {
        ProbeAnswer::Unclear("not built yet".to_owned())
    }
}

fn read(found: &model::Version) -> Result<ReadVersion, PortError> {
    Ok(ReadVersion { properties: properties(found)?, text: found.value.clone() })
}

fn properties(found: &model::Version) -> Result<Version, PortError> {
    Ok(Version {
        version: found.version.parse().map_err(|error| refused("get secret", 400, &error))?,
        enabled: found.enabled,
        created: found.created,
        // Key Vault keeps whole seconds.
        expires: found.expires.map(|end| end - Duration::nanoseconds(end.nanosecond().into())),
        content_type: found.content_type.clone(),
        tags: found.tags.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
    })
}

fn credential(found: &model::Credential) -> Credential {
    Credential {
        key_id: KeyId(found.key_id),
        display_name: found.display_name.clone(),
        hint: Some(found.hint()),
        start: found.start,
        end: found.end,
    }
}

fn to_map(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// As the adapter on HTTPS reads it: the innermost code says most.
fn vault_refused(operation: &'static str, refusal: &VaultRefusal) -> PortError {
    let codes = refusal.codes();
    refused(operation, codes.status, &codes.inner.unwrap_or(codes.code))
}

fn graph_refused(operation: &'static str, refusal: &GraphRefusal) -> PortError {
    let (status, code) = (refusal.status(), refusal.code().to_owned());
    PortError::Refused { operation, status, code, retry_after: None }
}

fn refused(operation: &'static str, status: u16, why: &dyn std::fmt::Display) -> PortError {
    PortError::Refused { operation, status, code: why.to_string(), retry_after: None }
}
