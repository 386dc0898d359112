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
    /// `unknown` (not reconciled yet), `waiting`, `rotating` or `blocked`.
    #[schema(value_type = String)]
    state: SecretState,
    /// The reason's short name.
    #[schema(value_type = String)]
    reason: StatusReason,
    /// The reason in words and, if a person has to act, the fix.
    message: String,
    /// True if only a person can end this state.
    needs_person: bool,
    /// The published credential.
    #[schema(value_type = Option<uuid::Uuid>)]
    credential_id: Option<KeyId>,
    /// When the published credential ends.
    #[serde(with = "time::serde::rfc3339::option")]
    expires: Option<OffsetDateTime>,
    /// When its successor is due.
    #[serde(with = "time::serde::rfc3339::option")]
    due: Option<OffsetDateTime>,
    /// When it was last reconciled.
    #[serde(with = "time::serde::rfc3339::option")]
    last_reconciled: Option<OffsetDateTime>,
    /// When a pass last found nothing wrong.
    #[serde(with = "time::serde::rfc3339::option")]
    last_success: Option<OffsetDateTime>,
    /// When it will be reconciled next, if nothing wakes it earlier.
    #[serde(with = "time::serde::rfc3339::option")]
    next_reconcile: Option<OffsetDateTime>,
    /// The last action and how it ended.
    last_outcome: Option<LastOutcomeView>,
    /// Why it is managed: `configured` or `discovered`.
    #[schema(value_type = String)]
    origin: Origin,
    /// Its owner, by its `Owner` tag.
    owner: Option<String>,
    /// When the version that consumers read was published.
    #[serde(with = "time::serde::rfc3339::option")]
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
    last_command: Option<LastCommandView>,
    /// Credentials of ours that were never published.
    orphans: usize,
    /// Oddities that are ignored, for example unusable tags.
    warnings: Vec<String>,
    /// The commands that are not completed yet, at most one of each kind: the one in work first, then the others in the
    /// order in which they run.
    pending_commands: Vec<PendingCommandView>,
}

/// A command that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastCommand)]
pub(super) struct LastCommandView {
    /// `rotate`, `rollback`, `compromised`, `retire`, `pause` or `resume`.
    #[schema(value_type = String)]
    kind: CommandKind,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// `completed`, `rejected` or `replaced`.
    #[schema(value_type = String)]
    outcome: CommandOutcome,
    /// Why, in words.
    reason: String,
}

/// A command that is not completed yet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PendingCommand)]
pub(super) struct PendingCommandView {
    /// `rotate`, `rollback`, `compromised`, `retire`, `pause` or `resume`.
    #[schema(value_type = String)]
    kind: CommandKind,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// True if it was tried already, and will be tried again: the secret's state shows what it waits for.
    tried: bool,
}

/// A replica of a secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replica)]
pub(super) struct ReplicaView {
    /// `vault/name`.
    #[schema(value_type = String)]
    secret: SecretId,
    /// `in_sync`, `out_of_sync`, `disabled` or `unreadable`.
    #[schema(value_type = String)]
    state: ReplicaState,
    /// Why it can't be read, if it can't.
    error: Option<String>,
}

/// An action and how it ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LastOutcome)]
pub(super) struct LastOutcomeView {
    /// The action's label.
    #[schema(value_type = String)]
    action: ActionKind,
    /// `success`, `failed`, `unknown` or `stopped`.
    #[schema(value_type = String)]
    outcome: ActionOutcome,
    /// The error, if there was one.
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
    /// `rotate`, `rollback`, `compromised`, `retire`, `pause` or `resume`.
    #[schema(value_type = String)]
    command: CommandKind,
    /// The caller.
    by: String,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The other secrets that got the same command with it.
    #[schema(value_type = Vec<String>)]
    also: Vec<SecretId>,
    /// `accepted`, `running`, `waiting`, `blocked`; at the end `completed`, `rejected` or `replaced`.
    #[schema(value_type = String)]
    state: OperationState,
    /// The reason why it waits or ended, or the current activity of the secret.
    message: String,
    /// The state of the secret.
    #[schema(value_type = String)]
    secret_state: SecretState,
    /// The reason for that state.
    #[schema(value_type = String)]
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
