//! Credentials that nobody reads: ours that were never published, and expired ones of others.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use crate::domain::observed::{CREATION_LAG, CredentialFacts, Observed, VersionFacts};

impl Observed {
    /// Credentials of ours by their marker that were made and never published.
    ///
    /// Not those that the current version's index names: their version's tags were wiped, so that they were
    /// published once. Nor those older than the oldest version: what they were for was deleted.
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

    /// Credentials of others that are past their end and that nobody reads from this secret.
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
