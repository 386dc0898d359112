//! The tries of older versions' texts: find out whether they still sign in, and whose they are.

use time::{Duration, OffsetDateTime};

use super::{Observer, has_hint, may_have_text};
use crate::domain::tags::QuarantineReason;
use crate::domain::{
    CommandKind, CurrentSignIn, KeyId, Observed, RotationPolicy, UsageFacts, VersionFacts, VersionId,
};
use crate::ports::{PortError, ReadVersion};

impl Observer<'_> {
    /// Returns the one credential with this text's first characters and an end within a day of the version's.
    pub(super) fn matching(&self, read: &ReadVersion) -> Option<KeyId> {
        let expires = read.properties.expires?;
        let mut matching = self.application.credentials.iter().filter(|credential| {
            has_hint(credential, &read.value) && (credential.end - expires).abs() <= Duration::DAY
        });
        matching.next().filter(|_| matching.next().is_none()).map(|credential| credential.key_id)
    }

    /// Tries the texts of older versions whose overlap is over: notes whether each still signs in, and whose it is.
    ///
    /// Not earlier, since each try is a sign-in with the old credential, unless it is to end now; and not if the marker
    /// already identifies the credential.
    pub(super) async fn try_superseded(
        &self,
        seen: &mut Observed,
        policy: &RotationPolicy,
        now: OffsetDateTime,
    ) -> Result<(), PortError> {
        if seen.sign_in != CurrentSignIn::Accepted || seen.current_credential().is_none() {
            return Ok(());
        }
        for candidate in candidates(seen, policy, now) {
            self.try_candidate(&candidate, seen, policy, now).await?;
        }
        Ok(())
    }

    async fn try_candidate(
        &self,
        candidate: &Candidate,
        seen: &mut Observed,
        policy: &RotationPolicy,
        now: OffsetDateTime,
    ) -> Result<(), PortError> {
        let (store, secret) = (&self.subject.ports.store, &self.subject.managed.id);
        let Some(read) = store.read_version(secret, &candidate.version).await? else { return Ok(()) };
        let matching = self.matching(&read);
        if !candidate.is_urgent && has_nothing_to_retire(&read, matching, seen) {
            return Ok(());
        }
        if !candidate.is_at_end && matching.is_some_and(|key_id| is_in_use(key_id, seen, policy, now)) {
            return Ok(());
        }
        let answer = self.sign_in(&read.value).await;
        for facts in seen.versions.iter_mut().filter(|facts| facts.version == candidate.version) {
            facts.proven = matching.filter(|_| answer == CurrentSignIn::Accepted);
            facts.refused = answer == CurrentSignIn::Refused;
        }
        Ok(())
    }

    /// Finds the newest older version of ours whose text still signs in, if consumers are locked out or a person rolled
    /// back.
    pub(super) async fn find_fallback(
        &self,
        seen: &mut Observed,
        now: OffsetDateTime,
    ) -> Result<(), PortError> {
        if !is_fallback_wanted(seen, now) {
            return Ok(());
        }
        let usable =
            seen.older_versions().filter(|version| version.enabled && !version.tags.is_quarantined());
        let candidates: Vec<_> = usable.map(|version| version.version.clone()).collect();
        for version in candidates.into_iter().rev() {
            let Some(key_id) = self.usable(&version, seen, now).await? else { continue };
            for facts in seen.versions.iter_mut().filter(|facts| facts.version == version) {
                facts.proven = Some(key_id);
            }
            seen.fallback = Some(version);
            return Ok(());
        }
        Ok(())
    }

    /// Returns the credential of an older version, if it is provably ours, unexpired, and signs in.
    async fn usable(
        &self,
        version: &VersionId,
        seen: &Observed,
        now: OffsetDateTime,
    ) -> Result<Option<KeyId>, PortError> {
        let Some(read) = self.subject.ports.store.read_version(&self.subject.managed.id, version).await?
        else {
            return Ok(None);
        };
        let Some(key_id) = self.marked(&read, seen).or_else(|| self.matching(&read)) else { return Ok(None) };
        let barred = seen.protected().contains(&key_id) || seen.is_quarantined(key_id);
        if barred || seen.credential(key_id).is_none_or(|credential| credential.end <= now) {
            return Ok(None);
        }
        match self.sign_in(&read.value).await {
            CurrentSignIn::Accepted => Ok(Some(key_id)),
            CurrentSignIn::Refused | CurrentSignIn::NoText => Ok(None),
            // Better to ask again than to mint while this one may be good.
            CurrentSignIn::Unclear(why) => {
                let source = format!("{why:?}").into();
                Err(PortError::OutcomeUnknown { operation: "sign in with an older version", source })
            }
        }
    }

    /// Returns the credential that a version's tag names, if it bears our marker and its text begins as the version's.
    fn marked(&self, read: &ReadVersion, seen: &Observed) -> Option<KeyId> {
        let key_id = read.properties.tags.credential_id().ok().flatten()?;
        let ours = seen.credential(key_id)?.rotation.is_some();
        let listed = self.application.credentials.iter().find(|credential| credential.key_id == key_id)?;
        (ours && may_have_text(listed, &read.value)).then_some(key_id)
    }
}

