//! Following a command until it is completed, or something is in its way.

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::outcome::{Answer, Outcome};
use super::{Party, Unseen};
use crate::cli::complain;
use crate::clock::SystemClock;
use crate::domain::{BlockReason, CommandKind, SecretId, WaitReason};
use crate::ports::sleep;

/// What the API says of a secret, as far as a command needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Standing {
    pub(super) secret: SecretId,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) message: String,
    pending_command: Option<Pending>,
    last_command: Option<Ended>,
}

/// A command that is seen to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Pending {
    kind: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    tried: bool,
}

/// The command that ended at last.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Ended {
    kind: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    outcome: String,
    reason: String,
}

impl Standing {
    /// What has become of the command `kind` that was taken at `asked`, and why, where the state does not say it; `None`:
    /// it is being seen to. That it is gone is no proof that it was met.
    fn outcome(&self, kind: CommandKind, asked: OffsetDateTime) -> Option<(Outcome, Option<String>)> {
        let is_it = |ended: &&Ended| ended.kind == kind.label() && ended.at >= asked;
        if let Some(ended) = self.last_command.as_ref().filter(is_it) {
            let is_met = ended.outcome == "completed";
            let failed = || (Outcome::Failed, Some(ended.reason.clone()));
            return Some(if is_met { (Outcome::Done, None) } else { failed() });
        }
        let Some(pending) = &self.pending_command else {
            let why = "the daemon knows nothing of this command any more: ask again";
            return Some((Outcome::Failed, Some(why.to_owned())));
        };
        if pending.kind != kind.label() {
            let why = format!("another command took its place ({}): ask again", pending.kind);
            return Some((Outcome::Failed, Some(why)));
        }
        match self.state.as_str() {
            "blocked" if pending.tried && !self.passes() => Some((Outcome::Blocked, None)),
            "waiting" if pending.tried && !self.passes() => Some((Outcome::Waiting, None)),
            _ => None,
        }
    }

    /// Whether the secret is in a state that is a matter of minutes.
    fn passes(&self) -> bool {
        is_soon_over(&self.reason)
    }

    /// Whether a command for `kind` of that very moment stands here, or stood.
    fn shares(&self, kind: CommandKind, asked: OffsetDateTime) -> bool {
        let pending = self.pending_command.as_ref().map(|command| (&command.kind, command.at));
        let ended = self.last_command.as_ref().map(|command| (&command.kind, command.at));
        pending.into_iter().chain(ended).any(|(label, at)| label == kind.label() && at == asked)
    }
}

/// Whether a state with this reason is a matter of minutes: a command, or a sweep, is followed through it.
fn is_soon_over(reason: &str) -> bool {
    let wait = WaitReason::from_label(reason).is_some_and(WaitReason::is_short);
    wait || BlockReason::from_label(reason).is_some_and(BlockReason::is_short)
}

/// Follows every command that was taken until each has an outcome, and tells what changes meanwhile. What can't be seen
/// for a while is looked for again.
pub(super) async fn follow(party: &Party, kind: CommandKind, answers: &mut Vec<Answer>) {
    for answer in answers.iter_mut().filter(|answer| answer.outcome == Outcome::Accepted) {
        answer.outcome = Outcome::Unfinished;
    }
    let mut told = String::new();
    loop {
        for answer in answers.iter_mut().filter(|answer| answer.outcome == Outcome::Unfinished) {
            look(party, kind, answer, &mut told).await;
        }
        let is_over = answers.iter().all(|answer| answer.outcome != Outcome::Unfinished);
        if is_over && !add_others(party, kind, answers, &mut told).await {
            return;
        }
        sleep(&SystemClock, BETWEEN_LOOKS).await;
    }
}

async fn look(party: &Party, kind: CommandKind, answer: &mut Answer, told: &mut String) {
    let standing = match party.standing(&answer.secret).await {
        Ok(standing) => standing,
        Err(Unseen::Lasting(why)) => return answer.end(Outcome::Failed, Some(why)),
        Err(Unseen::Passing(why)) => return tell_once(why, told),
    };
    if answer.standing.as_ref().is_none_or(|before| before.message != standing.message) {
        complain(format_args!("{}: {}: {}", standing.secret, standing.state, standing.message));
    }
    let outcome = answer.at.and_then(|at| standing.outcome(kind, at));
    answer.standing = Some(standing);
    if let Some((outcome, why)) = outcome {
        answer.end(outcome, why);
    }
}

