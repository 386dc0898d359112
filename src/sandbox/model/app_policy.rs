//! App management policies: the passwords an application may have. One policy is the default, others are assigned.

use std::collections::BTreeMap;

use jiff::{Span, SpanRelativeTo, civil};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::application::Application;
use super::graph_refusal::GraphRefusal;
use super::{Model, guid};

/// A policy. Its restrictions on passwords are enforced; the rest is only stored and shown.
#[derive(Debug, Clone)]
pub struct AppPolicy {
    /// Its id; the default one's is all zeros.
    pub id: Uuid,
    /// Its name.
    pub display_name: String,
    /// Its purpose.
    pub description: String,
    /// True if the policy is in force.
    pub is_enabled: bool,
    /// Its restrictions on applications' credentials.
    pub restrictions: Restrictions,
    /// Its restrictions on service principals' credentials; only in the default policy.
    pub principal_restrictions: Restrictions,
}

/// The restrictions of a policy.
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
    /// The kind of restriction.
    pub restriction_type: RestrictionKind,
    /// The state: enabled or disabled.
    #[serde(default)]
    pub state: RestrictionState,
    /// The longest lifetime of a password; for `passwordLifetime`.
    #[serde(default)]
    pub max_lifetime: Option<IsoDuration>,
    /// Applications created earlier are not restricted.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub restrict_for_apps_created_after_date_time: Option<OffsetDateTime>,
    /// Exempt callers, by attributes that the sandbox's callers don't have: shown, but without effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_actors: Option<Value>,
}

/// The kind of restriction on passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestrictionKind {
    /// No new passwords.
    PasswordAddition,
    /// No passwords that last too long.
    PasswordLifetime,
    /// No new symmetric keys.
    SymmetricKeyAddition,
    /// No symmetric keys that last too long.
    SymmetricKeyLifetime,
    /// No passwords with a caller-supplied text; Graph's `addPassword` never accepts one.
    CustomPasswordAddition,
}

/// The state of a restriction: enabled or disabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestrictionState {
    /// The restriction is in force.
    #[default]
    Enabled,
    /// The restriction is not in force.
    Disabled,
}

/// An ISO 8601 duration such as `P90D`.
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
        // Months and years are counted from the start of a common year.
        let length = span.to_duration(SpanRelativeTo::from(civil::date(2026, 1, 1)))?;
        Ok(Self { text, length: Duration::new(length.as_secs(), length.subsec_nanos()) })
    }
}

impl From<IsoDuration> for String {
    fn from(duration: IsoDuration) -> Self {
        duration.text
    }
}

/// The rules for an application's passwords under the policy in force for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PasswordRules {
    /// True if no new passwords are allowed.
    pub are_forbidden: bool,
    /// The longest lifetime of a new password.
    pub max_lifetime: Option<Duration>,
}

/// All policies of the tenant.
#[derive(Debug)]
pub(super) struct Policies {
    default: AppPolicy,
    others: BTreeMap<Uuid, AppPolicy>,
}

impl Model {
    /// Returns the policy in force where no other is assigned.
    pub fn default_policy(&self) -> AppPolicy {
        self.lock().policies.default.clone()
    }

    /// Returns all other policies, by id.
    pub fn policies(&self) -> Vec<AppPolicy> {
        self.lock().policies.others.values().cloned().collect()
    }

    /// Changes a policy; the nil id is the default one's. Returns `None` if the policy doesn't exist.
    pub fn change_policy(&self, id: Uuid, change: impl FnOnce(&mut AppPolicy)) -> Option<AppPolicy> {
        let policies = &mut self.lock().policies;
        let policy = if id.is_nil() { &mut policies.default } else { policies.others.get_mut(&id)? };
        change(policy);
        Some(policy.clone())
    }

    /// Creates a policy that is enabled and not assigned to any application yet.
    pub fn create_policy(&self, change: impl FnOnce(&mut AppPolicy)) -> AppPolicy {
        let mut state = self.lock();
        let mut policy = AppPolicy { id: guid(&mut state.rng), is_enabled: true, ..AppPolicy::default() };
        change(&mut policy);
        state.policies.others.insert(policy.id, policy.clone());
        policy
    }

    /// Deletes a policy that is not assigned.
    ///
    /// # Errors
    /// `NotFound`, also for the default one; `BadRequest` while it is assigned.
    pub fn delete_policy(&self, id: Uuid) -> Result<(), GraphRefusal> {
        let mut state = self.lock();
        if state.applications.values().any(|application| application.policy == Some(id)) {
            let message = format!("The policy '{id}' is still assigned to applications.");
            return Err(GraphRefusal::bad_request(message));
        }
        state.policies.others.remove(&id).map(|_| ()).ok_or(GraphRefusal::NotFound(id))
    }

    /// Returns the rules for an application's passwords, by the policy assigned to it or otherwise the default one.
    pub fn password_rules(&self, object_id: Uuid, now: OffsetDateTime) -> Option<PasswordRules> {
        let mut state = self.lock();
        let application = state.known_application(object_id, now).ok()?.clone();
        Some(state.policies.of(&application).rules(application.created))
    }

    /// Assigns a policy to an application.
    ///
    /// # Errors
    /// `NotFound` for the policy or the application.
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

    /// Removes an application's assignment of this policy.
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
    /// Checks if an application may have one more password with this lifetime.
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

    /// Returns the policy in force for an application. An assigned policy replaces the default one entirely.
    fn of(&self, application: &Application) -> &AppPolicy {
        application.policy.and_then(|id| self.others.get(&id)).unwrap_or(&self.default)
    }
}

impl AppPolicy {
    /// Returns this policy's rules for the passwords of an application that was registered at `created`.
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
