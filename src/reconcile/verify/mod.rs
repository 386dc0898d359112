//! The verification of a credential as its consumers would use it: sign-ins, the token's claims, and a probe of the
//! protected resource. Nothing here has an effect.

mod claims;
mod probe;

use secrecy::SecretString;
use tracing::warn;

use super::actions::Context;
use super::blocked::Blocked;
use crate::domain::{BlockReason, Requirement};
use crate::ports::{IssuedCredential, SignIn, Token};

/// The result of one try to verify a text.
pub(super) enum Verification {
    /// It signs in and meets all that is required. These advisory parts it does not meet.
    Passed(Vec<String>),
    /// It signs in and lacks something required.
    Lacking(Blocked),
    /// It doesn't sign in.
    Refused(SignIn),
}

/// A part of the verification that was not met.
struct Shortfall {
    requirement: Requirement,
    reason: BlockReason,
    detail: String,
}

/// Verifies a fresh credential, for as long as the policy allows. It is refused for a while and then flickers: only
/// several sign-ins in a row count. Then its token and the protected resource are judged, until they are as required.
///
/// # Errors
/// The last answer, once the time is over; or the daemon is stopping.
pub(super) async fn verify(context: &Context<'_>, issued: &IssuedCredential) -> Result<(), Blocked> {
    let policy = &context.observation.verify;
    let give_up = context.ports.clock.now() + policy.limit;
    let mut in_a_row = 0;
    loop {
        let answer = token(context, &issued.secret_text).await;
        in_a_row = counted(in_a_row, answer.as_ref().err());
        let blocked = match answer {
            Ok(token) if in_a_row >= policy.sign_ins => match judge(context, &token).await {
                Verification::Passed(unmet) => {
                    warn_of(context, &unmet);
                    return Ok(());
                }
                Verification::Lacking(blocked) => blocked,
                Verification::Refused(answer) => Blocked::never_verified(&answer),
            },
            Ok(_) => Blocked::never_verified(&SignIn::Accepted),
            Err(answer) => Blocked::never_verified(&answer),
        };
        if context.ports.clock.now() > give_up {
            return Err(blocked);
        }
        tokio::select! {
            biased;
            () = context.stop.cancelled() => return Err(Blocked::stopping()),
            () = context.permit.sleep_released(policy.spacing) => {}
        }
    }
}

/// Verifies a text once.
pub(super) async fn verify_once(context: &Context<'_>, text: &SecretString) -> Verification {
    match token(context, text).await {
        Ok(token) => judge(context, &token).await,
        Err(answer) => Verification::Refused(answer),
    }
}

/// Signs in once for the scope that the policy names.
async fn token(context: &Context<'_>, text: &SecretString) -> Result<Token, SignIn> {
    let scope = &context.observation.verify.scope;
    context.ports.verifier.token(context.observation.application.client_id, text, scope).await
}

/// Judges a token and, with it, the answer of the resource.
async fn judge(context: &Context<'_>, token: &Token) -> Verification {
    let mut shortfalls = claims::shortfalls(context, token);
    shortfalls.extend(probe::shortfall(context, token).await);
    let mut unmet = Vec::new();
    let mut lacking = None;
    for Shortfall { requirement, reason, detail } in shortfalls {
        match requirement {
            // Better a credential that signs in than none: the resource refuses the current one as well, or will.
            Requirement::Required if context.emergency => unmet.push(detail),
            Requirement::Required => lacking = lacking.or(Some(Blocked::detailed(reason, detail))),
            Requirement::Advisory => unmet.push(detail),
            Requirement::Off => {}
        }
    }
    lacking.map_or(Verification::Passed(unmet), Verification::Lacking)
}

/// Warns of advisory parts that are not met. They don't delay a publication.
fn warn_of(context: &Context<'_>, unmet: &[String]) {
    for unmet in unmet {
        warn!(secret = %context.secret, detail = unmet, "accepted credential despite a failed verification");
    }
}

/// Counts the sign-ins in a row, after one more that was answered so.
fn counted(in_a_row: u32, refusal: Option<&SignIn>) -> u32 {
    match refusal {
        None | Some(SignIn::Accepted) => in_a_row + 1,
        Some(SignIn::Wrong | SignIn::Expired) => 0,
        // These prove nothing about the credential, neither for nor against it.
        Some(
            SignIn::ApplicationDisabled
            | SignIn::ApplicationUnknown
            | SignIn::NoServicePrincipal
            | SignIn::Unclear(_),
        ) => in_a_row,
    }
}
