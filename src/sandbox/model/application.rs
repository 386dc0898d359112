//! Applications: reading them as Graph shows them, adding and removing passwords, signing in.

use thiserror::Error;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::credential::{Credential, random_text};
use super::journal::{Happening, HappeningKind};
use super::{Model, State, guid};

/// An app registration with its credentials.
#[derive(Debug, Clone)]
pub struct Application {
    /// The id in Graph's URLs.
    pub object_id: Uuid,
    /// The id it signs in with (`appId`).
    pub client_id: Uuid,
    /// The object id of its service principal: `oid` in its tokens, and whom roles are assigned to.
    pub service_principal: Uuid,
    /// Its name.
    pub display_name: String,
    /// Its tags; `rekeyd:secret=<vault>/<name>` says which secret it lends itself to.
    pub tags: Vec<String>,
    /// Whether it may sign in at all.
    pub enabled: bool,
    /// Its credentials; in a read, those that the read shows.
    pub credentials: Vec<Credential>,
}

/// Graph says no.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum GraphRefusal {
    /// There is no such application.
    #[error(
        "Resource '{0}' does not exist or one of its queried reference-property objects are not present."
    )]
    NotFound(Uuid),
    /// The application has no such password.
    #[error("No password credential found with keyId '{0}' in the application.")]
    UnknownCredential(Uuid),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(&'static str),
}

/// Entra says no.
#[derive(Debug, Clone, Copy, Error, PartialEq, Eq)]
pub enum SignInRefusal {
    /// AADSTS7000215: no such text, or not known here yet.
    #[error("the secret is wrong")]
    Wrong,
    /// AADSTS7000222: the text was right once.
    #[error("the secret is expired")]
    Expired,
    /// AADSTS700016: no such application.
    #[error("the application is unknown")]
    UnknownApplication,
    /// AADSTS7000112: someone has disabled the application.
    #[error("the application is disabled")]
    Disabled,
}

impl SignInRefusal {
    /// The number after `AADSTS`.
    #[must_use]
    pub fn code(self) -> u32 {
        match self {
            Self::Wrong => 7_000_215,
            Self::Expired => 7_000_222,
            Self::UnknownApplication => 700_016,
            Self::Disabled => 7_000_112,
        }
    }
}

impl Model {
    /// The application with this object id, as one read of Graph shows it at `now`.
    pub fn application(&self, object_id: Uuid, now: OffsetDateTime) -> Option<Application> {
        let mut state = self.lock();
        let State { applications, rng, .. } = &mut *state;
        applications.get(&object_id).map(|application| application.shown(now, rng))
    }

    /// The application with this client id (`appId`), as one read of Graph shows it at `now`.
    pub fn application_by_client_id(&self, client_id: Uuid, now: OffsetDateTime) -> Option<Application> {
        let object_id = self.object_id(client_id)?;
        self.application(object_id, now)
    }

    /// All applications, by object id, as Graph shows them at `now`.
    pub fn applications(&self, now: OffsetDateTime) -> Vec<Application> {
        let mut state = self.lock();
        let State { applications, rng, .. } = &mut *state;
        applications.values().map(|application| application.shown(now, rng)).collect()
    }

    /// The object id that belongs to a client id.
    pub fn object_id(&self, client_id: Uuid) -> Option<Uuid> {
        self.lock().object_ids.get(&client_id).copied()
    }

    /// The object id of the service principal that belongs to a client id.
    pub fn service_principal(&self, client_id: Uuid) -> Option<Uuid> {
        let state = self.lock();
        let application = state.applications.get(state.object_ids.get(&client_id)?)?;
        Some(application.service_principal)
    }

