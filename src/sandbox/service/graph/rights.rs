//! Who may do what, by the app roles in the token. It knows nobody by name: the daemon is a caller like others.

use uuid::Uuid;

use super::Call;
use crate::sandbox::model::GraphRefusal;

const READ_APPLICATIONS: [&str; 5] = [
    "Application.Read.All",
    "Application.ReadWrite.All",
    "Application.ReadWrite.OwnedBy",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];

const WRITE_APPLICATIONS: [&str; 2] = ["Application.ReadWrite.All", "Directory.ReadWrite.All"];

const OWNED_BY: &str = "Application.ReadWrite.OwnedBy";

const READ_REPORTS: [&str; 3] = ["AuditLog.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"];

const WRITE_POLICIES: &str = "Policy.ReadWrite.ApplicationConfiguration";

const READ_POLICIES: [&str; 2] = ["Policy.Read.All", WRITE_POLICIES];

impl Call<'_> {
    pub(super) fn may_read_applications(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&READ_APPLICATIONS)
    }

    /// `OwnedBy` is enough to register an application: its creator owns it.
    pub(super) fn may_create_applications(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&[&WRITE_APPLICATIONS[..], &[OWNED_BY]].concat())
    }

    /// An owner needs `OwnedBy` all the same: owning alone is not enough here.
    pub(super) fn may_write(&self, object_id: Uuid) -> Result<(), GraphRefusal> {
        let model = &self.azure.model;
        if self.has_one_of(&[OWNED_BY]).is_ok() && model.is_owner(object_id, self.caller.object_id) {
            return Ok(());
        }
        self.may_write_all()
    }

    /// Also what it takes to change owners.
    pub(super) fn may_write_all(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&WRITE_APPLICATIONS)
    }

    pub(super) fn may_read_reports(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&READ_REPORTS)
    }

    pub(super) fn may_read_policies(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&READ_POLICIES)
    }

    pub(super) fn may_write_policies(&self) -> Result<(), GraphRefusal> {
        self.has_one_of(&[WRITE_POLICIES])
    }

    fn has_one_of(&self, roles: &[&str]) -> Result<(), GraphRefusal> {
        let has = self.caller.roles.iter().any(|role| roles.contains(&role.as_str()));
        if has { Ok(()) } else { Err(GraphRefusal::Forbidden) }
    }
}
