//! Proof before publishing: the checks of a new credential, and the result if it fails them.
//!
//! The first secret of the sandbox is proven at its FHIR service, the second one by its token alone.

use rekeyd::domain::SecretId;
use rekeyd::ports::Clock;
use rekeyd::sandbox::model::{Role, Scope, VersionChange};
use rekeyd::sandbox::{FaultKind, Options, ScriptedFault, Service};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::test_options::test_options;

fn options() -> Options {
    test_options("127.0.0.1:9".parse().unwrap())
}

/// Starts a fleet that is reconciled only on request, and once a day.
async fn fleet(configure: impl FnOnce(String) -> String) -> Fleet {
    let calm = |text: String| text.replace("[schedule]", "[schedule]\nat_start = false");
    Fleet::start(options(), |text| configure(calm(text))).await
}

fn verify(line: &str) -> impl FnOnce(String) -> String {
    let table = format!("[verify]\n{line}");
    move |text| text.replacen("[verify]", &table, 1)
}

async fn ask_to_rotate(fleet: &Fleet, secret: &SecretId) {
    fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
}

/// Returns the service principal of the secret's application.
fn principal(fleet: &Fleet, secret: &SecretId) -> Uuid {
    fleet.model().service_principal(fleet.managed(secret).client_id).unwrap()
}

fn take_fhir_role(fleet: &Fleet, secret: &SecretId) {
    assert!(fleet.model().remove_role(principal(fleet, secret), &Scope::Fhir, Role::FhirDataReader));
}

fn give_fhir_role(fleet: &Fleet, secret: &SecretId) {
    fleet.model().assign_role(principal(fleet, secret), &Scope::Fhir, Role::FhirDataReader);
}

/// Returns the numbers of credentials minted and versions published so far.
fn made(fleet: &Fleet) -> (u64, u64) {
    (fleet.summary().issued, fleet.summary().published)
}

async fn published(fleet: &Fleet, limit: Duration) {
    fleet.until(limit, |fleet| fleet.summary().published == 1).await;
}

fn credentials(fleet: &Fleet, secret: &SecretId) -> usize {
    let now = fleet.sandbox.clock().now();
    fleet.model().application(fleet.managed(secret).object_id, now).unwrap().credentials.len()
}

/// Returns the secret's state, its reason, and whether only a person can end it.
fn state(fleet: &Fleet, secret: &SecretId) -> (&'static str, &'static str, bool) {
    let status = fleet.status(secret);
    (status.state.label(), status.reason.label(), status.needs_person)
}

fn assert_names_role(fleet: &Fleet, secret: &SecretId) {
    assert_eq!(state(fleet, secret), ("blocked", "role_missing", true));
    let message = fleet.status(secret).message;
    let service = fleet.sandbox.endpoints().fhir.url;
    assert!(message.contains("\"FHIR Data Reader\"") && message.contains(&service), "{message}");
}

fn fail_fhir(count: u32) -> ScriptedFault {
    let service = Some(Service::Fhir);
    ScriptedFault { service, method: None, path_contains: None, kind: FaultKind::Unavailable, count }
}

/// A missing FHIR role is named together with its service, nothing
/// is minted, and the rotation completes once the role is granted.
#[tokio::test]
async fn missing_fhir_role_blocks_until_granted() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(0);
    take_fhir_role(&fleet, &secret);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(5)).await;
    assert_names_role(&fleet, &secret);
    assert_eq!(made(&fleet), (0, 0), "the current credential shows it: no credential is minted in vain");
    give_fhir_role(&fleet, &secret);
    published(&fleet, Duration::hours(2)).await;
    assert_eq!((made(&fleet), fleet.consumers_failed()), ((1, 1), 0));
    fleet.end().await;
}

