//! The direct ports' refusals and results, which match those of the services behind HTTPS.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may stop here")]

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::DirectPorts;
use crate::domain::{AppObjectId, ApplicationRef, ClientId, KeyId, Probe, ProbeAnswer, ProbeKind, SecretId};
use crate::ports::{
    Application, CredentialIssuer, CredentialRules, Directory, PortError, ResourceProbe, SecretStore, SignIn,
    SignInVerifier, Usage, UsageReport,
};
use crate::sandbox::model::{
    ApplicationChange, Audience, ManagedSecret, Model, Network, Redirects, Role, Scope, Seed, VaultOptions,
};
use crate::sandbox::{HealthEndpoint, SandboxClock};

const GRAPH: &str = "https://graph.microsoft.com";

const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

fn ports() -> DirectPorts {
    let propagation = Duration::ZERO..=Duration::ZERO;
    let model = Model::new(&Seed { secrets: 2, vaults: 1, propagation, seed: 1, start: START });
    DirectPorts { model: Arc::new(model), clock: SandboxClock::new(START) }
}

impl DirectPorts {
    fn first(&self) -> ManagedSecret {
        self.model.managed()[0].clone()
    }

    fn client_id(&self) -> ClientId {
        ClientId(self.first().client_id)
    }

    fn object_id(&self) -> AppObjectId {
        AppObjectId(self.first().object_id)
    }

    fn secret(&self) -> SecretId {
        format!("{}/{}", self.first().vault, self.first().name).parse().unwrap()
    }

    /// Returns the text that the first secret's application signs in with.
    fn text(&self) -> SecretString {
        let secret = self.first();
        self.model.get_secret(&secret.vault, &secret.name, None, START).unwrap().value
    }

    fn principal(&self) -> uuid::Uuid {
        self.model.service_principal(self.first().client_id).unwrap()
    }

    fn change_first(&self, change: ApplicationChange) {
        self.model.change_application(self.first().object_id, change, START).unwrap();
    }

    async fn application(&self) -> Application {
        self.read_application(ApplicationRef::ObjectId(self.object_id())).await.unwrap().unwrap()
    }

    async fn live(&self, by: Duration) {
        self.clock.run_until(START + by).await;
    }

