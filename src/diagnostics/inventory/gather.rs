//! Reading everything that an inventory shows. What can't be read is noted, and the rest is read all the same.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use time::OffsetDateTime;

use super::{OWNER, named};
use crate::azure::Azure;
use crate::config::Config;
use crate::diagnostics::fleet::Fleet;
use crate::domain::tags::{SupersededIndex, Tags};
use crate::domain::{
    AppObjectId, ApplicationFacts, ApplicationRef, ClientId, Holdings, KeyId, LastUse, ManagedSecret, Marker,
    SecretId, consents, denied_reason,
};
use crate::ports::{
    Application, CredentialIssuer as _, Directory as _, ListedSecret, SecretStore as _, Usage,
    UsageReport as _, chain,
};

/// What was read.
pub(super) struct Gathered {
    pub(super) listed: Vec<(SecretId, ListedSecret)>,
    pub(super) applications: Vec<Application>,
    pub(super) federated: BTreeSet<AppObjectId>,
    pub(super) gaps: Vec<String>,
    pub(super) remarks: Vec<String>,
    fleet: Fleet,
    /// The secrets that the configuration or a tag binds, and the loop refuses to rotate.
    refused: BTreeSet<SecretId>,
    /// What versions of managed secrets name, whatever application that is of.
    held: BTreeMap<SecretId, BTreeSet<KeyId>>,
    usage: BTreeMap<AppObjectId, BTreeMap<KeyId, OffsetDateTime>>,
}

/// Reads everything, vaults first: versions before credentials, so that nothing published meanwhile looks orphaned.
pub(super) async fn gather(config: &Config, azure: &Azure, with_usage: bool) -> Gathered {
    let mut gathered = Gathered {
        listed: Vec::new(),
        applications: Vec::new(),
        federated: BTreeSet::new(),
        gaps: Vec::new(),
        remarks: Vec::new(),
        fleet: Fleet::configured(config),
        refused: BTreeSet::new(),
        held: BTreeMap::new(),
        usage: BTreeMap::new(),
    };
    gathered.read_vaults(config, azure).await;
    gathered.read_versions(azure).await;
    match azure.graph.list_applications().await {
        Ok(applications) => gathered.applications = applications,
        Err(error) => gathered.gaps.push(format!("applications: {}", chain(&error))),
    }
    gathered.judge(config, azure).await;
    gathered.read_federation(azure).await;
    if with_usage {
        gathered.read_usage(azure).await;
    }
    gathered
}

impl Gathered {
    async fn read_vaults(&mut self, config: &Config, azure: &Azure) {
        for vault in config.vaults.iter().map(|vault| &vault.name) {
            match azure.key_vault.list_secrets(vault).await {
                Ok(listed) => {
                    self.fleet.discover(config, vault, &listed);
                    let named = |one: ListedSecret| (SecretId::new(vault.clone(), one.name.clone()), one);
                    self.listed.extend(listed.into_iter().map(named));
                }
                Err(error) => self.gaps.push(format!("vault {vault}: {}", chain(&error))),
            }
        }
    }

    async fn read_versions(&mut self, azure: &Azure) {
        let read = async |id: SecretId| (azure.key_vault.list_versions(&id).await, id);
        let ids: Vec<_> = self.fleet.secrets().iter().map(|managed| managed.id.clone()).collect();
        let read: Vec<_> = futures::stream::iter(ids).map(read).buffered(AT_A_TIME).collect().await;
        for (answer, id) in read {
            match answer {
                Ok(versions) => {
                    let held = versions.iter().flat_map(|version| held_by(&version.tags)).collect();
                    self.held.insert(id, held);
                }
                Err(error) => self.gaps.push(format!("versions of {id}: {}", chain(&error))),
            }
        }
    }

