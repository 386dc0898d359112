//! Vaults: secrets, their versions, and the operations that Key Vault allows on them.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use time::OffsetDateTime;
use uuid::Uuid;

use super::life::Life;
use super::limits::{check_content_type, check_secret_name, check_tags, check_value};
use super::refusal::VaultRefusal;
use super::timeline::{TimelineEvent, TimelineEventKind};
use super::vault_options::VaultOptions;
use super::vault_quota::VaultQuota;
use super::version::{CREDENTIAL_ID, NewVersion, Version, VersionChange};
use super::{Model, State, VersionCreated};

#[derive(Debug)]
pub(super) struct Vault {
    pub(super) name: String,
    /// Secrets by lower-case name.
    pub(super) secrets: BTreeMap<String, Secret>,
    pub(super) options: VaultOptions,
    pub(super) quota: VaultQuota,
}

#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) name: String,
    /// Versions, oldest first; the last one is current.
    pub(super) versions: Vec<Version>,
    /// The number of times a credential that was new to this secret was published.
    pub(super) rotations: u64,
    pub(super) life: Life,
}

impl Model {
    /// Puts a new version, which becomes the current one.
    ///
    /// # Errors
    /// `BadParameter` beyond Key Vault's limits; `NotFound` for an unknown vault; `DeletedButRecoverable`,
    /// `BeingDeleted`, `BeingRecovered`.
    pub fn put_secret(
        &self,
        vault: &str,
        name: &str,
        new: NewVersion,
        now: OffsetDateTime,
    ) -> Result<Version, VaultRefusal> {
        check_secret_name(name)?;
        check_value(new.value.expose_secret())?;
        check_content_type(new.content_type.as_deref())?;
        check_tags(&new.tags)?;
        let (version, created) = self.lock().put(vault, name, new, now)?;
        self.report(&TimelineEvent::of_put(&version, &created, now));
        self.notify_of_new_version(created);
        Ok(version)
    }

    /// Returns the current version, or the requested one.
    ///
    /// # Errors
    /// `NotFound`, also for a deleted one; `Disabled`.
    pub fn get_secret(
        &self,
        vault: &str,
        name: &str,
        version: Option<&str>,
        now: OffsetDateTime,
    ) -> Result<Version, VaultRefusal> {
        let state = self.lock();
        let found = state.readable_secret(vault, name, now)?.version(version)?;
        if found.enabled { Ok(found.clone()) } else { Err(VaultRefusal::Disabled) }
    }

    /// Changes a version, disabled or not; an empty `version` is the current one.
    ///
    /// # Errors
    /// `NotFound`; `BadParameter` beyond Key Vault's limits; `BeingDeleted`, `BeingRecovered`.
    pub fn patch(
        &self,
        vault: &str,
        name: &str,
        version: &str,
        change: VersionChange,
        now: OffsetDateTime,
    ) -> Result<Version, VaultRefusal> {
        check_content_type(change.content_type.as_deref())?;
        change.tags.as_ref().map_or(Ok(()), check_tags)?;
        let (patched, was_disabled) = self.lock().patch(vault, name, version, change, now)?;
        if was_disabled {
            let detail = format!("version {}", patched.version);
            let secret = format!("{vault}/{name}");
            self.report(&TimelineEvent { at: now, kind: TimelineEventKind::VersionDisabled, secret, detail });
        }
        self.notify_of_patch(vault, name, &patched);
        Ok(patched)
    }

    /// Returns each secret's name and current version, by name.
    ///
    /// # Errors
    /// `NotFound` for an unknown vault.
    pub fn list_secrets(
        &self,
        vault: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<(String, Version)>, VaultRefusal> {
        let state = self.lock();
        let secrets = state.vault(vault)?.secrets.values();
        Ok(secrets
            .filter(|secret| secret.is_readable(now))
            .filter_map(|secret| Some((secret.name.clone(), secret.versions.last()?.clone())))
            .collect())
    }

    /// Returns all versions of a secret, disabled ones too, oldest first.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn list_versions(
        &self,
        vault: &str,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<Vec<Version>, VaultRefusal> {
        Ok(self.lock().readable_secret(vault, name, now)?.versions.clone())
    }

    /// Returns the vault's and the secret's name as they were first written.
    pub(crate) fn names(&self, vault: &str, secret: &str) -> Option<(String, String)> {
        let state = self.lock();
        let names = (state.vault(vault).ok()?.name.clone(), state.secret(vault, secret).ok()?.name.clone());
        Some(names)
    }

    /// Returns the current version, enabled or not; `None` for a deleted secret.
    pub(crate) fn current_version(&self, vault: &str, name: &str) -> Option<Version> {
        let state = self.lock();
        let secret = state.secret(vault, name).ok().filter(|secret| !secret.life.is_deleted())?;
        secret.versions.last().cloned()
    }
}

impl State {
    pub(super) fn vault(&self, name: &str) -> Result<&Vault, VaultRefusal> {
        self.vaults.get(&name.to_ascii_lowercase()).ok_or_else(|| VaultRefusal::NotFound(name.to_owned()))
    }