    /// Makes a credential. `start` defaults to `now`, `end` to two years later.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest` if it would end before it starts.
    pub fn add_password(
        &self,
        object_id: Uuid,
        display_name: Option<&str>,
        start: Option<OffsetDateTime>,
        end: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Result<Credential, GraphRefusal> {
        let start = start.unwrap_or(now);
        let end = end.unwrap_or_else(|| two_years_after(start));
        if end <= start || end <= now {
            return Err(GraphRefusal::BadRequest(
                "The credential's end must be in the future and after its start.",
            ));
        }
        let (credential, secret) = self.lock().add(object_id, display_name, (start, end), now)?;
        let detail =
            format!("{} ({})", credential.key_id, credential.display_name.as_deref().unwrap_or("no name"));
        self.report(&Happening { at: now, kind: HappeningKind::Issued, secret, detail });
        Ok(credential)
    }

    /// Removes a credential; it lingers for as long as the news takes to spread.
    ///
    /// # Errors
    /// `NotFound`; `UnknownCredential`, also for one that was removed before.
    pub fn remove_password(
        &self,
        object_id: Uuid,
        key_id: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        let secret = self.lock().remove(object_id, key_id, now)?;
        let detail = key_id.to_string();
        self.report(&Happening { at: now, kind: HappeningKind::Revoked, secret, detail });
        Ok(())
    }

    /// Signs in with a client id and a text.
    ///
    /// # Errors
    /// Why Entra refuses; a new credential may be refused for a while, a removed one accepted.
    pub fn sign_in(&self, client_id: Uuid, text: &str, now: OffsetDateTime) -> Result<(), SignInRefusal> {
        let mut state = self.lock();
        let object_id = state.object_ids.get(&client_id).copied().unwrap_or_default();
        let State { applications, rng, .. } = &mut *state;
        let application = applications.get(&object_id).ok_or(SignInRefusal::UnknownApplication)?;
        application.sign_in(text, now, rng)
    }

    /// Enables or disables an application, as a person would. `false` if there is none.
    pub fn set_application_enabled(&self, object_id: Uuid, enabled: bool) -> bool {
        let mut state = self.lock();
        let Some(application) = state.applications.get_mut(&object_id) else { return false };
        application.enabled = enabled;
        true
    }
}

impl State {
    fn add(
        &mut self,
        object_id: Uuid,
        display_name: Option<&str>,
        (start, end): (OffsetDateTime, OffsetDateTime),
        now: OffsetDateTime,
    ) -> Result<(Credential, String), GraphRefusal> {
        let Self { applications, rng, propagation, counters, .. } = self;
        let application = applications.get_mut(&object_id).ok_or(GraphRefusal::NotFound(object_id))?;
        let credential = Credential {
            key_id: guid(rng),
            display_name: display_name.map(str::to_owned),
            start,
            end,
            text: random_text(rng),
            added: Some(propagation.change(now, rng)),
            removed: None,
        };
        application.credentials.retain(|credential| !credential.is_forgotten(now));
        application.credentials.push(credential.clone());
        let live = application.credentials.iter().filter(|credential| credential.is_live(now)).count();
        counters.count_issued(live);
        Ok((credential, application.secret()))
    }

    fn remove(&mut self, object_id: Uuid, key_id: Uuid, now: OffsetDateTime) -> Result<String, GraphRefusal> {
        let was_published = self.is_named_by_a_version(key_id);
        let Self { applications, rng, propagation, counters, .. } = self;
        let application = applications.get_mut(&object_id).ok_or(GraphRefusal::NotFound(object_id))?;
        let credential = application
            .credentials
            .iter_mut()
            .find(|credential| credential.key_id == key_id && !credential.is_removed())
            .ok_or(GraphRefusal::UnknownCredential(key_id))?;
        credential.removed = Some(propagation.change(now, rng));
        if was_published {
            counters.count_retired();
        }
        Ok(application.secret())
    }
}

impl Application {
    /// `vault/name` of the secret it lends itself to, or its own name.
    pub(super) fn secret(&self) -> String {
        let tag = self.tags.iter().find_map(|tag| tag.strip_prefix("rekeyd:secret="));
        tag.unwrap_or(&self.display_name).to_owned()
    }

    fn shown(&self, now: OffsetDateTime, rng: &mut fastrand::Rng) -> Self {
        let is_shown = |credential: &&Credential| credential.is_shown(now, rng);
        let credentials = self.credentials.iter().filter(is_shown).cloned().collect();
        Self {
            object_id: self.object_id,
            client_id: self.client_id,
            service_principal: self.service_principal,
            display_name: self.display_name.clone(),
            tags: self.tags.clone(),
            enabled: self.enabled,
            credentials,
        }
    }

    fn sign_in(&self, text: &str, now: OffsetDateTime, rng: &mut fastrand::Rng) -> Result<(), SignInRefusal> {
        if !self.enabled {
            return Err(SignInRefusal::Disabled);
        }
        let credential = self.credentials.iter().find(|credential| credential.has_text(text));
        let credential = credential.ok_or(SignInRefusal::Wrong)?;
        if credential.start > now || !credential.is_accepted(now, rng) {
            return Err(SignInRefusal::Wrong);
        }
        if credential.end <= now {
            return Err(SignInRefusal::Expired);
        }
        Ok(())
    }
}

/// On the same day of the calendar, so over a leap year it is 731 days.
fn two_years_after(start: OffsetDateTime) -> OffsetDateTime {
    start.replace_year(start.year() + 2).unwrap_or_else(|_| start.saturating_add(Duration::days(730)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::sandbox::model::seed::tests::{START, small_world};

    #[test]
    fn a_credential_signs_in_until_it_is_removed_or_expired() {
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

    #[test]
    fn a_disabled_application_and_an_unknown_one_are_told_apart_from_a_wrong_secret() {
        let model = small_world();
        let secret = &model.managed()[0];
        assert_eq!(model.sign_in(secret.client_id, "no", START), Err(SignInRefusal::Wrong));
        assert!(model.set_application_enabled(secret.object_id, false));
        assert_eq!(model.sign_in(secret.client_id, "no", START), Err(SignInRefusal::Disabled));
        assert_eq!(model.sign_in(Uuid::nil(), "no", START), Err(SignInRefusal::UnknownApplication));
    }
}
