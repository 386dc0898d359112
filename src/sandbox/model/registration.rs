//! Registering, changing and deleting applications, their owners, and the limit of one write at a time to each.

use std::collections::BTreeSet;

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::application::{AppRole, Application, Audience, Redirects};
use super::graph_refusal::GraphRefusal;
use super::{Model, State, guid};

/// Changes to an application; a field that is `None` stays unchanged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationChange {
    /// Its name.
    pub display_name: Option<String>,
    /// All its tags.
    pub tags: Option<Vec<String>>,
    /// The accounts that it admits.
    #[serde(rename = "signInAudience")]
    pub audience: Option<Audience>,
    /// True if it counts as a public client by default.
    pub is_fallback_public_client: Option<bool>,
    /// All its App ID URIs.
    pub identifier_uris: Option<Vec<String>>,
    /// All its redirects as a web application.
    pub web: Option<Redirects>,
    /// All its redirects as a single-page application.
    pub spa: Option<Redirects>,
    /// All its redirects as a public client.
    pub public_client: Option<Redirects>,
    /// All app roles that it offers.
    pub app_roles: Option<Vec<AppRole>>,
    /// True if it may sign in. Graph can't set this.
    pub enabled: Option<bool>,
    /// The most passwords it may have. Graph can't set this.
    pub password_limit: Option<usize>,
    /// All its owners, by the object ids of their service principals. Graph can't set them all in one request.
    pub owners: Option<BTreeSet<Uuid>>,
    /// The time of its registration. Graph can't set this.
    #[serde(rename = "createdDateTime", with = "time::serde::rfc3339::option", default)]
    pub created: Option<OffsetDateTime>,
}

/// A write to an application in progress, for as long as this value lives.
pub(crate) struct Writing<'a> {
    model: &'a Model,
    object_id: Uuid,
}

impl Model {
    /// Registers an application without a service principal. Its creator owns it.
    ///
    /// It takes as long as a credential to become known everywhere.
    pub fn create_application(
        &self,
        change: ApplicationChange,
        creator: Option<Uuid>,
        now: OffsetDateTime,
    ) -> Application {
        let mut state = self.lock();
        let state = &mut *state;
        let ids = [guid(&mut state.rng), guid(&mut state.rng), guid(&mut state.rng)];
        let mut application = Application::new("", ids, now);
        application.has_service_principal = false;
        application.appeared = Some(state.propagation.change(now, &mut state.rng));
        application.owners.extend(creator);
        application.apply(change);
        state.register(application.clone());
        application
    }

    /// Adds an application that is already known everywhere, with a service principal.
    pub fn add_settled_application(&self, change: ApplicationChange, now: OffsetDateTime) -> Application {
        let mut state = self.lock();
        let ids = [guid(&mut state.rng), guid(&mut state.rng), guid(&mut state.rng)];
        let mut application = Application::new("", ids, now);
        application.apply(change);
        state.register(application.clone());
        application
    }

