//! Whether each application is there, may be rotated, and can sign in.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use time::Duration;

use super::finding::{Check, Finding};
use super::{AT_A_TIME, Doctor, remedies};
use crate::diagnostics::fleet::Fleet;
use crate::domain::{
    AppObjectId, ApplicationFacts, ApplicationRef, BlockReason, ManagedSecret, Marker, Origin, SecretId,
    consent_tag, consents, denied_reason,
};
use crate::ports::{Application, Caller, CredentialIssuer as _, Directory as _, chain};

/// An application and the secrets that it is rotated into.
pub(super) struct Patient<'a> {
    pub(super) application: Application,
    pub(super) secrets: Vec<&'a ManagedSecret>,
    /// The longest lifetime that any of its secrets asks for, by its policy and its tags.
    pub(super) validity: Duration,
}

impl Patient<'_> {
    pub(super) fn subject(&self) -> String {
        format!("application {} ({})", self.application.display_name, self.application.client_id)
    }

    /// Whether tags alone bind it, so that nothing of the configuration names it.
    fn is_discovered(&self) -> bool {
        self.secrets.iter().all(|managed| managed.origin == Origin::Discovered)
    }
}

impl Doctor<'_> {
    /// Everything about every application of the fleet.
    pub(super) async fn applications(
        &self,
        fleet: &Fleet,
        validities: &BTreeMap<SecretId, Duration>,
        caller: Option<&Caller>,
    ) -> Vec<Finding> {
        let (mut patients, mut findings) = self.patients(fleet, caller).await;
        for patient in &mut patients {
            let validity = |managed: &&ManagedSecret| {
                validities.get(&managed.id).copied().unwrap_or_else(|| managed.policy.validity())
            };
            patient.validity = patient.secrets.iter().map(validity).max().unwrap_or_default();
        }
        let each = futures::stream::iter(&patients).map(|patient| self.application(patient, caller));
        findings.extend(each.buffered(AT_A_TIME).collect::<Vec<_>>().await.concat());
        findings.extend(self.tenant(&patients).await);
        findings
    }

    /// The applications that there are, each once, and a finding for each that there isn't.
    async fn patients<'f>(
        &self,
        fleet: &'f Fleet,
        caller: Option<&Caller>,
    ) -> (Vec<Patient<'f>>, Vec<Finding>) {
        let mut bound: BTreeMap<ApplicationRef, Vec<&ManagedSecret>> = BTreeMap::new();
        for managed in fleet.secrets() {
            bound.entry(managed.application).or_default().push(managed);
        }
        let read = async |(name, secrets)| (self.azure.graph.read_application(name).await, name, secrets);
        let read: Vec<_> = futures::stream::iter(bound).map(read).buffered(AT_A_TIME).collect().await;
        let (mut patients, mut findings) = (BTreeMap::<AppObjectId, Patient<'f>>::new(), Vec::new());
        for (answer, name, secrets) in read {
            match answer {
                Ok(Some(application)) => {
                    let id = application.object_id;
                    let new = || Patient { application, secrets: Vec::new(), validity: Duration::ZERO };
                    patients.entry(id).or_insert_with(new).secrets.extend(secrets);
                }
                Ok(None) => findings.push(absent(name, &secrets)),
                Err(error) => {
                    let remedy = remedies::graph_permission(caller);
                    findings.push(Finding::error(
                        Check::Application,
                        name.to_string(),
                        chain(&error),
                        remedy,
                    ));
                }
            }
        }
        (patients.into_values().collect(), findings)
    }

    async fn application(&self, patient: &Patient<'_>, caller: Option<&Caller>) -> Vec<Finding> {
        let mut findings =
            vec![Finding::ok(Check::Application, patient.subject(), "is there and may be read")];
        findings.extend(pairing(self, patient, caller));
        findings.extend(self.write_right(patient, caller).await);
        findings.push(self.service_principal(patient).await);
        findings.push(room(patient));
        findings.extend(self.federation(patient).await);
        findings
    }

    async fn service_principal(&self, patient: &Patient<'_>) -> Finding {
        let (check, subject, id) =
            (Check::ServicePrincipal, patient.subject(), patient.application.client_id);
        match self.azure.graph.read_service_principal(id).await {
            Ok(Some(principal)) if principal.is_enabled => {
                Finding::ok(check, subject, "is there and enabled")
            }
            Ok(Some(_)) => {
                let remedy = format!("az ad sp update --id {id} --set accountEnabled=true");
                Finding::error(check, subject, "its service principal is disabled: it can't sign in", remedy)
            }
            Ok(None) => {
                let remedy = format!("az ad sp create --id {id}");
                Finding::error(check, subject, "it has no service principal: it can't sign in", remedy)
            }
            Err(error) => {
                let remedy = "grant rekeyd Application.Read.All on Microsoft Graph, or try again later";
                Finding::warning(check, subject, chain(&error), remedy)
            }
        }
    }

    async fn federation(&self, patient: &Patient<'_>) -> Option<Finding> {
        let has = self.azure.graph.has_federated_credentials(patient.application.object_id).await;
        let remedy =
            "move its consumers to the federated identity, then take the secret out of rekeyd's hands";
        let detail = "it trusts another identity provider already, and may need no secret";
        has.ok()?.then(|| Finding::warning(Check::Secretless, patient.subject(), detail, remedy))
    }
}

