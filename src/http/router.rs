//! Every route, in one place.

use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::openapi::Description;
use super::problem::Problem;
use super::schema::mark_bodies_optional;
use super::{HttpState, access, api, commands, events, health, openapi, operations, problem};

/// Every route, for documentation and the test that compares the two.
pub const ROUTES: [(&str, &str); 17] = [
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/events/key-vault"),
    ("GET", "/api/v1/secrets"),
    ("GET", "/api/v1/secrets/{vault}/{name}"),
    ("POST", "/api/v1/secrets/{vault}/{name}/rotate"),
    ("POST", "/api/v1/secrets/{vault}/{name}/rollback"),
    ("POST", "/api/v1/secrets/{vault}/{name}/compromised"),
    ("POST", "/api/v1/secrets/{vault}/{name}/retire"),
    ("POST", "/api/v1/secrets/{vault}/{name}/pause"),
    ("POST", "/api/v1/secrets/{vault}/{name}/resume"),
    ("GET", "/api/v1/schedule"),
    ("GET", "/api/v1/operations"),
    ("GET", "/api/v1/operations/{id}"),
    ("GET", "/api/v1/operations/{id}/events"),
    ("GET", "/api/v1/openapi.json"),
];

/// Returns the routes that need the role Rekeyd.Reader.
fn reader_routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(api::list_secrets))
        .routes(routes!(api::show_secret))
        .routes(routes!(api::show_schedule))
        .routes(routes!(operations::list_operations))
        .routes(routes!(operations::show_operation))
        .routes(routes!(operations::follow_operation))
}

fn operator_routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::new()
        .routes(routes!(commands::rotate))
        .routes(routes!(commands::rollback))
        .routes(routes!(commands::compromised))
        .routes(routes!(commands::retire))
        .routes(routes!(commands::pause))
        .routes(routes!(commands::resume))
}

/// Returns the description of the API, as JSON.
///
/// # Errors
/// The description can't be written, because of a mistake in a handler's own.
pub fn describe() -> Result<String, serde_json::Error> {
    let routes = OpenApiRouter::with_openapi(Description::openapi());
    let mut description = routes.merge(reader_routes()).merge(operator_routes()).into_openapi();
    mark_bodies_optional(&mut description);
    description.to_pretty_json()
}

/// Returns the daemon's routes: the API and the webhook.
pub fn router(state: HttpState) -> Router {
    let reader = reader_routes().route_layer(from_fn_with_state(state.clone(), access::require_reader));
    let operator = operator_routes().route_layer(from_fn_with_state(state.clone(), access::require_operator));
    let (api, _) = reader.merge(operator).split_for_parts();
    let load_shedding = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(|_| async { Problem::Overloaded }))
        .layer(LoadShedLayer::new())
        .layer(GlobalConcurrencyLimitLayer::new(state.max_concurrent));
    let api = api
        .layer(DefaultBodyLimit::max(MAX_COMMAND_BODY))
        .layer(load_shedding)
        .route("/api/v1/openapi.json", get(openapi::show));
    let routes =
        Router::new().route("/events/key-vault", post(events::deliver).options(events::consent)).merge(api);
    with_common_layers(routes, state, MAX_REQUEST_TIME)
}

/// Returns the routes for health and metrics, for a listener of their own or beside all other routes.
pub fn health_router(state: HttpState) -> Router {
    let routes = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics));
    with_common_layers(routes, state, MAX_REQUEST_TIME)
}

/// Adds the common layers: limits in size and time, problem details, headers that keep browsers from guessing.
pub(super) fn with_common_layers(routes: Router<HttpState>, state: HttpState, longest: Duration) -> Router {
    routes
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, longest))
        .layer(CatchPanicLayer::new())
        .layer(map_response(in_detail))
        .layer(header("x-content-type-options", "nosniff"))
        .layer(header("x-frame-options", "DENY"))
        .layer(header("referrer-policy", "no-referrer"))
        .layer(header("content-security-policy", "default-src 'none'; frame-ancestors 'none'"))
        .layer(header("cache-control", "no-store"))
        .with_state(state)
}

/// Returns the layer that sets a header if a response has none of that name.
fn header(name: &'static str, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(HeaderName::from_static(name), HeaderValue::from_static(value))
}

/// Replaces plain-text errors of the layers and of extractors with problem details.
async fn in_detail(response: Response) -> Response {
    let has_details =
        response.headers().get("content-type").is_some_and(|kind| kind == problem::CONTENT_TYPE);
    match response.status() {
        _ if has_details => response,
        StatusCode::BAD_REQUEST if is_plain_text(&response) => Problem::Malformed.into_response(),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge.into_response(),
        StatusCode::SERVICE_UNAVAILABLE if response.headers().get("content-type").is_none() => {
            Problem::TooSlow.into_response()
        }
        StatusCode::INTERNAL_SERVER_ERROR => Problem::Internal.into_response(),
        _ => response,
    }
}

fn is_plain_text(response: &Response) -> bool {
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/plain"))
}

/// Event Grid's largest batch is 1 MB.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// Commands are small.
const MAX_COMMAND_BODY: usize = 64 * 1024;

/// Nothing here waits for Azure for longer; only a slow sender can take this long.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(20);
