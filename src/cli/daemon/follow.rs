//! The following of commands: the operation of each is followed until it is over, or waits for something that may last.

use std::sync::{Mutex, PoisonError};

use futures::{StreamExt as _, stream};
use serde::{Deserialize, Deserializer};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::outcome::CommandResult;
use super::{Backend, Unseen};
use crate::cli::print_error;
use crate::clock::SystemClock;
use crate::commands::{Operation, OperationState};
use crate::domain::{CommandKind, SecretId, SecretState, StatusReason};
use crate::ports::sleep;

/// An operation, as far as the command line needs it. Labels of a newer daemon that are not known here are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct FollowedOperation {
    pub(super) id: Uuid,
    /// The absolute URL at the daemon that executes it; `None` if this process does.
    #[serde(skip)]
    pub(super) url: Option<String>,
    pub(super) secret: SecretId,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) at: OffsetDateTime,
    #[serde(default)]
    pub(super) also: Vec<SecretId>,
    #[serde(deserialize_with = "operation_state")]
    pub(super) state: Option<OperationState>,
    pub(super) message: String,
    #[serde(deserialize_with = "secret_state")]
    pub(super) secret_state: Option<SecretState>,
    #[serde(deserialize_with = "status_reason")]
    pub(super) reason: Option<StatusReason>,
}

impl From<Operation> for FollowedOperation {
    fn from(operation: Operation) -> Self {
        Self {
            id: operation.id,
            url: None,
            secret: operation.secret,
            at: operation.at,
            also: operation.also,
            state: Some(operation.state),
            message: operation.message,
            secret_state: Some(operation.secret_state),
            reason: Some(operation.reason),
        }
    }
}

impl FollowedOperation {
    /// Returns the state if the operation is over, or waits for something that takes more than minutes.
    pub(super) fn lasting_state(&self) -> Option<OperationState> {
        self.state.filter(|state| match state {
            OperationState::Completed | OperationState::Rejected | OperationState::Replaced => true,
            OperationState::Waiting | OperationState::Blocked => {
                !self.reason.is_some_and(StatusReason::is_short)
            }
            OperationState::Accepted | OperationState::Running => false,
        })
    }
}

fn operation_state<'de, D: Deserializer<'de>>(from: D) -> Result<Option<OperationState>, D::Error> {
    String::deserialize(from).map(|label| OperationState::from_label(&label))
}

fn secret_state<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SecretState>, D::Error> {
    String::deserialize(from).map(|label| SecretState::from_label(&label))
}

fn status_reason<'de, D: Deserializer<'de>>(from: D) -> Result<Option<StatusReason>, D::Error> {
    String::deserialize(from).map(|label| StatusReason::from_label(&label))
}

/// Follows every accepted command until its operation is over, or waits for something that may last, and prints what
/// changes meanwhile.
pub(super) async fn follow(backend: &Backend, kind: CommandKind, results: &mut Vec<CommandResult>) {
    results.iter_mut().for_each(CommandResult::expect_end);
    let problems = ReportedProblem::default();
    if is_passed_on(kind) {
        add_passed_on(backend, results, &problems).await;
    }
    loop {
        let known = results.iter_mut().filter(|result| result.operation.is_some());
        stream::iter(known)
            .for_each_concurrent(MAX_FOLLOWED, |result| follow_one(backend, result, &problems))
            .await;
        let is_over = !results.iter().any(CommandResult::is_unfinished);
        if is_over && !(is_passed_on(kind) && add_passed_on(backend, results, &problems).await) {
            return;
        }
        sleep(&SystemClock, BETWEEN_READS).await;
    }
}

/// Follows one operation by its events. If there are none, or they are cut, it is read again and again.
async fn follow_one(backend: &Backend, result: &mut CommandResult, problems: &ReportedProblem) {
    follow_events(backend, result).await;
    while result.is_unfinished() {
        read(backend, result, problems).await;
        if result.is_unfinished() {
            sleep(&SystemClock, BETWEEN_READS).await;
        }
    }
}

async fn follow_events(backend: &Backend, result: &mut CommandResult) {
    let Some(known) = result.operation.as_ref().filter(|_| result.is_unfinished()) else { return };
    let Some(mut events) = backend.events(known).await else { return };
    while result.is_unfinished() {
        let Some(operation) = events.next().await else { return };
        note(result, operation);
    }
}

async fn read(backend: &Backend, result: &mut CommandResult, problems: &ReportedProblem) {
    let Some(known) = &result.operation else { return };
    match backend.operation(known).await {
        Ok(operation) => note(result, operation),
        Err(Unseen::Lasting(why)) => result.reject(why),
        Err(Unseen::Passing(why)) => problems.report(why),
    }
}

