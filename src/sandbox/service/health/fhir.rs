//! The FHIR service: its capability statement is open to all; its one made-up patient needs an audience and a role.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::{Refused, authorise, challenge};
use crate::ports::Clock;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{Role, Scope};
use crate::sandbox::service::azure::Azure;

const PATIENT: &str = "00000000-0000-4000-8000-000000000001";

/// The date of the patient's last update.
const LAST_UPDATED: &str = "2025-01-01T00:00:00+00:00";

/// The parameters that a search supports. Others would change its result if they were supported.
const PARAMETERS: [&str; 2] = ["_count", "_elements"];

pub(crate) fn handle_request(azure: &Azure, request: &Request) -> Response {
    in_fhir(match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["metadata"]) => Response::ok(capabilities(azure)),
        _ => authorised(azure, request).unwrap_or_else(|refused| refusal(azure, refused)),
    })
}

/// Returns an injected 429 or 503 as the FHIR service words it.
pub(crate) fn failure_response(status: StatusCode) -> Response {
    let code = if status == StatusCode::TOO_MANY_REQUESTS { "throttled" } else { "transient" };
    in_fhir(outcome(status, code, "The service can't answer now. Please try again later."))
}

fn in_fhir(response: Response) -> Response {
    response.with(header::CONTENT_TYPE, "application/fhir+json; charset=utf-8".to_owned())
}

fn authorised(azure: &Azure, request: &Request) -> Result<Response, Refused> {
    authorise(azure, request, &azure.addresses.fhir, &Scope::Fhir, Role::FhirDataReader)?;
    Ok(match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["Patient"]) => search(azure, request),
        (&Method::GET, ["Patient", PATIENT]) => Response::ok(patient()),
        (&Method::GET, ["Patient", id]) => {
            let message = format!("Resource type 'Patient' with id '{id}' couldn't be found.");
            outcome(StatusCode::NOT_FOUND, "not-found", &message)
        }
        _ => Response::not_modelled(request),
    })
}

fn refusal(azure: &Azure, refused: Refused) -> Response {
    match refused {
        Refused::Unauthenticated => outcome(StatusCode::UNAUTHORIZED, "login", "Authentication failed.")
            .with(header::WWW_AUTHENTICATE, challenge(azure, &azure.addresses.fhir)),
        Refused::Unauthorised => outcome(StatusCode::FORBIDDEN, "forbidden", "Authorization failed."),
    }
}

fn outcome(status: StatusCode, code: &str, diagnostics: &str) -> Response {
    let issue = json!({"severity": "error", "code": code, "diagnostics": diagnostics});
    Response::json(
        status,
        json!({"resourceType": "OperationOutcome", "id": Uuid::new_v4(), "issue": [issue]}),
    )
}

fn search(azure: &Azure, request: &Request) -> Response {
    if request.query.keys().any(|name| !PARAMETERS.contains(&name.as_str())) {
        return Response::not_modelled(request);
    }
    let Some(count) = request.query("_count").map_or(Some(10), |count| count.parse::<u32>().ok()) else {
        return outcome(StatusCode::BAD_REQUEST, "invalid", "The '_count' parameter is not a number.");
    };
    let base = &azure.addresses.fhir;
    let found = json!({
        "fullUrl": format!("{base}/Patient/{PATIENT}"),
        "resource": elements(patient(), request.query("_elements")),
        "search": {"mode": "match"},
    });
    Response::ok(json!({
        "resourceType": "Bundle",
        "id": Uuid::new_v4().simple().to_string(),
        "meta": {"lastUpdated": rfc3339(azure.clock.now())},
        "type": "searchset",
        "link": [{"relation": "self", "url": request.same_query(&format!("{base}/Patient"))}],
        "entry": if count == 0 { Vec::new() } else { vec![found] },
    }))
}

/// Keeps only these elements, and those that every resource must have.
fn elements(mut resource: Value, wanted: Option<&str>) -> Value {
    if let (Value::Object(members), Some(wanted)) = (&mut resource, wanted) {
        let wanted: Vec<_> = wanted.split(',').map(str::trim).collect();
        members.retain(|name, _| NEEDED.contains(&name.as_str()) || wanted.contains(&name.as_str()));
        let tag = json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"});
        if let Some(Value::Object(meta)) = members.get_mut("meta") {
            meta.insert("tag".to_owned(), json!([tag]));
        }
    }
    resource
}

const NEEDED: [&str; 3] = ["resourceType", "id", "meta"];

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": PATIENT,
        "meta": {"versionId": "1", "lastUpdated": LAST_UPDATED},
        "active": true,
        "name": [{"use": "official", "family": "Sandbox", "given": ["Sam"]}],
    })
}

fn capabilities(azure: &Azure) -> Value {
    let base = &azure.addresses.fhir;
    json!({
        "resourceType": "CapabilityStatement",
        "url": format!("{base}/metadata"),
        "status": "active",
        "date": rfc3339(azure.clock.now()),
        "kind": "instance",
        "software": {"name": "rekeyd sandbox"},
        "implementation": {"description": "A simulated FHIR service", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [{
            "mode": "server",
            "security": {"service": [{"coding": [{"code": "OAuth"}]}]},
            "resource": [{"type": "Patient", "interaction": [{"code": "read"}, {"code": "search-type"}]}],
        }],
    })
}

fn rfc3339(moment: OffsetDateTime) -> String {
    moment.format(&Rfc3339).unwrap_or_default()
}
