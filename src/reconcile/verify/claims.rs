//! The verification of a token's claims.

use super::Shortfall;
use crate::domain::{BlockReason, ClaimProblem, Requirement};
use crate::ports::Token;
use crate::reconcile::actions::Context;

/// Lists what a token's claims lack; nothing if the policy does not ask about them.
pub(super) fn shortfalls(context: &Context<'_>, token: &Token) -> Vec<Shortfall> {
    let policy = &context.observation.verify;
    let requirement = policy.claims;
    if requirement == Requirement::Off {
        return Vec::new();
    }
    let Some(claims) = &token.claims else {
        let detail = format!(
            "the claims of the token for scope {} can't be read: set verify.claims to \"off\"",
            policy.scope
        );
        return vec![Shortfall { requirement, reason: BlockReason::NotProven, detail }];
    };
    let client_id = context.observation.application.client_id;
    policy
        .problems(claims, client_id, context.tenant, context.ports.clock.now())
        .into_iter()
        .map(|problem| Shortfall { requirement, reason: reason(&problem), detail: problem.to_string() })
        .collect()
}

const fn reason(problem: &ClaimProblem) -> BlockReason {
    match problem {
        ClaimProblem::Role { .. } => BlockReason::RoleMissing,
        ClaimProblem::Audience { .. }
        | ClaimProblem::Client { .. }
        | ClaimProblem::Tenant { .. }
        | ClaimProblem::Expired => BlockReason::NotProven,
    }
}
