//! The reads behind an inventory. An error is noted, and the rest is read all the same. Classifies nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use time::OffsetDateTime;

use super::{OWNER, named};
use crate::config::Config;
use crate::diagnostics::{CONCURRENT_CALLS, DiagnosticPorts};
use crate::domain::tags::{SupersededIndex, Tags};
use crate::domain::{
    AppObjectId, ApplicationFacts, ApplicationRef, ClientId, Holdings, KeyId, LastUse, ManagedSecret, Marker,
    SecretId, consents, denied_reason,
};
use crate::ports::{Application, ListedSecret, Usage, chain};
use crate::reconcile::Catalogue;

/// Everything that was read.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) listed: Vec<(SecretId, ListedSecret)>,
    pub(super) applications: Vec<Application>,
    pub(super) federated: BTreeSet<AppObjectId>,
    pub(super) gaps: Vec<String>,
    pub(super) notes: Vec<String>,
    /// The secrets that the configuration or a tag binds.
    bound: Vec<Arc<ManagedSecret>>,
    /// Those of them that the reconcile loop refuses to rotate.
    refused: BTreeSet<SecretId>,
    /// The credentials that versions of bound secrets name, of whatever application.
    held: BTreeMap<SecretId, BTreeSet<KeyId>>,
    usage: BTreeMap<AppObjectId, BTreeMap<KeyId, OffsetDateTime>>,
}

/// Reads everything, vaults first: versions before credentials, so that nothing published meanwhile looks orphaned.
pub(super) async fn collect(config: &Config, ports: &DiagnosticPorts, with_usage: bool) -> Collected {
    let mut collected = Collected::default();
    collected.read_vaults(config, ports).await;
    collected.read_versions(ports).await;
    match ports.directory.list_applications().await {
        Ok(applications) => collected.applications = applications,
        Err(error) => collected.gaps.push(format!("applications: {}", chain(&error))),
    }
    collected.find_refused(config, ports).await;
    collected.read_federation(ports).await;
    if with_usage {
        collected.read_usage(ports).await;
    }
    collected
}

impl Collected {
    async fn read_vaults(&mut self, config: &Config, ports: &DiagnosticPorts) {
        let catalogue = Catalogue::new(config.secrets.iter().cloned());
        for vault in config.vaults.iter().map(|vault| &vault.name) {
            match ports.reconcile.store.list_secrets(vault).await {
                Ok(listed) => {
                    catalogue.add_listed(&config.discovery, vault, &listed);
                    let ids = listed.iter().map(|one| SecretId::new(vault.clone(), one.name.clone()));
                    let ids: Vec<_> = ids.collect();
                    self.listed.extend(ids.into_iter().zip(listed));
                }
                Err(error) => self.gaps.push(format!("vault {vault}: {}", chain(&error))),
            }
        }
        self.bound = catalogue.list();
    }

    async fn read_versions(&mut self, ports: &DiagnosticPorts) {
        let store = &ports.reconcile.store;
        let read: Vec<_> = futures::stream::iter(&self.bound)
            .map(async |managed| (store.list_versions(&managed.id).await, &managed.id))
            .buffered(CONCURRENT_CALLS)
            .collect()
            .await;
        for (answer, id) in read {
            match answer {
                Ok(versions) => {
                    let held = versions.iter().flat_map(|version| held_by(&version.tags)).collect();
                    self.held.insert(id.clone(), held);
                }
                Err(error) => self.gaps.push(format!("versions of {id}: {}", chain(&error))),
            }
        }
    }

    /// Applies the rule that the reconcile loop follows: a tag alone makes nothing managed.
    async fn find_refused(&mut self, config: &Config, ports: &DiagnosticPorts) {
        let identity =
            ports.reconcile.issuer.read_own_identity().await.ok().and_then(|identity| identity.client_id);
        let own = identity.or_else(|| config.identity.client_id());
        let refused = self.with_application().filter(|(managed, application)| {
            let facts = ApplicationFacts {
                object_id: application.object_id,
                client_id: application.client_id,
                consents: consents(&managed.id, application.tags.iter().map(String::as_str)),
                is_public_only: application.is_public_only,
                is_own: own == Some(application.client_id),
            };
            denied_reason(managed.origin, &facts, &config.applications).is_some()
        });
        self.refused = refused.map(|(managed, _)| managed.id.clone()).collect();
    }

    async fn read_federation(&mut self, ports: &DiagnosticPorts) {
        let ids: Vec<_> = self.with_credentials().map(|application| application.object_id).collect();
        let read: Vec<_> = futures::stream::iter(ids)
            .map(async |id| (ports.directory.has_federated_credentials(id).await, id))
            .buffered(CONCURRENT_CALLS)
            .collect()
            .await;
        for (answer, id) in read {
            match answer {
                Ok(true) => {
                    self.federated.insert(id);
                }
                Ok(false) => {}
                Err(error) => {
                    self.notes.push(format!(
                        "can't read the federated credentials of application {id}: {}",
                        chain(&error)
                    ));
                }
            }
        }
    }

