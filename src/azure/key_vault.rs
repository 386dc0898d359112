//! The `SecretStore` on Microsoft's client for Key Vault secrets. Only this module reads and writes vaults.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::pager::{PagerContinuation, PagerOptions};
use azure_core::http::{ClientOptions, RequestContent};
use azure_security_keyvault_secrets::models::{
    Secret, SecretAttributes, SecretClientGetSecretOptions, SecretClientListSecretPropertiesOptions,
    SecretClientUpdateSecretPropertiesOptions, SecretProperties, SetSecretParameters,
    UpdateSecretPropertiesParameters,
};
use azure_security_keyvault_secrets::{ResourceExt, SecretClient, SecretClientOptions};
use futures::TryStreamExt;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::errors::from_sdk;
use super::permission::permission_of;
use super::retry::retry_read;
use crate::config::{AzureConfig, VaultConfig};
use crate::domain::tags::Tags;
use crate::domain::{SecretId, SecretName, VaultName, VersionId};
use crate::ports::{
    Clock, CurrentVersion, ListedSecret, NewVersion, Permission, PortError, ReadVersion, SecretStore,
    VaultAccess, Version,
};

/// One client for each vault, kept so that its calls share connections and a token.
pub struct KeyVault {
    clients: BTreeMap<VaultName, SecretClient>,
    clock: Arc<dyn Clock>,
    time_out: Duration,
}

impl KeyVault {
    pub(super) fn new(
        config: &AzureConfig,
        vaults: &[VaultConfig],
        credential: &Arc<dyn TokenCredential>,
        options: &ClientOptions,
        clock: Arc<dyn Clock>,
    ) -> azure_core::Result<Self> {
        let options = SecretClientOptions {
            client_options: options.clone(),
            verify_challenge_resource: Some(config.verify_challenge_resource),
            ..SecretClientOptions::default()
        };
        let mut clients = BTreeMap::new();
        for vault in vaults {
            let (credential, options) = (Arc::clone(credential), options.clone());
            let client = SecretClient::new(vault.url.as_str(), credential, Some(options))?;
            clients.insert(vault.name.clone(), client);
        }
        // A call is at most a token, a challenge and the request itself.
        Ok(Self { clients, clock, time_out: config.request_timeout * 3 })
    }

    /// Returns one page of a vault's secrets, and the position of the next page.
    async fn list_page(
        &self,
        vault: &VaultName,
        from: Option<PagerContinuation>,
    ) -> Result<(Vec<SecretProperties>, Option<PagerContinuation>), PortError> {
        let method_options = PagerOptions { continuation: from, ..PagerOptions::default() };
        let options = SecretClientListSecretPropertiesOptions { method_options, ..Default::default() };
        let client = self.client(vault, LIST)?;
        let page = async {
            let mut pages = client.list_secret_properties(Some(options))?.into_pages();
            let Some(page) = pages.try_next().await? else { return Ok((Vec::new(), None)) };
            Ok((page.into_model()?.value, pages.into_continuation()))
        };
        self.bounded(LIST, page).await
    }

    fn client(&self, vault: &VaultName, operation: &'static str) -> Result<&SecretClient, PortError> {
        self.clients
            .get(vault)
            .ok_or_else(|| PortError::not_sent(operation, format!("vault {vault} is not configured")))
    }

