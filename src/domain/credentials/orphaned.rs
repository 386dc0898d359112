//! Credentials that no consumer reads: ours that were never published, and expired ones of others.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::domain::observed::{CREATION_LAG, CredentialFacts, Observed, VersionFacts};

impl Observed {
    /// Returns credentials with our marker that were made and never published.
    ///
    /// Omits those that the current version's index names: they were published once, and their version's tags were
    /// wiped. Also omits those older than the oldest version: the secret that they were made for was deleted.
    pub fn orphans(&self) -> impl Iterator<Item = &CredentialFacts> {
        let published: BTreeSet<_> = self.all_versions().flat_map(VersionFacts::held).collect();
        let protected = self.protected();
        let oldest = self.all_versions().map(|version| version.created).min();
        self.credentials.iter().filter(move |credential| {
            credential.is_ours()
                && oldest.is_some_and(|oldest| credential.start >= oldest - CREATION_LAG)
                && !published.contains(&credential.key_id)
                && !protected.contains(&credential.key_id)
                && !self.replicas.iter().any(|replica| replica.holds(credential.key_id))
                && !self.is_indexed(credential)
                && !self.may_be_held_elsewhere(credential)
        })
    }

    /// Returns credentials of others that are past their end and that no consumer of this secret reads.
    pub fn foreign_expired(&self, now: OffsetDateTime) -> impl Iterator<Item = &CredentialFacts> {
        let protected = self.protected();
        self.credentials.iter().filter(move |credential| {
            credential.is_expired(now)
                && !credential.is_ours()
                && !credential.is_of_other_secret
                && !protected.contains(&credential.key_id)
        })
    }
}
