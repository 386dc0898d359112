//! Every managed secret as one look at the vaults shows it: the configured ones, and those that their tags name.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::domain::{ManagedSecret, SecretId, VaultName};
use crate::ports::ListedSecret;
use crate::reconcile::discovered;

/// What is managed.
#[derive(Debug)]
pub(super) struct Fleet {
    secrets: Vec<ManagedSecret>,
    /// The configured secrets and all their replicas: no tag changes what they are.
    fixed: BTreeSet<SecretId>,
}

impl Fleet {
    /// What the configuration names.
    pub(super) fn configured(config: &Config) -> Self {
        let secrets = config.secrets.clone();
        let fixed = secrets.iter().flat_map(|managed| managed.replicas.iter().chain([&managed.id]));
        let fixed = fixed.cloned().collect();
        Self { secrets, fixed }
    }

    /// Adds what the tags in a vault name, if the vault is one that is searched.
    pub(super) fn discover(&mut self, config: &Config, vault: &VaultName, listed: &[ListedSecret]) {
        if !config.discovery.vaults.contains(vault) {
            return;
        }
        let found = listed.iter().filter_map(|listed| discovered(&config.discovery, vault, listed));
        self.secrets.extend(found.filter(|managed| !self.fixed.contains(&managed.id)));
    }

    pub(super) fn secrets(&self) -> &[ManagedSecret] {
        &self.secrets
    }
}