/// A secret with no credential yet names the missing role and gets its first credential once the role is granted.
#[tokio::test]
async fn first_credential_waits_for_missing_role() {
    let fleet = fleet(|text| {
        let slow = text.replace("spacing = \"1s\"", "spacing = \"5m\"");
        slow.replace("\"app-01\"", "\"new-01\"").replace("/app-01", "/new-01")
    })
    .await;
    let (old, secret) = (fleet.secret(0), "vault-1/new-01".parse().unwrap());
    take_fhir_role(&fleet, &old);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::days(3)).await;
    assert_names_role(&fleet, &secret);
    let (issued, published_so_far) = made(&fleet);
    assert!((2..=8).contains(&issued), "{issued} minted in three days");
    assert_eq!((published_so_far, credentials(&fleet, &old)), (0, 1), "each failed one is revoked");
    give_fhir_role(&fleet, &old);
    published(&fleet, Duration::days(2)).await;
    let signs_in = fleet.sign_in_with(&old, &fleet.text(&secret));
    assert_eq!((signs_in, credentials(&fleet, &old)), (Ok(()), 2));
    fleet.end().await;
}

/// A role lost during a rotation ends it: the unproven credential
/// is revoked, nothing is published and no more are minted.
#[tokio::test]
async fn role_lost_during_rotation_ends_it_unpublished() {
    let fleet = fleet(|text| text.replace("spacing = \"1s\"", "spacing = \"60s\"")).await;
    let secret = fleet.secret(0);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::seconds(30)).await;
    assert_eq!(made(&fleet), (1, 0), "it is still proving the new credential");
    take_fhir_role(&fleet, &secret);
    fleet.live(Duration::hours(30)).await;
    assert_names_role(&fleet, &secret);
    assert_eq!((made(&fleet), credentials(&fleet, &secret)), ((1, 0), 1), "the unproven one is revoked");
    give_fhir_role(&fleet, &secret);
    published(&fleet, Duration::days(1)).await;
    assert_eq!((made(&fleet), fleet.consumers_failed()), ((2, 1), 0));
    fleet.end().await;
}

/// A missing app role is named together with its scope, nothing is
/// minted, and the rotation completes once the role is assigned.
#[tokio::test]
async fn missing_app_role_blocks_until_assigned() {
    let fleet = fleet(verify("roles = [\"Chart.Read\"]")).await;
    let secret = fleet.secret(1);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(2)).await;
    assert_eq!((state(&fleet, &secret), made(&fleet)), (("blocked", "role_missing", true), (0, 0)));
    let message = fleet.status(&secret).message;
    let cause = "lacks app role Chart.Read on the resource of scope https://graph.microsoft.com/.default";
    assert!(message.contains(cause), "{message}");
    let resource = "https://graph.microsoft.com";
    fleet.model().set_app_roles(principal(&fleet, &secret), resource, &["Chart.Read"]);
    published(&fleet, Duration::hours(2)).await;
    fleet.end().await;
}

/// Unexpected token claims hold up publication when `claims` is `required`, but not when it is `advisory` or `off`.
#[tokio::test]
async fn wrong_claims_hold_publication_only_if_required() {
    for (claims, made_then) in [("required", (0, 0)), ("advisory", (1, 1)), ("off", (1, 1))] {
        let line = format!("claims = \"{claims}\"");
        let configure = |text: String| text.replace("claims = \"required\"", &line);
        let roles = verify("roles = [\"Chart.Read\"]");
        let fleet = fleet(|text| roles(configure(text))).await;
        ask_to_rotate(&fleet, &fleet.secret(1)).await;
        fleet.live(Duration::hours(1)).await;
        assert_eq!(made(&fleet), made_then, "{claims}");
        fleet.end().await;
    }
}

/// A failed probe holds up publication when `probe_requirement` is `required`, but not when it is `advisory` or `off`.
#[tokio::test]
async fn failed_probe_holds_publication_only_if_required() {
    for (probe, made_then) in [("required", (0, 0)), ("advisory", (1, 1)), ("off", (1, 1))] {
        let fleet = fleet(verify(&format!("probe_requirement = \"{probe}\""))).await;
        let secret = fleet.secret(0);
        take_fhir_role(&fleet, &secret);
        ask_to_rotate(&fleet, &secret).await;
        fleet.live(Duration::hours(1)).await;
        assert_eq!(made(&fleet), made_then, "{probe}");
        fleet.end().await;
    }
}

