//! What each service says when it is throttled or down, for faults that are injected. It decides nothing.

use axum::http::{StatusCode, header};

use super::{entra, graph, health, key_vault};
use crate::ports::Clock;
use crate::sandbox::azure::Azure;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::Service;

/// An answer with 429 (now and then with `Retry-After`) or 503, in the words and with the headers of the service.
pub(crate) fn response(azure: &Azure, service: Service, request: &Request, status: StatusCode) -> Response {
    let response = match service {
        Service::KeyVault => key_vault::trouble(status),
        Service::Graph => graph::trouble(azure, request, status),
        Service::Entra => Response::json(status, entra::unavailable(status, azure.clock.now())),
        Service::Fhir => health::fhir_trouble(status),
        Service::Dicom => health::dicom_trouble(status),
    };
    let retry_after = (status == StatusCode::TOO_MANY_REQUESTS).then(|| azure.faults.retry_after()).flatten();
    match retry_after {
        Some(seconds) => response.with(header::RETRY_AFTER, seconds.to_string()),
        None => response,
    }
}
