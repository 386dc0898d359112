//! Proving a credential as its consumers would use it: a token, what it says, and a look at the protected resource.

use secrecy::SecretString;

use super::execute::Execution;
use super::failure::Failure;
use crate::domain::{BlockReason, ClaimProblem, Probe, ProbeAnswer, Requirement};
use crate::ports::{SignIn, Token};

/// One try to prove a text.
pub(super) enum Proof {
    /// It signs in, and all that is required is given; what is not given and only advised stands here.
    Given(Vec<String>),
    /// It signs in, and this is missing.
    Missing(Failure),
    /// It doesn't sign in.
    Refused(SignIn),
}

/// A part of a proof that was not given.
struct Gap {
    requirement: Requirement,
    reason: BlockReason,
    told: String,
}

impl Execution<'_> {
    /// Signs in once for the scope that the policy names.
    pub(super) async fn token(&self, text: &SecretString) -> Result<Token, SignIn> {
        let scope = &self.observation.verify.scope;
        self.ports.verifier.token(self.observation.application.client_id, text, scope).await
    }

    /// Looks at a token and, with it, at the resource.
    pub(super) async fn judge(&self, token: &Token) -> Proof {
        let gaps = self.claim_gaps(token).into_iter().chain(self.probe_gap(token).await);
        let (mut advised, mut required) = (Vec::new(), None);
        for gap in gaps {
            // Better a credential that signs in than none: the resource refuses the current one as well, or will.
            let advice = self.emergency && gap.requirement == Requirement::Required;
            match if advice { Requirement::Advisory } else { gap.requirement } {
                Requirement::Required if required.is_none() => {
                    required = Some(Failure::told(gap.reason, gap.told));
                }
                Requirement::Required | Requirement::Off => {}
                Requirement::Advisory => advised.push(gap.told),
            }
        }
        required.map_or(Proof::Given(advised), Proof::Missing)
    }

    /// One whole try: a token, then what it says and opens.
    pub(super) async fn prove(&self, text: &SecretString) -> Proof {
        match self.token(text).await {
            Ok(token) => self.judge(&token).await,
            Err(answer) => Proof::Refused(answer),
        }
    }

    fn claim_gaps(&self, token: &Token) -> Vec<Gap> {
        let verify = &self.observation.verify;
        let requirement = verify.claims;
        if requirement == Requirement::Off {
            return Vec::new();
        }
        let Some(claims) = &token.claims else {
            let told =
                format!("the token for scope {} can't be read: set verify.claims to \"off\"", verify.scope);
            return vec![Gap { requirement, reason: BlockReason::NotProven, told }];
        };
        let client_id = self.observation.application.client_id;
        let problems = verify.problems(claims, client_id, self.tenant, self.ports.clock.now());
        let gap = |problem: ClaimProblem| {
            let reason = match problem {
                ClaimProblem::Role { .. } => BlockReason::RoleMissing,
                ClaimProblem::Audience { .. }
                | ClaimProblem::Client { .. }
                | ClaimProblem::Tenant { .. }
                | ClaimProblem::Expired => BlockReason::NotProven,
            };
            Gap { requirement, reason, told: problem.to_string() }
        };
        problems.into_iter().map(gap).collect()
    }

    async fn probe_gap(&self, token: &Token) -> Option<Gap> {
        let verify = &self.observation.verify;
        let requirement = verify.probe_requirement;
        let probe = verify.probe.as_ref().filter(|_| requirement != Requirement::Off)?;
        let (reason, told) = match self.ports.probe.probe(probe, &token.text).await {
            ProbeAnswer::AsExpected => return None,
            ProbeAnswer::Forbidden => (BlockReason::RoleMissing, self.missing_role(probe)),
            ProbeAnswer::Unauthenticated => (
                BlockReason::NotProven,
                format!(
                    "{} does not take the token (401): is scope {} its own?",
                    probe.shown(),
                    verify.scope
                ),
            ),
            ProbeAnswer::Unexpected(status) => {
                (BlockReason::NotProven, format!("{} answers {status}, which is not expected", probe.shown()))
            }
            ProbeAnswer::Unclear(why) => {
                (BlockReason::NotProven, format!("{} can't be asked: {why}", probe.shown()))
            }
        };
        Some(Gap { requirement, reason, told })
    }

    /// Names the role and the service, and says who needs it: the credential itself is good.
    fn missing_role(&self, probe: &Probe) -> String {
        let application = &self.observation.application;
        let role = probe.kind.role().map_or_else(|| "a role".to_owned(), |role| format!("role \"{role}\""));
        format!(
            "the credential is good, but {} refuses the application (403): assign {role} there to the service principal of {:?} (client id {})",
            probe.shown(),
            application.display_name,
            application.client_id
        )
    }
}