/// A DICOM service is probed with its own audience, and a missing DICOM role is reported by name with the service.
#[tokio::test]
async fn dicom_probe_uses_own_audience_and_role() {
    let fleet = Fleet::start_in(options(), |text, sandbox| {
        let (fhir, dicom) = (sandbox.endpoints().fhir.url, sandbox.endpoints().dicom.url);
        text.replace("[schedule]", "[schedule]\nat_start = false")
            .replace("probe = \"fhir\"", "probe = \"dicom\"")
            .replace(&fhir, &dicom)
    })
    .await;
    let secret = fleet.secret(0);
    fleet.model().remove_role(principal(&fleet, &secret), &Scope::Dicom, Role::DicomDataReader);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(1)).await;
    let message = fleet.status(&secret).message;
    let service = fleet.sandbox.endpoints().dicom.url;
    assert!(message.contains("\"DICOM Data Reader\"") && message.contains(&service), "{message}");
    fleet.model().assign_role(principal(&fleet, &secret), &Scope::Dicom, Role::DicomDataReader);
    published(&fleet, Duration::hours(2)).await;
    fleet.end().await;
}

/// An `https` probe can request any address, and a status outside `probe_status` holds up publication.
#[tokio::test]
async fn unexpected_https_probe_status_holds_publication() {
    for (statuses, made_then) in [("[200]", (1, 1)), ("[204, 404]", (0, 0))] {
        let fleet = Fleet::start_in(options(), |text, sandbox| {
            let fhir = sandbox.endpoints().fhir.url;
            let (old, new) = (format!("probe_url = \"{fhir}\""), format!("probe_url = \"{fhir}/metadata\""));
            let probe = format!("probe = \"https\"\nprobe_status = {statuses}");
            text.replace("[schedule]", "[schedule]\nat_start = false")
                .replace("probe = \"fhir\"", &probe)
                .replace(&old, &new)
        })
        .await;
        let secret = fleet.secret(0);
        ask_to_rotate(&fleet, &secret).await;
        fleet.live(Duration::hours(1)).await;
        assert_eq!(made(&fleet), made_then, "{statuses}");
        if made_then == (0, 0) {
            let message = fleet.status(&secret).message;
            assert!(message.contains("/metadata returned the unexpected status 200"), "{message}");
            assert_eq!(state(&fleet, &secret), ("blocked", "not_proven", false));
        }
        fleet.end().await;
    }
}

/// A resource that is down before a rotation holds up minting until it recovers, without calling for a person.
#[tokio::test]
async fn resource_outage_holds_minting() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(0);
    fleet.sandbox.script_faults(vec![fail_fhir(10_000)]);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(6)).await;
    assert_eq!((state(&fleet, &secret), made(&fleet)), (("blocked", "not_proven", false), (0, 0)));
    fleet.sandbox.stop_faults();
    published(&fleet, Duration::hours(1)).await;
    assert_eq!(made(&fleet), (1, 1));
    fleet.end().await;
}

/// A rotation waits for a resource that goes down in the middle of it, then publishes the same credential.
#[tokio::test]
async fn rotation_waits_for_resource_to_recover() {
    let fleet = fleet(|text| text.replace("spacing = \"1s\"", "spacing = \"60s\"")).await;
    let secret = fleet.secret(0);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::seconds(30)).await;
    fleet.sandbox.script_faults(vec![fail_fhir(10_000)]);
    fleet.live(Duration::minutes(30)).await;
    assert_eq!(made(&fleet), (1, 0), "nothing unproven is published");
    fleet.sandbox.stop_faults();
    published(&fleet, Duration::minutes(10)).await;
    assert_eq!(made(&fleet), (1, 1), "the same credential is proven in the end");
    fleet.end().await;
}

