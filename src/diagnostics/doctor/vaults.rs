//! Whether each vault answers, lets this machine in, and lets its secrets be listed.

use std::collections::BTreeSet;

use super::finding::{Check, Finding};
use super::{Doctor, remedies};
use crate::diagnostics::fleet::Fleet;
use crate::domain::VaultName;
use crate::ports::{Caller, PortError, SecretStore as _, chain};

impl Doctor<'_> {
    /// The vaults that can't be reached at all, and a finding for each vault. Where secrets are discovered, they are
    /// added to the fleet.
    pub(super) async fn vaults(
        &self,
        fleet: &mut Fleet,
        caller: Option<&Caller>,
    ) -> (BTreeSet<VaultName>, Vec<Finding>) {
        let (mut closed, mut findings, mut tokenless) = (BTreeSet::new(), Vec::new(), None);
        for vault in self.config.vaults.iter().map(|vault| &vault.name) {
            let subject = format!("vault {vault}");
            match self.list(vault, fleet).await {
                Ok(()) => {
                    findings.push(Finding::ok(Check::VaultReachable, &subject, "answers"));
                    findings.push(Finding::ok(Check::ListRight, subject, "its secrets may be listed"));
                }
                Err(error @ PortError::NoToken { .. }) => {
                    closed.insert(vault.clone());
                    tokenless.get_or_insert(error);
                }
                Err(error) => {
                    let mut found =
                        remedies::vault_trouble(Check::ListRight, &subject, vault, &error, caller);
                    if found.check != Check::ListRight {
                        closed.insert(vault.clone());
                        found.detail.push_str("; its secrets were not looked at");
                    }
                    findings.push(found);
                }
            }
        }
        findings.extend(tokenless.map(|error| {
            let detail = format!("{}; no vault was looked at", chain(&error));
            Finding::error(Check::KeyVaultToken, "rekeyd", detail, remedies::IDENTITY)
        }));
        (closed, findings)
    }

    /// One page is enough, unless its secrets may be managed by their tags.
    async fn list(&self, vault: &VaultName, fleet: &mut Fleet) -> Result<(), PortError> {
        if !self.config.discovery.vaults.contains(vault) {
            return self.azure.key_vault.probe(vault).await;
        }
        let listed = self.azure.key_vault.list_secrets(vault).await?;
        fleet.discover(self.config, vault, &listed);
        Ok(())
    }
}