    async fn bounded<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = azure_core::Result<T>>,
    ) -> Result<T, PortError> {
        match tokio::time::timeout(self.time_out, call).await {
            Ok(result) => result.map_err(|error| from_sdk(operation, error)),
            Err(elapsed) => Err(PortError::outcome_unknown(operation, elapsed)),
        }
    }

    async fn get(&self, secret: &SecretId, version: Option<&VersionId>) -> Result<ReadVersion, PortError> {
        let client = self.client(&secret.vault, GET)?;
        let found =
            retry_read(&self.clock, || Box::pin(self.get_once(client, &secret.name, version))).await?;
        read_version(found).ok_or_else(|| malformed(GET))
    }

    async fn get_once(
        &self,
        client: &SecretClient,
        name: &SecretName,
        version: Option<&VersionId>,
    ) -> Result<Secret, PortError> {
        let options = SecretClientGetSecretOptions {
            secret_version: version.map(ToString::to_string),
            ..SecretClientGetSecretOptions::default()
        };
        let got = client.get_secret(name.as_str(), Some(options));
        self.bounded(GET, async { got.await?.into_model() }).await
    }

    async fn list_versions_once(
        &self,
        client: &SecretClient,
        name: &SecretName,
    ) -> Result<Vec<SecretProperties>, PortError> {
        let list = async {
            client.list_secret_properties_versions(name.as_str(), None)?.try_collect::<Vec<_>>().await
        };
        self.bounded(LIST_VERSIONS, list).await
    }

    async fn update(
        &self,
        secret: &SecretId,
        version: &VersionId,
        parameters: UpdateSecretPropertiesParameters,
    ) -> Result<(), PortError> {
        const OPERATION: &str = "update secret";
        let client = self.client(&secret.vault, OPERATION)?;
        let options = SecretClientUpdateSecretPropertiesOptions {
            secret_version: Some(version.to_string()),
            ..SecretClientUpdateSecretPropertiesOptions::default()
        };
        let update = async {
            let content: RequestContent<_> = parameters.try_into()?;
            client.update_secret_properties(secret.name.as_str(), content, Some(options)).await
        };
        self.bounded(OPERATION, update).await.map(drop)
    }
}

impl fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyVault").field("vaults", &self.clients.keys()).finish_non_exhaustive()
    }
}

#[async_trait]
impl SecretStore for KeyVault {
    async fn read_current(&self, secret: &SecretId) -> Result<CurrentVersion, PortError> {
        match self.get(secret, None).await {
            Ok(read) => Ok(CurrentVersion::Readable(read)),
            Err(error) if is_missing(&error) => Ok(CurrentVersion::Missing),
            Err(error) if is_disabled(&error) => Ok(CurrentVersion::Disabled),
            Err(error) => Err(error),
        }
    }

