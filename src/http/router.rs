//! Every route, in one place.

use std::future::ready;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use super::{HttpState, api, authentication, events, health, problem, wishes};
use crate::domain::WishKind;
use crate::triggers::wishes::WISHES;

/// Every route, for documentation and the test that compares the two.
pub const ROUTES: [(&str, &str); 12] = [
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
];

/// The daemon's routes.
pub fn router(state: HttpState) -> Router {
    let api = Router::new()
        .route("/api/v1/secrets", get(api::list_secrets))
        .route("/api/v1/secrets/{vault}/{name}", get(api::show_secret));
    let with_wish = |api: Router<HttpState>, kind: WishKind| {
        let ask = move |state, path, headers: HeaderMap, body: Bytes| {
            ready(wishes::ask(kind, state, path, &headers, &body))
        };
        api.route(&format!("/api/v1/secrets/{{vault}}/{{name}}/{}", kind.label()), post(ask))
    };
    let api = WISHES
        .into_iter()
        .fold(api, with_wish)
        .route_layer(from_fn_with_state(state.clone(), authentication::require_token));
    Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/events/key-vault", post(events::deliver).options(events::consent))
        .merge(api)
        .fallback(problem::no_such_route)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, LONGEST_REQUEST))
        .layer(CatchPanicLayer::new())
        .with_state(state)
}

/// Event Grid's largest batch is 1 MB.
const LARGEST_BODY: usize = 2 * 1024 * 1024;

/// Nothing here waits for Azure; only a slow sender can take this long.
const LONGEST_REQUEST: Duration = Duration::from_secs(20);
