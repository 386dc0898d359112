//! A vault's settings: network access, permission model, and retention of deleted secrets.

use serde::{Deserialize, Serialize};
use time::Duration;

use super::Model;

/// The networks that can reach a vault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// All networks.
    #[default]
    Open,
    /// Only allowed addresses, and ours is not one of them.
    Firewall,
    /// Only through a private link.
    Private,
}

/// The source of permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessModel {
    /// Azure roles.
    #[default]
    Rbac,
    /// The vault's own access policies; each role counts as a policy with the same permissions.
    AccessPolicies,
}

/// A vault's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultOptions {
    /// The networks that can reach it.
    pub network: Network,
    /// The source of permissions.
    pub access_model: AccessModel,
    /// The number of days for which a deleted secret can be recovered, from 7 to 90.
    pub retention_days: u8,
}

/// The longest retention in days, which is also the default.
pub(crate) const MAX_RETENTION_DAYS: u8 = 90;

/// The shortest retention in days.
pub(crate) const MIN_RETENTION_DAYS: u8 = 7;

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            network: Network::default(),
            access_model: AccessModel::default(),
            retention_days: MAX_RETENTION_DAYS,
        }
    }
}

impl VaultOptions {
    pub(super) fn retention(self) -> Duration {
        Duration::days(self.retention_days.into())
    }
}

impl Model {
    /// Returns a vault's settings; `None` if the vault doesn't exist.
    pub fn vault_options(&self, vault: &str) -> Option<VaultOptions> {
        Some(self.lock().vault(vault).ok()?.options)
    }

    /// Replaces a vault's settings; secrets that are already deleted keep their purge date. Returns `false` if the
    /// vault doesn't exist.
    pub fn set_vault_options(&self, vault: &str, options: VaultOptions) -> bool {
        let mut state = self.lock();
        let Some(vault) = state.vaults.get_mut(&vault.to_ascii_lowercase()) else { return false };
        vault.options = options;
        true
    }
}
