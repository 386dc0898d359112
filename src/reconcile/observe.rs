//! Observing: reads both services and turns what they say into facts. It changes nothing.

use std::collections::BTreeSet;

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::Ports;
use crate::config::ManagedSecret;
use crate::domain::{
    CredentialFacts, Current, CurrentSignIn, KeyId, Marker, Observed, RotationPolicy, SignInTrouble,
    TagProblem, VersionFacts, Wish,
};
use crate::ports::{Application, Credential, CurrentVersion, PortError, ReadVersion, SignIn, Version};

/// One look at a secret.
#[derive(Debug)]
pub(super) struct Look {
    /// The facts.
    pub(super) seen: Observed,
    /// The application as Entra listed it.
    pub(super) application: Application,
    /// The policy, with what the current version's tags ask for.
    pub(super) policy: RotationPolicy,
    /// Tags that are not followed.
    pub(super) warnings: Vec<TagProblem>,
}

/// Reads the versions, then the credentials, then signs in with the current text.
///
/// In this order: a credential that is published between the two reads is then seen as an orphan for a moment,
/// which does no harm, and never as absent from Entra while a version names it. `Ok(None)`: no such application.
pub(super) async fn observe(
    ports: &Ports,
    managed: &ManagedSecret,
    wish: Option<Wish>,
    now: OffsetDateTime,
) -> Result<Option<Look>, PortError> {
    let versions = ports.store.list_versions(&managed.id).await?;
    let current = ports.store.read_current(&managed.id).await?;
    let Some(application) = ports.issuer.read_application(managed.application).await? else {
        return Ok(None);
    };
    let observer = Observer { ports, managed, application };
    Ok(Some(observer.look(current, versions, wish, now).await?))
}

struct Observer<'a> {
    ports: &'a Ports,
    managed: &'a ManagedSecret,
    application: Application,
}

