//! The checks that rekeyd may change an application's credentials: ownership, and the permission itself.

use super::applications::BoundApplication;
use super::daemon::{OWNED_BY, may_write_all};
use super::finding::{CheckName, Finding};
use super::{Doctor, remedies};
use crate::ports::{OwnIdentity, Permission, chain};

impl Doctor<'_> {
    /// Checks ownership, where the permission depends on it, and the permission itself. One missing cause is reported
    /// once.
    pub(super) async fn write_permission(
        &self,
        bound: &BoundApplication<'_>,
        identity: Option<&OwnIdentity>,
    ) -> Vec<Finding> {
        let (check, subject, id) = (CheckName::WritePermission, bound.subject(), bound.application.object_id);
        let owned = self.ownership(bound, identity).await;
        let is_explained = owned.as_ref().is_some_and(|finding| finding.remedy.is_some());
        let permission = match self.ports.directory_access.try_write_permission(id).await {
            Ok(Permission::Granted) => Some(Finding::ok(check, subject, "its credentials can be changed")),
            Ok(Permission::Refused { .. }) if is_explained => None,
            Ok(Permission::Refused { code, .. }) => {
                let detail = format!("its credentials can't be changed ({code})");
                Some(Finding::error(
                    check,
                    subject,
                    detail,
                    remedies::graph_permission(&self.config.azure, identity),
                ))
            }
            Err(error) => {
                let remedy = "try again later; if it persists, check the health of Microsoft Graph";
                Some(Finding::warning(check, subject, format!("not known: {}", chain(&error)), remedy))
            }
        };
        owned.into_iter().chain(permission).collect()
    }

    /// Checks ownership. Returns `None` where it doesn't matter or rekeyd's own id is not known.
    async fn ownership(
        &self,
        bound: &BoundApplication<'_>,
        identity: Option<&OwnIdentity>,
    ) -> Option<Finding> {
        let known =
            identity.filter(|identity| !may_write_all(identity) && identity.roles.contains(OWNED_BY))?;
        let (check, subject, id) = (CheckName::Ownership, bound.subject(), bound.application.object_id);
        let own = known.object_id.as_ref()?;
        Some(match self.ports.directory.list_owners(id).await {
            Ok(owners) if owners.contains(own) => Finding::ok(check, subject, "rekeyd is one of its owners"),
            Ok(_) => {
                let detail = format!(
                    "rekeyd can write only the applications that it owns ({OWNED_BY}), and does not own this one"
                );
                Finding::error(check, subject, detail, remedies::ownership(id, identity))
            }
            Err(error) => {
                let remedy = remedies::ownership(id, identity);
                Finding::warning(
                    check,
                    subject,
                    format!("its owners can't be read: {}", chain(&error)),
                    remedy,
                )
            }
        })
    }
}
