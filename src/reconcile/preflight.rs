//! What is asked before a credential is minted, so that nothing is minted in vain. Nothing here has an effect.

use time::{Duration, OffsetDateTime};
use tracing::warn;

use super::execute::Execution;
use super::failure::Failure;
use super::proving::Proof;
use crate::domain::{BlockReason, CurrentSignIn};
use crate::ports::{CurrentVersion, RefusalKind, SignIn};

impl Execution<'_> {
    /// Everything that can be known of the application before a successor is made: its end, as policy allows it.
    ///
    /// # Errors
    /// What would make the new credential refused, or useless.
    pub(super) async fn preflight(&self) -> Result<OffsetDateTime, Failure> {
        self.check_service_principal().await?;
        let end = self.allowed_end().await?;
        self.check_resource().await?;
        Ok(end)
    }

    async fn check_service_principal(&self) -> Result<(), Failure> {
        match self.ports.issuer.read_service_principal(self.observation.application.client_id).await {
            Ok(Some(principal)) if !principal.is_enabled => {
                Err(Failure::blocked(BlockReason::ApplicationDisabled))
            }
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Failure::blocked(BlockReason::NoServicePrincipal)),
            // Who may not read service principals finds out by signing in.
            Err(error) if error.refusal().is_some_and(RefusalKind::is_forbidden) => Ok(()),
            Err(error) => Err(Failure::of_read(error)),
        }
    }

    /// The end of a new credential: after its validity, or earlier if the tenant's policy says so.
    async fn allowed_end(&self) -> Result<OffsetDateTime, Failure> {
        let read = self.ports.issuer.read_credential_rules(self.observation.application.object_id).await;
        let rules = read.map_err(Failure::of_read)?;
        if rules.passwords_forbidden {
            return Err(Failure::blocked(BlockReason::PasswordsForbidden));
        }
        let validity = self.observation.policy.validity();
        let allowed = rules.longest_lifetime.map(|longest| longest.saturating_sub(CLOCKS_APART));
        let lifetime = allowed.filter(|allowed| *allowed < validity).unwrap_or(validity);
        if lifetime < MIN_LIFETIME {
            return Err(Failure::blocked(BlockReason::LifetimePolicy));
        }
        if lifetime < validity && self.reported_once.is_news(self.secret, "lifetime clamped") {
            warn!(
                secret = %self.secret, asked_days = validity.whole_days(), allowed_days = lifetime.whole_days(),
                "the tenant's application management policy allows no longer lifetime: {} gets a shorter one", self.secret
            );
        }
        Ok(self.ports.clock.now() + lifetime)
    }

    /// The current credential knocks at the resource: a role that it lacks, its successor would lack as well.
    async fn check_resource(&self) -> Result<(), Failure> {
        if self.emergency || self.observation.seen.sign_in != CurrentSignIn::Accepted {
            return Ok(());
        }
        let current = self.ports.store.read_current(self.secret).await.map_err(Failure::of_read)?;
        let CurrentVersion::Readable(current) = current else { return Ok(()) };
        match self.prove(&current.value).await {
            Proof::Given(_) => Ok(()),
            Proof::Missing(failure) => Err(failure),
            Proof::Refused(answer) => self.check_refusal(answer),
        }
    }

    /// A good text that is refused for something else than itself: its successor would be as well.
    fn check_refusal(&self, answer: SignIn) -> Result<(), Failure> {
        match answer {
            SignIn::Accepted | SignIn::Wrong | SignIn::Expired => Ok(()),
            SignIn::ApplicationDisabled => Err(Failure::blocked(BlockReason::ApplicationDisabled)),
            SignIn::ApplicationUnknown => Err(Failure::blocked(BlockReason::ApplicationMissing)),
            SignIn::NoServicePrincipal => Err(Failure::blocked(BlockReason::NoServicePrincipal)),
            SignIn::Unclear(why) => {
                let told = format!("no token for scope {}: {why}", self.observation.verify.scope);
                Err(Failure::told(BlockReason::SignInUnclear, told))
            }
        }
    }
}

/// Entra counts a lifetime from its own clock.
const CLOCKS_APART: Duration = Duration::minutes(5);

/// A policy that allows no day means that there are to be no passwords: rotating several times a day serves nobody.
const MIN_LIFETIME: Duration = Duration::hours(12);
