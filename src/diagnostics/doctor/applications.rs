//! The checks of each application: it is there, can sign in, and has room for one more credential.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use time::Duration;

use super::finding::{CheckName, Finding};
use super::{CONCURRENT_CALLS, Doctor, remedies};
use crate::domain::{AppObjectId, ApplicationRef, ManagedSecret, Marker, Origin, SecretId, UsageGate};
use crate::ports::{Application, OwnIdentity, chain};

/// An application and the secrets that it is rotated into.
pub(super) struct BoundApplication<'a> {
    pub(super) application: Application,
    pub(super) secrets: Vec<&'a ManagedSecret>,
    /// The longest lifetime that any of its secrets asks for, by its policy and its tags.
    pub(super) validity: Duration,
}

impl<'a> BoundApplication<'a> {
    const fn new(application: Application) -> Self {
        Self { application, secrets: Vec::new(), validity: Duration::ZERO }
    }

    /// Adds secrets that name it. `validities` are those that tags ask for.
    fn bind(&mut self, secrets: Vec<&'a ManagedSecret>, validities: &BTreeMap<SecretId, Duration>) {
        for managed in secrets {
            let validity = validities.get(&managed.id).copied();
            self.validity = self.validity.max(validity.unwrap_or_else(|| managed.policy.validity()));
            self.secrets.push(managed);
        }
    }

    pub(super) fn subject(&self) -> String {
        format!("application {} ({})", self.application.display_name, self.application.client_id)
    }

    /// Returns true if tags alone bind it, so that nothing of the configuration names it.
    pub(super) fn is_discovered(&self) -> bool {
        self.secrets.iter().all(|managed| managed.origin == Origin::Discovered)
    }

    /// Returns true if the policy of one of its secrets waits for the report on sign-ins.
    pub(super) fn relies_on_sign_ins(&self) -> bool {
        self.secrets.iter().any(|managed| managed.policy.usage_gate() == UsageGate::Report)
    }
}

impl Doctor<'_> {
    /// Checks every application that a managed secret is bound to. `validities` are those that tags ask for.
    pub(super) async fn applications(
        &self,
        managed: &[Arc<ManagedSecret>],
        validities: &BTreeMap<SecretId, Duration>,
        identity: Option<&OwnIdentity>,
    ) -> Vec<Finding> {
        let (all, mut findings) = self.bound_applications(managed, validities, identity).await;
        let each = futures::stream::iter(&all).map(|bound| self.application(bound, identity));
        findings.extend(each.buffered(CONCURRENT_CALLS).collect::<Vec<_>>().await.concat());
        findings.extend(self.tenant(&all).await);
        findings
    }

    /// Returns the applications that there are, each once, and a finding for each that there isn't.
    async fn bound_applications<'m>(
        &self,
        managed: &'m [Arc<ManagedSecret>],
        validities: &BTreeMap<SecretId, Duration>,
        identity: Option<&OwnIdentity>,
    ) -> (Vec<BoundApplication<'m>>, Vec<Finding>) {
        let mut named: BTreeMap<ApplicationRef, Vec<&ManagedSecret>> = BTreeMap::new();
        for managed in managed {
            named.entry(managed.application).or_default().push(managed);
        }
        let read: Vec<_> = futures::stream::iter(named)
            .map(async |(name, secrets)| {
                (self.ports.reconcile.issuer.read_application(name).await, name, secrets)
            })
            .buffered(CONCURRENT_CALLS)
            .collect()
            .await;
        let (mut all, mut findings) = (BTreeMap::<AppObjectId, BoundApplication<'m>>::new(), Vec::new());
        for (answer, name, secrets) in read {
            match answer {
                Ok(Some(application)) => {
                    let entry = all.entry(application.object_id);
                    entry.or_insert_with(|| BoundApplication::new(application)).bind(secrets, validities);
                }
                Ok(None) => findings.push(absent(name, &secrets)),
                Err(error) => {
                    let remedy = remedies::graph_permission(&self.config.azure, identity);
                    findings.push(Finding::error(
                        CheckName::Application,
                        name.to_string(),
                        chain(&error),
                        remedy,
                    ));
                }
            }
        }
        (all.into_values().collect(), findings)
    }

    async fn application(
        &self,
        bound: &BoundApplication<'_>,
        identity: Option<&OwnIdentity>,
    ) -> Vec<Finding> {
        let mut findings =
            vec![Finding::ok(CheckName::Application, bound.subject(), "exists and can be read")];
        findings.extend(self.binding(bound, identity));
        findings.extend(self.write_permission(bound, identity).await);
        findings.push(self.service_principal(bound).await);
        findings.push(room(bound));
        findings.extend(self.federation(bound).await);
        findings
    }

    async fn service_principal(&self, bound: &BoundApplication<'_>) -> Finding {
        let (check, subject, id) =
            (CheckName::ServicePrincipal, bound.subject(), bound.application.client_id);
        match self.ports.reconcile.issuer.read_service_principal(id).await {
            Ok(Some(principal)) if principal.is_enabled => {
                Finding::ok(check, subject, "exists and is enabled")
            }
            Ok(Some(_)) => {
                let remedy = format!("az ad sp update --id {id} --set accountEnabled=true");
                Finding::error(check, subject, "its service principal is disabled: it can't sign in", remedy)
            }
            Ok(None) => {
                let remedy = format!("az ad sp create --id {id}");
                Finding::error(
                    check,
                    subject,
                    "it does not have a service principal: it can't sign in",
                    remedy,
                )
            }
            Err(error) => {
                let remedy = "grant rekeyd Application.Read.All on Microsoft Graph, or try again later";
                Finding::warning(check, subject, chain(&error), remedy)
            }
        }
    }

    async fn federation(&self, bound: &BoundApplication<'_>) -> Option<Finding> {
        let has = self.ports.directory.has_federated_credentials(bound.application.object_id).await;
        let remedy = "move its consumers to the federated identity, then stop managing its secret";
        let detail = "it already trusts another identity provider and may not need a secret";
        has.ok()?.then(|| Finding::warning(CheckName::Secretless, bound.subject(), detail, remedy))
    }
}

