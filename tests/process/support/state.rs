//! The complete state, as `/_sandbox/state` returns it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

#[derive(Debug, Deserialize)]
pub(crate) struct State {
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) now: OffsetDateTime,
    pub(crate) consumers: Consumers,
    applications: Vec<Application>,
    vaults: Vec<Vault>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Consumers {
    pub(crate) sign_ins: u64,
    pub(crate) failures: u64,
}

#[derive(Debug, Deserialize)]
struct Application {
    credentials: Vec<Credential>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Credential {
    pub(crate) key_id: String,
    display_name: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    end: OffsetDateTime,
}

#[derive(Debug, Deserialize)]
struct Vault {
    name: String,
    secrets: Vec<Secret>,
}

#[derive(Debug, Deserialize)]
struct Secret {
    name: String,
    versions: Vec<Version>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    #[serde(rename = "version")]
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) tags: BTreeMap<String, String>,
}

impl State {
    /// Returns each secret as `vault/name`, with its versions.
    pub(crate) fn secrets(&self) -> BTreeMap<String, &[Version]> {
        let mut all = BTreeMap::new();
        for vault in &self.vaults {
            for secret in &vault.secrets {
                all.insert(format!("{}/{}", vault.name, secret.name), secret.versions.as_slice());
            }
        }
        all
    }

    pub(crate) fn versions_of(&self, secret: &str) -> usize {
        self.secrets().get(secret).expect("a known secret").len()
    }

    /// Returns all credentials that rekeyd has made and that are not revoked.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Credential> {
        let all = self.applications.iter().flat_map(|application| &application.credentials);
        all.filter(|credential| credential.display_name.as_deref().is_some_and(|n| n.starts_with("rekeyd ")))
    }

    /// Returns the credentials of ours that no version names.
    pub(crate) fn unpublished(&self) -> impl Iterator<Item = &Credential> {
        let secrets = self.secrets();
        let versions = secrets.values().copied().flatten();
        let named: BTreeSet<String> =
            versions.filter_map(|version| version.tags.get("CredentialId").cloned()).collect();
        self.ours().filter(move |credential| !named.contains(&credential.key_id))
    }

    /// Returns the credentials that a sweep must not leave: never published, and older than `orphan_grace`.
    pub(crate) fn orphans(&self) -> Vec<&Credential> {
        self.unpublished().filter(|credential| credential.start + Duration::hours(24) < self.now).collect()
    }

    /// Returns the secrets that are due: the credential of their only version ends within 60 days.
    pub(crate) fn due_at_first(&self) -> Vec<String> {
        let soon = self.now + Duration::days(60);
        let ends: BTreeMap<&str, OffsetDateTime> = self
            .applications
            .iter()
            .flat_map(|application| &application.credentials)
            .map(|credential| (credential.key_id.as_str(), credential.end))
            .collect();
        let is_due = |versions: &[Version]| {
            let named = versions.last().and_then(|version| version.tags.get("CredentialId"));
            versions.len() == 1 && named.and_then(|id| ends.get(id.as_str())).is_some_and(|end| *end <= soon)
        };
        self.secrets().into_iter().filter(|(_, versions)| is_due(versions)).map(|(name, _)| name).collect()
    }

    /// Returns the notes of rotations that count as being in flight.
    pub(crate) fn in_flight(&self) -> Vec<String> {
        let secrets = self.secrets();
        let notes = secrets.values().copied().flatten().filter_map(|v| v.tags.get("PendingRotation"));
        notes.filter(|note| !note.contains("failed")).cloned().collect()
    }
}
