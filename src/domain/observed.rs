//! What one look at Key Vault and Entra showed: facts only, no text of a secret, no conclusion that needs the time.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::command::Command;
use super::names::{KeyId, RotationId, SecretId, VersionId};
use super::reasons::BlockReason;
use super::replica::{ReplicaFacts, ReplicaState};
use super::rollout::RolloutLimits;
use super::tags::{PendingRotation, Tags};

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

/// One version of the vault secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFacts {
    /// Its name in Key Vault.
    pub version: VersionId,
    /// Whether consumers can read it.
    pub enabled: bool,
    /// When it was written; whole seconds.
    pub created: OffsetDateTime,
    /// Its tags.
    pub tags: Tags,
    /// The credential whose text it was shown to hold: the text signs in, and one credential alone has
    /// its hint and end. `None` also where nobody tried.
    pub proven: Option<KeyId>,
    /// Whether Entra was asked about its text and said that it is wrong or expired.
    pub refused: bool,
}

/// One credential of the application, as Entra lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFacts {
    /// Entra's name for it.
    pub key_id: KeyId,
    /// The rotation that made it, if it bears our marker for this very vault and secret.
    pub rotation: Option<RotationId>,
    /// Whether it bears our marker for another secret, whose own loop looks after it.
    pub is_of_other_secret: bool,
    /// When it begins to be good.
    pub start: OffsetDateTime,
    /// When it ends.
    pub end: OffsetDateTime,
    /// Whether the current text might be this credential's (their first characters are the same).
    pub may_be_current_text: bool,
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
        let listed = |key_id: Option<KeyId>| self.credential(key_id?);
        listed(version.proven).or_else(|| listed(version.named()))
    }

    /// The credential with this id.
    #[must_use]
    pub fn credential(&self, key_id: KeyId) -> Option<&CredentialFacts> {
        self.credentials.iter().find(|credential| credential.key_id == key_id)
    }

    /// The versions that consumers don't read any more.
    pub fn older_versions(&self) -> impl Iterator<Item = &VersionFacts> {
        let current = self.current_version().map(|version| &version.version);
        self.versions.iter().filter(move |version| Some(&version.version) != current)
    }

    /// When the version created at `last` was followed by one that names a credential.
    #[must_use]
    pub fn followed_at(&self, last: OffsetDateTime) -> Option<OffsetDateTime> {
        let later = |version: &&VersionFacts| version.created > last && version.named().is_some();
        let followed = self.all_versions().filter(later).map(|version| version.created).min();
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
        let noted = |version: &VersionFacts| version.tags.pending_rotation().ok().flatten();
        match &self.current {
            Current::Readable(version) => noted(version),
            Current::Missing => None,
            Current::Disabled => self.versions.iter().filter_map(noted).max_by_key(|pending| pending.began),
        }
    }

    /// Since when every replica holds what the primary holds; `None`: one of them doesn't, or is not known to.
    ///
    /// Without replicas: for ever.
    #[must_use]
    pub fn in_step_since(&self) -> Option<OffsetDateTime> {
        let since = |replica: &ReplicaFacts| match replica.state {
            ReplicaState::InSync(since) => Some(since),
            ReplicaState::OutOfSync | ReplicaState::Disabled | ReplicaState::Unreadable(_) => None,
        };
        self.replicas
            .iter()
            .map(since)
            .try_fold(OffsetDateTime::UNIX_EPOCH, |latest, one| Some(latest.max(one?)))
    }

    /// Whether all there is of this secret is what rekeyd wrote before its first credential.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        let ours = |version: &VersionFacts| {
            !version.enabled
                && version.named().is_none()
                && version.tags.pending_rotation().is_ok_and(|p| p.is_some())
        };
        self.current == Current::Disabled && !self.versions.is_empty() && self.versions.iter().all(ours)
    }
}

impl VersionFacts {
    /// Whether a rotation of ours made it.
    #[must_use]
    pub fn is_of_rotation(&self) -> bool {
        self.tags.rotation_id().is_ok_and(|rotation| rotation.is_some())
    }

    /// The credential that its tag names. A tag that can't be read names none.
    #[must_use]
    pub fn named(&self) -> Option<KeyId> {
        self.tags.credential_id().ok().flatten()
    }

    /// Whether its tag names this credential, or its text was proven to be of it.
    #[must_use]
    pub fn holds(&self, key_id: KeyId) -> bool {
        self.held().any(|held| held == key_id)
    }

    /// The credentials that its tag names and that its text was proven to be of.
    pub(super) fn held(&self) -> impl Iterator<Item = KeyId> + use<> {
        [self.named(), self.proven].into_iter().flatten()
    }
}
