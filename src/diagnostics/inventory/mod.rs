//! The inventory: every credential of every visible application, and every secret of the vaults. It changes nothing.

mod gather;
mod item;

use std::collections::BTreeMap;

pub use item::{Item, Kind};

use crate::azure::Azure;
use crate::config::Config;
use crate::domain::tags::Tags;
use crate::domain::{AppObjectId, Class, CredentialSeen, KeyId, LastUse, SecretId, SecretSeen};
use crate::ports::{Application, Credential, ListedSecret};
use gather::Gathered;
use time::OffsetDateTime;

/// Everything that there is, as far as it could be read.
#[derive(Debug)]
pub struct Inventory {
    /// Secrets by name, then credentials by application and end.
    pub items: Vec<Item>,
    /// What could not be read, so that something may be missing.
    pub gaps: Vec<String>,
    /// What is not known of what was read.
    pub remarks: Vec<String>,
}

impl Inventory {
    /// Reads everything. `with_usage`: whether the report on sign-ins is asked, once an application: it takes two
    /// seconds each, since Graph allows no more.
    pub async fn take(config: &Config, azure: &Azure, now: OffsetDateTime, with_usage: bool) -> Self {
        let gathered = gather::gather(config, azure, with_usage).await;
        let (holdings, owners) = (gathered.holdings(), gathered.owners());
        let secrets = gathered.listed.iter().map(|(id, listed)| of_secret(&gathered, id, listed, now));
        let mut items: Vec<_> = secrets.collect();
        items.sort_by(|one, other| one.name.cmp(&other.name));
        let mut credentials: Vec<_> = gathered
            .applications
            .iter()
            .flat_map(|application| application.credentials.iter().map(move |each| (application, each)))
            .map(|(application, credential)| {
                let name = credential.display_name.as_deref();
                let owner = holdings.owner(application.object_id, credential.key_id, name);
                of_credential(&gathered, (application, credential), owner, &owners, now)
            })
            .collect();
        let key = |item: &Item| (item.application.clone(), item.ends);
        credentials.sort_by_key(key);
        items.extend(credentials);
        Self { items, gaps: gathered.gaps, remarks: gathered.remarks }
    }
}

fn of_secret(gathered: &Gathered, id: &SecretId, listed: &ListedSecret, now: OffsetDateTime) -> Item {
    let seen = SecretSeen {
        is_managed: gathered.is_managed(id),
        has_lost_its_credential: gathered.has_lost_its_credential(&listed.tags),
        expires: listed.expires,
    };
    let note = match (listed.is_managed_by_key_vault, listed.enabled) {
        (true, _) => "belongs to a certificate",
        (false, false) => "disabled",
        (false, true) => "",
    };
    Item {
        kind: Kind::Secret,
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
    gathered: &Gathered,
    (application, credential): (&Application, &Credential),
    owner: Class,
    owners: &BTreeMap<(AppObjectId, Option<KeyId>), String>,
    now: OffsetDateTime,
) -> Item {
    let last_use = gathered.last_use(application.object_id, credential.key_id);
    let seen = CredentialSeen {
        owner,
        start: credential.start,
        end: credential.end,
        last_use,
        has_federation: gathered.federated.contains(&application.object_id),
    };
    let owned_by = |key_id| owners.get(&(application.object_id, key_id)).cloned();
    Item {
        kind: Kind::Credential,
        name: credential.key_id.to_string(),
        application: Some(application.display_name.clone()),
        client_id: Some(application.client_id),
        classes: seen.classes(now),
        owner: owned_by(Some(credential.key_id)).or_else(|| owned_by(None)),
        ends: Some(credential.end),
        days_left: Some((credential.end - now).whole_days()),
        last_sign_in: match last_use {
            LastUse::At(moment) => Some(moment),
            LastUse::Never | LastUse::Unknown => None,
        },
        note: credential.display_name.clone().unwrap_or_default(),
    }
}

/// The credential that these tags name, if they name one.
fn named(tags: &Tags) -> Option<KeyId> {
    tags.credential_id().ok().flatten()
}

/// A tag that people write: whom to ask about a secret.
const OWNER: &str = "Owner";
