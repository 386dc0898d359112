//! The status of a managed secret: what is known of it, for people, the API and metrics. Nothing is decided here.

use time::OffsetDateTime;

use crate::domain::{
    ActionKind, ActionOutcome, Command, CommandOutcome, KeyId, Origin, ReplicaFacts, ReplicaState, SecretId,
    SecretState, StatusReason,
};

/// The status of one managed secret. Made again by each pass; nothing is decided from it.
#[derive(Debug, Clone)]
pub struct SecretStatus {
    /// `vault/name`.
    pub secret: SecretId,
    /// The state.
    pub state: SecretState,
    /// The reason for the state.
    pub reason: StatusReason,
    /// The meaning of the reason and, if a person has to act, the fix.
    pub message: String,
    /// True if only a person can end this state.
    pub needs_person: bool,
    /// The published credential.
    pub credential_id: Option<KeyId>,
    /// When the published credential ends.
    pub expires: Option<OffsetDateTime>,
    /// When its successor is due.
    pub due: Option<OffsetDateTime>,
    /// When it was last reconciled.
    pub last_reconciled: Option<OffsetDateTime>,
    /// When a pass last found nothing wrong.
    pub last_success: Option<OffsetDateTime>,
    /// When it will be reconciled next, if nothing wakes it earlier.
    pub next_reconcile: Option<OffsetDateTime>,
    /// The last action and how it ended.
    pub last_outcome: Option<LastOutcome>,
    /// The reason why it is managed.
    pub origin: Origin,
    /// The contact for it, by its `Owner` tag.
    pub owner: Option<String>,
    /// When the version that consumers read was published.
    pub published: Option<OffsetDateTime>,
    /// True if a rotation of ours made that version.
    pub is_rotated: bool,
    /// Credentials that were published before and are not retired yet.
    pub superseded: usize,
    /// Expired credentials of the application that others made.
    pub foreign_expired: usize,
    /// The other vault secrets that hold the same credential.
    pub replicas: Vec<ReplicaStatus>,
    /// The last command of a person that ended.
    pub last_command: Option<EndedCommand>,
    /// A credential that this secret is known to hold, by its text or its marker; not by a tag alone.
    pub held: Option<KeyId>,
    /// True if the application may not be rotated into it, so that what it holds protects nothing.
    pub is_denied: bool,
    /// Credentials of ours that were never published.
    pub orphans: usize,
    /// Odd settings and facts that are not followed, for example unusable tags.
    pub warnings: Vec<String>,
}

/// A command that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCommand {
    /// The command.
    pub command: Command,
    /// How it ended.
    pub outcome: CommandOutcome,
    /// The reason, in words.
    pub reason: String,
}

/// The status of one replica.
#[derive(Debug, Clone)]
pub struct ReplicaStatus {
    /// `vault/name`.
    pub secret: SecretId,
    /// How it compares with the primary.
    pub state: ReplicaState,
}

/// An action and how it ended.
#[derive(Debug, Clone)]
pub struct LastOutcome {
    /// Its kind.
    pub action: ActionKind,
    /// How it ended.
    pub outcome: ActionOutcome,
    /// The error, if there was one.
    pub error: Option<String>,
    /// When it ended.
    pub at: OffsetDateTime,
}

impl From<&ReplicaFacts> for ReplicaStatus {
    fn from(facts: &ReplicaFacts) -> Self {
        Self { secret: facts.secret.clone(), state: facts.state.clone() }
    }
}

impl SecretStatus {
    /// Returns true if a successor is due at `now`, as far as is known.
    #[must_use]
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    /// Returns the status of a secret that no pass has seen yet.
    pub(super) fn unknown(secret: &SecretId) -> Self {
        Self {
            secret: secret.clone(),
            state: SecretState::Unknown,
            reason: StatusReason::NotReconciledYet,
            message: "not reconciled yet".to_owned(),
            needs_person: false,
            credential_id: None,
            expires: None,
            due: None,
            last_reconciled: None,
            last_success: None,
            next_reconcile: None,
            last_outcome: None,
            origin: Origin::Configured,
            owner: None,
            published: None,
            is_rotated: false,
            superseded: 0,
            foreign_expired: 0,
            replicas: Vec::new(),
            last_command: None,
            held: None,
            is_denied: false,
            orphans: 0,
            warnings: Vec::new(),
        }
    }
}
