//! The observation of a secret: reads both services and turns their answers into facts. Changes nothing.

mod replicas;
mod texts;
mod usage;

use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;

use super::Ports;
use crate::domain::{
    ApplicationFacts, ApplicationRules, BlockReason, ClientId, Command, CredentialFacts, Current,
    CurrentSignIn, ManagedSecret, Marker, Observed, Origin, ReplicaFacts, RotationPolicy, SignInProblem,
    VerifyPolicy, VersionFacts, consents, denied_reason, provider_address, tags,
};
use crate::ports::{Application, Credential, CurrentVersion, PortError, ReadVersion, SignIn, Version};

/// The secret to observe, and everything else that is needed to judge it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) ports: &'a Ports,
    pub(super) managed: &'a ManagedSecret,
    /// The rules for which applications may be rotated.
    pub(super) rules: &'a ApplicationRules,
    /// The application that the daemon itself signs in with.
    pub(super) own: Option<ClientId>,
    /// The command of a person, if one is pending.
    pub(super) command: Option<Command>,
    /// True if old texts may be tried: each try is a sign-in that the report on them shows.
    pub(super) may_try: bool,
}

/// The result of observing a secret once.
#[derive(Debug)]
pub(super) struct Observation {
    /// The facts.
    pub(super) seen: Observed,
    /// The application as Entra listed it.
    pub(super) application: Application,
    /// The policy, with the changes that the current version's tags ask for.
    pub(super) policy: RotationPolicy,
    /// The verification of a successor, with the changes that the current version's tags ask for.
    pub(super) verify: VerifyPolicy,
    /// Odd settings and facts that are not followed.
    pub(super) warnings: Vec<String>,
    /// The contact for the secret, by its `Owner` tag.
    pub(super) owner: Option<String>,
}

/// Reads the versions, then the credentials, then signs in with the current text.
///
/// In this order: a credential that is published between the two reads is then seen as an orphan for a moment,
/// which does no harm, and never as absent from Entra while a version names it. `Ok(None)`: no such application.
pub(super) async fn observe(
    subject: Subject<'_>,
    now: OffsetDateTime,
) -> Result<Option<Observation>, PortError> {
    let Subject { ports, managed, .. } = subject;
    let versions = ports.store.list_versions(&managed.id).await?;
    let current = ports.store.read_current(&managed.id).await?;
    let replicas = replicas::read(ports, managed, &current).await;
    let Some(application) = ports.issuer.read_application(managed.application).await? else {
        return Ok(None);
    };
    let observer = Observer { subject, application };
    Ok(Some(observer.observe(current, versions, replicas, now).await?))
}

struct Observer<'a> {
    subject: Subject<'a>,
    application: Application,
}

impl Observer<'_> {
    async fn observe(
        self,
        current: CurrentVersion,
        versions: Vec<Version>,
        replicas: Vec<ReplicaFacts>,
        now: OffsetDateTime,
    ) -> Result<Observation, PortError> {
        let Requested { policy, verify, owner, mut warnings } = requested(self.subject.managed, &current);
        let refused = self.refusal(&current);
        let text = current.text().filter(|_| refused.is_none());
        let sign_in = match text {
            Some(text) => self.sign_in(text).await,
            None => CurrentSignIn::NoText,
        };
        let mut seen = Observed {
            command: self.subject.command,
            denied_reason: refused,
            replicas,
            max_credentials: self.application.admits_personal_accounts.then_some(PERSONAL_ACCOUNTS_LIMIT),
            ..Observed::new(
                self.subject.managed.id.clone(),
                self.current_facts(&current, &sign_in),
                sorted(&versions),
                self.credential_facts(current.text()),
                sign_in,
            )
        };
        if refused.is_none() {
            // Before old texts are tried, since each try is a sign-in that the report will show.
            self.ask_for_usage(&mut seen, &policy, &mut warnings, now).await;
            if self.subject.may_try {
                self.try_superseded(&mut seen, &policy, now).await?;
                self.try_replicas(&mut seen).await;
            }
            self.find_fallback(&mut seen, now).await?;
        }
        warnings.extend(contradictions(&seen));
        Ok(Observation { seen, application: self.application, policy, verify, warnings, owner })
    }

    /// Returns the reason why the application's credentials may not be put into this secret.
    fn refusal(&self, current: &CurrentVersion) -> Option<BlockReason> {
        let origin = self.subject.managed.origin;
        match current {
            // Removing the tag ends our management of the secret: no rotation puts the tag back.
            CurrentVersion::Readable(read) if origin == Origin::Discovered && !self.is_named_by(read) => {
                Some(BlockReason::NoProvider)
            }
            // A person deleted it, and its tags with it.
            CurrentVersion::Missing if origin == Origin::Discovered => Some(BlockReason::NoProvider),
            CurrentVersion::Readable(_) | CurrentVersion::Missing | CurrentVersion::Disabled => {
                denied_reason(origin, &self.facts(), self.subject.rules)
            }
        }
    }

    /// Returns true if the version's tag names the application.
    fn is_named_by(&self, read: &ReadVersion) -> bool {
        let Application { object_id, client_id, .. } = self.application;
        let named = read.properties.tags.value(tags::PROVIDER_ADDRESS).and_then(provider_address);
        named.is_some_and(|named| named.is_of(object_id, client_id))
    }

    fn facts(&self) -> ApplicationFacts {
        let Application { object_id, client_id, tags, is_public_only, .. } = &self.application;
        ApplicationFacts {
            object_id: *object_id,
            client_id: *client_id,
            consents: consents(&self.subject.managed.id, tags.iter().map(String::as_str)),
            is_public_only: *is_public_only,
            is_own: self.subject.own == Some(*client_id),
        }
    }

    async fn sign_in(&self, text: &SecretString) -> CurrentSignIn {
        match self.subject.ports.verifier.sign_in(self.application.client_id, text).await {
            SignIn::Accepted => CurrentSignIn::Accepted,
            SignIn::Wrong | SignIn::Expired => CurrentSignIn::Refused,
            SignIn::ApplicationDisabled => CurrentSignIn::Unclear(SignInProblem::ApplicationDisabled),
            SignIn::ApplicationUnknown => CurrentSignIn::Unclear(SignInProblem::ApplicationUnknown),
            SignIn::NoServicePrincipal => CurrentSignIn::Unclear(SignInProblem::NoServicePrincipal),
            SignIn::Unclear(why) => CurrentSignIn::Unclear(SignInProblem::Other(why)),
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
        let marker = Marker::of(&self.subject.managed.id);
        self.application
            .credentials
            .iter()
            .map(|credential| credential_facts_of(credential, &marker, text))
            .collect()
    }
}

