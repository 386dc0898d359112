//! The observation of Key Vault and Entra in one pass: facts only, no secret text, no conclusion that needs the time.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

mod credential;
mod version;

pub(super) use credential::CREATION_LAG;
pub use credential::CredentialFacts;
pub use version::VersionFacts;

use super::command::{Command, CommandKind};
use super::names::{KeyId, SecretId, VersionId};
use super::reasons::BlockReason;
use super::replica::ReplicaFacts;
use super::rollout::RolloutLimits;
use super::tags::{PendingRotation, Quarantine};

/// Everything that a decision about one managed secret is based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The secret.
    pub secret: SecretId,
    /// The version that consumers get if they ask for none in particular.
    pub current: Current,
    /// Every version, by creation time.
    pub versions: Vec<VersionFacts>,
    /// The application's credentials, ours and others.
    pub credentials: Vec<CredentialFacts>,
    /// Result of a sign-in with the current text.
    pub sign_in: CurrentSignIn,
    /// Time since when every pass of this process has found the current credential lost.
    pub lost_since: Option<OffsetDateTime>,
    /// The version to fall back to if the current credential is lost, or an operator rolled back: the newest older
    /// version whose credential is ours, is another one than the current, and still signs in. Never a quarantined one.
    pub fallback: Option<VersionId>,
    /// An operator's command.
    pub command: Option<Command>,
    /// Reason why the application's credentials may not be put into this secret.
    pub denied_reason: Option<BlockReason>,
    /// The other vault secrets that hold the same credential.
    pub replicas: Vec<ReplicaFacts>,
    /// Last sign-ins of credentials.
    pub usage: UsageFacts,
    /// The limits that hold scheduled rotations back.
    pub rollout_limits: RolloutLimits,
    /// A failure that a rotation just had, before it had recorded anything: all other work goes first.
    pub preflight_failure: Option<BlockReason>,
    /// Maximum number of credentials of the application, if that is known.
    pub max_credentials: Option<usize>,
    /// Credentials that other managed secrets of the application hold; `None` if not all of them are known yet.
    pub held_elsewhere: Option<BTreeSet<KeyId>>,
}

/// The contents of the report on sign-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageFacts {
    /// The report was not requested, because nothing depends on it now.
    NotAsked,
    /// There is no report: no licence, no permission, another cloud. Then time alone decides.
    Unavailable(String),
    /// The last sign-in of each credential that is known to have signed in.
    Seen(BTreeMap<KeyId, OffsetDateTime>),
}

/// The response to a `GET` without a version, as Key Vault returns it; never derived from the newest `created`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Current {
    /// There is no such secret.
    Missing,
    /// It can't be read, because its newest version is disabled.
    Disabled,
    /// It is this version.
    Readable(Box<VersionFacts>),
}

/// Entra's answer to the current text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentSignIn {
    /// There is no text to sign in with.
    NoText,
    /// It signs in.
    Accepted,
    /// Entra reports the secret as wrong or expired: the only answers that count against it.
    Refused,
    /// Entra could not be asked, or its answer is about something else.
    Unclear(SignInProblem),
}

/// The reason why a sign-in proves nothing about the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInProblem {
    /// The application is disabled in Entra.
    ApplicationDisabled,
    /// The application is unknown to the tenant.
    ApplicationUnknown,
    /// The application has no service principal in the tenant.
    NoServicePrincipal,
    /// Entra could not be reached, was busy, or answered something else.
    Other(String),
}

impl Observed {
    /// Creates an observation. The facts that are not passed are those of a secret without a command whose application
    /// no other secret shares.
    #[must_use]
    pub fn new(
        secret: SecretId,
        current: Current,
        versions: Vec<VersionFacts>,
        credentials: Vec<CredentialFacts>,
        sign_in: CurrentSignIn,
    ) -> Self {
        Self {
            secret,
            current,
            versions,
            credentials,
            sign_in,
            lost_since: None,
            fallback: None,
            command: None,
            denied_reason: None,
            replicas: Vec::new(),
            usage: UsageFacts::NotAsked,
            rollout_limits: RolloutLimits::default(),
            preflight_failure: None,
            max_credentials: None,
            held_elsewhere: Some(BTreeSet::new()),
        }
    }

