//! Superseded credentials: ours that were published before and have been replaced, and the time of that.

use time::OffsetDateTime;

use crate::domain::observed::{CredentialFacts, Observed};
use crate::domain::tags::SupersededIndex;

impl Observed {
    /// Returns credentials of ours that were published before, and the time since when another one is in their place.
    ///
    /// Ours are those with our marker, and those that the older version's own text proved. The time is that of the last
    /// vault, as far as it is known.
    #[must_use]
    pub fn superseded(&self) -> Vec<(&CredentialFacts, OffsetDateTime)> {
        let protected = self.protected();
        let everywhere = self.in_sync_since().unwrap_or(OffsetDateTime::UNIX_EPOCH);
        self.credentials
            .iter()
            .filter(|credential| !protected.contains(&credential.key_id))
            .filter(|credential| {
                !self.is_held_elsewhere(credential.key_id) && self.is_provably_ours(credential)
            })
            .filter_map(|credential| Some((credential, self.superseded_at(credential)?.max(everywhere))))
            .collect()
    }

    /// Returns true if its marker, or an older version's own text, proves that the credential is of this secret.
    pub(in crate::domain) fn is_provably_ours(&self, credential: &CredentialFacts) -> bool {
        credential.is_ours() || self.older_versions().any(|version| version.proves(credential.key_id))
    }

    /// Returns the time when the last version with this credential was followed by one with another credential.
    fn superseded_at(&self, credential: &CredentialFacts) -> Option<OffsetDateTime> {
        let held = self.all_versions().filter(|version| version.holds(credential.key_id));
        match held.map(|version| version.created).max() {
            Some(last) => self.followed_at(last),
            None if self.is_indexed(credential) => self.current_version().map(|version| version.created),
            None => None,
        }
    }

    /// Returns true if the current version records that this credential was published before. An unreadable index may
    /// name any credential, except those made after the version that carries it.
    pub(in crate::domain) fn is_indexed(&self, credential: &CredentialFacts) -> bool {
        let Some(version) = self.current_version().filter(|version| credential.start < version.created)
        else {
            return false;
        };
        match version.tags.superseded() {
            Ok(SupersededIndex::Ids(ids)) => ids.contains(&credential.key_id),
            Ok(SupersededIndex::Many) | Err(_) => true,
        }
    }
}
