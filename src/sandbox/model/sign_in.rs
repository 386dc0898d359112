//! Signing in with an application's password: the reasons for refusal, and the record of successful sign-ins.

use thiserror::Error;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::application::Application;
use super::service_principal::GRAPH;
use super::{Model, State, TimelineEvent, TimelineEventKind};

/// A sign-in that Entra refuses.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum SignInRefusal {
    /// AADSTS7000215: the text is wrong, or this server doesn't know it yet.
    #[error("the secret is wrong")]
    Wrong,
    /// AADSTS7000222: the text is right but has expired.
    #[error("the secret is expired")]
    Expired,
    /// AADSTS700016: the application doesn't exist.
    #[error("the application is unknown")]
    UnknownApplication,
    /// AADSTS7000112: the application was disabled.
    #[error("the application is disabled")]
    Disabled,
    /// AADSTS7000229: the application has no service principal.
    #[error("the application has no service principal")]
    NoServicePrincipal,
}

impl SignInRefusal {
    /// Returns the number after `AADSTS`.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Wrong => 7_000_215,
            Self::Expired => 7_000_222,
            Self::UnknownApplication => 700_016,
            Self::Disabled => 7_000_112,
            Self::NoServicePrincipal => 7_000_229,
        }
    }
}

impl Model {
    /// Signs in with a client id and a text, to Microsoft Graph.
    ///
    /// # Errors
    /// The reason for Entra's refusal; a new credential may be refused for a while, and a removed one accepted.
    pub fn sign_in(&self, client_id: Uuid, text: &str, now: OffsetDateTime) -> Result<(), SignInRefusal> {
        let graph = self.principal_by_client_id(GRAPH);
        self.sign_in_to(client_id, text, graph, now)
    }

    /// Signs in with a client id and a text, to the resource with this service principal; the report will include it.
    ///
    /// # Errors
    /// The reason for Entra's refusal; a new credential may be refused for a while, and a removed one accepted.
    pub fn sign_in_to(
        &self,
        client_id: Uuid,
        text: &str,
        resource: Option<Uuid>,
        now: OffsetDateTime,
    ) -> Result<(), SignInRefusal> {
        let unpublished = self.lock().sign_in_to(client_id, text, resource, now)?;
        if let Some((secret, key_id)) = unpublished {
            let detail = key_id.to_string();
            self.report(&TimelineEvent { at: now, kind: TimelineEventKind::SignedIn, secret, detail });
        }
        Ok(())
    }
}

impl State {
    /// Signs in and records it. Returns the secret and the credential if that is new and in no version yet.
    fn sign_in_to(
        &mut self,
        client_id: Uuid,
        text: &str,
        resource: Option<Uuid>,
        now: OffsetDateTime,
    ) -> Result<Option<(String, Uuid)>, SignInRefusal> {
        let object_id = self.object_ids.get(&client_id).copied().unwrap_or_default();
        let Self { applications, rng, report, .. } = self;
        let application = applications.get_mut(&object_id).ok_or(SignInRefusal::UnknownApplication)?;
        let index = application.sign_in(text, now, rng)?;
        let secret = application.secret();
        let Some(credential) = application.credentials.get_mut(index) else { return Ok(None) };
        credential.sign_ins.record(resource, now, report, rng);
        let (key_id, is_new) = (credential.key_id, now - credential.start < NEW_CREDENTIAL_AGE);
        Ok((is_new && !self.is_named_by_a_version(key_id)).then_some((secret, key_id)))
    }
}

/// The age below which a credential counts as new: older ones are not searched for in the vaults at each sign-in.
const NEW_CREDENTIAL_AGE: Duration = Duration::hours(1);

impl Application {
    /// Checks that it may sign in at all, before its credentials are checked.
    ///
    /// # Errors
    /// `NoServicePrincipal`; `Disabled`.
    pub(crate) fn check_enabled(&self) -> Result<(), SignInRefusal> {
        if !self.has_service_principal {
            return Err(SignInRefusal::NoServicePrincipal);
        }
        if self.enabled { Ok(()) } else { Err(SignInRefusal::Disabled) }
    }

    /// Returns the index of the credential that has this text.
    fn sign_in(
        &self,
        text: &str,
        now: OffsetDateTime,
        rng: &mut fastrand::Rng,
    ) -> Result<usize, SignInRefusal> {
        if !self.is_known(now, rng) {
            return Err(SignInRefusal::UnknownApplication);
        }
        self.check_enabled()?;
        let mut credentials = self.credentials.iter().enumerate();
        let found = credentials.find(|(_, credential)| credential.has_text(text));
        let (index, credential) = found.ok_or(SignInRefusal::Wrong)?;
        if credential.start > now || !credential.is_accepted(now, rng) {
            return Err(SignInRefusal::Wrong);
        }
        if credential.end <= now {
            return Err(SignInRefusal::Expired);
        }
        Ok(index)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::sandbox::model::GraphRefusal;
    use crate::sandbox::model::seed::tests::{START, small_world};

    /// A credential signs in until it is removed or expires, and each has its own error.
    #[test]
    fn credential_works_until_removed_or_expired() {
        let model = small_world();
        let secret = &model.managed()[0];
        let end = START + Duration::days(10);
        let made = model.add_password(secret.object_id, Some("x"), None, Some(end), START).unwrap();
        let sign_in = |now| model.sign_in(secret.client_id, made.text.expose_secret(), now);
        assert_eq!(sign_in(START), Ok(()));
        assert_eq!(sign_in(end), Err(SignInRefusal::Expired));
        model.remove_password(secret.object_id, made.key_id, START).unwrap();
        assert_eq!(sign_in(START), Err(SignInRefusal::Wrong));
        let again = model.remove_password(secret.object_id, made.key_id, START);
        assert_eq!(again, Err(GraphRefusal::UnknownCredential(made.key_id)));
    }

    /// A sign-in fails with distinct errors for a wrong secret, a disabled application and an unknown application.
    #[test]
    fn sign_in_errors_are_distinct() {
        let model = small_world();
        let secret = &model.managed()[0];
        assert_eq!(model.sign_in(secret.client_id, "no", START), Err(SignInRefusal::Wrong));
        assert!(model.set_application_enabled(secret.object_id, false));
        assert_eq!(model.sign_in(secret.client_id, "no", START), Err(SignInRefusal::Disabled));
        assert_eq!(model.sign_in(Uuid::nil(), "no", START), Err(SignInRefusal::UnknownApplication));
    }
}
