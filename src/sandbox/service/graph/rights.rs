//! Permissions, by the app roles in the token. No caller is special: the daemon is a caller like others.

use uuid::Uuid;

use super::Call;
use super::target::Target;
use crate::sandbox::model::GraphRefusal;
use axum::http::Method;

pub(in crate::sandbox) const READ_APPLICATIONS: [&str; 5] = [
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

pub(in crate::sandbox) const WRITE_APPLICATIONS: [&str; 2] =
    ["Application.ReadWrite.All", "Directory.ReadWrite.All"];

pub(in crate::sandbox) const OWNED_BY: &str = "Application.ReadWrite.OwnedBy";

pub(in crate::sandbox) const READ_REPORTS: [&str; 3] =
    ["AuditLog.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];

const WRITE_POLICIES: &str = "Policy.ReadWrite.ApplicationConfiguration";

pub(in crate::sandbox) const READ_POLICIES: [&str; 2] = ["Policy.Read.All", WRITE_POLICIES];

impl Call<'_> {
    pub(super) fn may_read_applications(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&READ_APPLICATIONS)
    }

    /// Checks the right to register an application. `OwnedBy` is enough: the creator owns it.
    pub(super) fn may_create_applications(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&[&WRITE_APPLICATIONS[..], &[OWNED_BY]].concat())
    }

    /// Returns the application that the request writes to, after checking that it exists and that the caller may write.
    ///
    /// Handlers of such writes rely on it. `None`: it does not write to an existing application.
    pub(super) fn admitted_to_write(&self, target: &Target<'_>) -> Result<Option<Uuid>, GraphRefusal> {
        let is_read = self.request.method == Method::GET;
        let Some(id) = target.written(self.azure).filter(|_| !is_read) else { return Ok(None) };
        match target.part() {
            Some("owners") => self.may_write_all()?,
            Some("appManagementPolicies") => self.may_write_policies()?,
            Some(_) | None => self.may_write(id)?,
        }
        if self.azure.model.has_application(id) { Ok(Some(id)) } else { Err(GraphRefusal::NotFound(id)) }
    }

    /// Checks the right to write to an application. An owner needs `OwnedBy` too: owning alone is not enough here. A
    /// missing application has no owner; a caller with a right to write gets 404 for it.
    pub(super) fn may_write(&self, object_id: Uuid) -> Result<(), GraphRefusal> {
        if self.may_write_all().is_ok() {
            return Ok(());
        }
        self.has_one_of(&[OWNED_BY])?;
        self.azure.model.check_owner(object_id, self.caller.object_id)
    }

    /// Checks the right to write to all applications. Changing owners needs it, too.
    pub(super) fn may_write_all(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&WRITE_APPLICATIONS)
    }

    pub(super) fn may_read_reports(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&READ_REPORTS)
    }

    fn may_read_policies(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&READ_POLICIES)
    }

    fn may_write_policies(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&[WRITE_POLICIES])
    }

    /// Checks the right to read or write policies, as the request's method requires.
    pub(super) fn may_use_policies(&self) -> Result<(), GraphRefusal> {
        if self.request.method == Method::GET { self.may_read_policies() } else { self.may_write_policies() }
    }

    fn has_one_of(&self, roles: &[&str]) -> Result<(), GraphRefusal> {
        let has = self.caller.roles.iter().any(|role| roles.contains(&role.as_str()));
        if has { Ok(()) } else { Err(GraphRefusal::Forbidden) }
    }
}
