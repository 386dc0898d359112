//! The applications that may be rotated: `[applications]`.

use super::problems::Problems;
use super::reader::{Found, Section};
use super::values;
use crate::domain::{ApplicationRef, ApplicationRules};

/// The table `[applications]` as far as it could be read.
pub(super) struct Applications {
    pub(super) rules: ApplicationRules,
    is_readable: bool,
}

impl Applications {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let allow = section.values_of("allow", values::guid);
        let deny = section.values_of("deny", values::guid);
        section.finish();
        let is_readable = allow.is_some() && deny.is_some();
        let rules = ApplicationRules { allow: allow.unwrap_or_default(), deny: deny.unwrap_or_default() };
        Self { rules, is_readable }
    }

    /// Reports a problem if an entry's own GUID, given by the key `path`, is denied or not allowed.
    pub(super) fn check(&self, path: &str, application: &Found<ApplicationRef>, problems: &Problems) {
        let (ApplicationRef::ObjectId(crate::domain::AppObjectId(id))
        | ApplicationRef::ClientId(crate::domain::ClientId(id))
        | ApplicationRef::Either(id)) = application.value;
        let ApplicationRules { allow, deny } = &self.rules;
        let objection = if deny.contains(&id) {
            "which applications.deny lists"
        } else if self.is_readable && !allow.is_empty() && !allow.contains(&id) {
            "which applications.allow does not list"
        } else {
            return;
        };
        problems.add(&application.location, format!("{path} is {}, {objection}", application.shown));
    }
}
