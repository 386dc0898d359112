//! What each request goes through: the clock is held, it is counted, may meet a fault, and is dated in sandbox time.

use axum::body::Body;
use axum::http::{self, HeaderName, StatusCode, header};
use serde_json::json;
use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use uuid::Uuid;

use super::message::{Request, Response};
use super::sites::{Port, Site, host};
use crate::ports::Clock;
use crate::sandbox::azure::Azure;
use crate::sandbox::faults::FaultKind;
use crate::sandbox::model::{Service, TimelineEvent, TimelineEventKind};
use crate::sandbox::service::{control, entra, graph, health, key_vault, trouble};

/// The connection is to be closed without an answer.
#[derive(Debug, Error)]
#[error("the connection is closed without an answer")]
pub(super) struct Dropped;

pub(super) async fn pass(
    azure: &Azure,
    port: &Port,
    request: http::Request<Body>,
) -> Result<http::Response<Body>, Dropped> {
    let Some(port) = named_port(azure, port, &request) else {
        return Ok(stamped(azure, misdirected(&request), None));
    };
    if *port == Port::Authority && request.uri().path().starts_with("/_sandbox/") {
        return Ok(handle_control(azure, request).await.into_response());
    }
    // Nobody holds the clock with half a request.
    let request = match Request::read(request).await {
        Ok(request) => request,
        Err(response) => return Ok(stamped(azure, response, None)),
    };
    let _hold = azure.clock.hold();
    let site = port.site(&request);
    let service = service_of(site);
    azure.model.count_request(service);
    let fault = azure.faults.draw(service, &request);
    if let Some(kind) = fault {
        report_fault(azure, kind, service, &request);
    }
    let client_request_id = client_request_id(&request).map(str::to_owned);
    let response = match fault {
        Some(FaultKind::Timeout) => return Err(Dropped),
        Some(FaultKind::LostReply) => {
            dispatch(azure, site, &request).await;
            return Err(Dropped);
        }
        Some(FaultKind::Throttled) => {
            trouble::response(azure, service, &request, StatusCode::TOO_MANY_REQUESTS)
        }
        Some(FaultKind::Unavailable) => {
            trouble::response(azure, service, &request, StatusCode::SERVICE_UNAVAILABLE)
        }
        None => dispatch(azure, site, &request).await,
    };
    Ok(stamped(azure, response, client_request_id))
}

async fn handle_control(azure: &Azure, request: http::Request<Body>) -> Response {
    match Request::read(request).await {
        Ok(request) => control::handle_request(azure, &request).await,
        Err(response) => response,
    }
}

/// The port itself or, under production names, what the request's host stands for.
fn named_port<'a>(azure: &'a Azure, port: &'a Port, request: &http::Request<Body>) -> Option<&'a Port> {
    match port {
        Port::Production => azure.addresses.production.as_ref()?.hosts.port(request),
        Port::Authority | Port::Only(_) => Some(port),
    }
}

fn misdirected(request: &http::Request<Body>) -> Response {
    let message = format!("The rekeyd sandbox serves no host named '{}'.", host(request));
    let error = json!({"error": {"code": "MisdirectedRequest", "message": message}});
    Response::json(StatusCode::MISDIRECTED_REQUEST, error)
}

fn service_of(site: &Site) -> Service {
    match site {
        Site::Vault(_) => Service::KeyVault,
        Site::Graph => Service::Graph,
        Site::Entra | Site::ManagedIdentity => Service::Entra,
        Site::Fhir => Service::Fhir,
        Site::Dicom => Service::Dicom,
    }
}

async fn dispatch(azure: &Azure, site: &Site, request: &Request) -> Response {
    match site {
        Site::Vault(vault) => key_vault::handle_request(azure, vault, request),
        Site::Graph => graph::handle_request(azure, request).await,
        Site::Entra => entra::handle_request(azure, request),
        Site::ManagedIdentity => entra::handle_managed_identity(azure, request),
        Site::Fhir => health::handle_fhir(azure, request),
        Site::Dicom => health::handle_dicom(azure, request),
    }
}

pub(in crate::sandbox) fn report_fault(azure: &Azure, kind: FaultKind, service: Service, request: &Request) {
    let detail = format!("{kind:?} for {} /{}", request.method, request.segments.join("/"));
    let secret = format!("{service:?}");
    azure.model.report(&TimelineEvent {
        at: azure.clock.now(),
        kind: TimelineEventKind::FaultInjected,
        secret,
        detail,
    });
}

fn client_request_id(request: &Request) -> Option<&str> {
    request.header("client-request-id").or_else(|| request.header("x-ms-client-request-id"))
}

fn stamped(azure: &Azure, response: Response, client_request_id: Option<String>) -> http::Response<Body> {
    let own = response.headers.iter().find(|(name, _)| name.as_str() == "request-id");
    let id = own.map_or_else(|| Uuid::new_v4().to_string(), |(_, id)| id.clone());
    let mut response = response
        .with_default(header::CACHE_CONTROL, "no-store")
        .with(header::DATE, http_date(azure.clock.now()))
        .with(HeaderName::from_static("x-ms-request-id"), id.clone())
        .with(HeaderName::from_static("request-id"), id);
    if let Some(id) = client_request_id {
        response = response
            .with(HeaderName::from_static("x-ms-client-request-id"), id.clone())
            .with(HeaderName::from_static("client-request-id"), id);
    }
    response.into_response()
}

fn http_date(moment: OffsetDateTime) -> String {
    moment.format(HTTP_DATE).unwrap_or_default()
}

const HTTP_DATE: StaticFormatDescription =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        let moment = time::macros::datetime!(1994-11-06 8:49:37.5 UTC);
        assert_eq!(http_date(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
