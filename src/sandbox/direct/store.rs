//! The `SecretStore` port: the model's vaults.

use std::collections::BTreeMap;

use async_trait::async_trait;
use time::Duration;

use super::{DirectPorts, refused, vault_refused};
use crate::domain::tags::Tags;
use crate::domain::{SecretId, VaultName, VersionId};
use crate::ports::{
    Clock, CurrentVersion, ListedSecret, NewVersion, PortError, ReadVersion, SecretStore, Version,
};
use crate::sandbox::model::{self, VaultRefusal};
use crate::sandbox::service::key_vault::Right;

#[async_trait]
impl SecretStore for DirectPorts {
    async fn read_current(&self, secret: &SecretId) -> Result<CurrentVersion, PortError> {
        self.check_vault(GET, &secret.vault, Right::Get)?;
        match self.get(secret, None) {
            Ok(found) => Ok(CurrentVersion::Readable(read(&found)?)),
            Err(VaultRefusal::NotFound(_)) => Ok(CurrentVersion::Missing),
            Err(VaultRefusal::Disabled) => Ok(CurrentVersion::Disabled),
            Err(refusal) => Err(vault_refused(GET, &refusal)),
        }
    }

    async fn read_version(
        &self,
        secret: &SecretId,
        version: &VersionId,
    ) -> Result<Option<ReadVersion>, PortError> {
        self.check_vault(GET, &secret.vault, Right::Get)?;
        match self.get(secret, Some(version)) {
            Ok(found) => read(&found).map(Some),
            Err(VaultRefusal::NotFound(_) | VaultRefusal::Disabled) => Ok(None),
            Err(refusal) => Err(vault_refused(GET, &refusal)),
        }
    }

    async fn list_secrets(&self, vault: &VaultName) -> Result<Vec<ListedSecret>, PortError> {
        const OPERATION: &str = "list secrets";
        self.check_vault(OPERATION, vault, Right::List)?;
        let found = self.model.list_secrets(vault.as_str(), self.clock.now());
        let found = found.map_err(|refusal| vault_refused(OPERATION, &refusal))?;
        found.iter().map(|(name, newest)| listed(name, newest)).collect()
    }

    async fn list_versions(&self, secret: &SecretId) -> Result<Vec<Version>, PortError> {
        const OPERATION: &str = "list secret versions";
        self.check_vault(OPERATION, &secret.vault, Right::List)?;
        let now = self.clock.now();
        match self.model.list_versions(secret.vault.as_str(), secret.name.as_str(), now) {
            Ok(found) => found.iter().map(properties).collect(),
            Err(VaultRefusal::NotFound(_)) => Ok(Vec::new()),
            Err(refusal) => Err(vault_refused(OPERATION, &refusal)),
        }
    }

    async fn put(&self, secret: &SecretId, new: NewVersion) -> Result<VersionId, PortError> {
        const OPERATION: &str = "set secret";
        self.check_vault(OPERATION, &secret.vault, Right::Set)?;
        let new = model::NewVersion {
            value: new.value,
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
        const OPERATION: &str = "update secret";
        self.check_vault(OPERATION, &secret.vault, Right::Set)?;
        let (vault, name) = (secret.vault.as_str(), secret.name.as_str());
        let patched = self.model.patch(vault, name, version.as_str(), change, self.clock.now());
        patched.map(drop).map_err(|refusal| vault_refused(OPERATION, &refusal))
    }
}

fn read(found: &model::Version) -> Result<ReadVersion, PortError> {
    Ok(ReadVersion { properties: properties(found)?, value: found.value.clone() })
}

fn properties(found: &model::Version) -> Result<Version, PortError> {
    Ok(Version {
        version: found.version.parse().map_err(|error| refused(GET, 400, &error))?,
        enabled: found.enabled,
        created: found.created,
        // Key Vault keeps whole seconds.
        expires: found.expires.map(|end| end - Duration::nanoseconds(end.nanosecond().into())),
        content_type: found.content_type.clone(),
        tags: tags(found),
    })
}

fn listed(name: &str, newest: &model::Version) -> Result<ListedSecret, PortError> {
    Ok(ListedSecret {
        name: name.parse().map_err(|error| refused("list secrets", 400, &error))?,
        enabled: newest.enabled,
        expires: newest.expires,
        updated: Some(newest.updated),
        content_type: newest.content_type.clone(),
        // Certificates, whose secrets these would be, are not modelled.
        is_managed_by_key_vault: false,
        tags: tags(newest),
    })
}

fn tags(found: &model::Version) -> Tags {
    found.tags.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn to_map(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

const GET: &str = "get secret";
