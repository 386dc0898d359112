//! The probe of the protected resource.

use rekeyd::domain::{Probe, ProbeAnswer, ProbeKind};
use rekeyd::ports::{ResourceProbe, SignInVerifier};
use rekeyd::sandbox::model::{Role, Scope};
use rekeyd::sandbox::{FaultKind, HealthEndpoint, Service};
use secrecy::{ExposeSecret, SecretString};

use super::Bench;

fn question(kind: ProbeKind, at: &HealthEndpoint) -> Probe {
    Probe { kind, url: format!("{}{}", at.url, kind.path()), expected: [200, 204].into() }
}

async fn token(bench: &Bench, at: &HealthEndpoint) -> SecretString {
    let issued = bench.issued().await;
    let scope = format!("{}/.default", at.audience);
    bench.azure.entra.token(bench.client_id(), &issued.secret_text, &scope).await.unwrap().text
}

/// A health service accepts a probe only with the data role and with a token for that service.
#[tokio::test]
async fn probe_needs_role_and_matching_token() {
    let bench = Bench::new().await;
    let (at, probe) = (bench.sandbox.endpoints(), &bench.azure.probe);
    let principal = bench.sandbox.model().service_principal(bench.client_id().0).unwrap();
    for (kind, here, there, scope, role) in [
        (ProbeKind::Fhir, &at.fhir, &at.dicom, Scope::Fhir, Role::FhirDataReader),
        (ProbeKind::Dicom, &at.dicom, &at.fhir, Scope::Dicom, Role::DicomDataReader),
    ] {
        let (question, good) = (question(kind, here), token(&bench, here).await);
        assert_eq!(probe.probe(&question, &good).await, ProbeAnswer::AsExpected);
        let of_another = token(&bench, there).await;
        assert_eq!(probe.probe(&question, &of_another).await, ProbeAnswer::Unauthenticated);
        assert!(bench.sandbox.model().remove_role(principal, &scope, role));
        assert_eq!(probe.probe(&question, &good).await, ProbeAnswer::Forbidden);
        bench.sandbox.model().assign_role(principal, &scope, role);
        assert_eq!(probe.probe(&question, &good).await, ProbeAnswer::AsExpected);
    }
}

/// A probe reports a status that is not expected, and a busy service gives an unclear answer.
#[tokio::test]
async fn probe_reports_unexpected_status() {
    let bench = Bench::new().await;
    let at = bench.sandbox.endpoints().fhir;
    let (probe, token) = (&bench.azure.probe, token(&bench, &at).await);
    let mut question = question(ProbeKind::Fhir, &at);
    for kind in [FaultKind::Throttled, FaultKind::Unavailable, FaultKind::Timeout] {
        bench.fail(Service::Fhir, "GET", "/Patient", kind, 1);
        let answer = probe.probe(&question, &token).await;
        assert!(matches!(answer, ProbeAnswer::Unclear(_)), "{kind:?}: {answer:?}");
    }
    question.url = format!("{}/Patient/unknown", at.url);
    assert_eq!(probe.probe(&question, &token).await, ProbeAnswer::Unexpected(404));
    question.expected = [404].into();
    assert_eq!(probe.probe(&question, &token).await, ProbeAnswer::AsExpected);
}

/// A probe sends its token only over TLS to a trusted service and never includes it in debug output.
#[tokio::test]
async fn probe_protects_its_token() {
    let bench = Bench::new().await;
    let at = bench.sandbox.endpoints().fhir;
    let token = token(&bench, &at).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let insecure = HealthEndpoint { url, ..at.clone() };
    let untrusting = Bench::changed(|config| config.azure.ca_file = None).await;
    let mut shown = format!("{:?}", bench.azure.probe);
    for (azure, at) in [(&bench.azure, &insecure), (&untrusting.azure, &at)] {
        let answer = azure.probe.probe(&question(ProbeKind::Fhir, at), &token).await;
        assert!(matches!(answer, ProbeAnswer::Unclear(_)), "{answer:?}");
        shown = format!("{shown} {answer:?}");
    }
    assert!(listener.accept().is_err(), "no connection was made");
    assert!(!shown.contains(token.expose_secret()));
}

#[tokio::test]
async fn questions_to_resources_are_counted() {
    let bench = Bench::new().await;
    let at = bench.sandbox.endpoints().fhir;
    let token = token(&bench, &at).await;
    bench.azure.probe.probe(&question(ProbeKind::Fhir, &at), &token).await;
    let text = bench.metrics.render().unwrap();
    assert!(text.contains(r#"rekeyd_azure_requests_total{service="resource",status="200"}"#), "{text}");
}
