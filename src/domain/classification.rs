//! What a credential is to its secret: protected, orphaned, superseded, or compromised.

use std::collections::BTreeSet;

use time::{Duration, OffsetDateTime};

use super::command::CommandKind;
use super::names::KeyId;
use super::observed::{CredentialFacts, Observed, VersionFacts};
use super::tags::{Quarantine, QuarantineReason, SupersededIndex};

impl Observed {
    /// What may be in use through the current version: never to be revoked, whatever else is true.
    #[must_use]
    pub fn protected(&self) -> BTreeSet<KeyId> {
        let held = self.current_version().into_iter().flat_map(VersionFacts::held);
        let texts = self.credentials.iter().filter(|credential| credential.may_be_current_text);
        held.chain(texts.map(|credential| credential.key_id)).collect()
    }

    /// Credentials of ours by their marker that were made and never published.
    ///
    /// Not those that the current version's index names: their version's tags were wiped, so that they were
    /// published once. Nor those older than the oldest version: what they were for was deleted.
    pub fn orphans(&self) -> impl Iterator<Item = &CredentialFacts> {
        let published: BTreeSet<_> = self.all_versions().flat_map(VersionFacts::held).collect();
        let protected = self.protected();
        let oldest = self.all_versions().map(|version| version.created).min();
        let young = move |start: OffsetDateTime| oldest.is_some_and(|oldest| start >= oldest - CREATION_LAG);
        self.credentials.iter().filter(move |credential| {
            credential.rotation.is_some()
                && young(credential.start)
                && !published.contains(&credential.key_id)
                && !protected.contains(&credential.key_id)
                && !self.replicas.iter().any(|replica| replica.holds(credential.key_id))
                && !self.is_indexed(credential)
                && !self.may_be_held_elsewhere(credential)
        })
    }

    /// Credentials of ours that were published before, and since when another one is in their place.
    ///
    /// Ours: by their marker, or because the older version's own text proved it. The time is that of the last vault, as
    /// far as that is known.
    #[must_use]
    pub fn superseded(&self) -> Vec<(&CredentialFacts, OffsetDateTime)> {
        let protected = self.protected();
        let elsewhere = |key_id| self.held_elsewhere.as_ref().is_some_and(|held| held.contains(&key_id));
        let ours = |credential: &&CredentialFacts| {
            let key_id = credential.key_id;
            let proven = || self.older_versions().any(|version| version.proven == Some(key_id));
            !protected.contains(&key_id) && !elsewhere(key_id) && (credential.rotation.is_some() || proven())
        };
        let everywhere = self.in_step_since().unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let dated = |credential| self.superseded_at(credential).map(|at| (credential, at.max(everywhere)));
        self.credentials.iter().filter(ours).filter_map(dated).collect()
    }

    /// Whether the current version says that this credential was published before. An index that can't be read
    /// may name any, but none that was made after the version it stands on.
    fn is_indexed(&self, credential: &CredentialFacts) -> bool {
        let Some(version) = self.current_version().filter(|version| credential.start < version.created)
        else {
            return false;
        };
        match version.tags.superseded() {
            Ok(SupersededIndex::Ids(ids)) => ids.contains(&credential.key_id),
            Ok(SupersededIndex::Many) | Err(_) => true,
        }
    }

    /// When the last version with this credential was followed by one with another.
    fn superseded_at(&self, credential: &CredentialFacts) -> Option<OffsetDateTime> {
        let held = |version: &&VersionFacts| version.holds(credential.key_id);
        match self.all_versions().filter(held).map(|version| version.created).max() {
            Some(last) => self.followed_at(last),
            None if self.is_indexed(credential) => self.current_version().map(|version| version.created),
            None => None,
        }
    }

    /// Credentials of others that are past their end and that nobody reads from this secret.
    pub fn foreign_expired(&self, now: OffsetDateTime) -> impl Iterator<Item = &CredentialFacts> {
        let protected = self.protected();
        self.credentials.iter().filter(move |credential| {
            credential.end <= now
                && credential.rotation.is_none()
                && !credential.is_of_other_secret
                && !protected.contains(&credential.key_id)
        })
    }

    /// Why the version that consumers read must not be published again, if it must not.
    #[must_use]
    pub fn current_quarantine(&self) -> Option<Quarantine> {
        self.current_version()?.tags.quarantine().ok().flatten()
    }

    /// Whether a version that must never be published again holds this credential: then no other version with it may
    /// be, either.
    #[must_use]
    pub fn is_quarantined(&self, key_id: KeyId) -> bool {
        self.all_versions().any(|version| version.tags.is_quarantined() && version.holds(key_id))
    }