    async fn read_version(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<ReadVersion>, PortError> {
        match self.get(secret, Some(version)).await {
            Ok(read) => Ok(Some(read)),
            Err(error) if is_missing(&error) || is_disabled(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list_versions(&self, secret: &SecretId) -> Result<Vec<Version>, PortError> {
        let client = self.client(&secret.vault, LIST_VERSIONS)?;
        let found = retry_read(&self.clock, || Box::pin(self.list_versions_once(client, &secret.name)));
        match found.await {
            Ok(items) => {
                items.into_iter().map(|item| listed(item).ok_or_else(|| malformed(LIST_VERSIONS))).collect()
            }
            Err(error) if is_missing(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn list_secrets(&self, vault: &VaultName) -> Result<Vec<ListedSecret>, PortError> {
        let (mut secrets, mut from) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let page = retry_read(&self.clock, || Box::pin(self.list_page(vault, from.clone()))).await?;
            secrets.extend(page.0);
            from = page.1;
            if from.is_none() {
                return secrets.into_iter().map(|item| secret(item).ok_or_else(|| malformed(LIST))).collect();
            }
        }
        Err(PortError::outcome_unknown(LIST, "the list has too many pages"))
    }

    async fn put(&self, secret: &SecretId, new: NewVersion) -> Result<VersionId, PortError> {
        const OPERATION: &str = "set secret";
        let client = self.client(&secret.vault, OPERATION)?;
        let attributes =
            SecretAttributes { enabled: Some(new.enabled), expires: new.expires, ..Default::default() };
        let parameters = SetSecretParameters {
            content_type: new.content_type,
            secret_attributes: Some(attributes),
            tags: Some(to_map(&new.tags)),
            value: Some(new.value.expose_secret().to_owned()),
        };
        let put = async {
            let content: RequestContent<_> = parameters.try_into()?;
            client.set_secret(secret.name.as_str(), content, None).await?.into_model()
        };
        let written = self.bounded(OPERATION, put).await?;
        version_id(&written).ok_or_else(|| malformed(OPERATION))
    }

    async fn replace_tags(
        &self,
        secret: &SecretId,
        version: &VersionId,
        tags: &Tags,
    ) -> Result<(), PortError> {
        let parameters = UpdateSecretPropertiesParameters { tags: Some(to_map(tags)), ..Default::default() };
        self.update(secret, version, parameters).await
    }

    async fn disable(&self, secret: &SecretId, version: &VersionId) -> Result<(), PortError> {
        let attributes = SecretAttributes { enabled: Some(false), ..Default::default() };
        let parameters =
            UpdateSecretPropertiesParameters { secret_attributes: Some(attributes), ..Default::default() };
        self.update(secret, version, parameters).await
    }
}

#[async_trait]
impl VaultAccess for KeyVault {
    async fn probe(&self, vault: &VaultName) -> Result<(), PortError> {
        let options = SecretClientListSecretPropertiesOptions { maxresults: Some(1), ..Default::default() };
        let client = self.client(vault, LIST)?;
        let page = async { client.list_secret_properties(Some(options))?.into_pages().try_next().await };
        self.bounded(LIST, page).await.map(drop)
    }

    /// Updates nothing on a version that no secret has: Key Vault checks the permission before it searches for the
    /// version.
    async fn try_set_permission(&self, secret: &SecretId) -> Result<Permission, PortError> {
        let Ok(nowhere) = NO_VERSION.parse() else { return Err(malformed("update secret")) };
        let nothing = UpdateSecretPropertiesParameters::default();
        permission_of(self.update(secret, &nowhere, nothing).await, is_missing, &[403])
    }
}

/// Returns true if Key Vault itself reports that there is no such secret; a 404 of a proxy or a wrong address is not
/// enough.
fn is_missing(error: &PortError) -> bool {
    error.status() == Some(404) && error.code() == Some("SecretNotFound")
}

/// Returns true if the secret is disabled: a state, not a missing permission, although both are 403.
fn is_disabled(error: &PortError) -> bool {
    error.status() == Some(403) && error.code() == Some("SecretDisabled")
}

fn malformed(operation: &'static str) -> PortError {
    PortError::outcome_unknown(operation, "the response does not name a version")
}

fn read_version(mut found: Secret) -> Option<ReadVersion> {
    let value: SecretString = found.value.take()?.into();
    let version = version_id(&found)?;
    let properties = properties(version, found.attributes, found.content_type, found.tags);
    Some(ReadVersion { properties, value })
}

fn listed(found: SecretProperties) -> Option<Version> {
    let version = found.resource_id().ok()?.version?.parse().ok()?;
    Some(properties(version, found.attributes, found.content_type, found.tags))
}

fn secret(found: SecretProperties) -> Option<ListedSecret> {
    let name = found.resource_id().ok()?.name.parse().ok()?;
    let attributes = found.attributes.unwrap_or_default();
    Some(ListedSecret {
        name,
        enabled: attributes.enabled.unwrap_or(true),
        expires: attributes.expires,
        updated: attributes.updated,
        content_type: found.content_type,
        is_managed_by_key_vault: found.managed.unwrap_or(false),
        tags: found.tags.unwrap_or_default().into_iter().collect(),
    })
}

fn version_id(found: &Secret) -> Option<VersionId> {
    found.resource_id().ok()?.version?.parse().ok()
}

fn properties(
    version: VersionId,
    attributes: Option<SecretAttributes>,
    content_type: Option<String>,
    tags: Option<HashMap<String, String>>,
) -> Version {
    let attributes = attributes.unwrap_or_default();
    Version {
        version,
        enabled: attributes.enabled.unwrap_or(true),
        created: attributes.created.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        expires: attributes.expires,
        content_type,
        tags: tags.unwrap_or_default().into_iter().collect(),
    }
}

fn to_map(tags: &Tags) -> HashMap<String, String> {
    tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

const GET: &str = "get secret";
const LIST: &str = "list secrets";
const LIST_VERSIONS: &str = "list secret versions";

/// The limit on pages of a list, of 25 secrets each: no vault has so many.
const MAX_PAGES: usize = 40_000;

/// The name of a version that Key Vault never generates.
const NO_VERSION: &str = "00000000000000000000000000000000";
