//! Observing: reads both services and turns what they say into facts. It changes nothing.

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::Ports;
use crate::config::ManagedSecret;
use crate::domain::{
    Brakes, CredentialFacts, Current, CurrentSignIn, KeyId, Marker, Observed, RotationPolicy, SignInTrouble,
    TagProblem, UsageFacts, VersionFacts, VersionId, Wish,
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
    /// What is odd and not followed.
    pub(super) warnings: Vec<String>,
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
        let (policy, unfollowed) = match &current {
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
            objection: None,
            replicas: Vec::new(),
            usage: UsageFacts::NotAsked,
            brakes: Brakes::default(),
            most_credentials: None,
            held_elsewhere: None,
        };
        self.try_superseded(&mut seen, &policy, now).await?;
        self.find_fallback(&mut seen, now).await?;
        let warnings = warnings(&seen, &unfollowed);
        Ok(Look { seen, application: self.application, policy, warnings })
    }

    async fn sign_in(&self, text: &SecretString) -> CurrentSignIn {
        match self.ports.verifier.sign_in(self.application.client_id, text).await {
            SignIn::Accepted => CurrentSignIn::Accepted,
            SignIn::Wrong | SignIn::Expired => CurrentSignIn::Refused,
            SignIn::ApplicationDisabled => CurrentSignIn::Unclear(SignInTrouble::ApplicationDisabled),
            SignIn::ApplicationUnknown => CurrentSignIn::Unclear(SignInTrouble::ApplicationUnknown),
            SignIn::NoServicePrincipal => CurrentSignIn::Unclear(SignInTrouble::NoServicePrincipal),
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
            is_of_other_secret: false,
            start: credential.start,
            end: credential.end,
            may_be_current_text: text.is_some_and(|text| may_have_text(credential, text)),
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

    /// Older versions whose overlap is over: whether their own text still signs in, and whose it is.
    ///
    /// Not earlier, since each try is a sign-in with the old credential; and not where the marker tells already.
    async fn try_superseded(
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
        let untold =
            seen.older_versions().filter(|version| version.enabled && over(version) && !told(version));
        let untold: Vec<_> = untold.map(|version| version.version.clone()).collect();
        for version in untold {
            let Some(read) = self.ports.store.read_version(&self.managed.id, &version).await? else {
                continue;
            };
            let matching = self.matching(&read);
            let named = read.properties.tags.credential_id().ok().flatten();
            // A text that is of no listed credential, in a version that names none, has nothing to retire.
            if matching.is_none() && named.is_none_or(|key_id| seen.credential(key_id).is_some()) {
                continue;
            }
            let answer = self.sign_in(&read.text).await;
            let found = seen.versions.iter_mut().filter(|facts| facts.version == version);
            for facts in found {
                facts.proven = matching.filter(|_| answer == CurrentSignIn::Accepted);
                facts.refused = answer == CurrentSignIn::Refused;
            }
        }
        Ok(())
    }

    /// Where consumers are locked out: the newest older version of ours whose text still signs in.
    async fn find_fallback(&self, seen: &mut Observed, now: OffsetDateTime) -> Result<(), PortError> {
        let expired = seen.current_credential().is_some_and(|credential| credential.end <= now);
        let gone = seen.sign_in == CurrentSignIn::Refused && seen.current_credential().is_none();
        if seen.sign_in == CurrentSignIn::Accepted || !(expired || gone) {
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
        let Some(read) = self.ports.store.read_version(&self.managed.id, version).await? else {
            return Ok(None);
        };
        let Some(key_id) = self.marked(&read, seen).or_else(|| self.matching(&read)) else { return Ok(None) };
        let dead = seen.protected().contains(&key_id);
        if dead || seen.credential(key_id).is_none_or(|credential| credential.end <= now) {
            return Ok(None);
        }
        match self.sign_in(&read.text).await {
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
        (ours && may_have_text(listed, &read.text)).then_some(key_id)
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
        refused: false,
    }
}

/// What is odd about a secret and not followed.
fn warnings(seen: &Observed, unfollowed: &[TagProblem]) -> Vec<String> {
    let mut warnings: Vec<_> = unfollowed.iter().map(ToString::to_string).collect();
    let Some(current) = seen.current_version() else { return warnings };
    let unusable = [
        current.tags.credential_id().err(),
        current.tags.pending_rotation().err(),
        current.tags.superseded().err(),
    ];
    warnings.extend(unusable.into_iter().flatten().map(|unusable| unusable.to_string()));
    if let (Some(named), Some(proven)) = (current.named(), current.proven)
        && named != proven
    {
        warnings.push(format!("tag CredentialId names {named}, but the text is of {proven}"));
    }
    warnings
}

/// Whether this credential's text may be `text`: unknown where Entra shows no hint.
fn may_have_text(credential: &Credential, text: &SecretString) -> bool {
    credential.hint.is_none() || has_hint(credential, text)
}

/// Whether the text begins as Entra says that this credential's does.
fn has_hint(credential: &Credential, text: &SecretString) -> bool {
    let hint = credential.hint.as_deref().filter(|hint| !hint.is_empty());
    hint.is_some_and(|hint| text.expose_secret().starts_with(hint))
}
