//! The tag contract: the tags that rekeyd reads and writes on each Key Vault version, and those that it leaves alone.
//!
//! The first three tags are those of Microsoft's own rotation template, so that a secret can be taken over from it. A
//! tag is a hint to be checked, never a proof: anyone who may write secrets may write tags.

use std::collections::BTreeMap;
use std::fmt;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::names::{KeyId, RotationId};
pub use super::pending::PendingRotation;
pub use super::quarantine::{Quarantine, QuarantineReason};
pub use super::superseded_index::SupersededIndex;

/// Lifetime of the next credential, in days.
pub const VALIDITY_PERIOD_DAYS: &str = "ValidityPeriodDays";
/// `KeyId` of the credential whose text is this version's value.
pub const CREDENTIAL_ID: &str = "CredentialId";
/// The application: object id, client id, or a Graph URL of it.
pub const PROVIDER_ADDRESS: &str = "ProviderAddress";
/// Number of days before its end at which a credential is due.
pub const ROTATE_BEFORE_DAYS: &str = "RotateBeforeDays";
/// Number of days that a superseded credential stays valid.
pub const OVERLAP_DAYS: &str = "OverlapDays";
/// `true`: leave this secret alone.
pub const ROTATION_DISABLED: &str = "RotationDisabled";
/// The scope that a fresh credential signs in for.
pub const VERIFY_SCOPE: &str = "VerifyScope";
/// The owner of the secret, for people.
pub const OWNER: &str = "Owner";
/// The rotation that made this version.
pub const ROTATION_ID: &str = "RotationId";
/// On the current version, while its successor is being made.
pub const PENDING_ROTATION: &str = "PendingRotation";
/// On the current version, while older credentials still have to be retired.
pub const SUPERSEDED_CREDENTIAL_ID: &str = "SupersededCredentialId";
/// On a version that must never be published again.
pub const QUARANTINED: &str = "Quarantined";
/// After a rollback: no scheduled rotation until it is urgent.
pub const ROLLED_BACK: &str = "RolledBack";

/// Tags that a rotation adds, to the current version or to its successor.
const ADDED_BY_ROTATION: [&str; 5] =
    [CREDENTIAL_ID, PROVIDER_ADDRESS, ROTATION_ID, PENDING_ROTATION, SUPERSEDED_CREDENTIAL_ID];

/// Tags that are never carried over to a new version.
const NEVER_CARRIED: [&str; 3] = [PENDING_ROTATION, QUARANTINED, ROLLED_BACK];

/// Maximum number of tags that Key Vault takes on one version.
pub const MAX_TAGS: usize = 15;
/// Maximum length of tag names and values in Key Vault, in characters.
pub const MAX_TAG_LENGTH: usize = 256;

/// The tags of one version. Those that are not ours are kept as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags(BTreeMap<String, String>);

/// A tag with an unusable value; it counts as absent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tag {name} is not {expected}")]
pub struct UnusableTag {
    /// Name of the tag. Its value is not repeated: people have put secrets there.
    pub name: &'static str,
    expected: &'static str,
}

/// Tags that Key Vault would refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagLimit {
    /// More than [`MAX_TAGS`].
    #[error("{0} tags are needed, but a version holds at most 15: remove some of its other tags")]
    TooMany(usize),
    /// One longer than [`MAX_TAG_LENGTH`].
    #[error("tag {0} would be longer than 256 characters: shorten it")]
    TooLong(String),
}

impl Tags {
    /// Returns the value of the tag `name`, whatever its letter case.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Sets the tag `name`, in the place of one that differs only in letter case.
    pub fn set(&mut self, name: &str, value: impl fmt::Display) {
        self.remove(name);
        self.0.insert(name.to_owned(), value.to_string());
    }

