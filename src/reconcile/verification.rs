//! Verifying a fresh credential: sign-ins in a row, then the token's claims and the protected resource.

use tracing::warn;

use super::execute::Execution;
use super::failure::Failure;
use super::proving::Proof;
use super::rotation::Rotation;
use crate::ports::{IssuedCredential, SignIn};

impl Rotation<'_> {
    /// A fresh credential is refused for a while and then flickers: only several sign-ins in a row prove it. Then its
    /// token and the protected resource are looked at, until they are as required.
    pub(super) async fn verify(&self, issued: &IssuedCredential) -> Result<(), Failure> {
        let Execution { ports, observation, stop, permit, .. } = self.with;
        let give_up = ports.clock.now() + observation.verify.limit;
        let mut in_a_row = 0;
        loop {
            let answer = self.with.token(&issued.secret_text).await;
            in_a_row = counted(in_a_row, answer.as_ref().err());
            let trouble = match answer {
                Ok(token) if in_a_row >= observation.verify.sign_ins => match self.with.judge(&token).await {
                    Proof::Given(advice) => {
                        self.advise(&advice);
                        return Ok(());
                    }
                    Proof::Missing(failure) => failure,
                    Proof::Refused(answer) => Failure::never_verified(answer),
                },
                Ok(_) => Failure::never_verified(SignIn::Accepted),
                Err(answer) => Failure::never_verified(answer),
            };
            if ports.clock.now() > give_up {
                return Err(trouble);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Failure::stopped()),
                () = permit.sleep_released(observation.verify.spacing) => {}
            }
        }
    }

    /// What is only advised does not hold a publication up.
    fn advise(&self, advice: &[String]) {
        for advice in advice {
            warn!(secret = %self.with.secret, "publishing {} although {advice}", self.with.secret);
        }
    }
}

/// Sign-ins in a row, after one more that was answered so.
fn counted(in_a_row: u32, refusal: Option<&SignIn>) -> u32 {
    match refusal {
        None | Some(SignIn::Accepted) => in_a_row + 1,
        Some(SignIn::Wrong | SignIn::Expired) => 0,
        // These say nothing about the credential, neither for nor against it.
        Some(
            SignIn::ApplicationDisabled
            | SignIn::ApplicationUnknown
            | SignIn::NoServicePrincipal
            | SignIn::Unclear(_),
        ) => in_a_row,
    }
}
