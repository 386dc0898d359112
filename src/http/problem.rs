//! Errors of the HTTP face, as problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::triggers::wishes::NotManaged;

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// No bearer token, or not the right one.
    Unauthorized(&'static str),
    /// No such secret is managed.
    UnknownSecret(String),
    /// It is a replica; it says of which secret.
    Replica(String),
    /// There is no such route.
    UnknownRoute,
    /// The body is no JSON.
    NoJson(String),
    /// The body says something that can't be asked for.
    WrongBody(String),
    /// The `Idempotency-Key` is empty, too long, or has characters that can't be seen.
    UnusableKey,
    /// The `Idempotency-Key` came with another request before.
    KeyReused,
    /// The daemon is being stopped.
    Stopping,
    /// Metrics can't be written.
    Internal,
}

impl From<NotManaged> for Problem {
    fn from(reason: NotManaged) -> Self {
        match reason {
            NotManaged::Unknown(secret) => Self::UnknownSecret(secret.to_string()),
            NotManaged::Replica { .. } => Self::Replica(reason.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Unauthorized(detail) => (StatusCode::UNAUTHORIZED, detail.to_owned()),
            Self::UnknownSecret(name) => (
                StatusCode::NOT_FOUND,
                format!("{name} is not managed: GET /api/v1/secrets lists those that are"),
            ),
            Self::Replica(detail) => (StatusCode::NOT_FOUND, detail),
            Self::UnknownRoute => (StatusCode::NOT_FOUND, "there is no such route".to_owned()),
            Self::NoJson(why) => (StatusCode::BAD_REQUEST, format!("the body is not JSON: {why}")),
            Self::WrongBody(why) => {
                (StatusCode::UNPROCESSABLE_ENTITY, format!("the body can't be used: {why}"))
            }
            Self::UnusableKey => {
                (StatusCode::BAD_REQUEST, "Idempotency-Key has to be 1 to 128 visible characters".to_owned())
            }
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "this Idempotency-Key came with another request within the last 24 hours".to_owned(),
            ),
            Self::Stopping => {
                (StatusCode::SERVICE_UNAVAILABLE, "the daemon is being stopped: ask again".to_owned())
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "see the daemon's log".to_owned()),
        };
        let title = status.canonical_reason().unwrap_or("error");
        let body =
            json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(super) async fn no_such_route() -> Problem {
    Problem::UnknownRoute
}
