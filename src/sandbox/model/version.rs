//! A version of a secret, and the requests that create and change one. Knows nothing about vaults.

use std::collections::BTreeMap;

use secrecy::SecretString;
use time::OffsetDateTime;

/// The tag that names the credential whose text a version holds.
pub(crate) const CREDENTIAL_ID: &str = "CredentialId";

/// One version of a secret. Its `Debug` shows no value.
#[derive(Debug, Clone)]
pub struct Version {
    /// 32 hexadecimal digits.
    pub version: String,
    /// The text.
    pub value: SecretString,
    /// True if it can be read.
    pub enabled: bool,
    /// The time it was put, in whole seconds.
    pub created: OffsetDateTime,
    /// The time it was put or last patched, in whole seconds.
    pub updated: OffsetDateTime,
    /// Informational only.
    pub not_before: Option<OffsetDateTime>,
    /// Informational only, but near-expiry events depend on it.
    pub expires: Option<OffsetDateTime>,
    /// The type of the text.
    pub content_type: Option<String>,
    /// Its tags; not inherited from the version before.
    pub tags: BTreeMap<String, String>,
}

/// The contents of a `PUT` of a version.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The text.
    pub value: SecretString,
    /// True if it can be read.
    pub enabled: bool,
    /// Informational only.
    pub not_before: Option<OffsetDateTime>,
    /// Informational only.
    pub expires: Option<OffsetDateTime>,
    /// The type of the text.
    pub content_type: Option<String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// The contents of a `PATCH`: `None` leaves a value unchanged, `Some(tags)` replaces the whole map.
#[derive(Debug, Clone, Default)]
pub struct VersionChange {
    /// True if it can be read.
    pub enabled: Option<bool>,
    /// Informational only.
    pub not_before: Option<OffsetDateTime>,
    /// Informational only.
    pub expires: Option<OffsetDateTime>,
    /// The type of the text.
    pub content_type: Option<String>,
    /// The complete new tags.
    pub tags: Option<BTreeMap<String, String>>,
}

impl NewVersion {
    /// Creates an enabled version with this text and nothing else.
    #[must_use]
    pub fn of(value: SecretString) -> Self {
        Self {
            value,
            enabled: true,
            not_before: None,
            expires: None,
            content_type: None,
            tags: BTreeMap::new(),
        }
    }
}

impl Version {
    pub(super) fn new(new: NewVersion, now: OffsetDateTime, rng: &mut fastrand::Rng) -> Self {
        let created = now.truncate_to_second();
        Self {
            version: format!("{:032x}", rng.u128(..)),
            value: new.value,
            enabled: new.enabled,
            created,
            updated: created,
            not_before: new.not_before.map(OffsetDateTime::truncate_to_second),
            expires: new.expires.map(OffsetDateTime::truncate_to_second),
            content_type: new.content_type,
            tags: new.tags,
        }
    }

    /// Returns the id of the credential whose text this is, if a tag names it.
    #[must_use]
    pub fn credential(&self) -> Option<&str> {
        self.tags.get(CREDENTIAL_ID).map(String::as_str)
    }

    pub(super) fn apply(&mut self, change: VersionChange, now: OffsetDateTime) {
        self.enabled = change.enabled.unwrap_or(self.enabled);
        self.not_before = change.not_before.map(OffsetDateTime::truncate_to_second).or(self.not_before);
        self.expires = change.expires.map(OffsetDateTime::truncate_to_second).or(self.expires);
        if change.content_type.is_some() {
            self.content_type = change.content_type;
        }
        if let Some(tags) = change.tags {
            self.tags = tags;
        }
        self.updated = now.truncate_to_second();
    }
}
