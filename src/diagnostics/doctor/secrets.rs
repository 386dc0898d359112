//! The checks of each managed secret and its replicas: they can be read and written, and their tags be used.

use time::Duration;

use super::finding::{CheckName, Finding};
use super::vaults::ClosedVaults;
use super::{Doctor, remedies};
use crate::domain::tags::Tags;
use crate::domain::{ManagedSecret, SecretId};
use crate::ports::{CurrentVersion, OwnIdentity, Permission, PortError, RefusalKind};

impl Doctor<'_> {
    /// Checks one managed secret and its replicas outside `closed` vaults. Returns the validity that its tags ask for
    /// within the policy's bounds, too, if they can be read.
    pub(super) async fn secret(
        &self,
        managed: &ManagedSecret,
        closed: &ClosedVaults,
        identity: Option<&OwnIdentity>,
    ) -> (Vec<Finding>, Option<Duration>) {
        let (mut findings, validity) = self.vault_secret(&managed.id, Some(managed), identity).await;
        for replica in managed.replicas.iter().filter(|replica| !closed.contains(&replica.vault)) {
            findings.extend(self.vault_secret(replica, None, identity).await.0);
        }
        (findings, validity)
    }

    /// Checks one vault secret. `policy_of` is the managed secret whose policy its tags may change, to the validity
    /// returned.
    async fn vault_secret(
        &self,
        id: &SecretId,
        policy_of: Option<&ManagedSecret>,
        identity: Option<&OwnIdentity>,
    ) -> (Vec<Finding>, Option<Duration>) {
        let (mut findings, mut validity) = (Vec::new(), None);
        match self.ports.reconcile.store.read_current(id).await {
            Ok(CurrentVersion::Readable(read)) => {
                findings.push(Finding::ok(CheckName::GetPermission, id.to_string(), "can be read"));
                findings.push(Finding::ok(CheckName::SecretState, id.to_string(), "exists and is enabled"));
                let found = &read.properties.tags;
                findings.extend(tags(id, policy_of, found));
                validity = policy_of.map(|managed| managed.policy.with_tags(found).0.validity());
            }
            Ok(CurrentVersion::Missing) => findings.push(missing(id)),
            Ok(CurrentVersion::Disabled) => findings.push(disabled(id)),
            Err(error) => findings.push(refused(CheckName::GetPermission, id, &error, identity)),
        }
        findings.push(match self.ports.vault_access.try_set_permission(id).await {
            Ok(Permission::Granted) => {
                Finding::ok(CheckName::SetPermission, id.to_string(), "can be written")
            }
            Ok(Permission::Refused { kind, code }) => {
                let subject = id.to_string();
                remedies::vault_refusal(
                    CheckName::SetPermission,
                    &subject,
                    &id.vault,
                    (kind, &code),
                    identity,
                )
            }
            Err(error) => refused(CheckName::SetPermission, id, &error, identity),
        });
        (findings, validity)
    }
}

fn refused(check: CheckName, id: &SecretId, error: &PortError, identity: Option<&OwnIdentity>) -> Finding {
    match error.refusal() {
        Some(RefusalKind::SecretDeleted | RefusalKind::SecretInTransition) => deleted(id),
        Some(_) | None => remedies::vault_trouble(check, &id.to_string(), &id.vault, error, identity),
    }
}

fn missing(id: &SecretId) -> Finding {
    let remedy = format!(
        "if that is intended, the first rotation creates it; if it was deleted: az keyvault secret recover --vault-name {} \
         --name {}",
        id.vault, id.name
    );
    Finding::warning(CheckName::SecretState, id.to_string(), "it does not exist, or it is deleted", remedy)
}

fn deleted(id: &SecretId) -> Finding {
    let remedy = format!(
        "az keyvault secret recover --vault-name {} --name {}, or purge it: the first rotation then creates it again",
        id.vault, id.name
    );
    Finding::error(CheckName::SecretState, id.to_string(), "it is deleted and can be recovered", remedy)
}

fn disabled(id: &SecretId) -> Finding {
    let remedy = format!(
        "az keyvault secret set-attributes --vault-name {} --name {} --enabled true, or write a new version",
        id.vault, id.name
    );
    Finding::error(CheckName::SecretState, id.to_string(), "its newest version is disabled", remedy)
}

/// Checks that the tags can be used, and that those that a rotation adds have room.
fn tags(id: &SecretId, policy_of: Option<&ManagedSecret>, tags: &Tags) -> Vec<Finding> {
    let mut problems: Vec<String> = Vec::new();
    if let Some(managed) = policy_of {
        problems.extend(managed.policy.with_tags(tags).1.iter().map(ToString::to_string));
    }
    problems.extend(tags.credential_id().err().map(|error| error.to_string()));
    problems.extend(tags.superseded().err().map(|error| error.to_string()));
    problems.extend(tags.pending_rotation().err().map(|error| error.to_string()));

    let mut findings = Vec::new();
    if let Err(limit) = tags.with_those_of_rotation().check_limits() {
        let remedy = "remove or shorten some of its tags: a rotation adds its own";
        findings.push(Finding::error(CheckName::Tags, id.to_string(), limit.to_string(), remedy));
    }
    if tags.is_rotation_disabled() {
        let remedy = format!("rekeyd resume {id}, when it can be rotated again");
        findings.push(Finding::warning(
            CheckName::Tags,
            id.to_string(),
            "tag RotationDisabled is set",
            remedy,
        ));
    }
    if !problems.is_empty() {
        let remedy = "correct or remove these tags in the portal (az keyvault secret set-attributes --tags replaces all tags \
                      at once)";
        findings.push(Finding::warning(CheckName::Tags, id.to_string(), problems.join("; "), remedy));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CheckName::Tags, id.to_string(), "can be used"));
    }
    findings
}
