//! What one look at Key Vault and Entra showed: facts only, no text of a secret, no conclusion that needs the time.

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

/// Everything that a decision about one managed secret rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Which secret.
    pub secret: SecretId,
    /// What consumers get who ask for no version.
    pub current: Current,
    /// Every version, by the time it was created.
    pub versions: Vec<VersionFacts>,
    /// The application's credentials, ours and others.
    pub credentials: Vec<CredentialFacts>,
    /// Whether the current text signs in.
    pub sign_in: CurrentSignIn,
    /// Since when the current credential was found lost at every look of this process.
    pub lost_since: Option<OffsetDateTime>,
    /// Where the current credential is lost, or a person went back: the newest older version whose credential is ours,
    /// is another one than the current, and still signs in. Never a quarantined one.
    pub fallback: Option<VersionId>,
    /// What a person asked for.
    pub command: Option<Command>,
    /// Why the application's credentials may not be put into this secret.
    pub denied_reason: Option<BlockReason>,
    /// The other vault secrets that hold the same credential.
    pub replicas: Vec<ReplicaFacts>,
    /// When credentials last signed in.
    pub usage: UsageFacts,
    /// What holds scheduled rotations back.
    pub rollout_limits: RolloutLimits,
    /// What a rotation met a moment ago, before anything was noted of it: whatever else there is to do goes first.
    pub preflight_failure: Option<BlockReason>,
    /// How many credentials the application may have, if that is known.
    pub max_credentials: Option<usize>,
    /// Credentials that other managed secrets of the application hold; `None`: not all of them are known yet.
    pub held_elsewhere: Option<BTreeSet<KeyId>>,
}

/// What the report on sign-ins tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsageFacts {
    /// Nobody asked, since nothing depends on it now.
    NotAsked,
    /// There is no report: no licence, no right, another cloud. Time alone decides then.
    Unavailable(String),
    /// The last sign-in of each credential that is known to have signed in.
    Seen(BTreeMap<KeyId, OffsetDateTime>),
}

/// What `GET` without a version serves. Key Vault's word, never the newest `created`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Current {
    /// There is no such secret.
    Missing,
    /// It can't be read, because its newest version is disabled.
    Disabled,
    /// This version.
    Readable(Box<VersionFacts>),
}

/// What Entra said to the current text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CurrentSignIn {
    /// There is no text to sign in with.
    NoText,
    /// It signs in.
    Accepted,
    /// Entra says that the secret is wrong or expired: the only answers that speak against it.
    Refused,
    /// Entra could not be asked, or its answer is about something else.
    Unclear(SignInProblem),
}

/// Why a sign-in says nothing about the secret.
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
    /// What was read; the rest as of a secret that shares its application with none, of which nobody asks anything.
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

    /// The version that consumers read, if they can.
    #[must_use]
    pub fn current_version(&self) -> Option<&VersionFacts> {
        match &self.current {
            Current::Readable(version) => Some(version),
            Current::Missing | Current::Disabled => None,
        }
    }

    /// The credential that consumers use, if Entra lists it.
    ///
    /// What the text itself proves stands above what a tag says: whoever may write secrets may write tags.
    #[must_use]
    pub fn current_credential(&self) -> Option<&CredentialFacts> {
        let version = self.current_version()?;
        let proven = version.proven.and_then(|key_id| self.credential(key_id));
        proven.or_else(|| self.credential(version.named()?))
    }

    /// The credential with this id.
    #[must_use]
    pub fn credential(&self, key_id: KeyId) -> Option<&CredentialFacts> {
        self.credentials.iter().find(|credential| credential.key_id == key_id)
    }

    /// Returns true if the version's tag names a credential that Entra does not list. A version that names none does not.
    pub(super) fn names_gone_credential(&self, version: &VersionFacts) -> bool {
        version.named().is_some_and(|key_id| self.credential(key_id).is_none())
    }

    /// Returns true if an operator's command asks to retire what was superseded at `at`: what is superseded after the
    /// command has its overlap.
    pub(super) fn is_retire_commanded(&self, at: OffsetDateTime) -> bool {
        self.command.is_some_and(|command| command.kind == CommandKind::Retire && at <= command.at)
    }

    /// The versions that consumers don't read any more.
    pub fn older_versions(&self) -> impl Iterator<Item = &VersionFacts> {
        let current = self.current_version().map(|version| &version.version);
        self.versions.iter().filter(move |version| Some(&version.version) != current)
    }

    /// When the version created at `last` was followed by one that names a credential.
    #[must_use]
    pub fn followed_at(&self, last: OffsetDateTime) -> Option<OffsetDateTime> {
        let named = self.all_versions().filter(|version| version.named().is_some());
        let followed = named.map(|version| version.created).filter(|created| *created > last).min();
        // Two versions of one second can't be ordered: then Key Vault's word for the current one decides.
        // One that is newer than the current one was published since that was read: nothing followed it.
        followed.or_else(|| self.current_version().map(|version| version.created).filter(|at| *at >= last))
    }

    /// All versions; the current one may be missing from a listing that lags.
    pub(super) fn all_versions(&self) -> impl Iterator<Item = &VersionFacts> {
        self.versions.iter().chain(self.current_version())
    }

    /// The attempt that was last written down: on the current version, or on the placeholder of a new secret.
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

    /// Since when every replica holds what the primary holds; `None`: one of them doesn't, or is not known to.
    ///
    /// Without replicas: for ever.
    #[must_use]
    pub fn in_sync_since(&self) -> Option<OffsetDateTime> {
        self.replicas.iter().try_fold(OffsetDateTime::UNIX_EPOCH, |latest, replica| {
            replica.state.in_sync_since().map(|since| latest.max(since))
        })
    }

    /// Whether all there is of this secret is what rekeyd wrote before its first credential.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.current == Current::Disabled
            && !self.versions.is_empty()
            && self.versions.iter().all(VersionFacts::is_placeholder)
    }
    /// Why the version that consumers read must not be published again, if it must not.
    #[must_use]
    pub fn current_quarantine(&self) -> Option<Quarantine> {
        self.current_version()?.quarantine()
    }

    /// Whether a version that must never be published again holds this credential: then no other version with it may
    /// be, either.
    #[must_use]
    pub fn is_quarantined(&self, key_id: KeyId) -> bool {
        self.all_versions().any(|version| version.tags.is_quarantined() && version.holds(key_id))
    }
}
