//! One credential of the application, as Entra lists it, and the facts that follow from it alone.

use time::{Duration, OffsetDateTime};

use super::VersionFacts;
use crate::domain::names::{KeyId, RotationId};
use crate::domain::policy::RotationPolicy;

/// One credential of the application, as Entra lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFacts {
    /// Its id in Entra.
    pub key_id: KeyId,
    /// The rotation that made it, if it bears our marker for this very vault and secret.
    pub rotation: Option<RotationId>,
    /// True if it bears our marker for another secret, whose own reconcile loop manages it.
    pub is_of_other_secret: bool,
    /// Start of its validity.
    pub start: OffsetDateTime,
    /// End of its validity.
    pub end: OffsetDateTime,
    /// True if the current text might be this credential's (their first characters are the same).
    pub may_be_current_text: bool,
}

impl CredentialFacts {
    /// Returns true if a rotation of this very secret made it, by its marker.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.rotation.is_some()
    }

    /// Returns true if Entra's own date for its end has passed.
    #[must_use]
    pub fn is_expired(&self, now: OffsetDateTime) -> bool {
        self.end <= now
    }

    /// Returns true if its successor is due.
    #[must_use]
    pub fn is_due(&self, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
        policy.due(self.start, self.end) <= now
    }

    /// Returns true if its consumers would be locked out soon: less than `urgent_before` is left of it.
    #[must_use]
    pub fn is_urgent(&self, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
        policy.urgent_from(self.start, self.end) <= now
    }

    /// Returns true if the text of `version`, the current one, might be this credential's. A credential that was made
    /// after the version can't be.
    pub(in crate::domain) fn may_be_text_of(&self, version: &VersionFacts) -> bool {
        self.may_be_current_text && self.start <= version.created.saturating_add(CREATION_LAG)
    }
}

/// Tolerance between Key Vault's and Entra's times: Key Vault counts whole seconds, and its clock is not Entra's.
pub(in crate::domain) const CREATION_LAG: Duration = Duration::minutes(5);
