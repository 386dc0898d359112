//! The inventory: every credential of every visible application, and every secret of the vaults. Reads no secret
//! values.

mod collect;
mod item;

use std::collections::BTreeMap;

use time::OffsetDateTime;

pub use item::{Item, ItemKind};

use super::DiagnosticPorts;
use crate::config::Config;
use crate::domain::tags::Tags;
use crate::domain::{AppObjectId, Class, CredentialSeen, KeyId, LastUse, SecretId, SecretSeen};
use crate::ports::{Application, Credential, ListedSecret};
use collect::Collected;

/// All items, as far as they could be read.
#[derive(Debug)]
pub struct Inventory {
    /// Secrets by name, then credentials by application and end.
    pub items: Vec<Item>,
    /// The reads that failed, so that items may be missing.
    pub gaps: Vec<String>,
    /// The facts that are not known of the items.
    pub notes: Vec<String>,
}

impl Inventory {
    /// Reads everything. `with_usage` asks for the report on sign-ins as well, once an application: that takes two
    /// seconds each, since Graph allows no more.
    pub async fn take(
        config: &Config,
        ports: &DiagnosticPorts,
        now: OffsetDateTime,
        with_usage: bool,
    ) -> Self {
        let collected = collect::collect(config, ports, with_usage).await;
        let (holdings, owners) = (collected.holdings(), collected.owners());
        let secrets = collected.listed.iter().map(|(id, listed)| of_secret(&collected, id, listed, now));
        let mut items: Vec<_> = secrets.collect();
        items.sort_by(|one, other| one.name.cmp(&other.name));
        let mut credentials: Vec<_> = collected
            .applications
            .iter()
            .flat_map(|application| application.credentials.iter().map(move |each| (application, each)))
            .map(|(application, credential)| {
                let name = credential.display_name.as_deref();
                let owner = holdings.owner(application.object_id, credential.key_id, name);
                of_credential(&collected, (application, credential), owner, &owners, now)
            })
            .collect();
        credentials.sort_by_key(|item| (item.application.clone(), item.ends));
        items.extend(credentials);
        Self { items, gaps: collected.gaps, notes: collected.notes }
    }
}

fn of_secret(collected: &Collected, id: &SecretId, listed: &ListedSecret, now: OffsetDateTime) -> Item {
    let seen = SecretSeen {
        is_managed: collected.is_managed(id),
        has_lost_its_credential: collected.has_lost_its_credential(&listed.tags),
        expires: listed.expires,
    };
    let note = match (listed.is_managed_by_key_vault, listed.enabled) {
        (true, _) => "belongs to a certificate",
        (false, false) => "disabled",
        (false, true) => "",
    };
    Item {
        kind: ItemKind::Secret,
        name: id.to_string(),
        application: None,
        client_id: None,
        classes: seen.classes(now),
        owner: listed.tags.value(OWNER).map(str::to_owned),
        ends: listed.expires,
        days_left: listed.expires.map(|end| (end - now).whole_days()),
        last_sign_in: None,
        note: note.to_owned(),
    }
}

fn of_credential(
    collected: &Collected,
    (application, credential): (&Application, &Credential),
    owner: Class,
    owners: &BTreeMap<(AppObjectId, Option<KeyId>), String>,
    now: OffsetDateTime,
) -> Item {
    let (id, key_id) = (application.object_id, credential.key_id);
    let last_use = collected.last_use(id, key_id);
    let seen = CredentialSeen {
        owner,
        start: credential.start,
        end: credential.end,
        last_use,
        has_federation: collected.federated.contains(&id),
    };
    let person = owners.get(&(id, Some(key_id))).or_else(|| owners.get(&(id, None)));
    Item {
        kind: ItemKind::Credential,
        name: key_id.to_string(),
        application: Some(application.display_name.clone()),
        client_id: Some(application.client_id),
        classes: seen.classes(now),
        owner: person.cloned(),
        ends: Some(credential.end),
        days_left: Some((credential.end - now).whole_days()),
        last_sign_in: match last_use {
            LastUse::At(moment) => Some(moment),
            LastUse::Never | LastUse::Unknown => None,
        },
        note: credential.display_name.clone().unwrap_or_default(),
    }
}

/// Returns the credential that these tags name, if they name one.
fn named(tags: &Tags) -> Option<KeyId> {
    tags.credential_id().ok().flatten()
}

/// A tag that people write: the contact for a secret.
const OWNER: &str = "Owner";