/// The settings that the configuration and the tags of the current version ask for.
struct Requested {
    policy: RotationPolicy,
    verify: VerifyPolicy,
    owner: Option<String>,
    /// The settings that are not followed.
    warnings: Vec<String>,
}

fn requested(managed: &ManagedSecret, current: &CurrentVersion) -> Requested {
    let CurrentVersion::Readable(read) = current else {
        let policy = managed.policy.clone().spread(&managed.id);
        return Requested { policy, verify: managed.verify.clone(), owner: None, warnings: Vec::new() };
    };
    let tags = &read.properties.tags;
    let (policy, unfollowed) = managed.policy.with_tags(tags);
    let mut warnings: Vec<_> = unfollowed.iter().map(ToString::to_string).collect();
    let verify = managed.verify.with_tags(tags).unwrap_or_else(|| {
        let name = tags::VERIFY_SCOPE;
        warnings.push(format!(
            "tag {name} is ignored: it is not a scope that ends in /.default, or the probe requires its own scope"
        ));
        managed.verify.clone()
    });
    let owner = tags.value(tags::OWNER).map(str::to_owned);
    Requested { policy: policy.spread(&managed.id), verify, owner, warnings }
}

impl CurrentVersion {
    fn text(&self) -> Option<&SecretString> {
        match self {
            Self::Readable(read) => Some(&read.value),
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

fn credential_facts_of(
    credential: &Credential,
    marker: &Marker,
    text: Option<&SecretString>,
) -> CredentialFacts {
    let name = credential.display_name.as_deref();
    let rotation = name.and_then(|name| marker.rotation_of(name));
    CredentialFacts {
        key_id: credential.key_id,
        is_of_other_secret: rotation.is_none() && name.is_some_and(Marker::is_of_any),
        rotation,
        start: credential.start,
        end: credential.end,
        may_be_current_text: text.is_some_and(|text| may_have_text(credential, text)),
    }
}

/// Returns warnings about tags of the current version that can't be used or that its text does not bear out.
fn contradictions(seen: &Observed) -> Vec<String> {
    let Some(current) = seen.current_version() else { return Vec::new() };
    let mut warnings: Vec<_> = current.tags.unusable().iter().map(ToString::to_string).collect();
    if let (Some(named), Some(proven)) = (current.named(), current.proven)
        && named != proven
    {
        warnings.push(format!("tag CredentialId names {named}, but the version's text belongs to {proven}"));
    }
    let listed = current.named().and_then(|named| seen.credential(named));
    if let Some(named) = listed.filter(|named| !named.may_be_current_text) {
        warnings.push(format!(
            "tag CredentialId names {}, but the version's text does not match its hint",
            named.key_id
        ));
    }
    if let Some(text) = current.tags.value(tags::PROVIDER_ADDRESS)
        && provider_address(text).is_none()
    {
        warnings
            .push("tag ProviderAddress does not name an application; using the configured one".to_owned());
    }
    warnings
}

/// Returns true if `text` may be this credential's text: also if Entra shows no hint, since then it is unknown.
fn may_have_text(credential: &Credential, text: &SecretString) -> bool {
    credential.hint.is_none() || has_hint(credential, text)
}

/// Returns true if the text begins with the hint that Entra shows for this credential.
fn has_hint(credential: &Credential, text: &SecretString) -> bool {
    let hint = credential.hint.as_deref().filter(|hint| !hint.is_empty());
    hint.is_some_and(|hint| text.expose_secret().starts_with(hint))
}

/// Applications that admit personal accounts may have two passwords. [azure-cli issue 12946]
const PERSONAL_ACCOUNTS_LIMIT: usize = 2;
