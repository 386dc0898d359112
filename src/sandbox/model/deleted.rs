//! Soft delete: a deleted secret keeps its name and all its versions until it is recovered or purged.
//!
//! ```text
//!         DELETE            some seconds                 POST …/recover        some seconds
//! live ──────────► being deleted ─────► deleted ───────────────────► being recovered ─────► live
//!                                          │ DELETE, or its date
//!                                          ▼
//!                                       purged: the name is free
//! ```
//!
//! Nothing runs in the background: a secret's state is computed from `now` on each request.

use std::ops::RangeInclusive;

use time::{Duration, OffsetDateTime};

use super::life::{Deletion, Life, Stage};
use super::refusal::VaultRefusal;
use super::vault::{Secret, Vault};
use super::version::Version;
use super::{Model, State};

/// The duration of a deletion or a recovery, in milliseconds.
const TRANSITION: RangeInclusive<i64> = 2000..=6000;

/// The additional time, in milliseconds, until a readable recovered secret can be written.
const WRITES_LAG: RangeInclusive<i64> = 500..=1500;

/// A deleted secret, as it is shown.
#[derive(Debug, Clone)]
pub struct DeletedSecret {
    /// Its name as it was first written.
    pub name: String,
    /// The version that was current.
    pub version: Version,
    /// When it was deleted, in whole seconds.
    pub deleted: OffsetDateTime,
    /// When it will be purged by itself, in whole seconds.
    pub purge: OffsetDateTime,
}

impl Model {
    /// Begins to delete a secret with all its versions; it is shown as deleted after a few seconds.
    ///
    /// # Errors
    /// `NotFound`, also for a deleted one; `BeingDeleted`, `BeingRecovered`.
    pub fn delete_secret(
        &self,
        vault: &str,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<DeletedSecret, VaultRefusal> {
        let mut state = self.lock();
        let State { vaults, rng, .. } = &mut *state;
        let vault = vaults.get_mut(&vault.to_ascii_lowercase());
        let vault = vault.ok_or_else(|| VaultRefusal::NotFound(name.to_owned()))?;
        let retention = vault.options.retention();
        let secret = vault.secret_mut(name)?;
        secret.check_writable(now)?;
        let began = now.truncate_to_second();
        let ended = now + Duration::milliseconds(rng.i64(TRANSITION));
        let deletion = Deletion { began, ended, purge: began + retention };
        secret.life = Life::Deleted(deletion);
        secret.shown_deleted(deletion)
    }

    /// Returns a deleted secret.
    ///
    /// # Errors
    /// `DeletedNotFound`, also while it is still being deleted.
    pub fn deleted_secret(
        &self,
        vault: &str,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<DeletedSecret, VaultRefusal> {
        let state = self.lock();
        let secret = state.secret(vault, name).map_err(|_| VaultRefusal::DeletedNotFound(name.to_owned()))?;
        match secret.life.stage(now) {
            Stage::Deleted(deletion) => secret.shown_deleted(deletion),
            Stage::Live | Stage::BeingDeleted | Stage::BeingRecovered { .. } | Stage::Purged => {
                Err(VaultRefusal::DeletedNotFound(name.to_owned()))
            }
        }
    }

    /// Returns all deleted secrets, by name.
    ///
    /// # Errors
    /// `NotFound` for an unknown vault.
    pub fn list_deleted(&self, vault: &str, now: OffsetDateTime) -> Result<Vec<DeletedSecret>, VaultRefusal> {
        let state = self.lock();
        let shown = |secret: &Secret| match secret.life.stage(now) {
            Stage::Deleted(deletion) => secret.shown_deleted(deletion).ok(),
            Stage::Live | Stage::BeingDeleted | Stage::BeingRecovered { .. } | Stage::Purged => None,
        };
        Ok(state.vault(vault)?.secrets.values().filter_map(shown).collect())
    }

    /// Recovers a deleted secret as it was; it is readable after a few seconds, and writable shortly afterwards.
    ///
    /// # Errors
    /// `DeletedNotFound`; `BeingDeleted`, `BeingRecovered`.
    pub fn recover_secret(
        &self,
        vault: &str,
        name: &str,
        now: OffsetDateTime,
    ) -> Result<Version, VaultRefusal> {
        let mut state = self.lock();
        let State { vaults, rng, .. } = &mut *state;
        let secret = deleted_mut(vaults.get_mut(&vault.to_ascii_lowercase()), name, now)?;
        let readable = now + Duration::milliseconds(rng.i64(TRANSITION));
        let writable = readable + Duration::milliseconds(rng.i64(WRITES_LAG));
        secret.life = Life::Recovered { readable, writable };
        secret.version(None).cloned()
    }

    /// Purges a deleted secret permanently; its name is free at once.
    ///
    /// # Errors
    /// `DeletedNotFound`; `BeingDeleted`, `BeingRecovered`.
    pub fn purge_secret(&self, vault: &str, name: &str, now: OffsetDateTime) -> Result<(), VaultRefusal> {
        let mut state = self.lock();
        let vault = state.vaults.get_mut(&vault.to_ascii_lowercase());
        let vault = vault.ok_or_else(|| VaultRefusal::DeletedNotFound(name.to_owned()))?;
        deleted_mut(Some(&mut *vault), name, now)?;
        vault.secrets.remove(&name.to_ascii_lowercase());
        Ok(())
    }
}

fn deleted_mut<'a>(
    vault: Option<&'a mut Vault>,
    name: &str,
    now: OffsetDateTime,
) -> Result<&'a mut Secret, VaultRefusal> {
    let unknown = || VaultRefusal::DeletedNotFound(name.to_owned());
    let secret = vault.and_then(|vault| vault.secret_mut(name).ok()).ok_or_else(unknown)?;
    match secret.life.stage(now) {
        Stage::Deleted(_) => Ok(secret),
        Stage::Live | Stage::Purged => Err(unknown()),
        Stage::BeingDeleted => Err(VaultRefusal::BeingDeleted(secret.name.clone())),
        Stage::BeingRecovered { .. } => Err(VaultRefusal::BeingRecovered(secret.name.clone())),
    }
}

