//! The world at the start: secrets that a person created by hand, some of them due.

use std::ops::RangeInclusive;

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::application::Application;
use super::credential::{Credential, random_text};
use super::sign_in_report::SignIns;
use super::vault::{Secret, Vault};
use super::version::{CREDENTIAL_ID, NewVersion, Version};
use super::{State, guid};

/// The validity of the first credentials.
const FIRST_VALIDITY: Duration = Duration::days(180);

/// The properties of the world to begin with.
#[derive(Debug, Clone)]
pub struct Seed {
    /// The number of secrets, each with its own application.
    pub secrets: usize,
    /// The number of vaults that they are spread over; at least one.
    pub vaults: usize,
    /// The time until a credential's addition or removal is known everywhere.
    pub propagation: RangeInclusive<Duration>,
    /// The seed of all randomness.
    pub seed: u64,
    /// The start time.
    pub start: OffsetDateTime,
}

/// A secret that the world began with, and its application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedSecret {
    /// The vault's name.
    pub vault: String,
    /// The secret's name.
    pub name: String,
    /// The application's object id.
    pub object_id: Uuid,
    /// The application's client id.
    pub client_id: Uuid,
}

pub(super) fn populate(state: &mut State, seed: &Seed) -> Vec<ManagedSecret> {
    let vaults: Vec<String> = (1..=seed.vaults.max(1)).map(|number| format!("vault-{number}")).collect();
    for name in &vaults {
        state.vaults.insert(name.clone(), Vault::named(name));
    }
    let certainly_due = if seed.secrets == 0 { 0 } else { state.rng.usize(0..seed.secrets) };
    let width = seed.secrets.to_string().len().max(2);
    (0..seed.secrets)
        .zip(vaults.iter().cycle())
        .map(|(index, vault)| {
            let days_left = if index == certainly_due { 45..=59 } else { 45..=100 };
            let end = seed.start.truncate_to_second() + Duration::days(state.rng.i64(days_left));
            state.add_by_hand(vault, &format!("app-{:0width$}", index + 1), end)
        })
        .collect()
}

impl State {
    /// Adds an application with one old credential, which the secret's only version holds.
    fn add_by_hand(&mut self, vault: &str, name: &str, end: OffsetDateTime) -> ManagedSecret {
        let rng = &mut self.rng;
        let credential = Credential {
            key_id: guid(rng),
            display_name: Some("created by hand".to_owned()),
            start: end - FIRST_VALIDITY,
            end,
            text: random_text(rng),
            added: None,
            removed: None,
            sign_ins: SignIns::default(),
        };
        let managed = ManagedSecret {
            vault: vault.to_owned(),
            name: name.to_owned(),
            object_id: guid(rng),
            client_id: guid(rng),
        };
        let version = Version::new(first_version(&credential, managed.object_id), credential.start, rng);
        self.insert(&managed, credential, version);
        managed
    }

    fn insert(&mut self, managed: &ManagedSecret, credential: Credential, version: Version) {
        let ids = [managed.object_id, managed.client_id, guid(&mut self.rng)];
        let mut application =
            Application::new(&format!("Application of {}", managed.name), ids, credential.start);
        application.tags = vec![format!("rekeyd:secret={}/{}", managed.vault, managed.name)];
        application.credentials = vec![credential];
        self.counters.count_live(1);
        self.register(application);
        let secret = Secret { versions: vec![version], ..Secret::named(&managed.name) };
        if let Some(vault) = self.vaults.get_mut(&managed.vault) {
            vault.secrets.insert(managed.name.clone(), secret);
        }
    }
}

fn first_version(credential: &Credential, object_id: Uuid) -> NewVersion {
    let tags = [
        (CREDENTIAL_ID, credential.key_id.to_string()),
        ("ProviderAddress", object_id.to_string()),
        ("ValidityPeriodDays", "120".to_owned()),
        ("Team", "payments".to_owned()),
    ];
    NewVersion {
        expires: Some(credential.end),
        content_type: Some("text/plain".to_owned()),
        tags: tags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        ..NewVersion::of(credential.text.clone())
    }
}

#[cfg(test)]
pub(in crate::sandbox) mod tests {
    use super::*;
    use crate::sandbox::model::Model;
    use secrecy::ExposeSecret;
    use time::macros::datetime;

    pub(in crate::sandbox) const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    /// Creates three secrets in two vaults, without propagation delay.
    pub(in crate::sandbox) fn small_world() -> Model {
        world(3, 7)
    }

    /// Creates the same world with a propagation delay of 4 to 18 seconds.
    pub(in crate::sandbox) fn spreading_world() -> Model {
        let propagation = Duration::seconds(4)..=Duration::seconds(18);
        Model::new(&Seed { secrets: 3, vaults: 2, propagation, seed: 7, start: START })
    }

    fn world(secrets: usize, seed: u64) -> Model {
        let propagation = Duration::ZERO..=Duration::ZERO;
        Model::new(&Seed { secrets, vaults: 2, propagation, seed, start: START })
    }

    /// Each seeded version holds a working credential with the same expiry date, and at least one is due for rotation.
    #[test]
    fn first_versions_hold_working_credentials() {
        for seed in 0..20 {
            let model = world(5, seed);
            let days_left = |secret: &ManagedSecret| {
                let version = model.current_version(&secret.vault, &secret.name)?;
                let credential = model.application(secret.object_id, START)?.credentials.pop()?;
                assert_eq!(version.expires, Some(credential.end));
                assert_eq!(version.credential(), Some(credential.key_id.to_string().as_str()));
                assert_eq!(model.sign_in(secret.client_id, version.value.expose_secret(), START), Ok(()));
                Some((credential.end - START).whole_days())
            };
            let days: Vec<_> = model.managed().iter().filter_map(days_left).collect();
            assert_eq!(days.len(), 5);
            assert!(days.iter().all(|days| (45..=100).contains(days)));
            assert!(days.iter().any(|days| *days < 60), "{days:?}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_world() {
        assert_eq!(world(5, 1).managed(), world(5, 1).managed());
        assert_ne!(world(5, 1).managed(), world(5, 2).managed());
    }
}