impl Observer<'_> {
    async fn look(
        self,
        current: CurrentVersion,
        versions: Vec<Version>,
        wish: Option<Wish>,
        now: OffsetDateTime,
    ) -> Result<Look, PortError> {
        let (policy, warnings) = match &current {
            CurrentVersion::Readable(read) => self.managed.policy.with_tags(&read.properties.tags),
            CurrentVersion::Missing | CurrentVersion::Disabled => (self.managed.policy.clone(), Vec::new()),
        };
        let text = current.text();
        let sign_in = match text {
            Some(text) => self.sign_in(text).await,
            None => CurrentSignIn::NoText,
        };
        let mut seen = Observed {
            secret: self.managed.id.clone(),
            current: self.current_facts(&current, &sign_in),
            versions: sorted(&versions),
            credentials: self.credential_facts(text),
            sign_in,
            lost_since: None,
            fallback: None,
            wish,
        };
        self.prove_superseded(&mut seen, &policy, now).await?;
        self.find_fallback(&mut seen, now).await?;
        Ok(Look { seen, application: self.application, policy, warnings })
    }

    async fn sign_in(&self, text: &SecretString) -> CurrentSignIn {
        match self.ports.verifier.sign_in(self.application.client_id, text).await {
            SignIn::Accepted => CurrentSignIn::Accepted,
            SignIn::Wrong | SignIn::Expired => CurrentSignIn::Refused,
            SignIn::ApplicationDisabled => CurrentSignIn::Unclear(SignInTrouble::ApplicationDisabled),
            SignIn::ApplicationUnknown => CurrentSignIn::Unclear(SignInTrouble::ApplicationUnknown),
            SignIn::Unclear(why) => CurrentSignIn::Unclear(SignInTrouble::Other(why)),
        }
    }

    fn current_facts(&self, current: &CurrentVersion, sign_in: &CurrentSignIn) -> Current {
        let read = match current {
            CurrentVersion::Missing => return Current::Missing,
            CurrentVersion::Disabled => return Current::Disabled,
            CurrentVersion::Readable(read) => read,
        };
        let mut facts = facts(&read.properties);
        if *sign_in == CurrentSignIn::Accepted {
            facts.proven = self.matching(read);
        }
        Current::Readable(Box::new(facts))
    }

    fn credential_facts(&self, text: Option<&SecretString>) -> Vec<CredentialFacts> {
        let marker = Marker::of(&self.managed.id);
        let facts = |credential: &Credential| CredentialFacts {
            key_id: credential.key_id,
            rotation: credential.display_name.as_deref().and_then(|name| marker.rotation_of(name)),
            start: credential.start,
            end: credential.end,
            may_be_current_text: text.is_some_and(|text| has_hint(credential, text)),
        };
        self.application.credentials.iter().map(facts).collect()
    }

    /// The one credential with this text's first characters and an end within a day of the version's.
    fn matching(&self, read: &ReadVersion) -> Option<KeyId> {
        let expires = read.properties.expires?;
        let matches = |credential: &&Credential| {
            has_hint(credential, &read.text) && (credential.end - expires).abs() <= Duration::DAY
        };
        let mut matching = self.application.credentials.iter().filter(matches);
        matching.next().filter(|_| matching.next().is_none()).map(|credential| credential.key_id)
    }

    /// Older versions whose credential bears no marker: whether their own text proves it ours.
    ///
    /// Only once their overlap is over, since each proof is a sign-in with the old credential.
    async fn prove_superseded(
        &self,
        seen: &mut Observed,
        policy: &RotationPolicy,
        now: OffsetDateTime,
    ) -> Result<(), PortError> {
        if seen.sign_in != CurrentSignIn::Accepted || seen.current_credential().is_none() {
            return Ok(());
        }
        let over = |version: &VersionFacts| {
            seen.followed_at(version.created).is_some_and(|at| at + policy.overlap() <= now)
        };
        let candidates: Vec<_> = seen
            .older_versions()
            .filter(|v| v.enabled && over(v) && lacks_marker(v, seen))
            .cloned()
            .collect();
        for version in candidates {
            let proven = self.proof(&version).await?;
            set_proof(seen, &version, proven);
        }
        Ok(())
    }

    /// The credential that this version's text was shown to belong to.
    async fn proof(&self, version: &VersionFacts) -> Result<Option<KeyId>, PortError> {
        let Some(read) = self.ports.store.read_version(&self.managed.id, &version.version).await? else {
            return Ok(None);
        };
        let Some(matching) = self.matching(&read) else { return Ok(None) };
        let accepted = self.sign_in(&read.text).await == CurrentSignIn::Accepted;
        Ok(accepted.then_some(matching))
    }

    /// Where consumers are locked out: the newest older version of ours whose text still signs in.
    async fn find_fallback(&self, seen: &mut Observed, now: OffsetDateTime) -> Result<(), PortError> {
        let expired = seen.current_credential().is_some_and(|credential| credential.end <= now);
        let gone = seen.sign_in == CurrentSignIn::Refused && seen.current_credential().is_none();
        if !(expired || gone) {
            return Ok(());
        }
        let dead: BTreeSet<_> = seen.protected();
        let candidates: Vec<_> =
            seen.older_versions().filter(|v| v.enabled && !v.tags.is_quarantined()).cloned().collect();
        for version in candidates.into_iter().rev() {
            let Some(key_id) = self.usable(&version, seen, now).await? else { continue };
            if dead.contains(&key_id) {
                continue;
            }
            set_proof(seen, &version, Some(key_id));
            seen.fallback = Some(version.version);
            return Ok(());
        }
        Ok(())
    }

    /// The credential of an older version, if it is provably ours, unexpired, and signs in.
    async fn usable(
        &self,
        version: &VersionFacts,
        seen: &Observed,
        now: OffsetDateTime,
    ) -> Result<Option<KeyId>, PortError> {
        let Some(read) = self.ports.store.read_version(&self.managed.id, &version.version).await? else {
            return Ok(None);
        };
        let marked = version.named().and_then(|id| seen.credential(id)).filter(|c| c.rotation.is_some());
        let Some(key_id) = marked.map(|credential| credential.key_id).or_else(|| self.matching(&read)) else {
            return Ok(None);
        };
        let unexpired = seen.credential(key_id).is_some_and(|credential| credential.end > now);
        let accepted = unexpired && self.sign_in(&read.text).await == CurrentSignIn::Accepted;
        Ok(accepted.then_some(key_id))
    }
}

impl CurrentVersion {
    fn text(&self) -> Option<&SecretString> {
        match self {
            Self::Readable(read) => Some(&read.text),
            Self::Missing | Self::Disabled => None,
        }
    }
}

/// Whether a version's credential can only be proven ours by the version's own text.
fn lacks_marker(version: &VersionFacts, seen: &Observed) -> bool {
    let protected = seen.protected();
    version.named().map_or_else(
        || seen.credentials.iter().any(|c| c.rotation.is_none() && !protected.contains(&c.key_id)),
        |key_id| {
            seen.credential(key_id).is_some_and(|c| c.rotation.is_none() && !protected.contains(&key_id))
        },
    )
}

fn sorted(versions: &[Version]) -> Vec<VersionFacts> {
    let mut facts: Vec<_> = versions.iter().map(facts).collect();
    facts.sort_by(|one, other| (one.created, &one.version).cmp(&(other.created, &other.version)));
    facts
}

fn facts(version: &Version) -> VersionFacts {
    VersionFacts {
        version: version.version.clone(),
        enabled: version.enabled,
        created: version.created,
        tags: version.tags.clone(),
        proven: None,
    }
}

fn set_proof(seen: &mut Observed, tried: &VersionFacts, proven: Option<KeyId>) {
    for version in seen.versions.iter_mut().filter(|version| version.version == tried.version) {
        version.proven = proven;
    }
}

/// Whether the text begins as Entra says that this credential's does.
fn has_hint(credential: &Credential, text: &SecretString) -> bool {
    let hint = credential.hint.as_deref().filter(|hint| !hint.is_empty());
    hint.is_some_and(|hint| text.expose_secret().starts_with(hint))
}
