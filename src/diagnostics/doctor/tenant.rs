//! What the tenant allows and offers: its policy on credentials, and the report on sign-ins.

use super::Doctor;
use super::applications::Patient;
use super::finding::{Check, Finding};
use crate::domain::UsageGate;
use crate::domain::tags::VALIDITY_PERIOD_DAYS;
use crate::ports::{CredentialIssuer as _, CredentialRules, Usage, UsageReport as _, chain};

impl Doctor<'_> {
    /// One finding for each application that a policy binds; what holds for all is said once.
    pub(super) async fn tenant(&self, patients: &[Patient<'_>]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for patient in patients {
            let rules = self.azure.graph.read_credential_rules(patient.application.object_id).await;
            let found = match rules {
                Ok(rules) if rules.is_known => allowed(patient, &rules),
                Ok(_) => unreadable(TENANT.to_owned(), "rekeyd may not read the policies"),
                Err(error) => unreadable(patient.subject(), &chain(&error)),
            };
            if !findings.contains(&found) {
                findings.push(found);
            }
        }
        findings.extend(self.report(patients).await);
        findings
    }

    /// `None` where no policy relies on it.
    async fn report(&self, patients: &[Patient<'_>]) -> Option<Finding> {
        let relies = |patient: &&Patient<'_>| {
            patient.secrets.iter().any(|managed| managed.policy.usage_gate() == UsageGate::Report)
        };
        let patient = patients.iter().find(relies)?;
        let remedy = "grant rekeyd AuditLog.Read.All on Microsoft Graph (the tenant needs Entra ID P1), or set \
                      usage_gate = \"off\": until then time alone retires superseded credentials";
        Some(match self.azure.graph.last_sign_ins(patient.application.client_id).await {
            Ok(Usage::Known(_)) => Finding::ok(Check::SignInReport, TENANT, "may be read"),
            Ok(Usage::Unavailable(why)) => {
                Finding::warning(Check::SignInReport, TENANT, format!("not available: {why}"), remedy)
            }
            Err(error) => {
                Finding::warning(Check::SignInReport, TENANT, format!("not known: {}", chain(&error)), remedy)
            }
        })
    }
}

fn allowed(patient: &Patient<'_>, rules: &CredentialRules) -> Finding {
    let (check, subject, wanted) = (Check::TenantPolicy, patient.subject(), patient.validity);
    if rules.passwords_forbidden {
        let remedy = "ask for an exception (an app management policy that is assigned to this application), or use \
                      federation or a certificate";
        return Finding::error(check, subject, "the tenant's policy forbids client secrets", remedy);
    }
    match rules.longest_lifetime.filter(|longest| *longest < wanted) {
        Some(longest) => {
            let (longest, wanted) = (longest.whole_days(), wanted.whole_days());
            let detail = format!(
                "the tenant's policy allows {longest} days, and validity is {wanted} days: new credentials get {longest} days"
            );
            let remedy = format!(
                "set validity to at most {longest}d (or the tag {VALIDITY_PERIOD_DAYS}), so that it is said what happens"
            );
            Finding::warning(check, subject, detail, remedy)
        }
        None => Finding::ok(check, subject, format!("allows credentials of {} days", wanted.whole_days())),
    }
}

fn unreadable(subject: String, why: &str) -> Finding {
    let remedy = "grant rekeyd Policy.Read.All on Microsoft Graph: without it a policy is known only once it refuses a \
                  rotation";
    Finding::warning(Check::TenantPolicy, subject, format!("not known: {why}"), remedy)
}

const TENANT: &str = "tenant";
