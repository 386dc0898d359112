//! App management policies: what passwords an application may have. One holds by default, others are assigned.

use std::collections::BTreeMap;

use jiff::{Span, SpanRelativeTo, civil};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::application::Application;
use super::graph_refusal::GraphRefusal;
use super::{Model, guid};

/// A policy. Of its restrictions, those on passwords are enforced; what else it says is kept and shown.
#[derive(Debug, Clone)]
pub struct AppPolicy {
    /// Its id; the default one's is all zeros.
    pub id: Uuid,
    /// Its name.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// Whether it holds.
    pub is_enabled: bool,
    /// What it says about applications' credentials.
    pub restrictions: Restrictions,
    /// What it says about those of service principals; the default one only.
    pub principal_restrictions: Restrictions,
}

/// What a policy forbids.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Restrictions {
    /// On passwords.
    pub password_credentials: Vec<PasswordRestriction>,
    /// On keys, which the sandbox doesn't make.
    pub key_credentials: Vec<Value>,
}

/// One restriction on passwords.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordRestriction {
    /// What it restricts.
    pub restriction_type: RestrictionKind,
    /// Whether it holds.
    #[serde(default)]
    pub state: RestrictionState,
    /// How long a password may last; for `passwordLifetime`.
    #[serde(default)]
    pub max_lifetime: Option<IsoDuration>,
    /// Older applications are left alone.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub restrict_for_apps_created_after_date_time: Option<OffsetDateTime>,
    /// Who is exempt, by attributes that the sandbox's callers don't have: it is shown, and exempts nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_actors: Option<Value>,
}

/// What a restriction on passwords is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestrictionKind {
    /// No new passwords.
    PasswordAddition,
    /// None that lasts too long.
    PasswordLifetime,
    /// No new symmetric keys.
    SymmetricKeyAddition,
    /// No symmetric keys that last too long.
    SymmetricKeyLifetime,
    /// No passwords with a text of one's own; Graph's `addPassword` never takes one.
    CustomPasswordAddition,
}

/// Whether a restriction holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestrictionState {
    /// It does.
    #[default]
    Enabled,
    /// It doesn't.
    Disabled,
}

/// A duration as ISO 8601 writes it, such as `P90D`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IsoDuration {
    text: String,
    length: Duration,
}

impl TryFrom<String> for IsoDuration {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        let span: Span = text.parse()?;
        // Months and years count as from the start of a usual year.
        let length = span.to_duration(SpanRelativeTo::from(civil::date(2026, 1, 1)))?;
        Ok(Self { text, length: Duration::new(length.as_secs(), length.subsec_nanos()) })
    }
}

impl From<IsoDuration> for String {
    fn from(duration: IsoDuration) -> Self {
        duration.text
    }
}

/// What the policies that hold for an application say of its passwords.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PasswordRules {
    /// Whether there must be no new ones.
    pub are_forbidden: bool,
    /// How long a new one may last at most.
    pub max_lifetime: Option<Duration>,
}

/// All policies of the tenant.
#[derive(Debug)]
pub(super) struct Policies {
    default: AppPolicy,
    others: BTreeMap<Uuid, AppPolicy>,
}

impl Model {
    /// The policy that holds where no other is assigned.
    pub fn default_policy(&self) -> AppPolicy {
        self.lock().policies.default.clone()
    }

    /// All others, by id.
    pub fn policies(&self) -> Vec<AppPolicy> {
        self.lock().policies.others.values().cloned().collect()
    }

    /// Changes a policy: the nil id is the default one's. `None` if there is no such policy.
    pub fn change_policy(&self, id: Uuid, change: impl FnOnce(&mut AppPolicy)) -> Option<AppPolicy> {
        let policies = &mut self.lock().policies;
        let policy = if id.is_nil() { &mut policies.default } else { policies.others.get_mut(&id)? };
        change(policy);
        Some(policy.clone())
    }

    /// A new policy, assigned to nobody yet. It holds.
    pub fn create_policy(&self, change: impl FnOnce(&mut AppPolicy)) -> AppPolicy {
        let mut state = self.lock();
        let mut policy = AppPolicy { id: guid(&mut state.rng), is_enabled: true, ..AppPolicy::default() };
        change(&mut policy);
        state.policies.others.insert(policy.id, policy.clone());
        policy
    }

