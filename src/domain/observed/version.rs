//! One version of the vault secret, and the facts that follow from it alone.

use time::OffsetDateTime;

use crate::domain::names::{KeyId, VersionId};
use crate::domain::tags::{PendingRotation, Quarantine, Tags};

/// One version of the vault secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFacts {
    /// Its id in Key Vault.
    pub version: VersionId,
    /// True if consumers can read it.
    pub enabled: bool,
    /// Time when it was written; whole seconds.
    pub created: OffsetDateTime,
    /// Its tags.
    pub tags: Tags,
    /// The credential that its text was proven to be of: the text signs in, and only one credential has its hint and
    /// end. `None` also if that was not tried.
    pub proven: Option<KeyId>,
    /// True if Entra was asked about its text and reported it as wrong or expired.
    pub refused: bool,
}

impl VersionFacts {
    /// Returns true if a rotation of ours made it.
    #[must_use]
    pub fn is_of_rotation(&self) -> bool {
        self.tags.rotation_id().is_ok_and(|rotation| rotation.is_some())
    }

    /// Returns the credential that its tag names. A tag that can't be read names none.
    #[must_use]
    pub fn named(&self) -> Option<KeyId> {
        self.tags.credential_id().ok().flatten()
    }

    /// Returns true if its tag names this credential, or its text was proven to be of it.
    #[must_use]
    pub fn holds(&self, key_id: KeyId) -> bool {
        self.held().any(|held| held == key_id)
    }

    /// Returns the credentials that its tag names and that its text was proven to be of.
    pub(in crate::domain) fn held(&self) -> impl Iterator<Item = KeyId> + use<> {
        [self.named(), self.proven].into_iter().flatten()
    }
    /// Returns true if its text was proven to be of this credential.
    pub(in crate::domain) fn proves(&self, key_id: KeyId) -> bool {
        self.proven == Some(key_id)
    }

    /// Returns true if a rotation of ours made it, its tag names a credential, and nothing speaks against it.
    pub(in crate::domain) fn is_good_rotation(&self) -> bool {
        self.is_of_rotation() && self.named().is_some() && !self.tags.is_quarantined()
    }

    /// Returns true if rekeyd wrote it before the first credential of the secret.
    pub(in crate::domain) fn is_placeholder(&self) -> bool {
        !self.enabled && self.named().is_none() && self.pending().is_some()
    }

    /// Returns the attempt that its tag records; `None` if the tag can't be read.
    pub(in crate::domain) fn pending(&self) -> Option<PendingRotation> {
        self.tags.pending_rotation().ok().flatten()
    }

    /// Returns why and since when it must not be published again; `None` if the tag can't be read.
    pub(in crate::domain) fn quarantine(&self) -> Option<Quarantine> {
        self.tags.quarantine().ok().flatten()
    }
}
