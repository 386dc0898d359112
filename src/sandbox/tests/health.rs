//! The health services as an application and an unknown caller see them.
#![expect(clippy::unwrap_used, reason = "a test may stop here")]

use reqwest::Response;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{START, World};
use crate::sandbox::model::{Role, Scope};

const FHIR: &str = "application/fhir+json; charset=utf-8";

impl World {
    /// Returns a token of the first rotated application.
    async fn application_token(&self, audience: &str) -> String {
        let secret = self.sandbox.model().managed().first().unwrap().clone();
        let version = self.sandbox.model().get_secret(&secret.vault, &secret.name, None, START).unwrap();
        let scope = format!("{audience}/.default");
        let (_, body) = self.sign_in(secret.client_id, version.value.expose_secret(), &scope).await;
        body["access_token"].as_str().unwrap().to_owned()
    }

    async fn read(&self, url: &str, token: Option<&str>) -> Response {
        let request = self.http.get(url);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.unwrap()
    }

    fn take_role(&self, scope: &Scope, role: Role) {
        let secret = self.sandbox.model().managed().first().unwrap().clone();
        let principal = self.sandbox.model().service_principal(secret.client_id).unwrap();
        assert!(self.sandbox.model().remove_role(principal, scope, role));
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn assert_outcome(response: Response, status: u16, code: &str, diagnostics: &str) {
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (status, FHIR));
    let mut body: Value = response.json().await.unwrap();
    assert!(body["id"].take().is_string());
    let issue = json!([{"severity": "error", "code": code, "diagnostics": diagnostics}]);
    assert_eq!(body, json!({"resourceType": "OperationOutcome", "id": null, "issue": issue}));
}

/// The FHIR service returns its capability statement without a token.
#[tokio::test]
async fn fhir_metadata_needs_no_token() {
    let world = World::start().await;
    let response = world.read(&format!("{}/metadata", world.at.fhir.url), None).await;
    assert_eq!((response.status().as_u16(), header(&response, "content-type")), (200, FHIR));
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        (&body["resourceType"], &body["fhirVersion"]),
        (&json!("CapabilityStatement"), &json!("4.0.1"))
    );
    world.sandbox.shutdown().await;
}

/// An application with the FHIR audience and role can search for and read the patient.
#[tokio::test]
async fn authorized_application_reads_the_fhir_patient() {
    let world = World::start().await;
    let token = world.application_token(&world.at.fhir.audience).await;
    let url = format!("{}/Patient?_count=1&_elements=id", world.at.fhir.url);
    let found = world.get(&url, &token).await;
    assert_eq!((&found["resourceType"], &found["type"]), (&json!("Bundle"), &json!("searchset")));
    assert_eq!(found["link"], json!([{"relation": "self", "url": url}]));
    let entry = &found["entry"][0];
    assert_eq!(
        (&entry["resource"]["resourceType"], &entry["search"]["mode"]),
        (&json!("Patient"), &json!("match"))
    );
    assert!(entry["resource"].get("name").is_none(), "{entry}");
    let patient = world.get(entry["fullUrl"].as_str().unwrap(), &token).await;
    assert_eq!((&patient["id"], &patient["active"]), (&entry["resource"]["id"], &json!(true)));
    let empty = world.get(&format!("{}/Patient?_count=0", world.at.fhir.url), &token).await;
    assert_eq!(empty["entry"], json!([]));
    let missing = world.read(&format!("{}/Patient/2", world.at.fhir.url), Some(&token)).await;
    assert_outcome(missing, 404, "not-found", "Resource type 'Patient' with id '2' couldn't be found.").await;
    let post = world.http.post(format!("{}/Patient", world.at.fhir.url)).bearer_auth(&token);
    assert_eq!(post.send().await.unwrap().status().as_u16(), 501);
    assert!(world.sandbox.summary().requests.fhir >= 5);
    world.sandbox.shutdown().await;
}

/// The FHIR service answers 401 without a token for its own audience and 403 without a role.
#[tokio::test]
async fn fhir_requires_token_audience_and_role() {
    let world = World::start().await;
    let url = format!("{}/Patient?_count=1", world.at.fhir.url);
    let bare = world.read(&url, None).await;
    let challenge = header(&bare, "www-authenticate").to_owned();
    let expected = format!(
        "Bearer authorization_uri=\"{}/{}/oauth2/authorize\"",
        world.at.authority, world.at.tenant_id
    );
    assert!(challenge.starts_with(&expected), "{challenge}");
    assert_outcome(bare, 401, "login", "Authentication failed.").await;
    for audience in [format!("{}/", world.at.fhir.audience), "https://vault.azure.net".to_owned()] {
        let token = world.application_token(&audience).await;
        assert_outcome(world.read(&url, Some(&token)).await, 401, "login", "Authentication failed.").await;
    }
    let token = world.application_token(&world.at.fhir.audience).await;
    world.take_role(&Scope::Fhir, Role::FhirDataReader);
    assert_outcome(world.read(&url, Some(&token)).await, 403, "forbidden", "Authorization failed.").await;
    world.sandbox.shutdown().await;
}

/// Only an application with the DICOM audience and role finds the study.
#[tokio::test]
async fn authorized_application_finds_the_dicom_study() {
    let world = World::start().await;
    let url = format!("{}/v2/studies?limit=1", world.at.dicom.url);
    let bare = world.read(&url, None).await;
    assert_eq!(bare.status().as_u16(), 401);
    assert!(header(&bare, "www-authenticate").contains("https://dicom.healthcareapis.azure.com"));
    let wrong = world.application_token(&world.at.fhir.audience).await;
    assert_eq!(world.read(&url, Some(&wrong)).await.status().as_u16(), 401);
    assert_eq!(world.at.dicom.audience, "https://dicom.healthcareapis.azure.com");
    let token = world.application_token(&world.at.dicom.audience).await;
    let found = world.read(&url, Some(&token)).await;
    assert_eq!((found.status().as_u16(), header(&found, "content-type")), (200, "application/dicom+json"));
    let studies: Value = found.json().await.unwrap();
    assert_eq!(studies.pointer("/0/0020000D/vr"), Some(&json!("UI")));
    for (query, status) in [("limit=1&offset=1", 204), ("limit=0", 400), ("PatientID=x", 501)] {
        let url = format!("{}/v2/studies?{query}", world.at.dicom.url);
        assert_eq!(world.read(&url, Some(&token)).await.status().as_u16(), status, "{query}");
    }
    world.take_role(&Scope::Dicom, Role::DicomDataReader);
    assert_eq!(world.read(&url, Some(&token)).await.status().as_u16(), 403);
    world.sandbox.shutdown().await;
}
