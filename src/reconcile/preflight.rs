//! The preflight: checks before a credential is issued, so that none is issued in vain. Nothing here has an effect.

use time::{Duration, OffsetDateTime};
use tracing::warn;

use super::actions::Context;
use super::blocked::Blocked;
use super::verify::{Verification, verify_once};
use crate::domain::{BlockReason, CurrentSignIn};
use crate::ports::{CurrentVersion, RefusalKind, SignIn};

/// Checks all that can be known of the application before a successor is issued. Returns the successor's end, as
/// policy allows it.
///
/// # Errors
/// The reason why the new credential would be refused, or useless.
pub(super) async fn preflight(context: &Context<'_>) -> Result<OffsetDateTime, Blocked> {
    check_service_principal(context).await?;
    let end = allowed_end(context).await?;
    check_resource(context).await?;
    Ok(end)
}

async fn check_service_principal(context: &Context<'_>) -> Result<(), Blocked> {
    match context.ports.issuer.read_service_principal(context.observation.application.client_id).await {
        Ok(Some(principal)) if !principal.is_enabled => {
            Err(Blocked::because(BlockReason::ApplicationDisabled))
        }
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(Blocked::because(BlockReason::NoServicePrincipal)),
        // Without permission to read service principals, the sign-in shows it.
        Err(error) if error.refusal().is_some_and(RefusalKind::is_forbidden) => Ok(()),
        Err(error) => Err(Blocked::of_read(error)),
    }
}

/// Returns the end of a new credential: after its validity, or earlier if the tenant's policy demands it.
async fn allowed_end(context: &Context<'_>) -> Result<OffsetDateTime, Blocked> {
    let read = context.ports.issuer.read_credential_rules(context.observation.application.object_id).await;
    let rules = read.map_err(Blocked::of_read)?;
    if rules.passwords_forbidden {
        return Err(Blocked::because(BlockReason::PasswordsForbidden));
    }
    let validity = context.observation.policy.validity();
    let allowed = rules.longest_lifetime.map(|longest| longest.saturating_sub(CLOCKS_APART));
    let lifetime = allowed.filter(|allowed| *allowed < validity).unwrap_or(validity);
    if lifetime < MIN_LIFETIME {
        return Err(Blocked::because(BlockReason::LifetimePolicy));
    }
    if lifetime < validity && context.reported_once.is_news(context.secret, "lifetime clamped") {
        warn!(
            secret = %context.secret, asked_days = validity.whole_days(), allowed_days = lifetime.whole_days(),
            "shortened lifetime to what the tenant's application management policy allows"
        );
    }
    Ok(context.ports.clock.now() + lifetime)
}

/// Verifies the current credential: if it lacks a role, its successor will lack it too.
async fn check_resource(context: &Context<'_>) -> Result<(), Blocked> {
    if context.emergency || context.observation.seen.sign_in != CurrentSignIn::Accepted {
        return Ok(());
    }
    let current = context.ports.store.read_current(context.secret).await.map_err(Blocked::of_read)?;
    let CurrentVersion::Readable(current) = current else { return Ok(()) };
    match verify_once(context, &current.value).await {
        Verification::Passed(_) => Ok(()),
        Verification::Lacking(failure) => Err(failure),
        Verification::Refused(answer) => check_refusal(context, answer),
    }
}

/// Blocks if the current text is refused for a cause that its successor shares.
fn check_refusal(context: &Context<'_>, answer: SignIn) -> Result<(), Blocked> {
    match answer {
        SignIn::Accepted | SignIn::Wrong | SignIn::Expired => Ok(()),
        SignIn::ApplicationDisabled => Err(Blocked::because(BlockReason::ApplicationDisabled)),
        SignIn::ApplicationUnknown => Err(Blocked::because(BlockReason::ApplicationMissing)),
        SignIn::NoServicePrincipal => Err(Blocked::because(BlockReason::NoServicePrincipal)),
        SignIn::Unclear(why) => {
            let detail = format!("no token for scope {}: {why}", context.observation.verify.scope);
            Err(Blocked::detailed(BlockReason::SignInUnclear, detail))
        }
    }
}

/// Entra counts a lifetime from its own clock.
const CLOCKS_APART: Duration = Duration::minutes(5);

/// A policy that allows no day means that there are to be no passwords: rotating several times a day serves no one.
const MIN_LIFETIME: Duration = Duration::hours(12);
