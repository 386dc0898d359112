//! The managed secrets: `[[secrets]]`, each with its application, its replicas and its own rules.

use std::collections::HashSet;

use time::Duration;

use super::applications::Applications;
use super::azure::{VAULT_NAME, Vaults};
use super::policy::Policy;
use super::problems::{Location, Problems};
use super::reader::{Found, Section};
use super::values;
use super::verify::{Verify, deadline_of};
use crate::domain::{
    AppObjectId, ApplicationRef, ClientId, ManagedSecret, Origin, SecretId, SecretName, VaultName,
};

/// The parts of the configuration that every entry is read with.
pub(super) struct Rules<'a> {
    pub(super) policy: &'a Policy,
    pub(super) verify: &'a Verify,
    pub(super) vaults: &'a Vaults,
    pub(super) applications: &'a Applications,
    pub(super) problems: &'a Problems,
}

/// The entries as far as they could be read, and all listed names, including those of bad entries.
#[derive(Default)]
pub(super) struct SecretEntries {
    pub(super) managed: Vec<ManagedSecret>,
    named: HashSet<SecretId>,
    /// True if a name could not be read, so that no other name can be called unknown.
    has_unreadable_name: bool,
    replicas: Vec<Replica>,
    /// The shortest deadline of the secrets that inherit the limit of `[verify]`.
    tightest: Option<(Duration, SecretId)>,
}

/// A replica that an entry lists.
struct Replica {
    path: String,
    found: Found<SecretId>,
}

pub(super) fn secrets(sections: Vec<Section<'_>>, rules: &Rules<'_>) -> SecretEntries {
    if sections.is_empty() && rules.vaults.discovered.is_empty() {
        let message = "no secret is configured: add [[secrets]], or set discover = true in [[vaults]]";
        rules.problems.add(&Location::File, message);
    }
    let mut secrets = SecretEntries::default();
    for section in sections {
        let managed = secrets.read(section, rules);
        secrets.managed.extend(managed);
    }
    secrets.check_replicas(rules);
    secrets.check_deadlines(rules);
    secrets
}

impl SecretEntries {
    /// Reads one entry. Returns `None` only if a problem was reported.
    fn read(&mut self, mut section: Section<'_>, rules: &Rules<'_>) -> Option<ManagedSecret> {
        let id = self.name(&mut section, rules);
        let application = application(&mut section, rules);
        let policy = rules.policy.of_secret(&mut section, rules.problems);
        let verify = rules.verify.overlaid(section.table("verify"), rules.problems);
        let path = section.path_of("replicas");
        let replicas = section.texts("replicas", values::name::<SecretId>(SECRET_ID)).unwrap_or_default();
        section.finish();
        let managed = ManagedSecret {
            id: id?,
            application: application?,
            policy: policy?,
            verify: verify.policy.clone(),
            replicas: replicas.iter().map(|replica| replica.value.clone()).collect(),
            origin: Origin::Configured,
        };
        self.keep_deadline(&managed, &verify, rules);
        let listed = (1..).zip(replicas);
        self.replicas
            .extend(listed.map(|(index, found)| Replica { path: format!("{path}[{index}]"), found }));
        Some(managed)
    }

    fn name(&mut self, section: &mut Section<'_>, rules: &Rules<'_>) -> Option<SecretId> {
        let vault = section.required("vault", values::name::<VaultName>(VAULT_NAME));
        let name = section.required("name", values::name::<SecretName>(SECRET_NAME));
        if let Some(vault) = vault.as_ref().filter(|vault| !rules.vaults.may_have(&vault.value)) {
            let message =
                format!("{} is {}, which is not one of [[vaults]]", section.path_of("vault"), vault.shown);
            rules.problems.add(&vault.location, message);
        }
        let Some((vault, name)) = vault.zip(name) else {
            self.has_unreadable_name = true;
            return None;
        };
        let id = SecretId::new(vault.value, name.value);
        if !self.named.insert(id.clone()) {
            rules.problems.add(&name.location, format!("secret {id} is listed twice"));
        }
        Some(id)
    }

    /// Checks a secret's own limit against its deadline, or records the shortest deadline of those that inherit the
    /// limit.
    fn keep_deadline(&mut self, managed: &ManagedSecret, verify: &Verify, rules: &Rules<'_>) {
        let (deadline, id) = (managed.policy.deadline(), &managed.id);
        if verify.has_own_limit() {
            verify.check_deadline(deadline, &deadline_of(id), rules.problems);
        } else if self.tightest.as_ref().is_none_or(|(tightest, _)| deadline < *tightest) {
            self.tightest = Some((deadline, id.clone()));
        }
    }

    /// Reports once if the limit of `[verify]` is too long for a secret that inherits it.
    fn check_deadlines(&self, rules: &Rules<'_>) {
        let discovered = rules.policy.of_discovered().filter(|_| !rules.vaults.discovered.is_empty());
        let discovered = discovered.map(|policy| (policy.deadline(), "policy.deadline".to_owned()));
        let listed = self.tightest.as_ref().map(|(deadline, id)| (*deadline, deadline_of(id)));
        if let Some((deadline, whose)) = listed.into_iter().chain(discovered).min_by_key(|(least, _)| *least)
        {
            rules.verify.check_deadline(deadline, &whose, rules.problems);
        }
    }

    /// Returns true if a secret of this name is listed, or may be.
    pub(super) fn may_have(&self, id: &SecretId) -> bool {
        self.has_unreadable_name || self.named.contains(id)
    }

    fn check_replicas(&self, rules: &Rules<'_>) {
        let mut seen = HashSet::new();
        for Replica { path, found } in &self.replicas {
            let complaint = if !rules.vaults.may_have(&found.value.vault) {
                "which is not in one of [[vaults]]"
            } else if self.named.contains(&found.value) {
                "which is itself one of [[secrets]]"
            } else if !seen.insert(&found.value) {
                "which is listed as a replica twice"
            } else {
                continue;
            };
            rules.problems.add(&found.location, format!("{path} is {}, {complaint}", found.shown));
        }
    }
}

fn application(section: &mut Section<'_>, rules: &Rules<'_>) -> Option<ApplicationRef> {
    let is_given = (section.has("application_object_id"), section.has("client_id"));
    if is_given.0 == is_given.1 {
        let both = section.path_of("application_object_id");
        section.report(format!("{both} or client_id: exactly one of them must be set"));
    }
    let object_id =
        |text: &str| values::name::<AppObjectId>("an object id (a GUID)")(text).map(ApplicationRef::ObjectId);
    let client_id =
        |text: &str| values::name::<ClientId>("a client id (a GUID)")(text).map(ApplicationRef::ClientId);
    let object_id = section.text("application_object_id", object_id);
    let client_id = section.text("client_id", client_id);
    let key = if object_id.is_some() { "application_object_id" } else { "client_id" };
    let found = object_id.or(client_id)?;
    rules.applications.check(&section.path_of(key), &found, rules.problems);
    Some(found.value)
}

const SECRET_NAME: &str = "a secret name (1 to 127 letters, digits and hyphens)";

/// The text that completes "not …" for a secret named with its vault.
pub(super) const SECRET_ID: &str = "of the form VAULT/NAME";
