//! The managed secrets and their policies: `[policy]`, overlaid with each entry's own keys.

use std::collections::HashSet;

use time::Duration;

use super::azure::{VAULT_NAME, Vaults};
use super::problems::{Place, Problems};
use super::reader::{Found, Section};
use super::values;
use crate::domain::{
    AppObjectId, ApplicationRef, ClientId, Origin, PolicyProblem, PolicyValues, RotationPolicy, SecretId,
    SecretName, VaultName, VerifyPolicy,
};

/// A vault secret, the application whose credential it holds, and its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedSecret {
    /// Which secret of which vault.
    pub id: SecretId,
    /// Whose credential. Several secrets may share one application.
    pub application: ApplicationRef,
    /// `[policy]`, overlaid with the entry's own keys.
    pub policy: RotationPolicy,
    /// `[verify]`, overlaid with the entry's own keys.
    pub verify: VerifyPolicy,
    /// Other vault secrets that hold the same credential.
    pub replicas: Vec<SecretId>,
    /// Who says so.
    pub origin: Origin,
}

/// Secrets that are found by their tags.
#[derive(Debug, Clone)]
pub struct DiscoveryConfig {
    /// The vaults that are searched; none by default.
    pub vaults: Vec<VaultName>,
    /// The policy of what is found there, before its tags.
    pub policy: RotationPolicy,
    /// How what is found there is proven.
    pub verify: VerifyPolicy,
}

/// The table `[policy]` as far as it could be read.
pub(super) struct Policy {
    values: PolicyValues,
    is_sound: bool,
}

impl Policy {
    pub(super) fn read(mut section: Section<'_>, problems: &Problems) -> Self {
        let (values, given) = overlaid(&mut section, &PolicyValues::default());
        let refused = RotationPolicy::try_new(values.clone()).err().unwrap_or_default();
        for problem in &refused {
            tell(&section, problem, &given, problems);
        }
        section.finish();
        Self { values, is_sound: refused.is_empty() }
    }

    /// The policy of secrets that are found by their tags. `None` only if a problem was told.
    pub(super) fn of_discovered(&self) -> Option<RotationPolicy> {
        RotationPolicy::try_new(self.values.clone()).ok()
    }

    /// The policy of one secret. What is wrong with `[policy]` itself is not told again.
    fn of_secret(&self, section: &mut Section<'_>, problems: &Problems) -> Option<RotationPolicy> {
        let (values, given) = overlaid(section, &self.values);
        let refused = match RotationPolicy::try_new(values) {
            Ok(policy) => return Some(policy),
            Err(refused) => refused,
        };
        let is_news = |problem: &&PolicyProblem| self.is_sound || given.has(problem.key);
        for problem in refused.iter().filter(is_news) {
            tell(section, problem, &given, problems);
        }
        None
    }
}

/// The keys that a table itself gives.
struct Given(Vec<(&'static str, Option<Found<Duration>>)>);

impl Given {
    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(given, _)| *given == key)
    }

    fn is_unreadable(&self, key: &str) -> bool {
        self.0.iter().any(|(given, found)| *given == key && found.is_none())
    }

    fn found(&self, key: &str) -> Option<&Found<Duration>> {
        self.0.iter().find(|(given, _)| *given == key).and_then(|(_, found)| found.as_ref())
    }
}

fn overlaid(section: &mut Section<'_>, base: &PolicyValues) -> (PolicyValues, Given) {
    let (mut values, mut given) = (base.clone(), Given(Vec::new()));
    for (key, field) in FIELDS {
        let is_given = section.has(key);
        let found = section.text(key, values::span);
        if let Some(found) = &found {
            *field(&mut values) = found.value;
        } else if is_given {
            // Out of bounds: keeps the domain from comparing the others with a value that nobody meant.
            *field(&mut values) = -Duration::SECOND;
        }
        if is_given {
            given.0.push((key, found));
        }
    }
    (values, given)
}

fn tell(section: &Section<'_>, problem: &PolicyProblem, given: &Given, problems: &Problems) {
    if given.is_unreadable(problem.key) {
        return;
    }
    let path = section.path_of(problem.key);
    match given.found(problem.key) {
        Some(found) => problems.add(&found.place, format!("{path} is {}: {problem}", found.shown)),
        None => problems.add(section.place(), format!("{path}: {problem}")),
    }
}

pub(super) fn secrets(
    sections: Vec<Section<'_>>,
    policy: &Policy,
    vaults: &Vaults,
    problems: &Problems,
) -> Vec<ManagedSecret> {
    if sections.is_empty() {
        problems.add(&Place::File, "there is no secret: at least one [[secrets]] is needed");
    }
    let mut seen = HashSet::new();
    let one = |section| secret(section, policy, vaults, &mut seen, problems);
    sections.into_iter().filter_map(one).collect()
}

/// `None` only if a problem was told.
fn secret(
    mut section: Section<'_>,
    policy: &Policy,
    vaults: &Vaults,
    seen: &mut HashSet<SecretId>,
    problems: &Problems,
) -> Option<ManagedSecret> {
    let vault = section.required("vault", values::name::<VaultName>(VAULT_NAME));
    let name = section.required("name", values::name::<SecretName>(SECRET_NAME));
    if let Some(vault) = &vault
        && !vaults.has_unreadable_name
        && !vaults.named.contains(&vault.value)
    {
        let told = format!("{} is {}, which is not one of [[vaults]]", section.path_of("vault"), vault.shown);
        problems.add(&vault.place, told);
    }
    let id = vault.zip(name).map(|(vault, name)| (SecretId::new(vault.value, name.value), name.place));
    if let Some((id, place)) = &id
        && !seen.insert(id.clone())
    {
        problems.add(place, format!("secret {id} is listed twice"));
    }
    let application = application(&mut section);
    let policy = policy.of_secret(&mut section, problems);
    section.finish();
    Some(ManagedSecret {
        id: id?.0,
        application: application?,
        policy: policy?,
        verify: VerifyPolicy::default(),
        replicas: Vec::new(),
        origin: Origin::Configured,
    })
}

fn application(section: &mut Section<'_>) -> Option<ApplicationRef> {
    let is_given = (section.has("application_object_id"), section.has("client_id"));
    if is_given.0 == is_given.1 {
        let both = section.path_of("application_object_id");
        section.complain(format!("{both} or client_id: exactly one of them must be given"));
    }
    let object_id =
        section.text("application_object_id", values::name::<AppObjectId>("an object id (a GUID)"));
    let client_id = section.text("client_id", values::name::<ClientId>("a client id (a GUID)"));
    let object_id = object_id.map(|found| ApplicationRef::ObjectId(found.value));
    object_id.or(client_id.map(|found| ApplicationRef::ClientId(found.value)))
}

type Field = fn(&mut PolicyValues) -> &mut Duration;

const FIELDS: [(&str, Field); 6] = [
    ("validity", |values| &mut values.validity),
    ("rotate_before", |values| &mut values.rotate_before),
    ("overlap", |values| &mut values.overlap),
    ("orphan_grace", |values| &mut values.orphan_grace),
    ("critical", |values| &mut values.critical),
    ("deadline", |values| &mut values.deadline),
];

const SECRET_NAME: &str = "a secret name (1 to 127 letters, digits and hyphens)";
