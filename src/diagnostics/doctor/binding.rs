//! The checks of the binding between a secret and an application: the guard against a confused deputy.
//!
//! One part at a time, by the very rule that the reconcile loop follows.

use super::applications::BoundApplication;
use super::finding::{CheckName, Finding};
use super::{Doctor, remedies};
use crate::config::AzureConfig;
use crate::domain::{
    ApplicationFacts, ApplicationRules, BlockReason, ManagedSecret, Origin, consent_tag, consents,
    denied_reason,
};
use crate::ports::OwnIdentity;

impl Doctor<'_> {
    /// Checks that the application may be rotated, and that it consents to the secrets whose tags name it.
    pub(super) fn binding(
        &self,
        bound: &BoundApplication<'_>,
        identity: Option<&OwnIdentity>,
    ) -> Vec<Finding> {
        let application = &bound.application;
        let allowed = ApplicationFacts {
            object_id: application.object_id,
            client_id: application.client_id,
            consents: true,
            is_public_only: false,
            is_own: false,
        };
        let own =
            identity.and_then(|identity| identity.client_id).or_else(|| self.config.identity.client_id());
        let is_own = own == Some(application.client_id);
        let is_public_only = application.is_public_only;
        let no_rules = ApplicationRules::default();
        let parts = [
            (CheckName::OwnApplication, ApplicationFacts { is_own, ..allowed.clone() }, &no_rules),
            (CheckName::ApplicationRules, allowed.clone(), &self.config.applications),
            (CheckName::PublicClient, ApplicationFacts { is_public_only, ..allowed }, &no_rules),
        ];
        let findings = parts.into_iter().map(|(check, facts, rules)| {
            match denied_reason(Origin::Configured, &facts, rules) {
                None => Finding::ok(check, bound.subject(), "can be rotated"),
                Some(reason) => denied(check, bound, reason),
            }
        });
        let azure = &self.config.azure;
        findings.chain(bound.secrets.iter().filter_map(|managed| consent(azure, bound, managed))).collect()
    }
}

fn denied(check: CheckName, bound: &BoundApplication<'_>, reason: BlockReason) -> Finding {
    let remedy = match (check, bound.is_discovered()) {
        (CheckName::OwnApplication, true) => {
            "remove the tag ProviderAddress from its secret, and use a managed identity for rekeyd"
        }
        (CheckName::OwnApplication, false) => {
            "remove it from [[secrets]], and use a managed identity for rekeyd"
        }
        (CheckName::PublicClient, true) => {
            "remove the tag ProviderAddress from its secret, or make it a confidential client"
        }
        (CheckName::PublicClient, false) => {
            "remove its secret from [[secrets]], or make it a confidential client"
        }
        (_, true) => {
            "change applications.allow or applications.deny in the configuration, or remove the tag ProviderAddress from its secret"
        }
        (_, false) => "change applications.allow or applications.deny in the configuration",
    };
    Finding::error(check, bound.subject(), reason.text(), remedy)
}

/// Checks the application's consent, which only a secret whose own tags name it needs.
fn consent(azure: &AzureConfig, bound: &BoundApplication<'_>, managed: &ManagedSecret) -> Option<Finding> {
    if managed.origin == Origin::Configured {
        return None;
    }
    let (application, tag) = (&bound.application, consent_tag(&managed.id));
    if consents(&managed.id, application.tags.iter().map(String::as_str)) {
        return Some(Finding::ok(CheckName::Consent, managed.id.to_string(), "the application consents"));
    }
    let all: Vec<_> = application.tags.iter().chain([&tag]).map(|tag| format!("\"{tag}\"")).collect();
    let detail = format!("its tags name {}, which does not consent", bound.subject());
    let remedy = format!(
        "if it should: az rest --method PATCH --url {}/applications/{} --body \
         '{{\"tags\": [{}]}}'; if not, check who wrote the secret's tags: the secret would receive its credential",
        remedies::graph(azure),
        application.object_id,
        all.join(", ")
    );
    Some(Finding::error(CheckName::Consent, managed.id.to_string(), detail, remedy))
}
