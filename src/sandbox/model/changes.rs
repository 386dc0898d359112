//! Notifications to Event Grid of patched or restored versions, since `exp` decides when they are near expiry.

use super::{Model, Version, VersionCreated};

impl Model {
    /// Sets the `listener` to call after each patch of a version, and after each restoration with the current version,
    /// with the model unlocked. Only the first one counts.
    pub(crate) fn on_patched_version(&self, listener: impl Fn(VersionCreated) + Send + Sync + 'static) {
        // A second listener is refused, as documented.
        let _ = self.on_patched_version.set(Box::new(listener));
    }

    /// Returns true if this is the current version of its secret. A deleted secret has one too, since it may be
    /// recovered.
    pub(crate) fn is_current(&self, version: &VersionCreated) -> bool {
        let state = self.lock();
        let secret = state.secret(&version.vault, &version.secret).ok();
        secret.and_then(|secret| secret.versions.last()).is_some_and(|last| last.version == version.version)
    }

    /// Calls the listener. The names may be in any letter case; it gets them as they were first written.
    pub(super) fn notify_of_patch(&self, vault: &str, name: &str, patched: &Version) {
        let Some(listener) = self.on_patched_version.get() else { return };
        if let Some((vault, secret)) = self.names(vault, name) {
            listener(VersionCreated::of(&vault, &secret, patched));
        }
    }
}

impl VersionCreated {
    /// Describes a version that already exists.
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
