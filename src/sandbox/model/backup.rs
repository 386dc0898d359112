//! Backups: opaque texts that only this sandbox can read. Each represents a secret with all its versions.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use time::OffsetDateTime;

use super::life::Life;
use super::refusal::VaultRefusal;
use super::vault::Secret;
use super::version::Version;
use super::{Model, State};

/// The most versions of a secret that can be backed up.
const MAX_VERSIONS: usize = 500;

/// The size of a backup without its versions, in bytes.
const FRAME: usize = 2048;

/// The size of each version, in bytes.
const PER_VERSION: usize = 1024;

impl Model {
    /// Backs up a secret with all its versions, disabled ones too. The returned text is only random bytes.
    ///
    /// # Errors
    /// `NotFound`; `BeingDeleted`, `BeingRecovered`; `BadParameter` beyond 500 versions.
    pub fn back_up(&self, vault: &str, name: &str, now: OffsetDateTime) -> Result<String, VaultRefusal> {
        let mut state = self.lock();
        let secret = state.secret(vault, name)?;
        secret.check_writable(now)?;
        if secret.versions.len() > MAX_VERSIONS {
            let message = format!("Secret {name} has more than 500 versions and can't be backed up.");
            return Err(VaultRefusal::BadParameter(message));
        }
        let secret = secret.clone();
        let State { rng, backups, .. } = &mut *state;
        let mut noise = vec![0; FRAME + PER_VERSION * secret.versions.len()];
        rng.fill(&mut noise);
        let backup = BASE64_URL_SAFE_NO_PAD.encode(noise);
        backups.insert(backup.clone(), secret);
        Ok(backup)
    }

    /// Restores a backed-up secret into a vault, as it was then. Returns the secret's name and current version, and
    /// notifies Event Grid of the version's expiry.
    ///
    /// # Errors
    /// `BadParameter` for anything that isn't a backup; `AlreadyExists`; `DeletedButRecoverable`, `BeingDeleted`,
    /// `BeingRecovered`; `NotFound` for an unknown vault.
    pub fn restore(
        &self,
        vault: &str,
        backup: &str,
        now: OffsetDateTime,
    ) -> Result<(String, Version), VaultRefusal> {
        let (vault, name, current) = self.lock().restore(vault, backup, now)?;
        // Its expiry events are planned, but it is not reported as a new version: Azure's behaviour is not documented,
        // and none of the versions is new.
        self.notify_of_patch(&vault, &name, &current);
        Ok((name, current))
    }
}

impl State {
    /// Restores a backed-up secret. Returns the vault's name, the secret's name and the current version.
    fn restore(
        &mut self,
        vault: &str,
        backup: &str,
        now: OffsetDateTime,
    ) -> Result<(String, String, Version), VaultRefusal> {
        let Self { vaults, backups, .. } = self;
        let broken = || VaultRefusal::BadParameter("The backup blob is not valid.".to_owned());
        let secret = Secret { life: Life::Live, ..backups.get(backup).ok_or_else(broken)?.clone() };
        let unknown = || VaultRefusal::NotFound(secret.name.clone());
        let vault = vaults.get_mut(&vault.to_ascii_lowercase()).ok_or_else(unknown)?;
        vault.claim_name(&secret.name, now)?;
        if vault.secret_mut(&secret.name).is_ok() {
            return Err(VaultRefusal::AlreadyExists(secret.name));
        }
        let restored = (vault.name.clone(), secret.name.clone(), secret.version(None)?.clone());
        vault.secrets.insert(secret.name.to_ascii_lowercase(), secret);
        Ok(restored)
    }
}

#[cfg(test)]
mod tests;
