//! Operations: what became of each accepted command. The API, its events and the command line show the same answer.

use time::OffsetDateTime;
use uuid::Uuid;

use super::registry::AcceptedCommand;
use crate::domain::{CommandKind, CommandOutcome, SecretId, SecretState, StatusReason, serialize_as_label};
use crate::reconcile::{QueuedCommand, StatusBoard, WorkQueue};

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
    /// Another command for the same secret took its place.
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

/// Returns the operation of `accepted` as the queue and the board show it now.
pub(super) fn of(accepted: &AcceptedCommand, queue: &WorkQueue, board: &StatusBoard) -> Operation {
    let AcceptedCommand { id, secret, command, by, also } = accepted.clone();
    // A command that ends is on the board before it leaves the queue: read in the other order, one of them has it.
    let pending = queue.pending(&secret, command);
    let ended = board.ended(&secret, command);
    let status = board.show(&secret);
    let secret_state = status.as_ref().map_or(SecretState::Unknown, |status| status.state);
    let reason = status.as_ref().map_or(StatusReason::NotReconciledYet, |status| status.reason);
    let (state, message) = match (pending, ended, status) {
        (_, Some(ended), Some(status)) if ended.outcome == CommandOutcome::Completed => {
            (OperationState::Completed, status.message)
        }
        (_, Some(ended), _) => (ended.outcome.into(), ended.reason),
        (_, None, None) => (OperationState::Rejected, NOT_MANAGED.to_owned()),
        (Some(pending), None, Some(status)) => progress(pending, status.state, status.message),
        (None, None, Some(_)) => (OperationState::Rejected, FORGOTTEN.to_owned()),
    };
    let (at, command) = (command.at, command.kind);
    Operation { id, secret, command, by, at, also, state, message, secret_state, reason }
}

fn progress(pending: QueuedCommand, state: SecretState, message: String) -> (OperationState, String) {
    match state {
        SecretState::Rotating => (OperationState::Running, message),
        SecretState::Blocked if pending.tried => (OperationState::Blocked, message),
        SecretState::Waiting | SecretState::Unknown if pending.tried => (OperationState::Waiting, message),
        SecretState::Blocked | SecretState::Waiting | SecretState::Unknown => {
            (OperationState::Accepted, "the next pass over the secret executes it".to_owned())
        }
    }
}

const NOT_MANAGED: &str = "the secret is not managed any more";

const FORGOTTEN: &str = "the daemon no longer knows this command (it may have restarted): run it again";
