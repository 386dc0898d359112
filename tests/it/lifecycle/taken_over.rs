//! Adoption of credentials that others made, and the first credential of a secret that does not exist yet.

use std::sync::Arc;

use rekeyd::domain::tags::{CREDENTIAL_ID, Tags};
use rekeyd::domain::{Adopt, CommandKind, KeyId, PolicyValues, UsageGate};
use rekeyd::ports::{CredentialIssuer, NewVersion, SecretStore, SignIn};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::seen::{answer_to, credentials, versions};
use crate::scenarios::{block_on, object_id, retag};
use crate::world::{World, policy_values};

/// Creates a world in which the secret does not name the credential that it holds.
fn unnamed(adopt: Adopt) -> (Arc<World>, KeyId, SecretString) {
    let world = World::with_policy(PolicyValues { adopt, ..policy_values() });
    let first = block_on(world.current());
    retag(&world, |tags| tags.remove(CREDENTIAL_ID));
    (world, first.properties.tags.credential_id().unwrap().unwrap(), first.value)
}

/// Adds a credential with the same hint as the secret's text, and the same day of expiry.
fn add_twin(world: &Arc<World>, text: &SecretString) -> KeyId {
    *world.hint.lock().unwrap() = Some(text.expose_secret()[..3].to_owned());
    let end = block_on(world.application()).credentials[0].end + Duration::hours(20);
    block_on(world.direct.issue(object_id(world), "made by a colleague", end)).unwrap().key_id
}

fn named(world: &Arc<World>) -> Option<KeyId> {
    block_on(world.current()).properties.tags.credential_id().unwrap()
}

/// A credential is adopted when its hint and expiry match, and is retired like one the daemon minted.
#[test]
fn credential_is_adopted_by_hint_and_expiry() {
    for adopt in [Adopt::Match, Adopt::Rotate] {
        let (world, first, text) = unnamed(adopt);
        world.live(Duration::seconds(10));
        assert_eq!((named(&world), versions(&world)), (Some(first), 1), "only the tag is written");
        // It is due: its successor follows, and then its end.
        world.live(Duration::days(6));
        assert_eq!((versions(&world), answer_to(&world, &text)), (2, SignIn::Accepted));
        world.live(Duration::days(3));
        assert_eq!((answer_to(&world, &text), credentials(&world).len()), (SignIn::Wrong, 1), "{adopt:?}");
    }
}

/// When two credentials match the text, neither is adopted and neither is revoked.
#[test]
fn ambiguous_match_adopts_and_revokes_nothing() {
    let (world, first, text) = unnamed(Adopt::Match);
    let twin = add_twin(&world, &text);
    world.live(Duration::days(20));
    assert_eq!(world.last_state(), ("blocked", "unknown_credential"));
    assert_eq!((named(&world), versions(&world)), (None, 1));
    world.command(CommandKind::Rotate);
    world.live(Duration::days(10));
    assert_eq!(versions(&world), 2, "an operator's command issues a credential");
    assert!([first, twin].iter().all(|key_id| credentials(&world).contains(key_id)));
}

/// If no single credential matches, a successor is minted only under `adopt = "rotate"`.
#[test]
fn policy_decides_successor_without_a_match() {
    for (adopt, made) in [(Adopt::Match, 0), (Adopt::Report, 0), (Adopt::Rotate, 1)] {
        let (world, first, text) = unnamed(adopt);
        let twin = add_twin(&world, &text);
        world.live(Duration::days(20));
        assert_eq!(world.issued(), 1 + made, "{adopt:?}");
        assert!([first, twin].iter().all(|key_id| credentials(&world).contains(key_id)), "{adopt:?}");
        assert_eq!(answer_to(&world, &text), SignIn::Accepted, "it is not known to be ours");
    }
}

/// A credential whose expiry differs from the secret's by more than a day is not adopted.
#[test]
fn expiry_off_by_a_day_prevents_adoption() {
    let world = World::with_policy(PolicyValues { adopt: Adopt::Match, ..policy_values() });
    let current = block_on(world.current());
    let expires = current.properties.expires.map(|end| end + Duration::hours(25));
    let new = NewVersion {
        value: current.value,
        enabled: true,
        expires,
        content_type: None,
        tags: Tags::default(),
    };
    block_on(world.direct.put(&world.secret, new)).unwrap();
    world.live(Duration::days(2));
    assert_eq!((world.last_state(), named(&world)), (("blocked", "unknown_credential"), None));
}

