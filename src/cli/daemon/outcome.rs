//! The results of commands: for people, for programs, and as an exit code.

use std::process::ExitCode;

use serde_json::json;
use time::OffsetDateTime;

use super::follow::FollowedOperation;
use crate::cli::{Output, print_line};
use crate::commands::OperationState;
use crate::domain::{CommandKind, SecretId, SecretState, StatusReason};

/// The result of one command for one secret.
#[derive(Debug)]
pub(super) struct CommandResult {
    pub(super) secret: SecretId,
    /// When it was accepted, by the clock of the backend.
    pub(super) at: Option<OffsetDateTime>,
    end: Reached,
    /// The reason, if the operation does not have it.
    why: Option<String>,
    /// The operation as it was last read.
    pub(super) operation: Option<FollowedOperation>,
}

/// How far a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// The state of its operation.
    State(OperationState),
    /// It is being followed and has not ended.
    Unfinished,
}

impl Reached {
    const fn label(self) -> &'static str {
        match self {
            Self::State(state) => state.label(),
            Self::Unfinished => "unfinished",
        }
    }

    /// Returns the exit code that this state alone gives.
    const fn exit_code(self) -> u8 {
        match self {
            Self::State(OperationState::Accepted | OperationState::Completed) => 0,
            Self::State(OperationState::Waiting) => 2,
            Self::State(
                OperationState::Running
                | OperationState::Blocked
                | OperationState::Rejected
                | OperationState::Replaced,
            )
            | Self::Unfinished => 1,
        }
    }
}

impl CommandResult {
    /// Makes the result of a command that was accepted, or that was not, for the reason in `submitted`.
    pub(super) fn new(secret: SecretId, submitted: Result<FollowedOperation, String>) -> Self {
        match submitted {
            Ok(operation) => Self {
                secret,
                at: Some(operation.at),
                end: Reached::State(OperationState::Accepted),
                why: None,
                operation: Some(operation),
            },
            Err(why) => Self {
                secret,
                at: None,
                end: Reached::State(OperationState::Rejected),
                why: Some(why),
                operation: None,
            },
        }
    }

    /// Makes the result for another secret that got the same command; its operation is found later.
    pub(super) const fn passed_on(secret: SecretId, at: Option<OffsetDateTime>) -> Self {
        Self { secret, at, end: Reached::State(OperationState::Accepted), why: None, operation: None }
    }

    /// Makes the result of a command that is followed already.
    pub(super) fn followed(operation: FollowedOperation) -> Self {
        let (secret, at) = (operation.secret.clone(), Some(operation.at));
        Self { secret, at, end: Reached::Unfinished, why: None, operation: Some(operation) }
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.end == Reached::Unfinished
    }

    /// Marks an accepted command as one that is followed.
    pub(super) fn expect_end(&mut self) {
        if self.end == Reached::State(OperationState::Accepted) {
            self.end = Reached::Unfinished;
        }
    }

    /// Notes the operation as it was read now.
    pub(super) fn see(&mut self, operation: FollowedOperation) {
        if let Some(state) = operation.lasting_state() {
            self.end = Reached::State(state);
        }
        self.operation = Some(operation);
    }

    /// Notes the operation if none was known. Returns true if it was noted.
    pub(super) fn adopt(&mut self, operation: FollowedOperation) -> bool {
        let is_new = self.operation.is_none() && self.at == Some(operation.at);
        if is_new {
            self.operation = Some(operation);
        }
        is_new
    }

    /// Ends the command as not done, for the reason `why`.
    pub(super) fn reject(&mut self, why: String) {
        (self.end, self.why) = (Reached::State(OperationState::Rejected), Some(why));
    }

    /// Ends the command because the loop ends here: nothing executes it any more.
    pub(super) fn abandon(&mut self) {
        let is_left = match self.end {
            Reached::State(OperationState::Waiting | OperationState::Blocked) | Reached::Unfinished => true,
            Reached::State(_) => false,
        };
        if is_left {
            let seen = self.message().unwrap_or("it was not reconciled").to_owned();
            self.reject(format!("not done: {seen}; run it again"));
        }
    }

    fn message(&self) -> Option<&str> {
        let seen = self.operation.as_ref().map(|operation| operation.message.as_str());
        self.why.as_deref().or(seen)
    }

    /// Returns the result for programs.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let seen = self.operation.as_ref();
        let state = seen.and_then(|seen| seen.secret_state).map(SecretState::label);
        let reason = seen.and_then(|seen| seen.reason).map(StatusReason::label);
        json!({"secret": self.secret, "outcome": self.end.label(), "state": state, "reason": reason,
               "message": self.message(), "operation_id": seen.map(|seen| seen.id),
               "operation_url": seen.and_then(|seen| seen.url.as_deref())})
    }

    fn print(&self, kind: CommandKind) {
        let message = self.message().map(|message| format!(": {message}")).unwrap_or_default();
        print_line(format_args!("{} {}: {}{message}", self.secret, kind.label(), self.end.label()));
    }
}

/// Prints all results and returns how the process ends: a failure counts more than a wait.
pub(super) fn conclude(kind: CommandKind, results: &[CommandResult], output: Output) -> ExitCode {
    match output {
        Output::Text => results.iter().for_each(|result| result.print(kind)),
        Output::Json => {
            let all: Vec<_> = results.iter().map(CommandResult::to_json).collect();
            print_line(json!({"command": kind.label(), "secrets": all}));
        }
    }
    let codes: Vec<u8> = results.iter().map(|result| result.end.exit_code()).collect();
    let worst = [1, 2].into_iter().find(|code| codes.contains(code)).unwrap_or(0);
    ExitCode::from(worst)
}
