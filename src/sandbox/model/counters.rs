//! Counters, and the summary at the end of a run.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{Model, State};

/// One of the simulated services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Key Vault's data plane.
    KeyVault,
    /// Microsoft Graph.
    Graph,
    /// Entra's token service.
    Entra,
    /// The FHIR service.
    Fhir,
    /// The DICOM service.
    Dicom,
}

/// The number of requests to each service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// Key Vault's data plane.
    pub key_vault: u64,
    /// Microsoft Graph.
    pub graph: u64,
    /// Entra's token service.
    pub entra: u64,
    /// The FHIR service; hidden until it gets a request.
    #[serde(skip_serializing_if = "is_none")]
    pub fhir: u64,
    /// The DICOM service; hidden until it gets a request.
    #[serde(skip_serializing_if = "is_none")]
    pub dicom: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_none(requests: &u64) -> bool {
    *requests == 0
}

/// The summary of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Credentials issued.
    pub issued: u64,
    /// Enabled versions published that name a credential.
    pub published: u64,
    /// Credentials removed that at least one version names.
    pub retired: u64,
    /// Credentials issued by the daemon that are in no version and older than 24 hours of grace and a day's sweep.
    pub orphans_left: u64,
    /// Sign-in attempts by consumers.
    pub consumer_sign_ins: u64,
    /// Attempts that were refused, or that had no credential to sign in with.
    pub consumer_sign_in_failures: u64,
    /// The lowest number of rotations among the initial secrets.
    pub min_rotations_per_secret: u64,
    /// The highest number of unexpired credentials that one application had at once.
    pub max_live_credentials_per_app: u64,
    /// Requests by service.
    pub requests: Requests,
}

/// The text that a consumer signs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConsumerText {
    /// That of the current version.
    Current,
    /// That of an earlier version, from the consumer's cache.
    Superseded,
}

/// The sign-ins of all consumers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConsumerSignIns {
    /// The number of attempts.
    pub attempts: u64,
    /// The number of attempts with the text of an earlier version.
    pub with_superseded_text: u64,
    /// The number of failures, also those without a text to sign in with.
    pub failures: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    issued: u64,
    published: u64,
    retired: u64,
    max_live: u64,
    consumers: ConsumerSignIns,
    requests: Requests,
}

impl Model {
    /// Returns the number of the consumers' sign-ins until now.
    pub fn consumer_sign_ins(&self) -> ConsumerSignIns {
        self.lock().counters.consumers
    }

    /// Returns the summary until `now`.
    pub fn summary(&self, now: OffsetDateTime) -> Summary {
        let state = self.lock();
        let rotations = |secret: &super::ManagedSecret| {
            state.secret(&secret.vault, &secret.name).map_or(0, |secret| secret.rotations)
        };
        let counters = &state.counters;
        Summary {
            issued: counters.issued,
            published: counters.published,
            retired: counters.retired,
            orphans_left: state.orphans(now),
            consumer_sign_ins: counters.consumers.attempts,
            consumer_sign_in_failures: counters.consumers.failures,
            min_rotations_per_secret: self.managed.iter().map(rotations).min().unwrap_or(0),
            max_live_credentials_per_app: counters.max_live,
            requests: counters.requests,
        }
    }

    pub(crate) fn count_request(&self, service: Service) {
        let mut state = self.lock();
        let requests = &mut state.counters.requests;
        match service {
            Service::KeyVault => requests.key_vault += 1,
            Service::Graph => requests.graph += 1,
            Service::Entra => requests.entra += 1,
            Service::Fhir => requests.fhir += 1,
            Service::Dicom => requests.dicom += 1,
        }
    }

    pub(crate) fn count_consumer_sign_in(&self, text: ConsumerText) {
        let consumers = &mut self.lock().counters.consumers;
        consumers.attempts += 1;
        consumers.with_superseded_text += u64::from(text == ConsumerText::Superseded);
    }

    pub(crate) fn count_consumer_failure(&self) {
        self.lock().counters.consumers.failures += 1;
    }
}

impl State {
    fn orphans(&self, now: OffsetDateTime) -> u64 {
        let too_old = now.saturating_sub(Duration::hours(48));
        let credentials = self.applications.values().flat_map(|application| &application.credentials);
        let is_ours = |name: &Option<String>| name.as_deref().is_some_and(|name| name.starts_with("rekeyd "));
        let abandoned = credentials.filter(|credential| {
            !credential.is_removed()
                && credential.start < too_old
                && is_ours(&credential.display_name)
                && !self.is_named_by_a_version(credential.key_id)
        });
        abandoned.fold(0, |count, _| count + 1)
    }
}

impl Counters {
    pub(super) fn count_issued(&mut self, live: usize) {
        self.issued += 1;
        self.count_live(live);
    }

    pub(super) fn count_live(&mut self, live: usize) {
        self.max_live = self.max_live.max(u64::try_from(live).unwrap_or(u64::MAX));
    }

    pub(super) fn count_published(&mut self) {
        self.published += 1;
    }

    pub(super) fn count_retired(&mut self) {
        self.retired += 1;
    }

    pub(super) fn consumers(&self) -> ConsumerSignIns {
        self.consumers
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]
mod tests {
    use super::*;
    use crate::sandbox::model::NewVersion;
    use crate::sandbox::model::seed::tests::{START, small_world};

    /// An orphan is a credential issued by the daemon that is in no version and more than 48 hours old.
    #[test]
    fn orphan_is_old_unpublished_and_ours() {
        let model = small_world();
        let secret = &model.managed()[0];
        for name in ["rekeyd vault-1/app-01 1", "foreign"] {
            model.add_password(secret.object_id, Some(name), None, None, START).unwrap();
        }
        assert_eq!(model.summary(START + Duration::hours(47)).orphans_left, 0);
        assert_eq!(model.summary(START + Duration::hours(49)).orphans_left, 1);
    }

    #[test]
    fn a_rotation_counts_once_for_each_credential() {
        let model = small_world();
        for secret in model.managed() {
            let made = model.add_password(secret.object_id, None, None, None, START).unwrap();
            let tags = [("CredentialId".to_owned(), made.key_id.to_string())];
            let new = NewVersion { tags: tags.into(), ..NewVersion::of(made.text) };
            model.put_secret(&secret.vault, &secret.name, new.clone(), START).unwrap();
            model.put_secret(&secret.vault, &secret.name, new, START).unwrap();
            model.remove_password(secret.object_id, made.key_id, START).unwrap();
        }
        let summary = model.summary(START);
        let counts = [summary.issued, summary.published, summary.retired, summary.min_rotations_per_secret];
        assert_eq!(counts, [3, 6, 3, 1]);
        assert_eq!(summary.max_live_credentials_per_app, 2);
    }
}
