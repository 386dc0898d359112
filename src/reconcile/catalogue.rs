//! The catalogue: every managed secret, those of the configuration and those found by their tags.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::sweep::discovered;
use crate::domain::{ApplicationRef, DiscoveryRules, ManagedSecret, Origin, SecretId, VaultName};
use crate::ports::ListedSecret;

/// The secrets that are managed now. Configured secrets stay; discovered ones come and go with their tags.
#[derive(Debug, Default)]
pub struct Catalogue {
    secrets: RwLock<BTreeMap<SecretId, Arc<ManagedSecret>>>,
}

impl Catalogue {
    /// Returns a catalogue of the secrets that the configuration names.
    #[must_use]
    pub fn new(configured: impl IntoIterator<Item = ManagedSecret>) -> Self {
        let secrets = configured.into_iter().map(|managed| (managed.id.clone(), Arc::new(managed)));
        Self { secrets: RwLock::new(secrets.collect()) }
    }

    /// Returns the managed secret of this id, if there is one.
    #[must_use]
    pub fn find(&self, secret: &SecretId) -> Option<Arc<ManagedSecret>> {
        self.read().get(secret).cloned()
    }

    /// Returns the managed secret that this one is, or is a replica of.
    #[must_use]
    pub fn managing(&self, secret: &SecretId) -> Option<Arc<ManagedSecret>> {
        let secrets = self.read();
        secrets
            .get(secret)
            .or_else(|| secrets.values().find(|managed| managed.replicas.contains(secret)))
            .cloned()
    }

    /// Returns every managed secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<ManagedSecret>> {
        self.read().values().cloned().collect()
    }

    /// Returns every managed secret that names an application in exactly this way; those that name it by its other GUID
    /// are found when they are reconciled.
    #[must_use]
    pub fn of_application(&self, application: ApplicationRef) -> Vec<Arc<ManagedSecret>> {
        self.read().values().filter(|managed| managed.application == application).cloned().collect()
    }

    /// Replaces the secrets that were found before with `discovered`. Secrets that the configuration names, or has as
    /// replicas, are left out: a tag can't change them.
    pub fn replace_discovered(&self, discovered: impl IntoIterator<Item = ManagedSecret>) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        secrets.retain(|_, managed| managed.origin == Origin::Configured);
        add(&mut secrets, discovered);
    }

    /// Adds the secrets that tags bind among those listed in a vault, if discovery searches that vault. For callers
    /// that read each vault once; a sweep replaces what was found.
    pub fn add_listed(&self, discovery: &DiscoveryRules, vault: &VaultName, listed: &[ListedSecret]) {
        if discovery.vaults.contains(vault) {
            let found = listed.iter().filter_map(|secret| discovered(discovery, vault, secret));
            add(&mut self.secrets.write().unwrap_or_else(PoisonError::into_inner), found);
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<SecretId, Arc<ManagedSecret>>> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds secrets that nothing in `secrets` is or has as a replica.
fn add(
    secrets: &mut BTreeMap<SecretId, Arc<ManagedSecret>>,
    discovered: impl IntoIterator<Item = ManagedSecret>,
) {
    let replicas: Vec<_> = secrets.values().flat_map(|managed| managed.replicas.clone()).collect();
    for managed in discovered {
        if !replicas.contains(&managed.id) {
            secrets.entry(managed.id.clone()).or_insert_with(|| Arc::new(managed));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::domain::{PolicyValues, RotationPolicy, VerifyPolicy};

    fn managed(id: &str, replicas: &[&str], origin: Origin) -> ManagedSecret {
        ManagedSecret {
            id: id.parse().unwrap(),
            application: ApplicationRef::Either(uuid::Uuid::nil()),
            policy: RotationPolicy::try_new(PolicyValues::default()).unwrap(),
            verify: VerifyPolicy::for_scope("https://graph.microsoft.com/.default"),
            replicas: replicas.iter().map(|replica| replica.parse().unwrap()).collect(),
            origin,
        }
    }

    fn origin(catalogue: &Catalogue, id: &str) -> Option<Origin> {
        catalogue.find(&id.parse().unwrap()).map(|managed| managed.origin)
    }

    /// An event about a replica is handled as one about its primary.
    #[test]
    fn replica_event_concerns_its_primary() {
        let catalogue = Catalogue::new([managed("kv-1/app", &["kv-2/app"], Origin::Configured)]);
        for id in ["kv-1/app", "kv-2/app"] {
            assert_eq!(catalogue.managing(&id.parse().unwrap()).unwrap().id.to_string(), "kv-1/app");
        }
        assert!(catalogue.managing(&"kv-3/app".parse().unwrap()).is_none());
    }

    /// Discovered secrets never replace configured ones or their replicas, and they go when their tag goes.
    #[test]
    fn discovery_never_changes_configured_secrets() {
        let catalogue = Catalogue::new([managed("kv-1/app", &["kv-2/app"], Origin::Configured)]);
        let found = ["kv-1/app", "kv-2/app", "kv-1/new"].map(|id| managed(id, &[], Origin::Discovered));
        catalogue.replace_discovered(found);
        assert_eq!(origin(&catalogue, "kv-1/app"), Some(Origin::Configured));
        assert_eq!(origin(&catalogue, "kv-2/app"), None, "a replica has its primary");
        assert_eq!(origin(&catalogue, "kv-1/new"), Some(Origin::Discovered));
        catalogue.replace_discovered([]);
        assert_eq!(origin(&catalogue, "kv-1/new"), None, "its tag is gone");
    }
}
