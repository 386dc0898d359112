//! The rules that the tenant's policies set.

use rekeyd::domain::AppObjectId;
use rekeyd::ports::{CredentialIssuer, CredentialRules, PortError};
use rekeyd::sandbox::model::{AppPolicy, ApplicationChange, Restrictions};
use rekeyd::sandbox::{FaultKind, Service};
use serde_json::{Value, json};
use time::Duration;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::Bench;
use crate::world::START;

async fn permitted() -> Bench {
    let bench = Bench::new().await;
    bench.permit(&["Application.ReadWrite.OwnedBy", "Policy.Read.All"]);
    bench
}

fn holding(policy: &mut AppPolicy, restrictions: &Value) {
    policy.is_enabled = true;
    let restrictions = json!({"passwordCredentials": restrictions});
    policy.restrictions = serde_json::from_value::<Restrictions>(restrictions).unwrap();
}

fn by_default(bench: &Bench, restrictions: &Value) {
    bench.sandbox.model().change_policy(Uuid::nil(), |policy| holding(policy, restrictions)).unwrap();
}

async fn rules(bench: &Bench) -> CredentialRules {
    bench.azure.graph.read_credential_rules(bench.application()).await.unwrap()
}

fn lifetime(text: &str) -> Value {
    json!({"restrictionType": "passwordLifetime", "state": "enabled", "maxLifetime": text})
}

const FREE: CredentialRules =
    CredentialRules { is_known: true, passwords_forbidden: false, longest_lifetime: None };

/// Policies that the daemon may not read are unknown, rather than absent.
#[tokio::test]
async fn unreadable_policies_are_unknown() {
    let bench = Bench::new().await;
    by_default(&bench, &json!([lifetime("P90D")]));
    assert_eq!(rules(&bench).await, CredentialRules::default());
    assert!(!rules(&bench).await.is_known);
}

/// The default policy applies if no other is assigned, and only while it and its restrictions are enabled.
#[tokio::test]
async fn default_policy_applies_without_assigned_one() {
    let bench = permitted().await;
    assert_eq!(rules(&bench).await, FREE);
    by_default(&bench, &json!([lifetime("P90D"), lifetime("P180D")]));
    let quarter = CredentialRules { longest_lifetime: Some(Duration::days(90)), ..FREE };
    assert_eq!(rules(&bench).await, quarter);
    by_default(&bench, &json!([{"restrictionType": "passwordAddition", "state": "disabled"}]));
    assert_eq!(rules(&bench).await, FREE);
    by_default(&bench, &json!([{"restrictionType": "passwordAddition", "state": "enabled"}]));
    assert!(rules(&bench).await.passwords_forbidden);
    bench.sandbox.model().change_policy(Uuid::nil(), |policy| policy.is_enabled = false).unwrap();
    assert_eq!(rules(&bench).await, FREE);
}

/// An assigned policy replaces the default policy wholly, including restrictions that it does not have itself.
#[tokio::test]
async fn assigned_policy_replaces_the_default() {
    let bench = permitted().await;
    by_default(&bench, &json!([{"restrictionType": "passwordAddition", "state": "enabled"}]));
    let model = bench.sandbox.model();
    let own = model.create_policy(|policy| holding(policy, &json!([lifetime("P30D")])));
    model.assign_policy(bench.application().0, own.id, START).unwrap();
    let month = CredentialRules { longest_lifetime: Some(Duration::days(30)), ..FREE };
    assert_eq!(rules(&bench).await, month);
}

/// A restriction with a start date does not apply to applications created before that date.
#[tokio::test]
async fn older_applications_are_exempt() {
    let bench = permitted().await;
    let from = (START - Duration::days(30)).format(&Rfc3339).unwrap();
    by_default(
        &bench,
        &json!([{"restrictionType": "passwordAddition", "restrictForAppsCreatedAfterDateTime": from}]),
    );
    for (age, forbidden) in [(31, false), (29, true)] {
        let created = Some(START - Duration::days(age));
        bench.change_application(ApplicationChange { created, ..Default::default() });
        assert_eq!(rules(&bench).await.passwords_forbidden, forbidden, "{age} days old");
    }
}

/// The longest lifetime that the policies are read to allow is exactly the one that Graph then allows.
#[tokio::test]
async fn longest_lifetime_is_exactly_what_graph_allows() {
    let bench = permitted().await;
    by_default(&bench, &json!([lifetime("P3M")]));
    let longest = rules(&bench).await.longest_lifetime.unwrap();
    let issue = |end| bench.azure.graph.issue(bench.application(), "rekeyd test", end);
    assert!(issue(START + longest).await.is_ok());
    let refused = issue(START + longest + Duration::days(5)).await.unwrap_err();
    assert_eq!(refused.code(), Some("CredentialInvalidLifetimeAsPerAppPolicy"));
}

/// Policies that cannot be reached are a passing error and not the absence of rules.
#[tokio::test]
async fn unreachable_policies_are_an_error() {
    let bench = permitted().await;
    bench.fail(Service::Graph, "GET", "/policies/", FaultKind::Unavailable, 20);
    let answer = bench.azure.graph.read_credential_rules(bench.application()).await;
    assert!(answer.as_ref().is_err_and(PortError::is_passing), "{answer:?}");
    let unknown = bench.azure.graph.read_credential_rules(AppObjectId(Uuid::nil())).await.unwrap();
    assert!(!unknown.is_known);
}