/// An older version whose text may be tried.
struct Candidate {
    version: VersionId,
    /// True if its credential has to be known now, for example because of a compromise.
    is_urgent: bool,
    /// True if its credential is to end now, in use or not.
    is_at_end: bool,
}

/// Lists the older versions whose credential is not known by its marker, and whose overlap is over or does not matter.
fn candidates(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Vec<Candidate> {
    let compromised = seen.compromised_versions().map(|(version, _)| version.created).max();
    // A compromise may need their room: then their credentials have to be known before their overlap is over.
    let is_asked =
        seen.is_compromised() || seen.command.is_some_and(|command| command.kind == CommandKind::Retire);
    seen.older_versions()
        .filter(|version| version.enabled && !is_marked(version, seen))
        .filter_map(|version| {
            let is_urgent = is_asked || compromised.is_some_and(|latest| version.created <= latest);
            let since = seen.followed_at(version.created);
            let is_over = since.is_some_and(|since| since.saturating_add(policy.overlap()) <= now);
            let is_at_end = since.is_some_and(|since| since.saturating_add(policy.max_overlap()) <= now);
            (is_urgent || is_over).then(|| Candidate {
                version: version.version.clone(),
                is_urgent,
                is_at_end: is_urgent || is_at_end,
            })
        })
        .collect()
}

/// Returns true if the version names a listed credential that bears our marker.
fn is_marked(version: &VersionFacts, seen: &Observed) -> bool {
    let named = version.named().and_then(|key_id| seen.credential(key_id));
    named.is_some_and(|credential| credential.rotation.is_some())
}

/// Returns true for a text that matches no listed credential, in a version that names none that is gone.
fn has_nothing_to_retire(read: &ReadVersion, matching: Option<KeyId>, seen: &Observed) -> bool {
    let named = read.properties.tags.credential_id().ok().flatten();
    matching.is_none() && named.is_none_or(|key_id| seen.credential(key_id).is_some())
}

/// Returns true if the report shows a sign-in so recent that trying the text would decide nothing, and would itself
/// appear in the report.
fn is_in_use(key_id: KeyId, seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
    let UsageFacts::Seen(last) = &seen.usage else { return false };
    last.get(&key_id).is_some_and(|last| last.saturating_add(policy.usage_quiet()) > now)
}

/// Returns true if the current credential is lost, or a person does not want it any more.
fn is_fallback_wanted(seen: &Observed, now: OffsetDateTime) -> bool {
    let expired = seen.current_credential().is_some_and(|credential| credential.end <= now);
    let gone = seen.sign_in == CurrentSignIn::Refused && seen.current_credential().is_none();
    let lost = seen.sign_in != CurrentSignIn::Accepted && (expired || gone);
    let asked_for = seen.command.is_some_and(|command| command.kind == CommandKind::Rollback);
    let bad = seen.current_quarantine().is_some_and(|bad| bad.reason == QuarantineReason::Rollback);
    lost || asked_for || bad
}
