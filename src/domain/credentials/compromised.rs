//! Compromises: the versions and credentials that each concerns, and the work left before it is over.

use time::{Duration, OffsetDateTime};

use crate::domain::command::CommandKind;
use crate::domain::names::KeyId;
use crate::domain::observed::{CredentialFacts, Observed, VersionFacts};
use crate::domain::tags::{Quarantine, QuarantineReason};

impl Observed {
    /// Returns true if an operator reported every credential of the application as compromised.
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

    /// Returns true if an operator reported the credential as compromised, and no version records that yet.
    #[must_use]
    pub fn is_compromise_news(&self) -> bool {
        let Some(command) = self.command else { return false };
        let noted = self.current_quarantine().filter(Quarantine::is_compromised).map(|noted| noted.at);
        let noted = self.compromised_versions().map(|(_, at)| at).chain(noted);
        // A tag holds whole seconds.
        matches!(command.kind, CommandKind::Compromised { .. })
            && noted.max().is_none_or(|at| at.saturating_add(Duration::SECOND) <= command.at)
    }

    /// Returns true if the credential that consumers use is reported as compromised.
    ///
    /// Also after a republish: if an older version was published again and its credential is older than the report.
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

    /// Returns older versions whose credential was reported as compromised, and the time of the report.
    ///
    /// A report was made before the next version followed, whatever the tag contains: a tag dated in the future hides
    /// no later report.
    pub fn compromised_versions(&self) -> impl Iterator<Item = (&VersionFacts, OffsetDateTime)> {
        self.older_versions().filter_map(|version| {
            let quarantine = version.quarantine()?;
            let followed = self.followed_at(version.created).unwrap_or(quarantine.at);
            quarantine.is_compromised().then_some((version, quarantine.at.min(followed)))
        })
    }

    /// Returns the credentials to revoke at once, because they are compromised and another one is published. Omits
    /// those whose text the consumers of another managed secret may read.
    #[must_use]
    pub fn compromised(&self) -> Vec<&CredentialFacts> {
        self.compromised_credentials()
            .into_iter()
            .filter(|credential| !self.may_be_held_elsewhere(credential))
            .collect()
    }

    /// Returns the credentials that are reported as compromised, except those that the current version holds.
    ///
    /// These are the credentials of this secret that are older than the report, except one that a rotation is just
    /// publishing. Credentials of others are included only while an operator's command is pending, never because of a
    /// tag alone, and never if another managed secret holds them.
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

    /// Returns true if the report of `at` that `version` is compromised covers this credential too: the version holds
    /// it, or it was made before the report.
    fn is_reported_with(
        &self,
        credential: &CredentialFacts,
        version: &VersionFacts,
        at: OffsetDateTime,
    ) -> bool {
        // For a credential that was made around the time of the report, the version that it was published in decides.
        version.holds(credential.key_id)
            || credential.start < at.saturating_sub(CLOCKS_APART)
            || (credential.start < at.saturating_add(CLOCKS_APART)
                && !self.is_held_after(version, credential.key_id))
    }

    /// Returns true if a version that was created after `version` holds this credential.
    fn is_held_after(&self, version: &VersionFacts, key_id: KeyId) -> bool {
        self.all_versions().any(|later| later.created > version.created && later.holds(key_id))
    }

    /// Returns true if an operator's command asks to revoke this credential, although it is not of this secret.
    /// Excludes credentials that another managed secret holds, or may hold.
    fn is_other_to_be_revoked(&self, credential: &CredentialFacts) -> bool {
        !credential.is_of_other_secret
            && self.held_elsewhere.as_ref().is_some_and(|held| !held.contains(&credential.key_id))
            && self.wants_all_credentials_gone()
            && self.command.is_some_and(|command| credential.start < command.at)
    }

    /// Returns a credential that a compromised version names, that is still good, and that nothing proves to be ours:
    /// rekeyd may not revoke it, and must not report the compromise as over.
    #[must_use]
    pub fn remaining_compromised(&self) -> Option<&CredentialFacts> {
        let protected = self.protected();
        let ours: Vec<_> =
            self.compromised_credentials().into_iter().map(|credential| credential.key_id).collect();
        let suspects = self.compromised_versions().filter(|(version, _)| version.enabled && !version.refused);
        let mut named = suspects.filter_map(|(version, _)| self.credential(version.named()?));
        named.find(|credential| !protected.contains(&credential.key_id) && !ours.contains(&credential.key_id))
    }

    /// Returns the older versions whose credential is gone, and whose text has to be refused before a compromise is
    /// over.
    pub fn unproven_revocations(&self) -> impl Iterator<Item = &VersionFacts> {
        let latest = self.compromised_versions().map(|(version, _)| version.created).max();
        self.older_versions().filter(move |version| {
            let suspect = version.enabled && latest.is_some_and(|latest| version.created <= latest);
            suspect && (version.refused || self.names_gone_credential(version))
        })
    }
}

/// Largest difference assumed between Entra's clock and ours; beyond it, nothing with an effect is done.
const CLOCKS_APART: Duration = Duration::minutes(5);
