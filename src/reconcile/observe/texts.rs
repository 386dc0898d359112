//! Trying the texts of older versions: whether they still sign in, and whose they are.

use time::{Duration, OffsetDateTime};

use super::{Observer, has_hint, may_have_text};
use crate::domain::tags::QuarantineReason;
use crate::domain::{
    CommandKind, CurrentSignIn, KeyId, Observed, RotationPolicy, UsageFacts, VersionFacts, VersionId,
};
use crate::ports::{Credential, PortError, ReadVersion};

impl Observer<'_> {
    /// The one credential with this text's first characters and an end within a day of the version's.
    pub(super) fn matching(&self, read: &ReadVersion) -> Option<KeyId> {
        let expires = read.properties.expires?;
        let matches = |credential: &&Credential| {
            has_hint(credential, &read.value) && (credential.end - expires).abs() <= Duration::DAY
        };
        let mut matching = self.application.credentials.iter().filter(matches);
        matching.next().filter(|_| matching.next().is_none()).map(|credential| credential.key_id)
    }

    /// Older versions whose overlap is over: whether their own text still signs in, and whose it is.
    ///
    /// Not earlier, since each try is a sign-in with the old credential, unless it is to end now; and not where the
    /// marker tells already.
    pub(super) async fn try_superseded(
        &self,
        seen: &mut Observed,
        policy: &RotationPolicy,
        now: OffsetDateTime,
    ) -> Result<(), PortError> {
        if seen.sign_in != CurrentSignIn::Accepted || seen.current_credential().is_none() {
            return Ok(());
        }
        let over = |version: &VersionFacts| {
            seen.followed_at(version.created).is_some_and(|at| at.saturating_add(policy.overlap()) <= now)
        };
        let told = |version: &VersionFacts| {
            let named = version.named().and_then(|key_id| seen.credential(key_id));
            named.is_some_and(|credential| credential.rotation.is_some())
        };
        let compromised = seen.compromised_versions().map(|(version, _)| version.created).max();
        // A compromise may need their room: then whose they are has to be known before their overlap is over.
        let asked =
            seen.is_compromised() || seen.command.is_some_and(|command| command.kind == CommandKind::Retire);
        let urgent =
            |version: &VersionFacts| asked || compromised.is_some_and(|latest| version.created <= latest);
        let ends = |version: &VersionFacts| {
            let superseded = seen.followed_at(version.created);
            urgent(version) || superseded.is_some_and(|at| at.saturating_add(policy.max_overlap()) <= now)
        };
        let untold = seen
            .older_versions()
            .filter(|version| version.enabled && (over(version) || urgent(version)) && !told(version));
        let untold: Vec<_> =
            untold.map(|version| (version.version.clone(), urgent(version), ends(version))).collect();
        for (version, urgent, ends) in untold {
            let Some(read) =
                self.subject.ports.store.read_version(&self.subject.managed.id, &version).await?
            else {
                continue;
            };
            let matching = self.matching(&read);
            let named = read.properties.tags.credential_id().ok().flatten();
            // A text that is of no listed credential, in a version that names none, has nothing to retire.
            let nothing_to_retire =
                matching.is_none() && named.is_none_or(|key_id| seen.credential(key_id).is_some());
            if nothing_to_retire && !urgent {
                continue;
            }
            if !ends && matching.is_some_and(|key_id| is_in_use(key_id, seen, policy, now)) {
                continue;
            }
            let answer = self.sign_in(&read.value).await;
            let found = seen.versions.iter_mut().filter(|facts| facts.version == version);
            for facts in found {
                facts.proven = matching.filter(|_| answer == CurrentSignIn::Accepted);
                facts.refused = answer == CurrentSignIn::Refused;
            }
        }
        Ok(())
    }

    /// Where consumers are locked out, or a person went back: the newest older version of ours whose text still signs in.
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

    /// The credential of an older version, if it is provably ours, unexpired, and signs in.
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

    /// The credential that a version's tag names, if it bears our marker and its text begins as the version's.
    fn marked(&self, read: &ReadVersion, seen: &Observed) -> Option<KeyId> {
        let key_id = read.properties.tags.credential_id().ok().flatten()?;
        let ours = seen.credential(key_id)?.rotation.is_some();
        let listed = self.application.credentials.iter().find(|credential| credential.key_id == key_id)?;
        (ours && may_have_text(listed, &read.value)).then_some(key_id)
    }
}

/// Whether the report shows a sign-in so late that trying the text would decide nothing, and would show up itself.
fn is_in_use(key_id: KeyId, seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
    let UsageFacts::Seen(last) = &seen.usage else { return false };
    last.get(&key_id).is_some_and(|last| last.saturating_add(policy.usage_quiet()) > now)
}

/// Whether the current credential is lost, or a person does not want it any more.
fn is_fallback_wanted(seen: &Observed, now: OffsetDateTime) -> bool {
    let expired = seen.current_credential().is_some_and(|credential| credential.end <= now);
    let gone = seen.sign_in == CurrentSignIn::Refused && seen.current_credential().is_none();
    let lost = seen.sign_in != CurrentSignIn::Accepted && (expired || gone);
    let asked_for = seen.command.is_some_and(|command| command.kind == CommandKind::Rollback);
    let bad = seen.current_quarantine().is_some_and(|bad| bad.reason == QuarantineReason::Rollback);
    lost || asked_for || bad
}