    /// Reads one application after the other: the report allows few requests. Stops if the tenant has no report.
    async fn read_usage(&mut self, ports: &DiagnosticPorts) {
        let ids: Vec<(AppObjectId, ClientId)> = self
            .with_credentials()
            .map(|application| (application.object_id, application.client_id))
            .collect();
        for (id, client_id) in ids {
            match ports.reconcile.usage.last_sign_ins(client_id).await {
                Ok(Usage::Known(seen)) => {
                    self.usage.insert(id, seen);
                }
                Ok(Usage::Unavailable(why)) => {
                    self.notes.push(format!("never used credentials are not known: {why}"));
                    return;
                }
                Err(error) => self
                    .notes
                    .push(format!("can't read the last sign-ins of application {id}: {}", chain(&error))),
            }
        }
    }

    fn with_credentials(&self) -> impl Iterator<Item = &Application> {
        self.applications.iter().filter(|application| !application.credentials.is_empty())
    }

    /// Returns true if rekeyd writes this secret, as a primary or as a replica.
    pub(super) fn is_managed(&self, id: &SecretId) -> bool {
        self.managed().any(|managed| managed.id == *id || managed.replicas.contains(id))
    }

    /// Returns true if these tags name a credential that no application has, although applications could be listed.
    pub(super) fn has_lost_its_credential(&self, tags: &Tags) -> bool {
        !self.applications.is_empty() && named(tags).is_some_and(|key_id| !self.has_credential(key_id))
    }

    fn has_credential(&self, key_id: KeyId) -> bool {
        let mut all = self.applications.iter().flat_map(|application| &application.credentials);
        all.any(|credential| credential.key_id == key_id)
    }

    /// Returns the credentials of managed applications that are rekeyd's.
    pub(super) fn holdings(&self) -> Holdings {
        let mut holdings = Holdings::default();
        for (managed, application) in self.with_application() {
            holdings.markers.push(Marker::of(&managed.id));
            let held = self.held.get(&managed.id).into_iter().flatten().copied();
            holdings.held.entry(application.object_id).or_default().extend(held);
        }
        holdings
    }

    /// Returns the values of the tag `Owner`, by credential, and by application for all its others.
    pub(super) fn owners(&self) -> BTreeMap<(AppObjectId, Option<KeyId>), String> {
        let mut owners = BTreeMap::new();
        for (managed, application) in self.with_application() {
            let listed = self.listed.iter().find(|(id, _)| *id == managed.id);
            let Some(owner) = listed.and_then(|(_, listed)| listed.tags.value(OWNER)) else { continue };
            let held = self.held.get(&managed.id).into_iter().flatten();
            for key_id in held.copied().map(Some).chain([None]) {
                owners.entry((application.object_id, key_id)).or_insert_with(|| owner.to_owned());
            }
        }
        owners
    }

    /// Returns the moment of a credential's last sign-in, as far as the report was read.
    pub(super) fn last_use(&self, application: AppObjectId, key_id: KeyId) -> LastUse {
        match self.usage.get(&application) {
            None => LastUse::Unknown,
            Some(seen) => seen.get(&key_id).map_or(LastUse::Never, |moment| LastUse::At(*moment)),
        }
    }

    /// Returns the managed secrets whose application can be seen, each with it.
    fn with_application(&self) -> impl Iterator<Item = (&ManagedSecret, &Application)> {
        self.managed().filter_map(|managed| {
            let mut all = self.applications.iter();
            Some((managed, all.find(|application| is_named(managed.application, application))?))
        })
    }

    fn managed(&self) -> impl Iterator<Item = &ManagedSecret> {
        self.bound.iter().map(Arc::as_ref).filter(|managed| !self.refused.contains(&managed.id))
    }
}

/// Returns true if `reference` names the application.
fn is_named(reference: ApplicationRef, application: &Application) -> bool {
    match reference {
        ApplicationRef::ObjectId(id) => application.object_id == id,
        ApplicationRef::ClientId(id) => application.client_id == id,
        ApplicationRef::Either(id) => application.object_id.0 == id || application.client_id.0 == id,
    }
}

/// Returns the credential that a version names, and those that its index names.
fn held_by(tags: &Tags) -> Vec<KeyId> {
    let indexed = match tags.superseded() {
        Ok(SupersededIndex::Ids(ids)) => ids,
        Ok(SupersededIndex::Many) | Err(_) => Vec::new(),
    };
    named(tags).into_iter().chain(indexed).collect()
}
