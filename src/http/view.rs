//! The JSON of a secret in the API. Views are made from the status and decide nothing.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::commands::{Operation, OperationState, SecretRecord};
use crate::domain::{
    ActionKind, ActionOutcome, CommandKind, CommandOutcome, KeyId, Origin, PendingCommand, ReplicaState,
    SecretId, SecretState, StatusReason,
};
use crate::reconcile::{EndedCommand, LastOutcome, ReplicaStatus};

/// A managed secret: its status, and the commands that are not completed yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
pub(super) struct SecretView {
    /// `vault/name`.
    #[schema(value_type = String)]
    secret: SecretId,
    /// The state.
    state: SecretState,
    /// The reason for that state.
    reason: StatusReason,
    /// The reason in words and, if a person must act, the fix.
    message: String,
    /// True if only a person can end this state.
    needs_person: bool,
    /// The published credential.
    #[schema(required, value_type = Option<uuid::Uuid>)]
    credential_id: Option<KeyId>,
    /// When the published credential ends.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    expires: Option<OffsetDateTime>,
    /// When its successor is due.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    due: Option<OffsetDateTime>,
    /// When it was last reconciled.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    last_reconciled: Option<OffsetDateTime>,
    /// When it was last reconciled without an error.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    last_success: Option<OffsetDateTime>,
    /// When it will be reconciled next, if nothing wakes it earlier.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    next_reconcile: Option<OffsetDateTime>,
    /// The last action and how it ended.
    #[schema(required)]
    last_outcome: Option<LastOutcomeView>,
    /// The source of its management.
    origin: Origin,
    /// The owner, from the secret's `Owner` tag.
    #[schema(required)]
    owner: Option<String>,
    /// When the version that consumers read was published.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    published: Option<OffsetDateTime>,
    /// True if a rotation by rekeyd made that version.
    is_rotated: bool,
    /// Credentials that were published before and are not retired yet.
    superseded: usize,
    /// Expired credentials of the application that others made.
    foreign_expired: usize,
    /// The other vault secrets that hold the same credential.
    replicas: Vec<ReplicaView>,
    /// The last command that ended.
    #[schema(required)]
    last_command: Option<LastCommandView>,
    /// Credentials of ours that were never published.
    orphans: usize,
    /// Ignored problems, for example tags that can't be parsed.
    warnings: Vec<String>,
    /// The commands that are not completed yet, at most one of each kind: the one in work first, then the others in the
    /// order in which they run.
    pending_commands: Vec<PendingCommandView>,
}

/// A command that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastCommand)]
pub(super) struct LastCommandView {
    /// The kind of command.
    kind: CommandKind,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// How it ended.
    outcome: CommandOutcome,
    /// Why, in words.
    reason: String,
}

/// A command that is not completed yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PendingCommand)]
pub(super) struct PendingCommandView {
    /// The kind of command.
    kind: CommandKind,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// True if it was tried and will be retried: the state of the secret shows the reason.
    tried: bool,
}

/// A replica of a secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replica)]
pub(super) struct ReplicaView {
    /// `vault/name`.
    #[schema(value_type = String)]
    secret: SecretId,
    /// The state.
    state: ReplicaState,
    /// Why it can't be read, if it can't.
    #[schema(required)]
    error: Option<String>,
}

/// An action and how it ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastOutcome)]
pub(super) struct LastOutcomeView {
    /// The kind of action.
    action: ActionKind,
    /// How it ended.
    outcome: ActionOutcome,
    /// The error, if there was one.
    #[schema(required)]
    error: Option<String>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// A command that was accepted, and what has become of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Operation)]
pub(super) struct OperationView {
    /// Its id.
    id: Uuid,
    /// `vault/name`.
    #[schema(value_type = String)]
    secret: SecretId,
    /// The kind of command.
    command: CommandKind,
    /// The caller.
    by: String,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The other secrets that got the same command with it.
    #[schema(value_type = Vec<String>)]
    also: Vec<SecretId>,
    /// The state.
    state: OperationState,
    /// The reason why it waits or ended, or the current activity of the secret.
    message: String,
    /// The state of the secret.
    secret_state: SecretState,
    /// The reason for that state.
    reason: StatusReason,
    /// The path of the secret.
    secret_url: String,
}

impl OperationView {
    /// Returns the path of the operation.
    pub(super) fn path(&self) -> String {
        format!("/api/v1/operations/{}", self.id)
    }
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        Self {
            id: operation.id,
            secret_url: format!("/api/v1/secrets/{}", operation.secret),
            secret: operation.secret,
            command: operation.command,
            by: operation.by,
            at: operation.at,
            also: operation.also,
            state: operation.state,
            message: operation.message,
            secret_state: operation.secret_state,
            reason: operation.reason,
        }
    }
}

impl From<SecretRecord> for SecretView {
    fn from(SecretRecord { status, pending_commands }: SecretRecord) -> Self {
        Self {
            secret: status.secret,
            state: status.state,
            reason: status.reason,
            message: status.message,
            needs_person: status.needs_person,
            credential_id: status.credential_id,
            expires: status.expires,
            due: status.due,
            last_reconciled: status.last_reconciled,
            last_success: status.last_success,
            next_reconcile: status.next_reconcile,
            last_outcome: status.last_outcome.map(Into::into),
            origin: status.origin,
            owner: status.owner,
            published: status.published,
            is_rotated: status.is_rotated,
            superseded: status.superseded,
            foreign_expired: status.foreign_expired,
            replicas: status.replicas.into_iter().map(Into::into).collect(),
            last_command: status.last_command.map(Into::into),
            orphans: status.orphans,
            warnings: status.warnings,
            pending_commands: pending_commands.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<EndedCommand> for LastCommandView {
    fn from(EndedCommand { command, outcome, reason }: EndedCommand) -> Self {
        Self { kind: command.kind, at: command.at, outcome, reason }
    }
}

impl From<PendingCommand> for PendingCommandView {
    fn from(pending: PendingCommand) -> Self {
        let (command, tried) = (pending.command, pending.is_tried());
        Self { kind: command.kind, at: command.at, tried }
    }
}

impl From<ReplicaStatus> for ReplicaView {
    fn from(ReplicaStatus { secret, state }: ReplicaStatus) -> Self {
        let error = state.error().map(str::to_owned);
        Self { secret, state, error }
    }
}

impl From<LastOutcome> for LastOutcomeView {
    fn from(LastOutcome { action, outcome, error, at }: LastOutcome) -> Self {
        Self { action, outcome, error, at }
    }
}