/// The loop passes a command on to every other secret whose application has the same credentials, and only the loop knows
/// them all. Whether there is more to look at.
async fn add_others(party: &Party, kind: CommandKind, answers: &mut Vec<Answer>, told: &mut String) -> bool {
    let asked: Vec<_> = answers.iter().filter_map(|answer| answer.at).collect();
    if kind != (CommandKind::Compromised { all_credentials: true }) || asked.is_empty() {
        return false;
    }
    let standings = match party.standings().await {
        Ok(standings) => standings,
        Err(Unseen::Lasting(why) | Unseen::Passing(why)) => {
            tell_once(why, told);
            return true;
        }
    };
    let before = answers.len();
    for standing in standings {
        let shared = asked.iter().find(|at| standing.shares(kind, **at));
        let is_known = answers.iter().any(|answer| answer.secret == standing.secret);
        if let (Some(at), false) = (shared, is_known) {
            answers.push(Answer::followed(standing.secret, *at));
        }
    }
    answers.len() > before
}

fn tell_once(why: String, told: &mut String) {
    if *told != why {
        complain(format_args!("looking again: {why}"));
        *told = why;
    }
}

const BETWEEN_LOOKS: Duration = Duration::milliseconds(500);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const ASKED: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    fn standing(state: &str, reason: &str, command: &Value, last_command: &Value) -> Standing {
        let standing = json!({
            "secret": "kv-1/app", "state": state, "reason": reason, "message": "", "pending_command": command,
            "last_command": last_command, "more": 1,
        });
        serde_json::from_value(standing).unwrap()
    }

    fn outcome(standing: &Standing) -> Option<Outcome> {
        standing.outcome(CommandKind::Rotate, ASKED).map(|(outcome, _)| outcome)
    }

    fn ended(kind: &str, at: &str, outcome: &str) -> Value {
        json!({"kind": kind, "at": format!("2026-01-01T{at}Z"), "outcome": outcome, "reason": "why"})
    }

    #[test]
    fn a_command_is_followed_until_something_lasting_is_in_its_way() {
        for (state, reason, tried, expected) in [
            ("waiting", "not_due", false, None),
            ("blocked", "forbidden", false, None),
            ("rotating", "issue", true, None),
            ("waiting", "in_flight", true, None),
            ("waiting", "proving_revocation", true, None),
            ("blocked", "service_unavailable", true, None),
            ("blocked", "throttled", true, None),
            ("blocked", "forbidden", true, Some(Outcome::Blocked)),
            ("waiting", "frozen", true, Some(Outcome::Waiting)),
        ] {
            let command = json!({"kind": "rotate", "at": "2026-01-01T12:00:00Z", "tried": tried});
            let seen = standing(state, reason, &command, &Value::Null);
            assert_eq!(outcome(&seen), expected, "{state} {reason} {tried:?}");
        }
    }

    #[test]
    fn a_command_that_is_gone_is_met_only_if_the_daemon_says_so() {
        for (last, expected) in [
            (Value::Null, Outcome::Failed),
            (ended("rotate", "12:00:00", "completed"), Outcome::Done),
            (ended("rotate", "12:00:01", "completed"), Outcome::Done),
            (ended("rotate", "11:59:59", "completed"), Outcome::Failed),
            (ended("pause", "12:00:01", "completed"), Outcome::Failed),
            (ended("rotate", "12:00:00", "rejected"), Outcome::Failed),
        ] {
            // Whatever state the secret is in.
            for (state, reason) in [("waiting", "not_due"), ("blocked", "forbidden"), ("rotating", "issue")] {
                let seen = standing(state, reason, &Value::Null, &last);
                assert_eq!(outcome(&seen), Some(expected), "{state} {last}");
            }
        }
    }

    #[test]
    fn a_command_that_failed_says_why() {
        let why = |command: &Value, last: &Value| {
            let seen = standing("waiting", "not_due", command, last);
            seen.outcome(CommandKind::Rotate, ASKED).unwrap().1.unwrap()
        };
        assert_eq!(why(&Value::Null, &ended("rotate", "12:00:00", "rejected")), "why");
        assert!(why(&Value::Null, &Value::Null).contains("ask again"));
        let other = json!({"kind": "pause", "at": "2026-01-01T12:00:01Z", "tried": false});
        let told = why(&other, &Value::Null);
        assert!(told.contains("pause") && told.contains("ask again"), "{told}");
    }

    #[test]
    fn a_compromise_that_was_passed_on_is_known_by_its_moment() {
        let kind = CommandKind::Compromised { all_credentials: true };
        let pending = json!({"kind": "compromised", "at": "2026-01-01T12:00:00Z", "tried": false});
        let other = json!({"kind": "compromised", "at": "2026-01-01T12:00:01Z", "tried": false});
        for (command, last, expected) in [
            (&pending, Value::Null, true),
            (&Value::Null, ended("compromised", "12:00:00", "completed"), true),
            (&other, ended("rotate", "12:00:00", "completed"), false),
        ] {
            assert_eq!(
                standing("waiting", "not_due", command, &last).shares(kind, ASKED),
                expected,
                "{last}"
            );
        }
    }
}