fn absent(name: ApplicationRef, names: &[&ManagedSecret]) -> Finding {
    let secrets: Vec<_> = names.iter().map(|managed| managed.id.to_string()).collect();
    let detail = format!("it is not in the tenant; bound to it: {}", secrets.join(", "));
    let is_discovered = |managed: &&&ManagedSecret| managed.origin == Origin::Discovered;
    let named_by = match names.iter().filter(is_discovered).count() {
        0 => "application_object_id or client_id",
        count if count == names.len() => "the tag ProviderAddress",
        _ => "application_object_id, client_id or the tag ProviderAddress",
    };
    let remedy = format!(
        "correct {named_by} of these secrets: az ad app list --filter \"displayName eq 'NAME'\" --query \"[].{{object: id, \
         client: appId}}\""
    );
    Finding::error(Check::Application, name.to_string(), detail, remedy)
}

/// The guard against a confused deputy, one part at a time, by the very rule that the loop follows.
fn pairing(doctor: &Doctor<'_>, patient: &Patient<'_>, caller: Option<&Caller>) -> Vec<Finding> {
    let application = &patient.application;
    let harmless = ApplicationFacts {
        object_id: application.object_id,
        client_id: application.client_id,
        consents: true,
        is_public_only: false,
        is_own: false,
    };
    let own = caller.and_then(|caller| caller.client_id).or_else(|| doctor.config.identity.client_id());
    let is_own = own == Some(application.client_id);
    let rules = &doctor.config.applications;
    let none = crate::domain::ApplicationRules::default();
    let object = |facts: ApplicationFacts, rules| denied_reason(Origin::Configured, &facts, rules);
    let parts = [
        (Check::OwnApplication, object(ApplicationFacts { is_own, ..harmless.clone() }, &none)),
        (Check::ApplicationRules, object(harmless.clone(), rules)),
        (
            Check::PublicClient,
            object(ApplicationFacts { is_public_only: application.is_public_only, ..harmless }, &none),
        ),
    ];
    let told = parts.into_iter().map(|(check, reason)| match reason {
        None => Finding::ok(check, patient.subject(), "nothing speaks against it"),
        Some(reason) => objected(check, patient, reason),
    });
    told.chain(patient.secrets.iter().filter_map(|managed| consent(patient, managed))).collect()
}

fn objected(check: Check, patient: &Patient<'_>, reason: BlockReason) -> Finding {
    let remedy = match (check, patient.is_discovered()) {
        (Check::OwnApplication, true) => {
            "remove the tag ProviderAddress from its secret, and let rekeyd sign in without one: as a managed identity"
        }
        (Check::OwnApplication, false) => {
            "take it out of [[secrets]], and let rekeyd sign in without a secret: as a managed identity"
        }
        (Check::PublicClient, true) => {
            "remove the tag ProviderAddress from its secret, or make it a confidential client"
        }
        (Check::PublicClient, false) => {
            "take its secret out of [[secrets]], or make it a confidential client"
        }
        (_, true) => {
            "ask whoever runs rekeyd to let it through, or remove the tag ProviderAddress from its secret"
        }
        (_, false) => "look at applications.allow and applications.deny in the configuration",
    };
    Finding::error(check, patient.subject(), reason.text(), remedy)
}

/// What a secret's own tags say needs the application's consent.
fn consent(patient: &Patient<'_>, managed: &ManagedSecret) -> Option<Finding> {
    if managed.origin == Origin::Configured {
        return None;
    }
    let (application, tag) = (&patient.application, consent_tag(&managed.id));
    if consents(&managed.id, application.tags.iter().map(String::as_str)) {
        return Some(Finding::ok(Check::Consent, managed.id.to_string(), "the application consents"));
    }
    let all: Vec<_> = application.tags.iter().chain([&tag]).map(|tag| format!("\"{tag}\"")).collect();
    let detail = format!("its tags name {}, which does not consent", patient.subject());
    let remedy = format!(
        "if it is meant to: az rest --method PATCH --url https://graph.microsoft.com/v1.0/applications/{} --body \
         '{{\"tags\": [{}]}}'; if not, somebody wants its credential: look at who wrote the secret's tags",
        application.object_id,
        all.join(", ")
    );
    Some(Finding::error(Check::Consent, managed.id.to_string(), detail, remedy))
}

/// Whether one more credential fits. Entra counts those that are past their end as well.
fn room(patient: &Patient<'_>) -> Finding {
    let (check, subject, application) = (Check::PasswordRoom, patient.subject(), &patient.application);
    let all = &application.credentials;
    let is_ours = |name: &Option<String>| name.as_deref().is_some_and(Marker::is_of_any);
    let ours = all.iter().filter(|credential| is_ours(&credential.display_name)).count();
    let remedy = format!(
        "remove those that nobody uses: az ad app credential list --id {id}, az ad app credential delete --id {id} \
         --key-id KEY_ID",
        id = application.client_id
    );
    if application.admits_personal_accounts && all.len() >= MAX_WITH_PERSONAL_ACCOUNTS {
        let detail =
            format!("it admits personal accounts, so that two credentials fit, and has {}", all.len());
        // Ours make room by themselves, when their overlap is over or they are past their end.
        return if ours == 0 {
            Finding::error(check, subject, detail, remedy)
        } else {
            Finding::warning(check, subject, detail, remedy)
        };
    }
    if all.len() > USUAL {
        let detail = format!("it has {} credentials; at some number Entra takes no more", all.len());
        return Finding::warning(check, subject, detail, remedy);
    }
    Finding::ok(check, subject, format!("credentials: {}", all.len()))
}

const MAX_WITH_PERSONAL_ACCOUNTS: usize = 2;

/// More credentials than that are a sign that nobody looks after them.
const USUAL: usize = 5;