/// A new credential signs in as many times, at the spacing, as configured before it is published.
#[tokio::test]
async fn credential_signs_in_as_configured_before_publication() {
    let six = |text: String| text.replace("sign_ins = 3", "sign_ins = 6");
    let fleet = fleet(|text| six(text).replace("spacing = \"1s\"", "spacing = \"60s\"")).await;
    let secret = fleet.secret(1);
    ask_to_rotate(&fleet, &secret).await;
    published(&fleet, Duration::hours(1)).await;
    let now = fleet.sandbox.clock().now();
    let found = fleet.model().get_secret(secret.vault.as_str(), secret.name.as_str(), None, now).unwrap();
    let application = fleet.model().application(fleet.managed(&secret).object_id, now).unwrap();
    let issued = application.credentials.iter().map(|credential| credential.start).max().unwrap();
    let proven_for: Duration = found.created - issued;
    assert!((Duration::seconds(299)..Duration::minutes(6)).contains(&proven_for), "{proven_for}");
    fleet.end().await;
}

/// A secret text that matches `reject_secret_pattern` is revoked and another is minted in its place.
#[tokio::test]
async fn text_matching_rejected_pattern_is_replaced() {
    let fleet = fleet(verify("reject_secret_pattern = '^[A-Za-m]'")).await;
    let secret = fleet.secret(1);
    for _ in 0..4 {
        ask_to_rotate(&fleet, &secret).await;
        fleet.live(Duration::hours(8)).await;
        let text = fleet.text(&secret);
        let first = text.expose_secret().chars().next().unwrap();
        assert!(first.is_ascii_digit() || ('n'..='z').contains(&first), "the text begins with {first:?}");
    }
    let (issued, published) = made(&fleet);
    assert!(issued > published, "{issued} issued, {published} published: no credential was replaced");
    fleet.live(Duration::days(12)).await;
    assert_eq!((credentials(&fleet, &secret), fleet.consumers_failed()), (1, 0));
    fleet.end().await;
}

/// A `reject_secret_pattern` that matches every text is reported, and minting is retried less and less often.
#[tokio::test]
async fn pattern_matching_every_text_backs_off() {
    let fleet = fleet(verify("reject_secret_pattern = '.'")).await;
    let secret = fleet.secret(1);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::days(10)).await;
    let message = fleet.status(&secret).message;
    assert!(message.contains("narrow the pattern"), "{message}");
    let (issued, published) = made(&fleet);
    // Five for each try; tries after 15 minutes, 1, 4 and 16 hours, then daily.
    assert!((5..=5 * 14).contains(&issued), "{issued} minted in ten days");
    assert_eq!((published, credentials(&fleet, &secret)), (0, 1), "each is revoked at once");
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// A tag can ask for a scope that no credential gets a token for: then nothing is minted.
#[tokio::test]
async fn scope_without_tokens_mints_nothing() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(1);
    retag(&fleet, &secret, "VerifyScope", "https://unknown.example/.default");
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(6)).await;
    assert_eq!((made(&fleet), state(&fleet, &secret).0), ((0, 0), "blocked"));
    let message = fleet.status(&secret).message;
    assert!(message.contains("https://unknown.example/.default"), "{message}");
    retag(&fleet, &secret, "VerifyScope", "https://vault.azure.net/.default");
    published(&fleet, Duration::hours(2)).await;
    fleet.end().await;
}

fn retag(fleet: &Fleet, secret: &SecretId, name: &str, value: &str) {
    let now: OffsetDateTime = fleet.sandbox.clock().now();
    let (vault, secret) = (secret.vault.as_str(), secret.name.as_str());
    let current = fleet.model().get_secret(vault, secret, None, now).unwrap();
    let mut tags = current.tags;
    tags.insert(name.to_owned(), value.to_owned());
    let change = VersionChange { tags: Some(tags), ..VersionChange::default() };
    fleet.model().patch(vault, secret, &current.version, change, now).unwrap();
}