/// Under `adopt = "report"` nothing changes until a person asks for a rotation.
#[test]
fn report_policy_changes_nothing_until_asked() {
    let (world, first, text) = unnamed(Adopt::Report);
    let before = block_on(world.current()).properties;
    world.live(Duration::days(20));
    assert_eq!(world.last_state(), ("blocked", "unknown_credential"));
    assert_eq!(block_on(world.current()).properties, before);
    world.command(CommandKind::Rotate);
    world.live(Duration::hours(1));
    assert_eq!((versions(&world), answer_to(&world, &text)), (2, SignIn::Accepted));
    world.live(Duration::days(9));
    assert!(!credentials(&world).contains(&first), "its own text proved its owner");
}

/// A compromise revokes a credential that `adopt = "report"` leaves unadopted, and a new one is published.
#[test]
fn compromise_revokes_a_merely_reported_credential() {
    let (world, _, text) = unnamed(Adopt::Report);
    world.command(CommandKind::Compromised { all_credentials: false });
    world.live(Duration::hours(3));
    assert_eq!((versions(&world), answer_to(&world, &text)), (2, SignIn::Wrong));
    assert_eq!(credentials(&world).len(), 1);
}

/// A text that belongs to no credential was typed by a person: only the policy, or a person, displaces it.
#[test]
fn only_rotate_policy_displaces_refused_text() {
    for (adopt, made) in [(Adopt::Match, 0), (Adopt::Report, 0), (Adopt::Rotate, 1)] {
        let world = World::with_policy(PolicyValues { adopt, ..policy_values() });
        world.lock_consumers_out();
        let text = "typed by a person".into();
        let new = NewVersion {
            value: text,
            enabled: true,
            expires: None,
            content_type: None,
            tags: Tags::default(),
        };
        block_on(world.direct.put(&world.secret, new)).unwrap();
        world.live(Duration::days(4));
        assert_eq!(world.issued(), made, "{adopt:?}");
    }
}

/// A deleted secret that is still recoverable blocks rotation before anything is minted.
#[test]
fn deleted_secret_blocks_before_minting() {
    let world = World::new(None);
    world.lock_consumers_out();
    let (vault, name) = (world.secret.vault.as_str(), world.secret.name.as_str());
    world.direct.model.delete_secret(vault, name, world.now()).unwrap();
    world.live(Duration::days(3));
    assert_eq!(world.last_state(), ("blocked", "secret_deleted"));
    assert!(
        world.last_message().contains("recover it (az keyvault secret recover"),
        "{}",
        world.last_message()
    );
    assert_eq!(world.issued(), 0);
    world.direct.model.recover_secret(vault, name, world.now()).unwrap();
    world.live(Duration::days(1));
    assert_eq!((world.issued(), versions(&world)), (1, 2), "it goes on with the recovered secret");
}

/// No first credential is minted for an application without a service principal, as it cannot sign in.
#[test]
fn no_first_credential_without_service_principal() {
    let world = World::without_secret();
    world.lock_consumers_out();
    let client_id = block_on(world.application()).client_id;
    let principal = world.direct.model.service_principal(client_id.0).unwrap();
    world.direct.model.delete_service_principal(principal).unwrap();
    world.live(Duration::days(3));
    assert_eq!(world.last_state(), ("blocked", "no_service_principal"));
    assert_eq!(world.issued(), 0);
    world.direct.model.create_service_principal(client_id.0, world.now()).unwrap();
    world.live(Duration::days(2));
    assert_eq!(world.issued(), 1);
    assert_eq!(answer_to(&world, &block_on(world.current()).value), SignIn::Accepted);
}

/// Only its text proves the owner of an unmarked credential: a compromise finds that out, in use or not.
#[test]
fn compromise_revokes_adopted_credential_in_use() {
    let world = World::with_policy(PolicyValues { usage_gate: UsageGate::Report, ..policy_values() });
    let first = block_on(world.current()).value;
    for _ in 0..10 {
        world.live(Duration::days(1));
        assert_eq!(answer_to(&world, &first), SignIn::Accepted, "the gate keeps what is in use");
    }
    world.command(CommandKind::Compromised { all_credentials: false });
    world.live(Duration::hours(3));
    assert_eq!((versions(&world), answer_to(&world, &first)), (3, SignIn::Wrong));
    assert_eq!(credentials(&world).len(), 1);
}