    async fn probe_with_token(&self, kind: ProbeKind, service: &HealthEndpoint, scope: &str) -> ProbeAnswer {
        let token = self.token(self.client_id(), &self.text(), scope).await.unwrap();
        let url = format!("{}{}", service.url, kind.path());
        self.probe(&Probe { kind, url, expected: [200].into() }, &token.text).await
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, PortError>) -> String {
    result.unwrap_err().code().unwrap().to_owned()
}

/// Listing a vault returns its secrets with tags and dates but no values, and an unknown vault fails with
/// `SecretNotFound`.
#[tokio::test]
async fn vault_lists_secrets_with_tags() {
    let ports = ports();
    let listed = ports.list_secrets(&ports.secret().vault).await.unwrap();
    let found = listed.iter().find(|listed| listed.name == ports.secret().name).unwrap();
    assert!(found.enabled && !found.is_managed_by_key_vault && found.tags.value("ProviderAddress").is_some());
    assert!(found.expires.is_some() && found.updated.is_some());
    assert_eq!(code(ports.list_secrets(&"elsewhere".parse().unwrap()).await), "SecretNotFound");
}

/// A vault rejects a caller that lacks the role with `ForbiddenByRbac`, and any caller from outside its network.
#[tokio::test]
async fn vault_enforces_roles_and_network() {
    let ports = ports();
    let (secret, daemon) = (ports.secret(), ports.model.tenant().daemon.object_id);
    let scope = Scope::Vault(secret.vault.to_string());
    ports.model.remove_role(daemon, &scope, Role::SecretsOfficer);
    ports.model.assign_role(daemon, &scope, Role::SecretsUser);
    let read = ports.read_current(&secret).await.unwrap();
    let crate::ports::CurrentVersion::Readable(read) = read else { panic!("it can be read") };
    assert_eq!(code(ports.disable(&secret, &read.properties.version).await), "ForbiddenByRbac");
    let options = VaultOptions { network: Network::Private, ..VaultOptions::default() };
    ports.model.set_vault_options(secret.vault.as_str(), options);
    assert_eq!(code(ports.list_secrets(&secret.vault).await), "ForbiddenByConnection");
}

/// Graph denies a new password to a caller that no longer owns the application, and denies reads to a caller without
/// app roles.
#[tokio::test]
async fn graph_rejects_callers_without_roles() {
    let ports = ports();
    let (daemon, end) = (ports.model.tenant().daemon.object_id, START + Duration::days(9));
    let issue = async || ports.issue(ports.object_id(), "x", end).await;
    assert!(issue().await.is_ok());
    ports.change_first(ApplicationChange { owners: Some([].into()), ..ApplicationChange::default() });
    assert_eq!(code(issue().await), "Authorization_RequestDenied");
    ports.model.set_app_roles(daemon, GRAPH, &[]);
    let read = ports.read_application(ApplicationRef::ObjectId(ports.object_id())).await;
    assert_eq!(code(read), "Authorization_RequestDenied");
    assert!(matches!(ports.last_sign_ins(ports.client_id()).await, Ok(Usage::Unavailable(why))
        if why.contains("Authorization_RequestDenied")));
    assert!(ports.read_own_identity().await.unwrap().roles.is_empty());
}

/// A read application has its tags, its audience and a flag that is set only if it is a public client without
/// passwords.
#[tokio::test]
async fn application_shows_tags_audience_and_kind() {
    let ports = ports();
    let found = ports.application().await;
    assert_eq!(found.tags, [format!("rekeyd:secret={}", ports.secret())]);
    assert!(!found.admits_personal_accounts && !found.is_public_only);
    let public_client = Some(Redirects { redirect_uris: vec!["http://localhost".to_owned()] });
    let audience = Some(Audience::Personal);
    ports.change_first(ApplicationChange { audience, public_client, ..ApplicationChange::default() });
    let found = ports.application().await;
    assert!(found.admits_personal_accounts && !found.is_public_only, "it has a password");
    ports.revoke(ports.object_id(), found.credentials[0].key_id).await.unwrap();
    assert!(ports.application().await.is_public_only);
    let web = Some(Redirects { redirect_uris: vec!["https://a.example/".to_owned()] });
    ports.change_first(ApplicationChange { web, ..ApplicationChange::default() });
    assert!(!ports.application().await.is_public_only);
}

/// Reading a service principal shows it as enabled or disabled, and returns `None` after it is deleted.
#[tokio::test]
async fn service_principal_is_enabled_disabled_or_absent() {
    let ports = ports();
    let read = async || ports.read_service_principal(ports.client_id()).await.unwrap();
    assert_eq!(read().await.map(|found| found.is_enabled), Some(true));
    ports.model.enable_service_principal(ports.principal(), false).unwrap();
    assert_eq!(read().await.map(|found| found.is_enabled), Some(false));
    ports.model.delete_service_principal(ports.principal()).unwrap();
    assert_eq!(read().await, None);
}

/// The password rules of an application are known only to a caller with `Policy.Read.All`.
#[tokio::test]
async fn policy_reader_sees_password_rules() {
    let ports = ports();
    let restrictions = json!({"passwordCredentials": [
        {"restrictionType": "passwordLifetime", "maxLifetime": "P90D"},
        {"restrictionType": "passwordLifetime", "maxLifetime": "P30D", "state": "disabled"},
    ]});
    let policy = ports.model.create_policy(|policy| {
        policy.restrictions = serde_json::from_value(restrictions).unwrap();
    });
    ports.model.assign_policy(ports.first().object_id, policy.id, START).unwrap();
    let rules = async || ports.read_credential_rules(ports.object_id()).await.unwrap();
    assert_eq!(rules().await, CredentialRules::default());
    let daemon = ports.model.tenant().daemon.object_id;
    ports.model.set_app_roles(daemon, GRAPH, &["Policy.Read.All", "Application.ReadWrite.OwnedBy"]);
    let longest_lifetime = Some(Duration::days(90));
    assert_eq!(
        rules().await,
        CredentialRules { is_known: true, passwords_forbidden: false, longest_lifetime }
    );
    let too_long = ports.issue(ports.object_id(), "x", START + Duration::days(91)).await;
    assert_eq!(code(too_long), "CredentialInvalidLifetimeAsPerAppPolicy");
    assert!(ports.issue(ports.object_id(), "x", START + Duration::days(90)).await.is_ok());
}

/// A token's claims hold the audience, client, object id, tenant, expiry and roles, and a bad secret or scope is
/// refused.
#[tokio::test]
async fn token_claims_match_its_request() {
    let ports = ports();
    ports.model.set_app_roles(ports.principal(), GRAPH, &["User.Read.All"]);
    let (client_id, text) = (ports.client_id(), ports.text());
    let claims = ports.token(client_id, &text, &format!("{GRAPH}/.default")).await.unwrap().claims.unwrap();
    assert_eq!(claims.audience, GRAPH);
    assert_eq!((claims.client_id, claims.object_id), (Some(client_id), Some(ports.principal().to_string())));
    assert_eq!(claims.tenant, Some(ports.model.tenant().id.to_string()));
    assert_eq!(
        (claims.expires, claims.roles),
        (Some(START + Duration::HOUR), ["User.Read.All".to_owned()].into())
    );
    let refused =
        async |text: &SecretString, scope: &str| ports.token(client_id, text, scope).await.unwrap_err();
    assert_eq!(refused(&"wrong".into(), &format!("{GRAPH}/.default")).await, SignIn::Wrong);
    for (scope, number) in [(GRAPH, "70011"), ("https://nothing.example/.default", "500011")] {
        let SignIn::Unclear(why) = refused(&text, scope).await else { panic!("{scope} is taken") };
        assert!(why.contains(number), "{why}");
    }
}

/// The report shows a sign-in only after the lag has passed and is unavailable without a premium licence.
#[tokio::test]
async fn sign_in_report_needs_lag_and_licence() {
    let ports = ports();
    assert_eq!(ports.sign_in(ports.client_id(), &ports.text()).await, SignIn::Accepted);
    let report = async || ports.last_sign_ins(ports.client_id()).await.unwrap();
    ports.live(Duration::minutes(119)).await;
    assert_eq!(report().await, Usage::Known([].into()));
    ports.live(Duration::minutes(120)).await;
    let credential = ports.application().await.credentials[0].key_id;
    assert_eq!(report().await, Usage::Known([(credential, START)].into()));
    let other = ClientId(ports.model.managed()[1].client_id);
    assert_eq!(ports.last_sign_ins(other).await.unwrap(), Usage::Known([].into()));
    ports.model.set_sign_in_report(None, Some(false));
    assert!(matches!(report().await, Usage::Unavailable(why) if why.contains("NonPremiumTenant")));
}

/// A health service accepts only a token for its own audience from a caller that has the data reader role.
#[tokio::test]
async fn health_service_checks_audience_and_role() {
    let ports = ports();
    for (kind, service, scope, role) in [
        (ProbeKind::Fhir, DirectPorts::fhir(), Scope::Fhir, Role::FhirDataReader),
        (ProbeKind::Dicom, DirectPorts::dicom(), Scope::Dicom, Role::DicomDataReader),
    ] {
        let own = format!("{}/.default", service.audience);
        let probe = async |scope: &str| ports.probe_with_token(kind, &service, scope).await;
        assert_eq!(probe(&own).await, ProbeAnswer::AsExpected, "{kind:?}");
        assert_eq!(probe(&format!("{GRAPH}/.default")).await, ProbeAnswer::Unauthenticated, "{kind:?}");
        ports.model.remove_role(ports.principal(), &scope, role);
        assert_eq!(probe(&own).await, ProbeAnswer::Forbidden, "{kind:?}");
    }
    let nowhere = HealthEndpoint { url: "https://nothing.example".to_owned(), audience: String::new() };
    let answer = ports.probe_with_token(ProbeKind::Https, &nowhere, &format!("{GRAPH}/.default")).await;
    assert!(matches!(answer, ProbeAnswer::Unclear(_)));
}

/// The directory lists every application with its owners and federated credentials, and an unknown one is not found.
#[tokio::test]
async fn directory_lists_applications_and_owners() {
    let ports = ports();
    let (all, own) = (ports.list_applications().await.unwrap(), ports.application().await);
    assert!(all.contains(&own) && all.len() > ports.model.managed().len(), "the daemon's own is there, too");
    let caller = ports.read_own_identity().await.unwrap();
    assert_eq!(ports.list_owners(own.object_id).await.unwrap(), caller.object_id.into_iter().collect());
    assert!(!ports.has_federated_credentials(own.object_id).await.unwrap());
    let unknown = AppObjectId(KeyId(uuid::Uuid::nil()).0);
    assert_eq!(code(ports.list_owners(unknown).await), "Request_ResourceNotFound");
}
