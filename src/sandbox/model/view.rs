//! The complete state for tests: every credential and version, and never a secret's text.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::application::Application;
use super::credential::Credential;
use super::vault::{Secret, Vault};
use super::version::Version;
use super::{Model, State};

/// The complete state, without propagation effects.
#[derive(Debug, Serialize)]
pub struct StateView {
    #[serde(with = "time::serde::rfc3339")]
    now: OffsetDateTime,
    consumers: ConsumersView,
    applications: Vec<ApplicationView>,
    vaults: Vec<VaultView>,
    /// Events that Event Grid gave up, each with the reason.
    dead_letters: Vec<Value>,
    /// How many events were given up by subscriptions that keep no dead letters.
    dropped: u64,
}

#[derive(Debug, Serialize)]
struct ConsumersView {
    sign_ins: u64,
    failures: u64,
}

#[derive(Debug, Serialize)]
struct ApplicationView {
    object_id: Uuid,
    client_id: Uuid,
    display_name: String,
    credentials: Vec<CredentialView>,
}

#[derive(Debug, Serialize)]
struct CredentialView {
    key_id: Uuid,
    display_name: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    end: OffsetDateTime,
}

#[derive(Debug, Serialize)]
struct VaultView {
    name: String,
    secrets: Vec<SecretView>,
}

#[derive(Debug, Serialize)]
struct SecretView {
    name: String,
    /// True if it is deleted or being deleted, but not yet purged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    versions: Vec<VersionView>,
}

#[derive(Debug, Serialize)]
struct VersionView {
    version: String,
    enabled: bool,
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    expires: Option<OffsetDateTime>,
    tags: BTreeMap<String, String>,
}

impl Model {
    /// Returns the complete state at `now`: removed credentials are gone, and new ones are present.
    pub fn view(&self, now: OffsetDateTime) -> StateView {
        let state = self.lock();
        let State { applications, vaults, counters, undelivered, .. } = &*state;
        let consumers = counters.consumers();
        StateView {
            now,
            consumers: ConsumersView { sign_ins: consumers.attempts, failures: consumers.failures },
            applications: applications.values().map(ApplicationView::of).collect(),
            vaults: vaults.values().map(|vault| VaultView::of(vault, now)).collect(),
            dead_letters: undelivered.dead_letters.clone(),
            dropped: undelivered.dropped,
        }
    }
}

impl ApplicationView {
    fn of(application: &Application) -> Self {
        let live = application.credentials.iter().filter(|credential| !credential.is_removed());
        Self {
            object_id: application.object_id,
            client_id: application.client_id,
            display_name: application.display_name.clone(),
            credentials: live.map(CredentialView::of).collect(),
        }
    }
}

impl CredentialView {
    fn of(credential: &Credential) -> Self {
        Self {
            key_id: credential.key_id,
            display_name: credential.display_name.clone(),
            start: credential.start,
            end: credential.end,
        }
    }
}

impl VaultView {
    fn of(vault: &Vault, now: OffsetDateTime) -> Self {
        let there = vault.secrets.values().filter(|secret| !secret.is_purged(now));
        Self { name: vault.name.clone(), secrets: there.map(SecretView::of).collect() }
    }
}

impl SecretView {
    fn of(secret: &Secret) -> Self {
        Self {
            name: secret.name.clone(),
            deleted: secret.life.is_deleted(),
            versions: secret.versions.iter().map(VersionView::of).collect(),
        }
    }
}

impl VersionView {
    fn of(version: &Version) -> Self {
        Self {
            version: version.version.clone(),
            enabled: version.enabled,
            created: version.created,
            expires: version.expires,
            tags: version.tags.clone(),
        }
    }
}
