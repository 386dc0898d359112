//! Operations: what became of each accepted command. The API, its events and the command line show the same answer.

use time::OffsetDateTime;
use uuid::Uuid;

use super::registry::AcceptedCommand;
use crate::domain::{
    CommandKind, CommandOutcome, PendingCommand, SecretId, SecretState, StatusReason, serialize_as_label,
};
use crate::reconcile::{StatusBoard, WorkQueue};

/// An accepted command, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The id.
    pub id: Uuid,
    /// The secret.
    pub secret: SecretId,
    /// The command.
    pub command: CommandKind,
    /// The caller.
    pub by: String,
    /// When it was accepted.
    pub at: OffsetDateTime,
    /// The other secrets that got the same command with it.
    pub also: Vec<SecretId>,
    /// The state of the operation.
    pub state: OperationState,
    /// The condition that it waits for, the reason why it ended, or the activity of the secret.
    pub message: String,
    /// The state of the secret.
    pub secret_state: SecretState,
    /// The reason for that.
    pub reason: StatusReason,
}

/// The state of an operation. The last three are ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// It is pending, and was not tried yet.
    Accepted,
    /// It is being executed.
    Running,
    /// It was tried, and waits for the condition in the message.
    Waiting,
    /// It was tried, and something is in the way. It is tried again.
    Blocked,
    /// It is done.
    Completed,
    /// It will not be done, for the reason in the message.
    Rejected,
    /// A rollback that was requested after it took its place.
    Replaced,
}

impl OperationState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::Running,
        Self::Waiting,
        Self::Blocked,
        Self::Completed,
        Self::Rejected,
        Self::Replaced,
    ];

    /// Returns the name in the API and on the command line.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Replaced => "replaced",
        }
    }

    /// Returns the state of this label; none if a newer daemon has labels that are not known here.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }

    /// Returns true if nothing follows.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Completed | Self::Rejected | Self::Replaced => true,
            Self::Accepted | Self::Running | Self::Waiting | Self::Blocked => false,
        }
    }
}

serialize_as_label! { OperationState }

impl From<CommandOutcome> for OperationState {
    fn from(outcome: CommandOutcome) -> Self {
        match outcome {
            CommandOutcome::Completed => Self::Completed,
            CommandOutcome::Rejected => Self::Rejected,
            CommandOutcome::Replaced => Self::Replaced,
        }
    }
}

/// Returns the operation of `accepted` as the queue and the board show it now; `None` if neither knows the command any
/// more.
pub(super) fn of(accepted: &AcceptedCommand, queue: &WorkQueue, board: &StatusBoard) -> Option<Operation> {
    let AcceptedCommand { id, secret, command, by, also } = accepted.clone();
    // A command that ends is on the board before it leaves the queue: read in the other order, one of them has it.
    let pending = queue.pending_commands(&secret);
    let ended = board.ended(&secret, command);
    let status = board.show(&secret);
    let secret_state = status.as_ref().map_or(SecretState::Unknown, |status| status.state);
    let reason = status.as_ref().map_or(StatusReason::NotReconciledYet, |status| status.reason);
    let (state, message) = if let Some(ended) = ended {
        (ended.outcome.into(), ended.reason)
    } else {
        let index = pending.iter().position(|pending| command.is_merged_into(pending.command))?;
        let message = status.map(|status| status.message).unwrap_or_default();
        progress(&pending, index, secret_state, message)
    };
    let (at, command) = (command.at, command.kind);
    Some(Operation { id, secret, command, by, at, also, state, message, secret_state, reason })
}

/// Returns the operation of a command that was accepted under a repeated key and whose end is not remembered any more.
pub(super) fn forgotten(accepted: AcceptedCommand) -> Operation {
    let AcceptedCommand { id, secret, command, by, also } = accepted;
    Operation {
        id,
        secret,
        command: command.kind,
        by,
        at: command.at,
        also,
        state: OperationState::Rejected,
        message: "the end of this command is no longer known: run it again with another key".to_owned(),
        secret_state: SecretState::Unknown,
        reason: StatusReason::NotReconciledYet,
    }
}

/// Returns how far the command at `index` of those that are pending has come. Only the first of them is worked on.
fn progress(
    pending: &[PendingCommand],
    index: usize,
    state: SecretState,
    message: String,
) -> (OperationState, String) {
    let is_tried = pending.first().is_some_and(PendingCommand::is_tried);
    match (pending.first().filter(|_| index > 0), state) {
        (Some(first), SecretState::Blocked | SecretState::Waiting | SecretState::Unknown) if is_tried => {
            (OperationState::Waiting, format!("waits for {}: {message}", first.command.kind.label()))
        }
        (Some(first), _) => {
            (OperationState::Accepted, format!("waits for {} to end", first.command.kind.label()))
        }
        (None, SecretState::Rotating) => (OperationState::Running, message),
        (None, SecretState::Blocked) if is_tried => (OperationState::Blocked, message),
        (None, SecretState::Waiting | SecretState::Unknown) if is_tried => (OperationState::Waiting, message),
        (None, SecretState::Blocked | SecretState::Waiting | SecretState::Unknown) => {
            (OperationState::Accepted, "the next pass over the secret executes it".to_owned())
        }
    }
}
