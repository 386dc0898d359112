//! The verification of a token by a probe of the protected resource.

use super::Shortfall;
use crate::domain::{BlockReason, Probe, ProbeAnswer, Requirement};
use crate::ports::Token;
use crate::reconcile::actions::Context;

/// Probes the resource with a token and returns what is missing; nothing if the policy does not ask for a probe.
pub(super) async fn shortfall(context: &Context<'_>, token: &Token) -> Option<Shortfall> {
    let policy = &context.observation.verify;
    let requirement = policy.probe_requirement;
    let probe = policy.probe.as_ref().filter(|_| requirement != Requirement::Off)?;
    let answer = context.ports.probe.probe(probe, &token.text).await;
    let detail = detail(context, probe, &answer)?;
    Some(Shortfall { requirement, reason: reason(&answer), detail })
}

const fn reason(answer: &ProbeAnswer) -> BlockReason {
    match answer {
        ProbeAnswer::Forbidden => BlockReason::RoleMissing,
        ProbeAnswer::AsExpected
        | ProbeAnswer::Unauthenticated
        | ProbeAnswer::Unexpected(_)
        | ProbeAnswer::Unclear(_) => BlockReason::NotProven,
    }
}

/// Describes an answer; `None` if it is as expected.
fn detail(context: &Context<'_>, probe: &Probe, answer: &ProbeAnswer) -> Option<String> {
    let url = probe.shown();
    match answer {
        ProbeAnswer::AsExpected => None,
        ProbeAnswer::Forbidden => Some(missing_role(context, probe)),
        ProbeAnswer::Unauthenticated => {
            let scope = &context.observation.verify.scope;
            Some(format!(
                "{url} refuses a token for scope {scope} (401): set verify.scope to the resource's own scope"
            ))
        }
        ProbeAnswer::Unexpected(status) => Some(format!("{url} returned the unexpected status {status}")),
        ProbeAnswer::Unclear(why) => Some(format!("the probe of {url} failed: {why}")),
    }
}

/// Names the role, the service and the principal that needs it: the credential itself is good.
fn missing_role(context: &Context<'_>, probe: &Probe) -> String {
    let application = &context.observation.application;
    let role = probe.kind.role().map_or_else(|| "a role".to_owned(), |role| format!("role \"{role}\""));
    format!(
        "the credential is valid, but {} denies the application access (403): assign {role} there to the service principal of {:?} (client id {})",
        probe.shown(),
        application.display_name,
        application.client_id
    )
}
