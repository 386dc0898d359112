//! The checks of each vault: it answers, its network admits this machine, and its secrets may be listed.

use std::collections::BTreeSet;

use super::finding::{CheckName, Finding};
use super::{Doctor, remedies};
use crate::domain::VaultName;
use crate::ports::{OwnIdentity, PortError, chain};
use crate::reconcile::Catalogue;

/// The vaults that can't be reached, so that nothing in them is checked.
pub(super) type ClosedVaults = BTreeSet<VaultName>;

impl Doctor<'_> {
    /// Checks every vault, and adds the secrets that are discovered in it to the catalogue. Returns the vaults that
    /// can't be reached at all, too.
    pub(super) async fn vaults(
        &self,
        catalogue: &Catalogue,
        identity: Option<&OwnIdentity>,
    ) -> (ClosedVaults, Vec<Finding>) {
        let (mut closed, mut findings, mut tokenless) = (BTreeSet::new(), Vec::new(), None);
        for vault in self.config.vaults.iter().map(|vault| &vault.name) {
            let subject = format!("vault {vault}");
            match self.list(vault, catalogue).await {
                Ok(()) => {
                    findings.push(Finding::ok(CheckName::VaultReachable, &subject, "answers"));
                    findings.push(Finding::ok(
                        CheckName::ListPermission,
                        subject,
                        "its secrets can be listed",
                    ));
                }
                Err(error @ PortError::NoToken { .. }) => {
                    closed.insert(vault.clone());
                    tokenless.get_or_insert(error);
                }
                Err(error) => {
                    let mut found =
                        remedies::vault_trouble(CheckName::ListPermission, &subject, vault, &error, identity);
                    if found.check != CheckName::ListPermission {
                        closed.insert(vault.clone());
                        found.detail.push_str("; its secrets were not checked");
                    }
                    findings.push(found);
                }
            }
        }
        findings.extend(tokenless.map(|error| {
            let detail = format!("{}; no vault was checked", chain(&error));
            Finding::error(CheckName::KeyVaultToken, "rekeyd", detail, remedies::IDENTITY)
        }));
        (closed, findings)
    }

    /// Lists a vault's secrets: one page, unless they may be managed by their tags.
    async fn list(&self, vault: &VaultName, catalogue: &Catalogue) -> Result<(), PortError> {
        if !self.config.discovery.vaults.contains(vault) {
            return self.ports.vault_access.probe(vault).await;
        }
        let listed = self.ports.reconcile.store.list_secrets(vault).await?;
        catalogue.add_listed(&self.config.discovery, vault, &listed);
        Ok(())
    }
}
