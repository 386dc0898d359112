//! What a vault is set to: who reaches it, how it knows who may do what, how long it keeps what is deleted.

use serde::{Deserialize, Serialize};
use time::Duration;

use super::Model;

/// From where a vault can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// From everywhere.
    #[default]
    Open,
    /// From addresses among which ours isn't.
    Firewall,
    /// Only through a private link.
    Private,
}

/// What says who may do what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessModel {
    /// Azure roles.
    #[default]
    Rbac,
    /// The vault's own access policies; each role is taken as a policy with the same permissions.
    AccessPolicies,
}

/// A vault's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VaultOptions {
    /// From where it can be reached.
    pub network: Network,
    /// What says who may do what.
    pub access_model: AccessModel,
    /// For how many days what is deleted can be recovered, from 7 to 90.
    pub retention_days: u8,
}

/// The longest retention, which is the default too.
pub(crate) const MAX_RETENTION_DAYS: u8 = 90;

/// The shortest retention.
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
    /// A vault's settings; `None` if there is no such vault.
    pub fn vault_options(&self, vault: &str) -> Option<VaultOptions> {
        Some(self.lock().vault(vault).ok()?.options)
    }

    /// Replaces a vault's settings; secrets that are deleted already keep their purge date. `false` if there is no such vault.
    pub fn set_vault_options(&self, vault: &str, options: VaultOptions) -> bool {
        let mut state = self.lock();
        let Some(vault) = state.vaults.get_mut(&vault.to_ascii_lowercase()) else { return false };
        vault.options = options;
        true
    }
}