impl Secret {
    pub(super) fn is_readable(&self, now: OffsetDateTime) -> bool {
        match self.life.stage(now) {
            Stage::Live => true,
            Stage::BeingRecovered { readable } => readable,
            Stage::BeingDeleted | Stage::Deleted(_) | Stage::Purged => false,
        }
    }

    /// Returns true if its purge date has passed, although it may not have been removed yet.
    pub(super) fn is_purged(&self, now: OffsetDateTime) -> bool {
        matches!(self.life.stage(now), Stage::Purged)
    }

    /// Checks if the secret may be changed, deleted or backed up.
    ///
    /// # Errors
    /// `NotFound` if it is deleted; `BeingDeleted`, `BeingRecovered`.
    pub(super) fn check_writable(&self, now: OffsetDateTime) -> Result<(), VaultRefusal> {
        match self.life.stage(now) {
            Stage::Live => Ok(()),
            Stage::BeingDeleted => Err(VaultRefusal::BeingDeleted(self.name.clone())),
            Stage::BeingRecovered { .. } => Err(VaultRefusal::BeingRecovered(self.name.clone())),
            Stage::Deleted(_) | Stage::Purged => Err(VaultRefusal::NotFound(self.name.clone())),
        }
    }

    fn shown_deleted(&self, deletion: Deletion) -> Result<DeletedSecret, VaultRefusal> {
        Ok(DeletedSecret {
            name: self.name.clone(),
            version: self.version(None)?.clone(),
            deleted: deletion.began,
            purge: deletion.purge,
        })
    }
}

impl Vault {
    /// Checks that a version may be put under this name, and removes a secret whose purge date has passed.
    ///
    /// # Errors
    /// `DeletedButRecoverable`, `BeingDeleted`, `BeingRecovered`.
    pub(super) fn claim_name(&mut self, name: &str, now: OffsetDateTime) -> Result<(), VaultRefusal> {
        let key = name.to_ascii_lowercase();
        match self.secrets.get(&key).map_or(Stage::Live, |secret| secret.life.stage(now)) {
            Stage::Live => {}
            Stage::Purged => drop(self.secrets.remove(&key)),
            Stage::Deleted(_) => return Err(VaultRefusal::DeletedButRecoverable(name.to_owned())),
            Stage::BeingDeleted => return Err(VaultRefusal::BeingDeleted(name.to_owned())),
            Stage::BeingRecovered { .. } => return Err(VaultRefusal::BeingRecovered(name.to_owned())),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