fn absent(name: ApplicationRef, secrets: &[&ManagedSecret]) -> Finding {
    let ids: Vec<_> = secrets.iter().map(|managed| managed.id.to_string()).collect();
    let detail = format!("it does not exist in the tenant; secrets bound to it: {}", ids.join(", "));
    let named_by = match secrets.iter().filter(|managed| managed.origin == Origin::Discovered).count() {
        0 => "application_object_id or client_id",
        count if count == secrets.len() => "the tag ProviderAddress",
        _ => "application_object_id, client_id or the tag ProviderAddress",
    };
    let remedy = format!(
        "correct {named_by} of these secrets: az ad app list --filter \"displayName eq 'NAME'\" --query \"[].{{object: id, \
         client: appId}}\""
    );
    Finding::error(CheckName::Application, name.to_string(), detail, remedy)
}

/// Checks that one more credential fits. Entra counts those that are past their end as well.
fn room(bound: &BoundApplication<'_>) -> Finding {
    let (check, subject, application) = (CheckName::PasswordRoom, bound.subject(), &bound.application);
    let all = &application.credentials;
    let remedy = format!(
        "remove unused ones: az ad app credential list --id {id}, az ad app credential delete --id {id} \
         --key-id KEY_ID",
        id = application.client_id
    );
    if application.admits_personal_accounts && all.len() >= MAX_WITH_PERSONAL_ACCOUNTS {
        let detail =
            format!("it admits personal accounts, which limits it to two credentials, and has {}", all.len());
        // Ours make room by themselves, when their overlap is over or they are past their end.
        return if has_ours(application) {
            Finding::warning(check, subject, detail, remedy)
        } else {
            Finding::error(check, subject, detail, remedy)
        };
    }
    if all.len() > USUAL_CREDENTIALS {
        let detail = format!("it has {} credentials; Entra limits their number", all.len());
        return Finding::warning(check, subject, detail, remedy);
    }
    Finding::ok(check, subject, format!("credentials: {}", all.len()))
}

/// Returns true if rekeyd made one of the application's credentials, by its name.
fn has_ours(application: &Application) -> bool {
    application.credentials.iter().any(|each| each.display_name.as_deref().is_some_and(Marker::is_of_any))
}

const MAX_WITH_PERSONAL_ACCOUNTS: usize = 2;

/// The usual number of credentials: more are a sign that no one manages them.
const USUAL_CREDENTIALS: usize = 5;