    /// Removes the tag `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|key, _| !key.eq_ignore_ascii_case(name));
    }

    /// Iterates over all tags by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the tags that a new version starts from: all except those that belong to one version only.
    #[must_use]
    pub fn carried_over(&self) -> Self {
        let mut tags = self.clone();
        for name in NEVER_CARRIED {
            tags.remove(name);
        }
        tags
    }

    /// Returns these tags with all that a rotation adds, without their values: no version bears more of them.
    #[must_use]
    pub fn with_those_of_rotation(&self) -> Self {
        let mut tags = self.clone();
        for name in ADDED_BY_ROTATION {
            tags.set(name, "");
        }
        tags
    }

    /// Lists the tags that a pass reads and can't use.
    #[must_use]
    pub fn unusable(&self) -> Vec<UnusableTag> {
        let unusable = [
            self.credential_id().err(),
            self.pending_rotation().err(),
            self.superseded().err(),
            self.quarantine().err(),
        ];
        unusable.into_iter().flatten().collect()
    }

    /// Checks that Key Vault will accept these tags.
    ///
    /// # Errors
    /// The limit that they exceed; nothing is ever cut off to fit.
    pub fn check_limits(&self) -> Result<(), TagLimit> {
        if self.0.len() > MAX_TAGS {
            return Err(TagLimit::TooMany(self.0.len()));
        }
        match self.iter().find(|(name, value)| is_too_long(name) || is_too_long(value)) {
            Some((name, _)) => Err(TagLimit::TooLong(name.chars().take(MAX_TAG_LENGTH).collect())),
            None => Ok(()),
        }
    }

    /// Returns the credential that this version names as its own.
    ///
    /// # Errors
    /// The tag is present and is not a GUID.
    pub fn credential_id(&self) -> Result<Option<KeyId>, UnusableTag> {
        self.parsed(CREDENTIAL_ID, "a GUID", |text| text.parse().ok())
    }

    /// Returns the rotation that made this version.
    ///
    /// # Errors
    /// The tag is present and is not a rotation id.
    pub fn rotation_id(&self) -> Result<Option<RotationId>, UnusableTag> {
        self.parsed(ROTATION_ID, "a rotation id", |text| text.parse().ok())
    }

    /// Returns the rotation that is under way, or was last tried, for the successor of this version.
    ///
    /// # Errors
    /// The tag is present and is not one of ours.
    pub fn pending_rotation(&self) -> Result<Option<PendingRotation>, UnusableTag> {
        self.parsed(PENDING_ROTATION, "a pending rotation", PendingRotation::parse)
    }

    /// Returns the credentials still to be retired: an index, never a proof.
    ///
    /// # Errors
    /// The tag is present and is not a list of GUIDs.
    pub fn superseded(&self) -> Result<SupersededIndex, UnusableTag> {
        let parsed = self.parsed(SUPERSEDED_CREDENTIAL_ID, "a list of GUIDs", SupersededIndex::parse)?;
        Ok(parsed.unwrap_or_default())
    }

    /// Returns the number of whole days in the tag `name`.
    ///
    /// # Errors
    /// The tag is present and is not a number of days from 1 to 36,500.
    pub fn days(&self, name: &'static str) -> Result<Option<Duration>, UnusableTag> {
        self.parsed(name, "a whole number of days", |text| {
            let days = text.trim().parse().ok().filter(|days| (1..=36_500).contains(days));
            days.map(Duration::days)
        })
    }

    /// Returns true if the tag asks to leave this secret alone.
    #[must_use]
    pub fn is_rotation_disabled(&self) -> bool {
        let value = self.value(ROTATION_DISABLED).map(|text| text.trim().to_ascii_lowercase());
        value.is_some_and(|text| !matches!(text.as_str(), "" | "false" | "0" | "no"))
    }

    /// Returns true if this version must never be published again.
    #[must_use]
    pub fn is_quarantined(&self) -> bool {
        self.value(QUARANTINED).is_some()
    }

    /// Returns why and since when this version must never be published again.
    ///
    /// # Errors
    /// The tag is present and gives neither; the version is quarantined all the same.
    pub fn quarantine(&self) -> Result<Option<Quarantine>, UnusableTag> {
        self.parsed(QUARANTINED, "a quarantine", Quarantine::parse)
    }

    /// Returns the time when an operator rolled back to this version; `None` also if the tag does not give it.
    #[must_use]
    pub fn rolled_back_at(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(self.value(ROLLED_BACK)?.trim(), &Rfc3339).ok()
    }

    /// Returns true if an operator rolled back to this version, so that the schedule leaves it alone for now.
    #[must_use]
    pub fn is_rolled_back(&self) -> bool {
        self.value(ROLLED_BACK).is_some()
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, UnusableTag> {
        let Some(value) = self.value(name) else { return Ok(None) };
        parse(value).map(Some).ok_or(UnusableTag { name, expected })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Tags {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(tags: I) -> Self {
        Self(tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

fn is_too_long(text: &str) -> bool {
    text.chars().count() > MAX_TAG_LENGTH
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;
    use uuid::Uuid;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().copied().collect()
    }

    /// A new version keeps foreign tags and settings and drops tags that belong to a single version.
    #[test]
    fn carried_over_tags_drop_version_specific_ones() {
        let before = tags(&[
            ("Team", "imaging"),
            (CREDENTIAL_ID, "1"),
            (PENDING_ROTATION, "x"),
            (QUARANTINED, "rollback"),
            (ROLLED_BACK, "y"),
            (OVERLAP_DAYS, "3"),
        ]);
        let after = before.carried_over();
        assert_eq!(after, tags(&[("Team", "imaging"), (CREDENTIAL_ID, "1"), (OVERLAP_DAYS, "3")]));
    }

    /// Tag names that differ only in letter case are the same tag.
    #[test]
    fn tag_names_ignore_letter_case() {
        let mut seen = tags(&[("credentialid", "6b7a3c1e-0d7e-4d5c-9a54-0c7c8b6f2f10")]);
        assert!(seen.credential_id().unwrap().is_some());
        seen.set(CREDENTIAL_ID, "other");
        assert_eq!(seen.iter().count(), 1);
    }

    /// A tag with an unusable value is reported by name and its value is not used.
    #[test]
    fn unusable_tag_is_reported_and_ignored() {
        let seen = tags(&[(CREDENTIAL_ID, "none"), (PENDING_ROTATION, "soon"), (VALIDITY_PERIOD_DAYS, "-3")]);
        assert_eq!(seen.credential_id().unwrap_err().to_string(), "tag CredentialId is not a GUID");
        assert!(seen.pending_rotation().is_err());
        assert!(seen.days(VALIDITY_PERIOD_DAYS).is_err());
        assert_eq!(seen.days(OVERLAP_DAYS), Ok(None));
    }

    #[test]
    fn a_pending_rotation_reads_back_as_written() {
        for failed in [false, true] {
            let rotation = "0123456789ab".parse().unwrap();
            let pending =
                PendingRotation { rotation, began: datetime!(2026-11-22 10:00:05 UTC), attempt: 3, failed };
            let mut seen = Tags::default();
            seen.set(PENDING_ROTATION, &pending);
            assert_eq!(seen.pending_rotation(), Ok(Some(pending)));
        }
    }

    /// A superseded index that would exceed the length of a tag becomes `many`.
    #[test]
    fn too_many_superseded_ids_become_many() {
        let index = (0..6).fold(SupersededIndex::default(), |index, n| index.with(KeyId(Uuid::from_u128(n))));
        assert!(index.to_string().len() <= MAX_TAG_LENGTH);
        assert_eq!(index.with(KeyId(Uuid::from_u128(6))), SupersededIndex::Many);
    }

    /// Tags beyond the limits for count or length are refused and never cut.
    #[test]
    fn tags_beyond_limits_are_refused_not_cut() {
        let many: Tags = (0..16).map(|n| (format!("t{n}"), String::new())).collect();
        assert_eq!(many.check_limits(), Err(TagLimit::TooMany(16)));
        let long = tags(&[("Note", &"x".repeat(257))]);
        assert_eq!(long.check_limits(), Err(TagLimit::TooLong("Note".into())));
        assert_eq!(tags(&[("Note", &"ü".repeat(256))]).check_limits(), Ok(()));
    }

    proptest! {
        #[test]
        fn no_tag_makes_the_parsers_panic(text in ".{0,300}") {
            let seen = tags(&[
                (CREDENTIAL_ID, &text), (PENDING_ROTATION, &text), (SUPERSEDED_CREDENTIAL_ID, &text),
                (OVERLAP_DAYS, &text), (ROTATION_ID, &text),
            ]);
            let _ = (seen.credential_id(), seen.pending_rotation(), seen.superseded());
            let _ = (seen.days(OVERLAP_DAYS), seen.rotation_id());
        }
    }
}
