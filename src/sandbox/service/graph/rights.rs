//! Who may do what, by the app roles in the token. It knows nobody by name: the daemon is a caller like others.

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

    /// `OwnedBy` is enough to register an application: its creator owns it.
    pub(super) fn may_create_applications(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&[&WRITE_APPLICATIONS[..], &[OWNED_BY]].concat())
    }

    /// The application that the request writes to, once it is clear that it exists and that the caller may.
    ///
    /// Handlers of such writes rely on it. `None`: it writes to no application that there is.
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

    /// An owner needs `OwnedBy` all the same: owning alone is not enough here. What there isn't nobody owns, and
    /// that is what a caller with any right to write is told.
    pub(super) fn may_write(&self, object_id: Uuid) -> Result<(), GraphRefusal> {
        if self.may_write_all().is_ok() {
            return Ok(());
        }
        self.has_one_of(&[OWNED_BY])?;
        self.azure.model.check_owner(object_id, self.caller.object_id)
    }

    /// Also what it takes to change owners.
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

    /// Reading or writing, as the request does.
    pub(super) fn may_use_policies(&self) -> Result<(), GraphRefusal> {
        if self.request.method == Method::GET { self.may_read_policies() } else { self.may_write_policies() }
    }

    fn has_one_of(&self, roles: &[&str]) -> Result<(), GraphRefusal> {
        let has = self.caller.roles.iter().any(|role| roles.contains(&role.as_str()));
        if has { Ok(()) } else { Err(GraphRefusal::Forbidden) }
    }
}
