//! Tells Event Grid of versions that were patched or restored, since `exp` says when they are near expiry.

use super::{Model, Version, VersionCreated};

impl Model {
    /// Has `listener` called after each patch of a version, and each restoration with the current one, with the model unlocked. Only the first one counts.
    pub(crate) fn on_patched_version(&self, listener: impl Fn(VersionCreated) + Send + Sync + 'static) {
        // A second listener is refused, as documented.
        let _ = self.on_patched_version.set(Box::new(listener));
    }

    /// Whether its secret's current version is this one. A deleted secret has one too, since it may be recovered.
    pub(crate) fn is_current(&self, version: &VersionCreated) -> bool {
        let state = self.lock();
        let secret = state.secret(&version.vault, &version.secret).ok();
        secret.and_then(|secret| secret.versions.last()).is_some_and(|last| last.version == version.version)
    }

    /// The names may be in any letter case; they are told as they were first written.
    pub(super) fn notify_of_patch(&self, vault: &str, name: &str, patched: &Version) {
        let Some(listener) = self.on_patched_version.get() else { return };
        if let Some((vault, secret)) = self.names(vault, name) {
            listener(VersionCreated::of(&vault, &secret, patched));
        }
    }
}

impl VersionCreated {
    /// What there is to know of a version that exists already.
    pub(crate) fn of(vault: &str, secret: &str, version: &Version) -> Self {
        Self {
            vault: vault.to_owned(),
            secret: secret.to_owned(),
            version: version.version.clone(),
            at: version.created,
            not_before: version.not_before,
            expires: version.expires,
        }
    }
}