/// Notes the operation as it is now, and prints the change. The end is printed as the result.
fn note(result: &mut CommandResult, operation: FollowedOperation) {
    let is_news = result.operation.as_ref().is_none_or(|before| before.message != operation.message);
    if is_news && !operation.state.is_some_and(OperationState::is_over) {
        let state = operation.state.map_or("unknown", OperationState::label);
        print_error(format_args!("{}: {state}: {}", operation.secret, operation.message));
    }
    result.see(operation);
}

/// Returns true if the command concerns other secrets as well, which only the loop knows.
fn is_passed_on(kind: CommandKind) -> bool {
    kind == CommandKind::Compromised { all_credentials: true }
}

/// Adds the operations of the secrets that the same command was passed on to. Returns true if there may be more to
/// follow.
async fn add_passed_on(
    backend: &Backend,
    results: &mut Vec<CommandResult>,
    problems: &ReportedProblem,
) -> bool {
    let moments: Vec<_> = results.iter().filter_map(|result| result.at).collect();
    let operations = match backend.operations().await {
        Ok(operations) => operations,
        Err(Unseen::Lasting(why) | Unseen::Passing(why)) => {
            problems.report(why);
            return true;
        }
    };
    let mut has_more = false;
    for operation in operations.into_iter().filter(|operation| moments.contains(&operation.at)) {
        if let Some(known) = results.iter_mut().find(|result| result.secret == operation.secret) {
            has_more |= known.adopt(operation);
        } else {
            results.push(CommandResult::followed(operation));
            has_more = true;
        }
    }
    has_more
}

/// The problem with the backend that was printed last.
#[derive(Debug, Default)]
struct ReportedProblem(Mutex<String>);

impl ReportedProblem {
    /// Prints a problem, unless it is the one that was printed last.
    fn report(&self, why: String) {
        let mut printed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *printed != why {
            print_error(format_args!("trying again: {why}"));
            *printed = why;
        }
    }
}

const BETWEEN_READS: Duration = Duration::milliseconds(500);

/// Operations that are followed at the same time: the others are followed when these are over.
const MAX_FOLLOWED: usize = 16;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::json;

    use super::*;

    fn operation(state: &str, reason: &str) -> FollowedOperation {
        let operation = json!({
            "id": Uuid::nil(), "secret": "kv-1/app", "at": "2026-01-01T12:00:00Z", "state": state, "message": "",
            "secret_state": "waiting", "reason": reason, "more": 1,
        });
        serde_json::from_value(operation).unwrap()
    }

    /// The CLI follows a command until a lasting block or wait; temporary reasons such as throttling do not end it.
    #[test]
    fn command_is_followed_until_lastingly_stuck() {
        for (state, reason, expected) in [
            ("accepted", "not_due", None),
            ("accepted", "forbidden", None),
            ("running", "issue", None),
            ("waiting", "in_flight", None),
            ("waiting", "proving_revocation", None),
            ("blocked", "service_unavailable", None),
            ("blocked", "throttled", None),
            ("blocked", "forbidden", Some(OperationState::Blocked)),
            ("waiting", "frozen", Some(OperationState::Waiting)),
        ] {
            assert_eq!(operation(state, reason).lasting_state(), expected, "{state} {reason}");
        }
    }

    /// A completed, rejected or replaced operation has ended, regardless of the reason that its secret shows.
    #[test]
    fn finished_operation_ends_following() {
        for (state, expected) in [
            ("completed", OperationState::Completed),
            ("rejected", OperationState::Rejected),
            ("replaced", OperationState::Replaced),
        ] {
            for reason in ["not_due", "service_unavailable", "issue"] {
                assert_eq!(operation(state, reason).lasting_state(), Some(expected), "{state} {reason}");
            }
        }
    }

    /// States and reasons unknown to the CLI, as from a newer daemon, are left out, and a known state still counts.
    #[test]
    fn labels_of_newer_daemon_are_ignored() {
        let unknown = operation("postponed", "moon_phase");
        assert_eq!((unknown.state, unknown.reason, unknown.lasting_state()), (None, None, None));
        assert_eq!(operation("blocked", "moon_phase").lasting_state(), Some(OperationState::Blocked));
    }

    /// Only a compromise command for all credentials is also looked for at other secrets.
    #[test]
    fn only_all_credentials_command_is_passed_on() {
        assert!(is_passed_on(CommandKind::Compromised { all_credentials: true }));
        assert!(!is_passed_on(CommandKind::Compromised { all_credentials: false }));
        assert!(!is_passed_on(CommandKind::Rotate));
    }
}
