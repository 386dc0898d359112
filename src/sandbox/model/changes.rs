//! Tells Event Grid of versions that were patched, since a changed `exp` changes when they are near expiry.

use super::{Model, Version, VersionCreated};

impl Model {
    /// Has `tell` called after each patch of a version, with the model unlocked. Only the first one counts.
    pub(crate) fn on_patched_version(&self, tell: impl Fn(VersionCreated) + Send + Sync + 'static) {
        // A second listener is refused, as documented.
        let _ = self.on_patched_version.set(Box::new(tell));
    }

    /// The names may be in any letter case; they are told as they were first written.
    pub(super) fn tell_patched_version(&self, vault: &str, name: &str, patched: &Version) {
        let Some(tell) = self.on_patched_version.get() else { return };
        if let Some((vault, secret)) = self.names(vault, name) {
            tell(VersionCreated::of(&vault, &secret, patched));
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
