//! The pipeline of each request: it holds the clock, is counted, may get a fault, is handled by its service, and its
//! response is dated in sandbox time.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{self, HeaderName, StatusCode, header};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use uuid::Uuid;

use super::azure::Azure;
use super::{control, entra, fault_injection, graph, health, key_vault};
use crate::ports::Clock;
use crate::sandbox::faults::FaultKind;
use crate::sandbox::hosts::{Port, VirtualHost, host};
use crate::sandbox::https::{Dropped, Handler, Request, Response};
use crate::sandbox::model::Service;

/// The handler of one port's requests.
pub(in crate::sandbox) struct Pipeline {
    azure: Arc<Azure>,
    port: Port,
}

impl Pipeline {
    pub(in crate::sandbox) fn new(azure: Arc<Azure>, port: Port) -> Self {
        Self { azure, port }
    }
}

impl Handler for Pipeline {
    async fn handle(&self, request: http::Request<Body>) -> Result<http::Response<Body>, Dropped> {
        pass(&self.azure, &self.port, request).await
    }
}

async fn pass(
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
    // An incomplete request must not hold the clock.
    let request = match Request::read(request).await {
        Ok(request) => request,
        Err(response) => return Ok(stamped(azure, response, None)),
    };
    let _hold = azure.clock.hold();
    let virtual_host = port.virtual_host(request.segments.first().map(String::as_str));
    let service = service_of(virtual_host);
    let fault = fault_injection::draw(azure, service, &request);
    let client_request_id = client_request_id(&request).map(str::to_owned);
    let response = match fault {
        Some(FaultKind::Timeout) => return Err(Dropped),
        Some(FaultKind::LostReply) => {
            dispatch(azure, virtual_host, &request).await;
            return Err(Dropped);
        }
        Some(FaultKind::Throttled) => failed(azure, service, &request, StatusCode::TOO_MANY_REQUESTS),
        Some(FaultKind::Unavailable) => failed(azure, service, &request, StatusCode::SERVICE_UNAVAILABLE),
        None => dispatch(azure, virtual_host, &request).await,
    };
    Ok(stamped(azure, response, client_request_id))
}

/// Returns an injected 429 or 503 with the wording and the headers of the service.
fn failed(azure: &Azure, service: Service, request: &Request, status: StatusCode) -> Response {
    let response = match service {
        Service::KeyVault => key_vault::failure_response(status),
        Service::Graph => graph::failure_response(azure, request, status),
        Service::Entra => Response::json(status, entra::unavailable(status, azure.clock.now())),
        Service::Fhir => health::fhir_failure_response(status),
        Service::Dicom => health::dicom_failure_response(status),
    };
    fault_injection::with_retry_after(azure, status, response)
}

async fn handle_control(azure: &Azure, request: http::Request<Body>) -> Response {
    match Request::read(request).await {
        Ok(request) => control::handle_request(azure, &request).await,
        Err(response) => response,
    }
}

/// Returns the port itself or, under production names, the services of the request's host.
fn named_port<'a>(azure: &'a Azure, port: &'a Port, request: &http::Request<Body>) -> Option<&'a Port> {
    match port {
        Port::Production => azure.addresses.production.as_ref()?.hosts.port(request),
        Port::Authority | Port::Only(_) => Some(port),
    }
}

fn misdirected(request: &http::Request<Body>) -> Response {
    let message = format!("The rekeyd sandbox does not serve the host '{}'.", host(request));
    let error = json!({"error": {"code": "MisdirectedRequest", "message": message}});
    Response::json(StatusCode::MISDIRECTED_REQUEST, error)
}

fn service_of(virtual_host: &VirtualHost) -> Service {
    match virtual_host {
        VirtualHost::Vault(_) => Service::KeyVault,
        VirtualHost::Graph => Service::Graph,
        VirtualHost::Entra | VirtualHost::ManagedIdentity => Service::Entra,
        VirtualHost::Fhir => Service::Fhir,
        VirtualHost::Dicom => Service::Dicom,
    }
}

async fn dispatch(azure: &Azure, virtual_host: &VirtualHost, request: &Request) -> Response {
    match virtual_host {
        VirtualHost::Vault(vault) => key_vault::handle_request(azure, vault, request),
        VirtualHost::Graph => graph::handle_request(azure, request).await,
        VirtualHost::Entra => entra::handle_request(azure, request),
        VirtualHost::ManagedIdentity => entra::handle_managed_identity(azure, request),
        VirtualHost::Fhir => health::handle_fhir(azure, request),
        VirtualHost::Dicom => health::handle_dicom(azure, request),
    }
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
