//! Errors of the HTTP API, as problem details (RFC 9457).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::access::AuthRejection;
use crate::commands::{NotManaged, SubmitError};

/// The reason why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The caller has no access, or that can't be known now.
    Refused(AuthRejection),
    /// Too many requests of this caller; the time to wait.
    RateLimited(Duration),
    /// Too many requests of all callers.
    Overloaded,
    /// No such secret is managed.
    UnknownSecret(String),
    /// The secret is a replica; the text names its primary.
    Replica(String),
    /// No operation of that id is remembered.
    UnknownOperation,
    /// There is no such route.
    UnknownRoute,
    /// The route does not support this method.
    WrongMethod,
    /// The query has unsupported content.
    WrongQuery(String),
    /// The body is not JSON.
    NoJson(String),
    /// The body has unsupported content.
    WrongBody(String),
    /// The body is too large.
    TooLarge,
    /// The request took too long.
    TooSlow,
    /// The `Idempotency-Key` is empty, too long, or has characters that can't be seen.
    UnusableKey,
    /// The `Idempotency-Key` came with another request before.
    KeyReused,
    /// The daemon is being stopped.
    Stopping,
    /// Metrics can't be written.
    Internal,
}

/// Problem details, as defined by RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDetails {
    /// Always `about:blank`: the status is the kind of problem.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The cause and the fix.
    detail: String,
}

/// Responses of any route of the API.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the description of the API only")]
pub(super) enum CommonResponses {
    /// No token, or one that is not accepted.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemDetails),
    /// A valid token without a sufficient role.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDetails),
    /// Too many requests: retry after the time in `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDetails),
    /// Tokens can't be checked now, the daemon is being stopped, or there are too many requests at a time.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemDetails),
}

impl From<NotManaged> for Problem {
    fn from(reason: NotManaged) -> Self {
        match reason {
            NotManaged::Unknown(secret) => Self::UnknownSecret(secret.to_string()),
            NotManaged::Replica { .. } => Self::Replica(reason.to_string()),
        }
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::NotManaged(reason) => reason.into(),
            SubmitError::KeyReused => Self::KeyReused,
        }
    }
}

impl Problem {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::UnknownSecret(_) | Self::Replica(_) | Self::UnknownOperation | Self::UnknownRoute => {
                StatusCode::NOT_FOUND
            }
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::WrongQuery(_) | Self::NoJson(_) | Self::UnusableKey => StatusCode::BAD_REQUEST,
            Self::WrongBody(_) | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Overloaded | Self::TooSlow | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.text().to_owned(),
            Self::RateLimited(_) => AuthRejection::RateLimited.text().to_owned(),
            Self::Overloaded => "too many requests at a time: ask again".to_owned(),
            Self::UnknownSecret(name) => {
                format!("{name} is not managed: GET /api/v1/secrets lists those that are")
            }
            Self::Replica(detail) => detail.clone(),
            Self::UnknownOperation => {
                "no operation of that id is known: they are forgotten when the daemon starts".to_owned()
            }
            Self::UnknownRoute => "there is no such route".to_owned(),
            Self::WrongMethod => "this route has other methods".to_owned(),
            Self::WrongQuery(why) => format!("the query can't be used: {why}"),
            Self::NoJson(why) => format!("the body is not JSON: {why}"),
            Self::WrongBody(why) => format!("the body can't be used: {why}"),
            Self::TooLarge => "the body is too large".to_owned(),
            Self::TooSlow => "the request took too long: ask again".to_owned(),
            Self::UnusableKey => "Idempotency-Key has to be 1 to 128 visible characters".to_owned(),
            Self::KeyReused => {
                "this Idempotency-Key came with another request within the last 24 hours".to_owned()
            }
            Self::Stopping => "the daemon is being stopped: ask again".to_owned(),
            Self::Internal => "see the daemon's log".to_owned(),
        }
    }

    /// Returns the time to wait in seconds, if waiting helps.
    fn retry_after(&self) -> Option<u64> {
        if let Self::RateLimited(wait) = self {
            return Some(wait.as_secs() + 1);
        }
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_SECONDS)
    }

    /// Returns the problem details as JSON, for a tool that reads no headers.
    pub(super) fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self.details()).unwrap_or_default()
    }

    fn details(&self) -> ProblemDetails {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or("error");
        ProblemDetails { kind: "about:blank", title, status: status.as_u16(), detail: self.detail() }
    }

    /// Returns the status as a number.
    pub(super) const fn code(&self) -> u16 {
        self.status().as_u16()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), axum::Json(self.details())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(super) async fn no_such_route() -> Problem {
    Problem::UnknownRoute
}

pub(super) async fn no_such_method() -> Problem {
    Problem::WrongMethod
}

/// The content type of a body with problem details.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

const RETRY_SECONDS: u64 = 30;