    /// Deletes a policy that is assigned to nobody.
    ///
    /// # Errors
    /// `NotFound`, also for the default one; `BadRequest` while it is assigned.
    pub fn delete_policy(&self, id: Uuid) -> Result<(), GraphRefusal> {
        let mut state = self.lock();
        if state.applications.values().any(|application| application.policy == Some(id)) {
            let message = format!("The policy '{id}' is assigned to applications still.");
            return Err(GraphRefusal::bad_request(message));
        }
        state.policies.others.remove(&id).map(|_| ()).ok_or(GraphRefusal::NotFound(id))
    }

    /// What holds for the passwords of an application, by the policy assigned to it or else the default one.
    pub fn password_rules(&self, object_id: Uuid, now: OffsetDateTime) -> Option<PasswordRules> {
        let mut state = self.lock();
        let application = state.known_application(object_id, now).ok()?.clone();
        Some(state.policies.of(&application).rules(application.created))
    }

    /// Assigns a policy to an application.
    ///
    /// # Errors
    /// `NotFound` for either.
    pub fn assign_policy(
        &self,
        object_id: Uuid,
        policy: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        let mut state = self.lock();
        if !state.policies.others.contains_key(&policy) {
            return Err(GraphRefusal::NotFound(policy));
        }
        state.known_application(object_id, now)?.policy = Some(policy);
        Ok(())
    }

    /// Takes from an application the policy that is assigned to it.
    ///
    /// # Errors
    /// `NotFound` for the application, and for a policy that isn't the assigned one.
    pub fn unassign_policy(
        &self,
        object_id: Uuid,
        policy: Uuid,
        now: OffsetDateTime,
    ) -> Result<(), GraphRefusal> {
        let mut state = self.lock();
        let assigned = &mut state.known_application(object_id, now)?.policy;
        assigned.take_if(|assigned| *assigned == policy).map(|_| ()).ok_or(GraphRefusal::NotFound(policy))
    }
}

impl Default for Policies {
    fn default() -> Self {
        let default = AppPolicy {
            display_name: "Default app management tenant policy".to_owned(),
            description: "Default tenant policy that enforces app management restrictions on applications and service principals. To apply policy to targeted resources, create a new policy under appManagementPolicies collection.".to_owned(),
            ..AppPolicy::default()
        };
        Self { default, others: BTreeMap::new() }
    }
}

impl Default for AppPolicy {
    fn default() -> Self {
        Self {
            id: Uuid::nil(),
            display_name: String::new(),
            description: String::new(),
            is_enabled: false,
            restrictions: Restrictions::default(),
            principal_restrictions: Restrictions::default(),
        }
    }
}

impl Policies {
    /// Whether an application may have one more password that lasts so long.
    pub(super) fn check_password(
        &self,
        application: &Application,
        lifetime: Duration,
    ) -> Result<(), GraphRefusal> {
        let policy = self.of(application);
        let rules = policy.rules(application.created);
        if rules.are_forbidden {
            return Err(GraphRefusal::PasswordsNotAllowed(policy.id));
        }
        let is_too_long = rules.max_lifetime.is_some_and(|longest| lifetime > longest);
        if is_too_long { Err(GraphRefusal::LifetimeTooLong(policy.id)) } else { Ok(()) }
    }

    /// An assigned policy stands in for the default one wholly, even where it says nothing.
    fn of(&self, application: &Application) -> &AppPolicy {
        application.policy.and_then(|id| self.others.get(&id)).unwrap_or(&self.default)
    }
}

impl AppPolicy {
    /// What it says of the passwords of an application that was registered at `created`.
    fn rules(&self, created: OffsetDateTime) -> PasswordRules {
        let mut rules = PasswordRules::default();
        let restrictions = self.restrictions.password_credentials.iter().filter(|_| self.is_enabled);
        for restriction in restrictions.filter(|restriction| restriction.holds_for(created)) {
            let longest = restriction.max_lifetime.as_ref().map(|longest| longest.length);
            match restriction.restriction_type {
                RestrictionKind::PasswordAddition => rules.are_forbidden = true,
                RestrictionKind::PasswordLifetime => {
                    let both = [rules.max_lifetime, longest];
                    rules.max_lifetime = both.into_iter().flatten().min();
                }
                RestrictionKind::SymmetricKeyAddition
                | RestrictionKind::SymmetricKeyLifetime
                | RestrictionKind::CustomPasswordAddition => {}
            }
        }
        rules
    }
}

impl PasswordRestriction {
    fn holds_for(&self, created: OffsetDateTime) -> bool {
        self.state == RestrictionState::Enabled
            && self.restrict_for_apps_created_after_date_time.is_none_or(|moment| created > moment)
    }
}
