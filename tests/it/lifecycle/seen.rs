//! Observations of the in-memory world for the tests of commands, and the actions of people there.

use std::sync::Arc;

use rekeyd::domain::tags::{self, Tags};
use rekeyd::domain::{CommandKind, KeyId, SecretId};
use rekeyd::ports::{
    CredentialIssuer, CurrentVersion, IssuedCredential, NewVersion, ReadVersion, SecretStore, SignIn,
    SignInVerifier,
};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

pub(super) use crate::scenarios::block_on;
use crate::world::World;

pub(super) const COMPROMISED: CommandKind = CommandKind::Compromised { all_credentials: false };
pub(super) const ALL_COMPROMISED: CommandKind = CommandKind::Compromised { all_credentials: true };

/// A credential that a secret or a person holds: its text, and its id in Entra.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) key_id: KeyId,
    pub(super) text: SecretString,
}

/// Returns the text that consumers of `secret` read now, and the credential that its tags name.
pub(super) fn current_of(world: &World, secret: &SecretId) -> Held {
    let CurrentVersion::Readable(read) = block_on(world.direct.read_current(secret)).unwrap() else {
        panic!("{secret} can't be read")
    };
    let key_id = read.properties.tags.credential_id().unwrap().unwrap();
    Held { key_id, text: read.value }
}

pub(super) fn current(world: &World) -> Held {
    current_of(world, &world.secret)
}

/// Returns the tags of the version that consumers read now.
pub(super) fn tags_now(world: &World) -> Tags {
    block_on(world.current()).properties.tags
}

/// Returns true if Entra lists a credential.
pub(super) fn is_listed(world: &World, key_id: KeyId) -> bool {
    block_on(world.application()).credentials.iter().any(|credential| credential.key_id == key_id)
}

/// Returns the credentials of the application, as it lists them.
pub(super) fn credentials(world: &World) -> Vec<KeyId> {
    block_on(world.application()).credentials.iter().map(|credential| credential.key_id).collect()
}

/// Returns Entra's answer to this text.
pub(super) fn answer_to(world: &World, text: &SecretString) -> SignIn {
    let client_id = block_on(world.application()).client_id;
    block_on(world.direct.sign_in(client_id, text))
}

/// Returns the number of versions of the secret.
pub(super) fn versions(world: &World) -> usize {
    block_on(world.versions()).len()
}

/// Returns true if a text signs in.
pub(super) fn signs_in(world: &World, text: &SecretString) -> bool {
    block_on(async {
        let client_id = world.application().await.client_id;
        world.direct.sign_in(client_id, text).await == SignIn::Accepted
    })
}

pub(super) fn is_same(one: &Held, other: &Held) -> bool {
    one.text.expose_secret() == other.text.expose_secret() && one.key_id == other.key_id
}

/// Returns the number of versions of the secret that are marked never to be published again.
pub(super) fn quarantined(world: &World) -> usize {
    block_on(world.versions()).iter().filter(|version| version.tags.is_quarantined()).count()
}

/// Returns the number of versions of the secret that consumers could read.
pub(super) fn enabled(world: &World) -> usize {
    block_on(world.versions()).iter().filter(|version| version.enabled).count()
}

/// Gives the command `kind` as a person does, and lets time pass.
pub(super) fn ask(world: &Arc<World>, kind: CommandKind, then_live: Duration) {
    world.command(kind);
    world.live(then_live);
}

/// Issues a credential with this name, as a person does.
pub(super) fn issue(world: &World, display_name: &str) -> IssuedCredential {
    block_on(async {
        let object_id = world.application().await.object_id;
        world.direct.issue(object_id, display_name, world.now() + Duration::days(90)).await.unwrap()
    })
}

/// Removes a credential, as a person does in the portal.
pub(super) fn remove(world: &World, key_id: KeyId) {
    block_on(async {
        let object_id = world.application().await.object_id;
        world.direct.revoke(object_id, key_id).await.unwrap();
    });
}

/// Changes the tags of the version that consumers read, as a person with permission to write them.
pub(super) fn retag(world: &World, change: impl FnOnce(&mut Tags)) {
    let current = block_on(world.current()).properties;
    let mut after = current.tags;
    change(&mut after);
    block_on(world.direct.replace_tags(&world.secret, &current.version, &after)).unwrap();
}

/// Writes this text into `secret` as a person does, with the tags and the expiry of `like`.
pub(super) fn put_like(world: &World, secret: &SecretId, like: &ReadVersion, text: &SecretString) {
    let ReadVersion { properties, .. } = like.clone();
    let new = NewVersion {
        value: text.clone(),
        enabled: true,
        expires: properties.expires,
        content_type: None,
        tags: properties.tags,
    };
    block_on(world.direct.put(secret, new)).unwrap();
    // So that the next version is certain to be a later one.
    block_on(world.clock().run_until(world.now() + Duration::MINUTE));
}

/// Publishes the current text once more as a person does, without the mark of the rotation that made it.
pub(super) fn publish_again(world: &World) {
    let mut read = block_on(world.current());
    read.properties.tags.remove(tags::ROTATION_ID);
    put_like(world, &world.secret, &read, &read.value);
}
