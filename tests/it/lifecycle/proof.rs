//! Proof before publishing: what a fresh credential has to show, and what comes of one that can't.
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

/// A fleet that is looked at only when somebody asks, and once a day.
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

/// The service principal of the secret's application.
fn principal(fleet: &Fleet, secret: &SecretId) -> Uuid {
    fleet.model().service_principal(fleet.managed(secret).client_id).unwrap()
}

fn take_fhir_role(fleet: &Fleet, secret: &SecretId) {
    assert!(fleet.model().remove_role(principal(fleet, secret), &Scope::Fhir, Role::FhirDataReader));
}

fn give_fhir_role(fleet: &Fleet, secret: &SecretId) {
    fleet.model().assign_role(principal(fleet, secret), &Scope::Fhir, Role::FhirDataReader);
}

/// What was minted and what was published so far.
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

/// Its state, its reason, and whether only a person can end it.
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

#[tokio::test]
async fn a_missing_fhir_role_is_named_with_its_service_and_once_granted_the_rotation_completes() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(0);
    take_fhir_role(&fleet, &secret);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(5)).await;
    assert_names_role(&fleet, &secret);
    assert_eq!(made(&fleet), (0, 0), "the current credential can tell: nothing is minted in vain");
    give_fhir_role(&fleet, &secret);
    published(&fleet, Duration::hours(2)).await;
    assert_eq!((made(&fleet), fleet.consumers_failed()), ((1, 1), 0));
    fleet.end().await;
}

#[tokio::test]
async fn a_secret_without_a_first_credential_names_the_missing_role_and_gets_one_once_it_is_granted() {
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

#[tokio::test]
async fn a_role_that_is_lost_during_a_rotation_ends_it_with_nothing_published_and_no_more_minted() {
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

#[tokio::test]
async fn a_missing_app_role_is_named_with_its_scope_and_once_assigned_the_rotation_completes() {
    let fleet = fleet(verify("roles = [\"Chart.Read\"]")).await;
    let secret = fleet.secret(1);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(2)).await;
    assert_eq!((state(&fleet, &secret), made(&fleet)), (("blocked", "role_missing", true), (0, 0)));
    let message = fleet.status(&secret).message;
    let told = "lacks app role Chart.Read on the resource of scope https://graph.microsoft.com/.default";
    assert!(message.contains(told), "{message}");
    let resource = "https://graph.microsoft.com";
    fleet.model().set_app_roles(principal(&fleet, &secret), resource, &["Chart.Read"]);
    published(&fleet, Duration::hours(2)).await;
    fleet.end().await;
}

#[tokio::test]
async fn claims_that_are_not_as_required_hold_a_publication_and_as_advised_or_off_they_do_not() {
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

#[tokio::test]
async fn a_probe_that_is_not_as_required_holds_a_publication_and_as_advised_or_off_it_does_not() {
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

#[tokio::test]
async fn a_dicom_service_is_asked_with_its_own_audience_and_names_its_own_role() {
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

#[tokio::test]
async fn any_address_can_be_asked_and_a_status_that_is_not_expected_holds_the_publication() {
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
            assert!(message.contains("/metadata answers 200, which is not expected"), "{message}");
            assert_eq!(state(&fleet, &secret), ("blocked", "not_proven", false));
        }
        fleet.end().await;
    }
}

#[tokio::test]
async fn a_resource_that_is_down_holds_the_minting_and_is_no_matter_for_a_person() {
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

#[tokio::test]
async fn a_resource_that_is_down_for_a_while_during_a_rotation_is_waited_for() {
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

#[tokio::test]
async fn a_credential_signs_in_as_often_as_configured_before_it_is_published() {
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

#[tokio::test]
async fn a_text_that_matches_the_unwanted_pattern_is_made_anew_and_revoked() {
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
    assert!(issued > published, "{issued} issued, {published} published: nothing was made anew");
    fleet.live(Duration::days(12)).await;
    assert_eq!((credentials(&fleet, &secret), fleet.consumers_failed()), (1, 0));
    fleet.end().await;
}

#[tokio::test]
async fn a_pattern_that_matches_every_text_is_told_and_mints_ever_more_rarely() {
    let fleet = fleet(verify("reject_secret_pattern = '.'")).await;
    let secret = fleet.secret(1);
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::days(10)).await;
    let message = fleet.status(&secret).message;
    assert!(message.contains("does it match every text?"), "{message}");
    let (issued, published) = made(&fleet);
    // Five a try; tries after 15 minutes, 1, 4 and 16 hours, then daily.
    assert!((5..=5 * 14).contains(&issued), "{issued} minted in ten days");
    assert_eq!((published, credentials(&fleet, &secret)), (0, 1), "each is revoked at once");
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// Whoever may write tags can ask for a scope that no credential gets a token for.
#[tokio::test]
async fn a_scope_that_gives_nobody_a_token_mints_nothing_and_is_told() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(1);
    retag(&fleet, &secret, "VerifyScope", "https://nobody.example/.default");
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(6)).await;
    assert_eq!((made(&fleet), state(&fleet, &secret).0), ((0, 0), "blocked"));
    let message = fleet.status(&secret).message;
    assert!(message.contains("https://nobody.example/.default"), "{message}");
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
