//! The checks of the tenant: its policy on credentials, and the report on sign-ins.

use super::Doctor;
use super::applications::BoundApplication;
use super::finding::{CheckName, Finding};
use crate::domain::tags::VALIDITY_PERIOD_DAYS;
use crate::ports::{CredentialRules, Usage, chain};

impl Doctor<'_> {
    /// Checks the policy that each application is under, and the report. A finding that holds for all is returned once.
    pub(super) async fn tenant(&self, all: &[BoundApplication<'_>]) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for bound in all {
            let rules = self.ports.reconcile.issuer.read_credential_rules(bound.application.object_id).await;
            let found = match rules {
                Ok(rules) if rules.is_known => allowed(bound, &rules),
                Ok(_) => unreadable(TENANT.to_owned(), "rekeyd lacks the permission to read the policies"),
                Err(error) => unreadable(bound.subject(), &chain(&error)),
            };
            if !findings.contains(&found) {
                findings.push(found);
            }
        }
        findings.extend(self.report(all).await);
        findings
    }

    /// Checks the report on sign-ins. Returns `None` if no rotation policy relies on it.
    async fn report(&self, all: &[BoundApplication<'_>]) -> Option<Finding> {
        let bound = all.iter().find(|bound| bound.relies_on_sign_ins())?;
        let remedy = "grant rekeyd AuditLog.Read.All on Microsoft Graph (the tenant needs Entra ID P1), or set \
                      usage_gate = \"off\": until then superseded credentials are retired by time alone";
        Some(match self.ports.reconcile.usage.last_sign_ins(bound.application.client_id).await {
            Ok(Usage::Known(_)) => Finding::ok(CheckName::SignInReport, TENANT, "can be read"),
            Ok(Usage::Unavailable(why)) => {
                Finding::warning(CheckName::SignInReport, TENANT, format!("not available: {why}"), remedy)
            }
            Err(error) => Finding::warning(
                CheckName::SignInReport,
                TENANT,
                format!("not known: {}", chain(&error)),
                remedy,
            ),
        })
    }
}

fn allowed(bound: &BoundApplication<'_>, rules: &CredentialRules) -> Finding {
    let (check, subject, wanted) = (CheckName::TenantPolicy, bound.subject(), bound.validity);
    if rules.passwords_forbidden {
        let remedy = "request an exception (an app management policy that is assigned to this application), or use \
                      federation or a certificate";
        return Finding::error(check, subject, "the tenant's policy forbids client secrets", remedy);
    }
    match rules.longest_lifetime.filter(|longest| *longest < wanted) {
        Some(longest) => {
            let (longest, wanted) = (longest.whole_days(), wanted.whole_days());
            let detail = format!(
                "the tenant's policy allows {longest} days, but validity is {wanted} days: new credentials get {longest} days"
            );
            let remedy = format!(
                "set validity (or the tag {VALIDITY_PERIOD_DAYS}) to at most {longest}d, so that it shows the actual lifetime"
            );
            Finding::warning(check, subject, detail, remedy)
        }
        None => Finding::ok(check, subject, format!("allows credentials of {} days", wanted.whole_days())),
    }
}

fn unreadable(subject: String, why: &str) -> Finding {
    let remedy = "grant rekeyd Policy.Read.All on Microsoft Graph: without it a policy is noticed only when it refuses a \
                  rotation";
    Finding::warning(CheckName::TenantPolicy, subject, format!("not known: {why}"), remedy)
}

const TENANT: &str = "tenant";
