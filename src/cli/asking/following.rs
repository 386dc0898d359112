//! Following a wish until it is met, or something is in its way.

use serde::Deserialize;
use time::Duration;

use super::Party;
use super::outcome::{Answer, Outcome};
use crate::cli::complain;
use crate::cli::run::AnyError;
use crate::clock::SystemClock;
use crate::domain::{BlockReason, SecretId, WaitReason};
use crate::ports::sleep;

/// What the API says of a secret, as far as a wish needs it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Standing {
    pub(super) secret: SecretId,
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) message: String,
    wish: Option<Pending>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Pending {
    tried: bool,
}

impl Standing {
    /// What has become of the wish; `None`: it is being seen to.
    fn outcome(&self) -> Option<Outcome> {
        let ended = self.wish.as_ref().is_none_or(|wish| wish.tried);
        match self.state.as_str() {
            "blocked" if ended && !self.passes() => Some(Outcome::Blocked),
            "waiting" if self.wish.is_none() => Some(Outcome::Done),
            "waiting" if ended && !self.passes() => Some(Outcome::Waiting),
            _ => None,
        }
    }

    /// Whether that is a matter of minutes.
    fn passes(&self) -> bool {
        SOON_OVER.contains(&self.reason.as_str())
    }
}

/// Follows every wish that was taken until each has an outcome, and tells what changes meanwhile.
pub(super) async fn follow(party: &Party, answers: &mut [Answer]) -> Result<(), AnyError> {
    for answer in &mut *answers {
        if answer.outcome == Outcome::Accepted {
            answer.outcome = Outcome::Unfinished;
        }
    }
    while answers.iter().any(|answer| answer.outcome == Outcome::Unfinished) {
        for standing in party.standings().await? {
            let of_it = |answer: &&mut Answer| {
                answer.secret == standing.secret && answer.outcome == Outcome::Unfinished
            };
            let Some(answer) = answers.iter_mut().find(of_it) else { continue };
            if answer.standing.as_ref() != Some(&standing) {
                complain(format_args!("{}: {}: {}", standing.secret, standing.state, standing.message));
            }
            answer.outcome = standing.outcome().unwrap_or(Outcome::Unfinished);
            answer.standing = Some(standing);
        }
        sleep(&SystemClock, BETWEEN_LOOKS).await;
    }
    Ok(())
}

const BETWEEN_LOOKS: Duration = Duration::milliseconds(500);

/// What a wish is waited for through.
const SOON_OVER: [&str; 7] = [
    WaitReason::InFlight.label(),
    WaitReason::ConfirmingLoss.label(),
    WaitReason::Propagating.label(),
    WaitReason::ProvingRevocation.label(),
    BlockReason::SignInUnclear.label(),
    BlockReason::ServiceTrouble.label(),
    BlockReason::Overtaken.label(),
];

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn outcome(state: &str, reason: &str, tried: Option<bool>) -> Option<Outcome> {
        let wish = tried.map_or(Value::Null, |tried| json!({"kind": "rotate", "tried": tried}));
        let standing = json!({
            "secret": "kv-1/app", "state": state, "reason": reason, "message": "", "wish": wish, "more": 1,
        });
        serde_json::from_value::<Standing>(standing).unwrap().outcome()
    }

    #[test]
    fn a_wish_is_followed_until_it_is_met_or_something_lasting_is_in_its_way() {
        for (state, reason, tried, expected) in [
            ("waiting", "not_due", Some(false), None),
            ("blocked", "forbidden", Some(false), None),
            ("unknown", "not_looked_at", None, None),
            ("rotating", "issue", Some(true), None),
            ("waiting", "in_flight", Some(true), None),
            ("waiting", "proving_revocation", Some(true), None),
            ("blocked", "service_trouble", Some(true), None),
            ("blocked", "forbidden", Some(true), Some(Outcome::Blocked)),
            ("blocked", "nothing_to_roll_back_to", None, Some(Outcome::Blocked)),
            ("waiting", "frozen", Some(true), Some(Outcome::Waiting)),
            ("waiting", "overlap", None, Some(Outcome::Done)),
        ] {
            assert_eq!(outcome(state, reason, tried), expected, "{state} {reason} {tried:?}");
        }
    }
}