    /// Returns the version that consumers read, if they can.
    #[must_use]
    pub fn current_version(&self) -> Option<&VersionFacts> {
        match &self.current {
            Current::Readable(version) => Some(version),
            Current::Missing | Current::Disabled => None,
        }
    }

    /// Returns the credential that consumers use, if Entra lists it.
    ///
    /// A proof by the text itself takes precedence over a tag: anyone who may write secrets may write tags.
    #[must_use]
    pub fn current_credential(&self) -> Option<&CredentialFacts> {
        let version = self.current_version()?;
        let proven = version.proven.and_then(|key_id| self.credential(key_id));
        proven.or_else(|| self.credential(version.named()?))
    }

    /// Returns the credential with this id.
    #[must_use]
    pub fn credential(&self, key_id: KeyId) -> Option<&CredentialFacts> {
        self.credentials.iter().find(|credential| credential.key_id == key_id)
    }

    /// Returns true if the version's tag names a credential that Entra does not list; false if it names none.
    pub(super) fn names_gone_credential(&self, version: &VersionFacts) -> bool {
        version.named().is_some_and(|key_id| self.credential(key_id).is_none())
    }

    /// Returns true if an operator's command asks to retire what was superseded at `at`: credentials that are
    /// superseded after the command keep their overlap.
    pub(super) fn is_retire_commanded(&self, at: OffsetDateTime) -> bool {
        self.command.is_some_and(|command| command.kind == CommandKind::Retire && at <= command.at)
    }

    /// Returns the versions that consumers don't read any more.
    pub fn older_versions(&self) -> impl Iterator<Item = &VersionFacts> {
        let current = self.current_version().map(|version| &version.version);
        self.versions.iter().filter(move |version| Some(&version.version) != current)
    }

    /// Returns the time when the version created at `last` was followed by one that names a credential.
    #[must_use]
    pub fn followed_at(&self, last: OffsetDateTime) -> Option<OffsetDateTime> {
        let named = self.all_versions().filter(|version| version.named().is_some());
        let followed = named.map(|version| version.created).filter(|created| *created > last).min();
        // Two versions of one second can't be ordered: then the version that Key Vault serves as current decides. A
        // version newer than the current one was published after that was read: nothing followed it.
        followed.or_else(|| self.current_version().map(|version| version.created).filter(|at| *at >= last))
    }

    /// Returns all versions; the current one may be missing from a listing that lags.
    pub(super) fn all_versions(&self) -> impl Iterator<Item = &VersionFacts> {
        self.versions.iter().chain(self.current_version())
    }

    /// Returns the last recorded attempt: on the current version, or on the placeholder of a new secret.
    #[must_use]
    pub fn pending(&self) -> Option<PendingRotation> {
        match &self.current {
            Current::Readable(version) => version.pending(),
            Current::Missing => None,
            Current::Disabled => {
                self.versions.iter().filter_map(VersionFacts::pending).max_by_key(|pending| pending.began)
            }
        }
    }

    /// Returns the time since when every replica holds what the primary holds; `None` if one doesn't, or is not known
    /// to.
    ///
    /// Without replicas it is the Unix epoch.
    #[must_use]
    pub fn in_sync_since(&self) -> Option<OffsetDateTime> {
        self.replicas.iter().try_fold(OffsetDateTime::UNIX_EPOCH, |latest, replica| {
            replica.state.in_sync_since().map(|since| latest.max(since))
        })
    }

    /// Returns true if the secret consists only of what rekeyd wrote before its first credential.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.current == Current::Disabled
            && !self.versions.is_empty()
            && self.versions.iter().all(VersionFacts::is_placeholder)
    }
    /// Returns the reason why the version that consumers read must not be published again, if there is one.
    #[must_use]
    pub fn current_quarantine(&self) -> Option<Quarantine> {
        self.current_version()?.quarantine()
    }

    /// Returns true if a version that must never be published again holds this credential: then no other version that
    /// holds it may be published again, either.
    #[must_use]
    pub fn is_quarantined(&self, key_id: KeyId) -> bool {
        self.all_versions().any(|version| version.tags.is_quarantined() && version.holds(key_id))
    }
}