    pub(super) fn secret(&self, vault: &str, name: &str) -> Result<&Secret, VaultRefusal> {
        let secret = self.vault(vault)?.secrets.get(&name.to_ascii_lowercase());
        secret.ok_or_else(|| VaultRefusal::NotFound(name.to_owned()))
    }

    fn readable_secret(&self, vault: &str, name: &str, now: OffsetDateTime) -> Result<&Secret, VaultRefusal> {
        let secret = self.secret(vault, name)?;
        if secret.is_readable(now) { Ok(secret) } else { Err(VaultRefusal::NotFound(name.to_owned())) }
    }

    pub(super) fn is_named_by_a_version(&self, key_id: Uuid) -> bool {
        let key_id = key_id.to_string();
        let mut secrets = self.vaults.values().flat_map(|vault| vault.secrets.values());
        secrets.any(|secret| secret.names_credential(&key_id))
    }

    fn put(
        &mut self,
        vault: &str,
        name: &str,
        new: NewVersion,
        now: OffsetDateTime,
    ) -> Result<(Version, VersionCreated), VaultRefusal> {
        let Self { vaults, rng, counters, .. } = self;
        let unknown = || VaultRefusal::NotFound(vault.to_owned());
        let vault = vaults.get_mut(&vault.to_ascii_lowercase()).ok_or_else(unknown)?;
        vault.claim_name(name, now)?;
        let version = Version::new(new, now, rng);
        let secret = vault.secrets.entry(name.to_ascii_lowercase()).or_insert_with(|| Secret::named(name));
        if let Some(key_id) = version.tags.get(CREDENTIAL_ID).filter(|_| version.enabled) {
            counters.count_published();
            secret.rotations += u64::from(!secret.names_credential(key_id));
        }
        secret.versions.push(version.clone());
        let created = VersionCreated {
            vault: vault.name.clone(),
            secret: secret.name.clone(),
            version: version.version.clone(),
            at: now,
            not_before: version.not_before,
            expires: version.expires,
        };
        Ok((version, created))
    }

    fn patch(
        &mut self,
        vault: &str,
        name: &str,
        version: &str,
        change: VersionChange,
        now: OffsetDateTime,
    ) -> Result<(Version, bool), VaultRefusal> {
        let unknown = || VaultRefusal::NotFound(format!("{name}/{version}"));
        let vault = self.vaults.get_mut(&vault.to_ascii_lowercase()).ok_or_else(unknown)?;
        let secret = vault.secrets.get_mut(&name.to_ascii_lowercase()).ok_or_else(unknown)?;
        secret.check_writable(now)?;
        let is_it = |found: &&mut Version| found.version.eq_ignore_ascii_case(version);
        let found = match version {
            "" => secret.versions.last_mut(),
            _ => secret.versions.iter_mut().find(is_it),
        };
        let found = found.ok_or_else(unknown)?;
        let was_enabled = found.enabled;
        found.apply(change, now);
        Ok((found.clone(), was_enabled && !found.enabled))
    }
}

impl Vault {
    pub(super) fn named(name: &str) -> Self {
        let (options, quota) = (VaultOptions::default(), VaultQuota::of_vault());
        Self { name: name.to_owned(), secrets: BTreeMap::new(), options, quota }
    }

    pub(super) fn secret_mut(&mut self, name: &str) -> Result<&mut Secret, VaultRefusal> {
        let secret = self.secrets.get_mut(&name.to_ascii_lowercase());
        secret.ok_or_else(|| VaultRefusal::NotFound(name.to_owned()))
    }
}

impl Secret {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), versions: Vec::new(), rotations: 0, life: Life::Live }
    }

    /// Returns the requested version, otherwise the current one.
    pub(super) fn version(&self, version: Option<&str>) -> Result<&Version, VaultRefusal> {
        let found = match version {
            None => self.versions.last(),
            Some(id) => self.versions.iter().find(|found| found.version.eq_ignore_ascii_case(id)),
        };
        found.ok_or_else(|| VaultRefusal::NotFound(format!("{}/{}", self.name, version.unwrap_or_default())))
    }

    fn names_credential(&self, key_id: &str) -> bool {
        let named =
            |version: &Version| version.credential().is_some_and(|id| id.eq_ignore_ascii_case(key_id));
        self.versions.iter().any(named)
    }
}

impl TimelineEvent {
    fn of_put(version: &Version, created: &VersionCreated, now: OffsetDateTime) -> Self {
        let secret = format!("{}/{}", created.vault, created.secret);
        match version.credential() {
            Some(key_id) if version.enabled => {
                Self { at: now, kind: TimelineEventKind::Published, secret, detail: key_id.to_owned() }
            }
            Some(_) | None => {
                let detail = format!("version {}", created.version);
                Self { at: now, kind: TimelineEventKind::VersionAdded, secret, detail }
            }
        }
    }
}

#[cfg(test)]
mod tests;