    /// Older versions whose credential was said to be compromised, and since when.
    ///
    /// That was said before the next version followed, whatever the tag says: one from the future hides no later news.
    pub fn compromised_versions(&self) -> impl Iterator<Item = (&VersionFacts, OffsetDateTime)> {
        self.older_versions().filter_map(|version| {
            let quarantine = version.tags.quarantine().ok().flatten()?;
            let followed = self.followed_at(version.created).unwrap_or(quarantine.at);
            quarantine.is_compromised().then_some((version, quarantine.at.min(followed)))
        })
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

    /// Credentials that have to go at once, since they are compromised and another one is published; but none whose
    /// text the consumers of another managed secret may read.
    #[must_use]
    pub fn compromised(&self) -> Vec<&CredentialFacts> {
        self.compromised_credentials()
            .into_iter()
            .filter(|credential| !self.may_be_held_elsewhere(credential))
            .collect()
    }

    /// Whether another managed secret of the application is known to hold this credential; while that is not known of
    /// all of them, whether it may be, since nothing says that it was made for this secret.
    #[must_use]
    pub fn may_be_held_elsewhere(&self, credential: &CredentialFacts) -> bool {
        match &self.held_elsewhere {
            Some(held) => held.contains(&credential.key_id),
            None => credential.rotation.is_none(),
        }
    }

    /// Credentials that are said to be compromised, but for what the current version holds.
    ///
    /// Those of this secret that are older than the news, but for one that a rotation is just publishing. Only while a
    /// person's word stands, never by a tag alone, those of others too; but none that another managed secret holds.
    #[must_use]
    pub fn compromised_credentials(&self) -> Vec<&CredentialFacts> {
        let protected = self.protected();
        let under_way = self.pending().filter(|pending| !pending.failed).map(|pending| pending.rotation);
        let in_flight =
            |credential: &CredentialFacts| under_way.is_some() && credential.rotation == under_way;
        let news: Vec<_> = self.compromised_versions().collect();
        let newer = |than: &VersionFacts, key_id| {
            self.all_versions().any(|version| version.created > than.created && version.holds(key_id))
        };
        let older = |credential: &CredentialFacts| {
            // One that was made around the time of the news is told by the version that it was published in.
            news.iter().any(|(version, at)| {
                let around = credential.start < at.saturating_add(CLOCKS_APART);
                let before = credential.start < at.saturating_sub(CLOCKS_APART);
                before || (around && !newer(version, credential.key_id))
            })
        };
        let ours = |credential: &CredentialFacts| {
            let holds = |version: &VersionFacts| version.proven == Some(credential.key_id);
            credential.rotation.is_some() || self.older_versions().any(holds)
        };
        let quarantined =
            |credential: &CredentialFacts| news.iter().any(|(version, _)| version.holds(credential.key_id));
        let commanded = self.command.filter(|_| self.wants_all_credentials_gone()).map(|command| command.at);
        let of_others = |credential: &CredentialFacts| {
            let held = self.held_elsewhere.as_ref().is_none_or(|held| held.contains(&credential.key_id));
            !credential.is_of_other_secret && !held && commanded.is_some_and(|at| credential.start < at)
        };
        let listed = self.credentials.iter().filter(|credential| !protected.contains(&credential.key_id));
        listed
            .filter(|credential| !in_flight(credential))
            .filter(|credential| {
                (ours(credential) && (quarantined(credential) || older(credential)))
                    || (!news.is_empty() && of_others(credential))
            })
            .collect()
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

    /// Whether a person said that every credential of the application is compromised.
    #[must_use]
    pub fn wants_all_credentials_gone(&self) -> bool {
        self.command.is_some_and(|command| command.kind == CommandKind::Compromised { all_credentials: true })
    }

    /// Older versions whose texts have to be refused before a compromise is over: those whose credential is gone.
    pub fn unproven_revocations(&self) -> impl Iterator<Item = &VersionFacts> {
        let latest = self.compromised_versions().map(|(version, _)| version.created).max();
        let gone =
            |version: &VersionFacts| version.named().is_some_and(|key_id| self.credential(key_id).is_none());
        self.older_versions().filter(move |version| {
            let suspect = version.enabled && latest.is_some_and(|latest| version.created <= latest);
            suspect && (version.refused || gone(version))
        })
    }
}

/// Key Vault counts whole seconds, and its clock is not Entra's.
pub(super) const CREATION_LAG: Duration = Duration::minutes(5);

/// How far Entra's clock and ours may be apart: beyond it nothing with an effect is done.
const CLOCKS_APART: Duration = Duration::minutes(5);
