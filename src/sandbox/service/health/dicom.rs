//! The DICOM service: a search (QIDO-RS) for its one made-up study, which needs an audience and a role.

use axum::http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{Refused, authorise, challenge};
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::DICOM_AUDIENCE;
use crate::sandbox::model::{Role, Scope};
use crate::sandbox::service::azure::Azure;

pub(crate) fn handle_request(azure: &Azure, request: &Request) -> Response {
    match authorise(azure, request, DICOM_AUDIENCE, &Scope::Dicom, Role::DicomDataReader) {
        Ok(()) => authorised(request),
        Err(Refused::Unauthenticated) => Response::empty(StatusCode::UNAUTHORIZED)
            .with(header::WWW_AUTHENTICATE, challenge(azure, DICOM_AUDIENCE)),
        Err(Refused::Unauthorised) => Response::empty(StatusCode::FORBIDDEN),
    }
}

/// Returns an injected 429 or 503 as the DICOM service words it.
pub(crate) fn failure_response(status: StatusCode) -> Response {
    Response::json(status, json!("The service can't answer now. Please try again later."))
}

fn authorised(request: &Request) -> Response {
    match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["v1" | "v2", "studies"]) => search(request),
        _ => Response::not_modelled(request),
    }
}

/// Searches for studies with `limit` and `offset` only; a search that finds nothing gets a response without a body.
fn search(request: &Request) -> Response {
    if request.query.keys().any(|name| name != "limit" && name != "offset") {
        return Response::not_modelled(request);
    }
    let number = |name: &str, default: u32| request.query(name).map_or(Ok(default), str::parse::<u32>);
    match (number("limit", 100), number("offset", 0)) {
        (Ok(1..=200), Ok(0)) => {
            Response::ok(json!([study()])).with(header::CONTENT_TYPE, "application/dicom+json".to_owned())
        }
        (Ok(1..=200), Ok(_)) => Response::no_content(),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => {
            Response::json(StatusCode::BAD_REQUEST, json!("The limit must be between 1 and 200."))
        }
    }
}

fn study() -> Value {
    json!({
        "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
        "00080020": {"vr": "DA", "Value": ["20250101"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Sandbox^Sam"}]},
        "00100020": {"vr": "LO", "Value": ["sandbox-1"]},
        "0020000D": {"vr": "UI", "Value": ["2.25.1"]},
    })
}
