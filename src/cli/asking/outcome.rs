//! What came of a command: for people, for programs, and as an exit code.

use std::process::ExitCode;

use serde_json::json;
use time::OffsetDateTime;

use super::following::Standing;
use crate::cli::{Output, print_line};
use crate::domain::{CommandKind, SecretId};

/// What came of one command.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) secret: SecretId,
    /// When it was taken, by the clock of the one who has taken it.
    pub(super) at: Option<OffsetDateTime>,
    pub(super) outcome: Outcome,
    /// Why, where the state of the secret does not say it.
    why: Option<String>,
    /// What was seen of the secret at last.
    pub(super) standing: Option<Standing>,
}

/// How a command can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The daemon has taken it; nobody waited for its end.
    Accepted,
    /// It is met.
    Done,
    /// It is still wanted, and waits for something that others decide: a freeze, a window, a replica.
    Waiting,
    /// Something is in its way.
    Blocked,
    /// It was not taken.
    Refused,
    /// Nobody sees to it any more, and it is not met.
    Failed,
    /// It was not over when the time was.
    Unfinished,
}

impl Outcome {
    const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
        }
    }

    /// As the exit codes of the program are.
    const fn exit_code(self) -> u8 {
        match self {
            Self::Accepted | Self::Done => 0,
            Self::Waiting => 2,
            Self::Blocked | Self::Refused | Self::Failed | Self::Unfinished => 1,
        }
    }
}

impl Answer {
    /// The answer to a command that was taken then, or was refused for this reason.
    pub(super) fn new(secret: SecretId, taken: Result<OffsetDateTime, String>) -> Self {
        let outcome = if taken.is_ok() { Outcome::Accepted } else { Outcome::Refused };
        let (at, why) = taken.map_or_else(|why| (None, Some(why)), |at| (Some(at), None));
        Self { secret, at, outcome, why, standing: None }
    }

    /// The answer to a command that was passed on from another secret, and is followed.
    pub(super) const fn followed(secret: SecretId, at: OffsetDateTime) -> Self {
        Self { secret, at: Some(at), outcome: Outcome::Unfinished, why: None, standing: None }
    }

    /// What has become of the command, and why, where the state of the secret does not say it.
    pub(super) fn end(&mut self, outcome: Outcome, why: Option<String>) {
        (self.outcome, self.why) = (outcome, why);
    }

    /// The loop ends here: what is not done by now, nobody sees to.
    pub(super) fn abandon(&mut self) {
        if matches!(self.outcome, Outcome::Waiting | Outcome::Blocked | Outcome::Unfinished) {
            let seen = self.message().unwrap_or("it was not looked at").to_owned();
            self.end(Outcome::Failed, Some(format!("not done: {seen}; ask again")));
        }
    }

    fn message(&self) -> Option<&str> {
        let seen = self.standing.as_ref().map(|standing| standing.message.as_str());
        self.why.as_deref().or(seen)
    }
}

/// Prints what came of each, and says how the process ends: a failure counts more than what is waited for.
pub(super) fn conclude(kind: CommandKind, answers: &[Answer], output: Output) -> ExitCode {
    match output {
        Output::Text => {
            for answer in answers {
                let message = answer.message().map(|message| format!(": {message}")).unwrap_or_default();
                print_line(format_args!(
                    "{} {}: {}{message}",
                    answer.secret,
                    kind.label(),
                    answer.outcome.label()
                ));
            }
        }
        Output::Json => {
            let shown = |answer: &Answer| {
                let (state, reason) =
                    answer.standing.as_ref().map(|seen| (&seen.state, &seen.reason)).unzip();
                json!({"secret": answer.secret, "outcome": answer.outcome.label(), "state": state,
                       "reason": reason, "message": answer.message()})
            };
            let all: Vec<_> = answers.iter().map(shown).collect();
            print_line(json!({"command": kind.label(), "secrets": all}));
        }
    }
    let codes: Vec<u8> = answers.iter().map(|answer| answer.outcome.exit_code()).collect();
    let worst = [1, 2].into_iter().find(|code| codes.contains(code)).unwrap_or(0);
    ExitCode::from(worst)
}