    /// Changes an application.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn change_application(
        &self,
        object_id: Uuid,
        change: ApplicationChange,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        self.lock().known_application(object_id, now)?.apply(change);
        Ok(())
    }

    /// Deletes an application with its service principal, at once and permanently.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn delete_application(&self, object_id: Uuid, now: OffsetDateTime) -> Result<(), GraphRefusal> {
        let mut state = self.lock();
        let client_id = state.known_application(object_id, now)?.client_id;
        state.object_ids.remove(&client_id);
        state.applications.remove(&object_id);
        Ok(())
    }

    /// Checks that this service principal owns the application.
    ///
    /// # Errors
    /// `NotFound` for the application; `Forbidden` if the principal is not an owner.
    pub(crate) fn check_owner(&self, object_id: Uuid, principal: Uuid) -> Result<(), GraphRefusal> {
        let state = self.lock();
        let application = state.applications.get(&object_id).ok_or(GraphRefusal::NotFound(object_id))?;
        if application.owners.contains(&principal) { Ok(()) } else { Err(GraphRefusal::Forbidden) }
    }

    /// Returns true if the application exists, even if not every server knows it yet.
    pub(crate) fn has_application(&self, object_id: Uuid) -> bool {
        self.lock().applications.contains_key(&object_id)
    }

    /// Makes a service principal an owner.
    ///
    /// # Errors
    /// `NotFound` for either; `BadRequest` if it already is one.
    pub fn add_owner(&self, object_id: Uuid, owner: Uuid, now: OffsetDateTime) -> Result<(), GraphRefusal> {
        let mut state = self.lock();
        if !state.is_principal(owner) {
            return Err(GraphRefusal::NotFound(owner));
        }
        if state.known_application(object_id, now)?.owners.insert(owner) {
            return Ok(());
        }
        let message = "One or more added object references already exist for the following modified properties: 'owners'.";
        Err(GraphRefusal::bad_request(message))
    }

    /// Removes an owner.
    ///
    /// # Errors
    /// `NotFound`, also if it was not an owner.
    pub fn remove_owner(
        &self,
        object_id: Uuid,
        owner: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        let was_owner = self.lock().known_application(object_id, now)?.owners.remove(&owner);
        if was_owner { Ok(()) } else { Err(GraphRefusal::NotFound(owner)) }
    }

    /// Begins to write to an application. Returns `None` while another write is in progress.
    pub(crate) fn begin_write(&self, object_id: Uuid) -> Option<Writing<'_>> {
        let is_first = self.lock().writing.insert(object_id);
        // Created only if the write may begin, because dropping the value ends the write.
        is_first.then(|| Writing { model: self, object_id })
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.model.lock().writing.remove(&self.object_id);
    }
}

impl State {
    fn is_principal(&self, id: Uuid) -> bool {
        self.first_parties.iter().any(|principal| principal.object_id == id)
            || self
                .applications
                .values()
                .any(|application| application.has_service_principal && application.service_principal == id)
    }
}

impl Application {
    fn apply(&mut self, change: ApplicationChange) {
        fn set<T>(field: &mut T, wanted: Option<T>) {
            if let Some(wanted) = wanted {
                *field = wanted;
            }
        }
        set(&mut self.display_name, change.display_name);
        set(&mut self.tags, change.tags);
        set(&mut self.audience, change.audience);
        set(&mut self.identifier_uris, change.identifier_uris);
        set(&mut self.web, change.web);
        set(&mut self.spa, change.spa);
        set(&mut self.public_client, change.public_client);
        set(&mut self.app_roles, change.app_roles);
        set(&mut self.enabled, change.enabled);
        set(&mut self.owners, change.owners);
        set(&mut self.created, change.created);
        self.is_fallback_public_client = change.is_fallback_public_client.or(self.is_fallback_public_client);
        self.password_limit = change.password_limit.or(self.password_limit);
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may stop here")]
mod tests {
    use time::Duration;

    use super::*;
    use crate::sandbox::model::seed::tests::{START, small_world, spreading_world};

    /// An application accepts only one write at a time, and other applications are not affected.
    #[test]
    fn application_takes_one_write_at_a_time() {
        let model = small_world();
        let [one, other] = [0, 1].map(|index| model.managed()[index].object_id);
        let writing = model.begin_write(one);
        assert!(writing.is_some() && model.begin_write(one).is_none());
        assert!(model.begin_write(other).is_some());
        drop(writing);
        assert!(model.begin_write(one).is_some());
    }

    /// A new application is found by only some of the reads at first, and by all of them a minute later.
    #[test]
    fn new_application_propagates_gradually() {
        let model = spreading_world();
        let made = model.create_application(ApplicationChange::default(), None, START);
        let found = |now| (0..40).filter(|_| model.application(made.object_id, now).is_some()).count();
        assert!((5..35).contains(&found(START)));
        assert_eq!(found(START + Duration::minutes(1)), 40);
    }
}
