//! The catalogue: every managed secret, those of the configuration and those found by their tags.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::ManagedSecret;
use crate::domain::{ApplicationRef, Origin, SecretId};

/// What is managed now. Configured secrets stay; discovered ones come and go with their tags.
#[derive(Debug, Default)]
pub struct Catalogue {
    secrets: RwLock<BTreeMap<SecretId, Arc<ManagedSecret>>>,
}

impl Catalogue {
    /// A catalogue of what the configuration names.
    #[must_use]
    pub fn new(configured: impl IntoIterator<Item = ManagedSecret>) -> Self {
        let secrets = configured.into_iter().map(|managed| (managed.id.clone(), Arc::new(managed)));
        Self { secrets: RwLock::new(secrets.collect()) }
    }

    /// What is known of `secret`, if it is managed.
    #[must_use]
    pub fn find(&self, secret: &SecretId) -> Option<Arc<ManagedSecret>> {
        self.read().get(secret).cloned()
    }

    /// Every managed secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<ManagedSecret>> {
        self.read().values().cloned().collect()
    }

    /// Every managed secret that is bound to an application in this very way, or may be by its other GUID.
    #[must_use]
    pub fn of_application(&self, application: ApplicationRef) -> Vec<Arc<ManagedSecret>> {
        self.read().values().filter(|managed| managed.application == application).cloned().collect()
    }

    /// Puts `discovered` in the place of what was found before. What the configuration names, or has as a replica, is
    /// left out: a tag can't change it.
    pub fn replace_discovered(&self, discovered: impl IntoIterator<Item = ManagedSecret>) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|_, managed| managed.origin == Origin::Configured);
        let replicas: Vec<_> = secrets.values().flat_map(|managed| managed.replicas.clone()).collect();
        for managed in discovered {
            if !replicas.contains(&managed.id) {
                secrets.entry(managed.id.clone()).or_insert_with(|| Arc::new(managed));
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<SecretId, Arc<ManagedSecret>>> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner)
    }
}
