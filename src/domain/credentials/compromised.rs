//! Compromises: which versions and credentials one concerns, and what is left to do before it is over.

use time::{Duration, OffsetDateTime};

use crate::domain::command::CommandKind;
use crate::domain::names::KeyId;
use crate::domain::observed::{CredentialFacts, Observed, VersionFacts};
use crate::domain::tags::{Quarantine, QuarantineReason};

impl Observed {
    /// Whether a person said that every credential of the application is compromised.
    #[must_use]
    pub fn wants_all_credentials_gone(&self) -> bool {
        self.command.is_some_and(|command| command.kind == CommandKind::Compromised { all_credentials: true })
    }

    /// Returns true if every credential is compromised and another secret of the application, which may hold some of
    /// them, is not known yet.
    pub(in crate::domain) fn is_compromise_scope_unknown(&self) -> bool {
        self.wants_all_credentials_gone() && self.held_elsewhere.is_none()
    }

    /// Returns true if a compromised credential is still listed, or a revoked one not proven to be refused.
    pub(in crate::domain) fn is_compromise_unfinished(&self) -> bool {
        !self.compromised_credentials().is_empty() || self.unproven_revocations().next().is_some()
    }

    /// Whether a person said that the credential is compromised, and nobody has noted that yet.
    #[must_use]
    pub fn is_compromise_news(&self) -> bool {
        let Some(command) = self.command else { return false };
        let noted = self.current_quarantine().filter(Quarantine::is_compromised).map(|noted| noted.at);
        let noted = self.compromised_versions().map(|(_, at)| at).chain(noted);
        // A tag holds whole seconds.
        matches!(command.kind, CommandKind::Compromised { .. })
            && noted.max().is_none_or(|at| at.saturating_add(Duration::SECOND) <= command.at)
    }

    /// Whether the credential that consumers use is said to be compromised.
    ///
    /// Also after a republish: an older version that was published again, and whose credential is older than the news.
    #[must_use]
    pub fn is_compromised(&self) -> bool {
        if self
            .current_quarantine()
            .is_some_and(|quarantine| quarantine.reason == QuarantineReason::Compromised)
        {
            return true;
        }
        let Some((version, credential)) = self.current_version().zip(self.current_credential()) else {
            return false;
        };
        !version.is_of_rotation()
            && self.compromised_versions().any(|(_, at)| credential.start < at && version.created > at)
    }

    /// Older versions whose credential was said to be compromised, and since when.
    ///
    /// That was said before the next version followed, whatever the tag says: one from the future hides no later news.
    pub fn compromised_versions(&self) -> impl Iterator<Item = (&VersionFacts, OffsetDateTime)> {
        self.older_versions().filter_map(|version| {
            let quarantine = version.quarantine()?;
            let followed = self.followed_at(version.created).unwrap_or(quarantine.at);
            quarantine.is_compromised().then_some((version, quarantine.at.min(followed)))
        })
    }

    /// Credentials that have to go at once, since they are compromised and another one is published; but none whose
    /// text the consumers of another managed secret may read.
    #[must_use]
    pub fn compromised(&self) -> Vec<&CredentialFacts> {
        self.compromised_credentials()
            .into_iter()
            .filter(|credential| !self.may_be_held_elsewhere(credential))
            .collect()
    }

    /// Credentials that are said to be compromised, but for what the current version holds.
    ///
    /// Those of this secret that are older than the news, but for one that a rotation is just publishing. Only while a
    /// person's word stands, never by a tag alone, those of others too; but none that another managed secret holds.
    #[must_use]
    pub fn compromised_credentials(&self) -> Vec<&CredentialFacts> {
        let protected = self.protected();
        let in_flight = self.pending().filter(|pending| !pending.failed).map(|pending| pending.rotation);
        let news: Vec<_> = self.compromised_versions().collect();
        self.credentials
            .iter()
            .filter(|credential| !protected.contains(&credential.key_id))
            .filter(|credential| in_flight.is_none() || credential.rotation != in_flight)
            .filter(|credential| {
                let ours = self.is_provably_ours(credential)
                    && news.iter().any(|(version, at)| self.is_reported_with(credential, version, *at));
                ours || (!news.is_empty() && self.is_other_to_be_revoked(credential))
            })
            .collect()
    }

    /// Returns true if the report of `at` that `version` is compromised means this credential too: the version holds it,
    /// or it was made before the report.
    fn is_reported_with(
        &self,
        credential: &CredentialFacts,
        version: &VersionFacts,
        at: OffsetDateTime,
    ) -> bool {
        // For one that was made around the time of the report, the version that it was published in decides.
        version.holds(credential.key_id)
            || credential.start < at.saturating_sub(CLOCKS_APART)
            || (credential.start < at.saturating_add(CLOCKS_APART)
                && !self.is_held_after(version, credential.key_id))
    }

    /// Returns true if a version that was created after `version` holds this credential.
    fn is_held_after(&self, version: &VersionFacts, key_id: KeyId) -> bool {
        self.all_versions().any(|later| later.created > version.created && later.holds(key_id))
    }

    /// Returns true if an operator's command asks to revoke this credential, although it is not of this secret. One that
    /// another managed secret holds, or may hold, is not meant.
    fn is_other_to_be_revoked(&self, credential: &CredentialFacts) -> bool {
        !credential.is_of_other_secret
            && self.held_elsewhere.as_ref().is_some_and(|held| !held.contains(&credential.key_id))
            && self.wants_all_credentials_gone()
            && self.command.is_some_and(|command| credential.start < command.at)
    }

    /// A credential that a compromised version names, that is still good, and that nothing proves to be ours: rekeyd may
    /// not revoke it, and must not say that all is over.
    #[must_use]
    pub fn remaining_compromised(&self) -> Option<&CredentialFacts> {
        let protected = self.protected();
        let ours: Vec<_> =
            self.compromised_credentials().into_iter().map(|credential| credential.key_id).collect();
        let suspects = self.compromised_versions().filter(|(version, _)| version.enabled && !version.refused);
        let mut named = suspects.filter_map(|(version, _)| self.credential(version.named()?));
        named.find(|credential| !protected.contains(&credential.key_id) && !ours.contains(&credential.key_id))
    }

    /// Older versions whose texts have to be refused before a compromise is over: those whose credential is gone.
    pub fn unproven_revocations(&self) -> impl Iterator<Item = &VersionFacts> {
        let latest = self.compromised_versions().map(|(version, _)| version.created).max();
        self.older_versions().filter(move |version| {
            let suspect = version.enabled && latest.is_some_and(|latest| version.created <= latest);
            suspect && (version.refused || self.names_gone_credential(version))
        })
    }
}

/// How far Entra's clock and ours may be apart: beyond it nothing with an effect is done.
const CLOCKS_APART: Duration = Duration::minutes(5);
