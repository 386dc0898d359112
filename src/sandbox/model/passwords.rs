//! Adding and removing applications' passwords, within the limits and policies that apply to them.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::application::Application;
use super::credential::{Credential, random_text};
use super::graph_refusal::GraphRefusal;
use super::sign_in_report::SignIns;
use super::timeline::{TimelineEvent, TimelineEventKind};
use super::{Model, State, guid};

/// The most passwords of an application, including expired ones. The real number is not documented.
const MAX_PASSWORDS: usize = 100;

/// The most passwords of an application that admits personal accounts.
const MAX_PASSWORDS_PERSONAL: usize = 2;

impl Model {
    /// Creates a credential. `start` defaults to `now`, `end` to two years later.
    ///
    /// # Errors
    /// `NotFound`; `BadRequest` if it would end before it starts; refusals by policies and by the limit.
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
        let (credential, secret) = self.lock().add(object_id, display_name, (start, end), now)?;
        let detail =
            format!("{} ({})", credential.key_id, credential.display_name.as_deref().unwrap_or("no name"));
        self.report(&TimelineEvent { at: now, kind: TimelineEventKind::Issued, secret, detail });
        Ok(credential)
    }

    /// Removes a credential; it stays visible until the removal has spread.
    ///
    /// # Errors
    /// `NotFound`; `UnknownCredential`, also if it was already removed or was added only just now.
    pub fn remove_password(
        &self,
        object_id: Uuid,
        key_id: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        let secret = self.lock().remove(object_id, key_id, now)?;
        let detail = key_id.to_string();
        self.report(&TimelineEvent { at: now, kind: TimelineEventKind::Revoked, secret, detail });
        Ok(())
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
        let application = self.known_application(object_id, now)?.clone();
        self.policies.check_password(&application, end - start)?;
        if end <= start || end <= now {
            let message = "The credential's end must be in the future and after its start.";
            return Err(GraphRefusal::bad_request(message));
        }
        if application.has_too_many_passwords() {
            return Err(GraphRefusal::TooManyPasswords);
        }
        let credential = self.new_credential(display_name, (start, end), now);
        self.attach(object_id, credential.clone(), now)?;
        Ok((credential, application.secret()))
    }

    fn new_credential(
        &mut self,
        display_name: Option<&str>,
        (start, end): (OffsetDateTime, OffsetDateTime),
        now: OffsetDateTime,
    ) -> Credential {
        let rng = &mut self.rng;
        Credential {
            key_id: guid(rng),
            display_name: display_name.map(str::to_owned),
            start,
            end,
            text: random_text(rng),
            added: Some(self.propagation.change(now, rng)),
            removed: None,
            sign_ins: SignIns::default(),
        }
    }

    fn attach(
        &mut self,
        object_id: Uuid,
        credential: Credential,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        let application = self.applications.get_mut(&object_id).ok_or(GraphRefusal::NotFound(object_id))?;
        application.credentials.retain(|credential| !credential.is_forgotten(now));
        application.credentials.push(credential);
        let live = application.credentials.iter().filter(|credential| credential.is_live(now)).count();
        self.counters.count_issued(live);
        Ok(())
    }

    fn remove(&mut self, object_id: Uuid, key_id: Uuid, now: OffsetDateTime) -> Result<String, GraphRefusal> {
        let was_published = self.is_named_by_a_version(key_id);
        self.known_application(object_id, now)?;
        let Self { applications, rng, propagation, counters, .. } = self;
        let application = applications.get_mut(&object_id).ok_or(GraphRefusal::NotFound(object_id))?;
        let credential = application
            .credentials
            .iter_mut()
            .find(|credential| credential.key_id == key_id && credential.is_removable(now, rng))
            .ok_or(GraphRefusal::UnknownCredential(key_id))?;
        credential.removed = Some(propagation.change(now, rng));
        if was_published {
            counters.count_retired();
        }
        Ok(application.secret())
    }
}

impl Application {
    fn has_too_many_passwords(&self) -> bool {
        let usual =
            if self.audience.admits_personal_accounts() { MAX_PASSWORDS_PERSONAL } else { MAX_PASSWORDS };
        let present = self.credentials.iter().filter(|credential| !credential.is_removed()).count();
        present >= self.password_limit.unwrap_or(usual)
    }
}

/// Returns the same calendar day two years later, which is 731 days across a leap year.
fn two_years_after(start: OffsetDateTime) -> OffsetDateTime {
    start.replace_year(start.year() + 2).unwrap_or_else(|_| start.saturating_add(Duration::days(730)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]
mod tests {
    use super::*;
    use crate::sandbox::model::seed::tests::{START, small_world, spreading_world};
    use crate::sandbox::model::{ApplicationChange, Audience};

    /// An application takes passwords up to its limit, which depends on its audience and can be configured.
    #[test]
    fn password_limit_depends_on_application_kind() {
        let model = small_world();
        let [usual, personal, configured] = [0, 1, 2].map(|index| model.managed()[index].object_id);
        let audience = Some(Audience::Personal);
        let change = ApplicationChange { audience, ..ApplicationChange::default() };
        model.change_application(personal, change, START).unwrap();
        let change = ApplicationChange { password_limit: Some(5), ..ApplicationChange::default() };
        model.change_application(configured, change, START).unwrap();
        // Each begins with one.
        for (object_id, most) in [(usual, 99), (personal, 1), (configured, 4)] {
            let add = || model.add_password(object_id, None, None, None, START);
            let made: Vec<_> = (0..most).map(|_| add().unwrap()).collect();
            assert_eq!(add().unwrap_err(), GraphRefusal::TooManyPasswords);
            model.remove_password(object_id, made[0].key_id, START).unwrap();
            add().unwrap();
        }
    }

    #[test]
    fn expired_passwords_count_until_they_are_removed() {
        let model = small_world();
        let object_id = model.managed()[0].object_id;
        let change = ApplicationChange { password_limit: Some(2), ..ApplicationChange::default() };
        model.change_application(object_id, change, START).unwrap();
        let end = START + Duration::days(1);
        model.add_password(object_id, None, None, Some(end), START).unwrap();
        let later = START + Duration::days(2);
        let refused = model.add_password(object_id, None, None, None, later).unwrap_err();
        assert_eq!(refused, GraphRefusal::TooManyPasswords);
    }

    /// Removing a password that was only just added may fail until the addition has propagated.
    #[test]
    fn removing_a_new_password_may_fail() {
        let model = spreading_world();
        let object_id = model.managed()[0].object_id;
        let refused = (0..40).filter(|_| {
            let made = model.add_password(object_id, None, None, None, START).unwrap();
            model.remove_password(object_id, made.key_id, START).is_err()
        });
        let refused = refused.count();
        assert!((5..35).contains(&refused), "{refused} of 40");
        let made = model.add_password(object_id, None, None, None, START).unwrap();
        let later = START + Duration::minutes(1);
        assert_eq!(model.remove_password(object_id, made.key_id, later), Ok(()));
    }
}