    /// Applies the rule that the loop follows: a tag alone makes nothing managed.
    async fn judge(&mut self, config: &Config, azure: &Azure) {
        let caller = azure.graph.read_caller().await.ok().and_then(|caller| caller.client_id);
        let own = caller.or_else(|| config.identity.client_id());
        let refused = self.bound().filter(|(managed, application)| {
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

    async fn read_federation(&mut self, azure: &Azure) {
        let ids: Vec<_> = self.with_credentials().map(|application| application.object_id).collect();
        let read = async |id| (azure.graph.has_federated_credentials(id).await, id);
        let read: Vec<_> = futures::stream::iter(ids).map(read).buffered(AT_A_TIME).collect().await;
        for (answer, id) in read {
            match answer {
                Ok(true) => {
                    self.federated.insert(id);
                }
                Ok(false) => {}
                Err(error) => {
                    self.remarks.push(format!(
                        "whether application {id} could be secretless is not known: {}",
                        chain(&error)
                    ));
                }
            }
        }
    }

    /// One application after the other: the report allows few requests. Where there is none, nobody asks again.
    async fn read_usage(&mut self, azure: &Azure) {
        let ids: Vec<(AppObjectId, ClientId)> = self
            .with_credentials()
            .map(|application| (application.object_id, application.client_id))
            .collect();
        for (id, client_id) in ids {
            match azure.graph.last_sign_ins(client_id).await {
                Ok(Usage::Known(seen)) => {
                    self.usage.insert(id, seen);
                }
                Ok(Usage::Unavailable(why)) => {
                    self.remarks.push(format!("what was never used is not known: {why}"));
                    return;
                }
                Err(error) => self
                    .remarks
                    .push(format!("the last sign-ins of application {id} are not known: {}", chain(&error))),
            }
        }
    }

    fn with_credentials(&self) -> impl Iterator<Item = &Application> {
        self.applications.iter().filter(|application| !application.credentials.is_empty())
    }

    /// Whether rekeyd writes this secret, as a primary or as a replica.
    pub(super) fn is_managed(&self, id: &SecretId) -> bool {
        self.managed().any(|managed| managed.id == *id || managed.replicas.contains(id))
    }

    /// Whether these tags name a credential that is nowhere, although applications could be listed.
    pub(super) fn has_lost_its_credential(&self, tags: &Tags) -> bool {
        let is_there = |key_id| {
            let mut all = self.applications.iter().flat_map(|application| &application.credentials);
            all.any(|credential| credential.key_id == key_id)
        };
        !self.applications.is_empty() && named(tags).is_some_and(|key_id| !is_there(key_id))
    }

    /// Whose the credentials of managed applications are.
    pub(super) fn holdings(&self) -> Holdings {
        let mut holdings = Holdings::default();
        for (managed, application) in self.bound() {
            holdings.markers.push(Marker::of(&managed.id));
            let held = self.held.get(&managed.id).into_iter().flatten().copied();
            holdings.held.entry(application.object_id).or_default().extend(held);
        }
        holdings
    }

    /// Whom the tag `Owner` names, by credential, and by application for all its others.
    pub(super) fn owners(&self) -> BTreeMap<(AppObjectId, Option<KeyId>), String> {
        let mut owners = BTreeMap::new();
        for (managed, application) in self.bound() {
            let listed = self.listed.iter().find(|(id, _)| *id == managed.id);
            let Some(owner) = listed.and_then(|(_, listed)| listed.tags.value(OWNER)) else { continue };
            let held = self.held.get(&managed.id).into_iter().flatten();
            for key_id in held.copied().map(Some).chain([None]) {
                owners.entry((application.object_id, key_id)).or_insert_with(|| owner.to_owned());
            }
        }
        owners
    }

    /// When a credential last signed in, as far as the report was read.
    pub(super) fn last_use(&self, application: AppObjectId, key_id: KeyId) -> LastUse {
        match self.usage.get(&application) {
            None => LastUse::Unknown,
            Some(seen) => seen.get(&key_id).map_or(LastUse::Never, |moment| LastUse::At(*moment)),
        }
    }

    /// The managed secrets whose application can be seen.
    fn bound(&self) -> impl Iterator<Item = (&ManagedSecret, &Application)> {
        let found = |managed: &ManagedSecret| {
            self.applications.iter().find(|application| is_meant(managed.application, application))
        };
        self.managed().filter_map(move |managed| Some((managed, found(managed)?)))
    }

    fn managed(&self) -> impl Iterator<Item = &ManagedSecret> {
        self.fleet.secrets().iter().filter(|managed| !self.refused.contains(&managed.id))
    }
}

fn is_meant(reference: ApplicationRef, application: &Application) -> bool {
    match reference {
        ApplicationRef::ObjectId(id) => application.object_id == id,
        ApplicationRef::ClientId(id) => application.client_id == id,
        ApplicationRef::Either(id) => application.object_id.0 == id || application.client_id.0 == id,
    }
}

/// The credential that a version names, and those that its index names.
fn held_by(tags: &Tags) -> Vec<KeyId> {
    let indexed = match tags.superseded() {
        Ok(SupersededIndex::Ids(ids)) => ids,
        Ok(SupersededIndex::Many) | Err(_) => Vec::new(),
    };
    named(tags).into_iter().chain(indexed).collect()
}

const AT_A_TIME: usize = 8;
