//! Credentials that may be in use: through the current version, or through another managed secret.

use std::collections::BTreeSet;

use crate::domain::names::KeyId;
use crate::domain::observed::{CredentialFacts, Observed, VersionFacts};

impl Observed {
    /// Returns the credentials that may be in use through the current version: these are never revoked, under any
    /// circumstances.
    #[must_use]
    pub fn protected(&self) -> BTreeSet<KeyId> {
        let held = self.current_version().into_iter().flat_map(VersionFacts::held);
        let texts = self.credentials.iter().filter(|credential| credential.may_be_current_text);
        held.chain(texts.map(|credential| credential.key_id)).collect()
    }

    /// Returns true if another managed secret of the application is known to hold this credential. Until that is known
    /// of all of them, returns true if it is possible, that is, if nothing shows that it was made for this secret.
    #[must_use]
    pub fn may_be_held_elsewhere(&self, credential: &CredentialFacts) -> bool {
        match &self.held_elsewhere {
            Some(held) => held.contains(&credential.key_id),
            None => !credential.is_ours(),
        }
    }

    /// Returns true if another managed secret of the application is known to hold this credential.
    pub(in crate::domain) fn is_held_elsewhere(&self, key_id: KeyId) -> bool {
        self.held_elsewhere.as_ref().is_some_and(|held| held.contains(&key_id))
    }
}
