//! Errors of the HTTP API, as problem details (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::access::AuthRejection;
use super::problem_type::ProblemType;
use crate::commands::{NotManaged, SubmitError};

/// The reason why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The caller has no access, or that can't be known now.
    Refused(AuthRejection),
    /// Too many requests of this caller; the time to wait.
    RateLimited(Duration),
    /// Too many concurrent requests of all callers.
    Overloaded,
    /// No such secret is managed.
    UnknownSecret(String),
    /// The secret is a replica; the text names its primary.
    Replica(String),
    /// No operation with this id is known.
    UnknownOperation,
    /// There is no such route.
    UnknownRoute,
    /// The route does not support this method.
    WrongMethod,
    /// The request can't be read.
    Malformed,
    /// The path can't be decoded; the cause.
    WrongPath(String),
    /// A query parameter is not valid; the cause.
    WrongQuery(String),
    /// The body is not JSON; the cause.
    NoJson(String),
    /// The body is JSON and not valid; the cause.
    WrongBody(String),
    /// The body exceeds the size limit.
    TooLarge,
    /// The request took too long.
    TooSlow,
    /// The `Idempotency-Key` is empty, too long or has other characters than visible ASCII.
    UnusableKey,
    /// The `Idempotency-Key` was used for a different request.
    KeyReused,
    /// The daemon is not ready; the cause.
    NotReady(String),
    /// The daemon is shutting down.
    Stopping,
    /// A panic, or metrics that can't be rendered.
    Internal,
}

/// Problem details, as defined by RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemDetails {
    /// The type of the problem. The manual lists each with its fix.
    #[serde(rename = "type")]
    kind: ProblemType,
    /// The summary, which is the same for every problem of this type.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The cause of this problem and, if there is one, the fix.
    detail: String,
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
    const fn kind(&self) -> ProblemType {
        match self {
            Self::Refused(rejection) => rejection.problem_type(),
            Self::RateLimited(_) => ProblemType::RateLimited,
            Self::Overloaded => ProblemType::Overloaded,
            Self::UnknownSecret(_) => ProblemType::NotManaged,
            Self::Replica(_) => ProblemType::IsAReplica,
            Self::UnknownOperation => ProblemType::UnknownOperation,
            Self::UnknownRoute => ProblemType::UnknownRoute,
            Self::WrongMethod => ProblemType::MethodNotAllowed,
            Self::Malformed => ProblemType::MalformedRequest,
            Self::WrongPath(_) => ProblemType::InvalidPath,
            Self::WrongQuery(_) => ProblemType::InvalidQuery,
            Self::NoJson(_) => ProblemType::InvalidJson,
            Self::WrongBody(_) => ProblemType::InvalidBody,
            Self::TooLarge => ProblemType::BodyTooLarge,
            Self::TooSlow => ProblemType::RequestTimeout,
            Self::UnusableKey => ProblemType::InvalidIdempotencyKey,
            Self::KeyReused => ProblemType::IdempotencyKeyReused,
            Self::NotReady(_) => ProblemType::NotReady,
            Self::Stopping => ProblemType::ShuttingDown,
            Self::Internal => ProblemType::InternalError,
        }
    }

    fn detail(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::UnknownSecret(name) => {
                return format!("{name} is not managed: GET /api/v1/secrets lists the managed secrets")
                    .into();
            }
            Self::Replica(cause) | Self::NotReady(cause) => return cause.clone().into(),
            Self::WrongPath(cause) => return format!("the path is not valid: {cause}").into(),
            Self::WrongQuery(cause) => return format!("the query is not valid: {cause}").into(),
            Self::NoJson(cause) => return format!("the body is not JSON: {cause}").into(),
            Self::WrongBody(cause) => return format!("the body is not valid: {cause}").into(),
            Self::Refused(rejection) => rejection.text(),
            Self::RateLimited(_) => AuthRejection::RateLimited.text(),
            Self::Overloaded => "too many concurrent requests: retry",
            Self::UnknownOperation => {
                "no operation with this id is known: operations are kept until the daemon restarts"
            }
            Self::UnknownRoute => "no such route: GET /api/v1/openapi.json describes the API",
            Self::WrongMethod => "method not allowed: the Allow header lists the methods of this route",
            Self::Malformed => "the request can't be read",
            Self::TooLarge => "the body exceeds the size limit of this route",
            Self::TooSlow => "the request took too long: retry",
            Self::UnusableKey => "Idempotency-Key must be 1 to 128 visible ASCII characters",
            Self::KeyReused => {
                "this Idempotency-Key was used for a different request within the last 24 hours: use a new one"
            }
            Self::Stopping => "the daemon is shutting down: retry",
            Self::Internal => "internal error: the daemon's log has the cause",
        };
        fixed.into()
    }

    /// Returns the time to wait in seconds, if waiting helps.
    fn retry_after(&self) -> Option<u64> {
        if let Self::RateLimited(wait) = self {
            return Some(wait.as_secs() + 1);
        }
        (self.kind().status() == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_SECONDS)
    }

    /// Returns the problem details as JSON.
    pub(super) fn to_value(&self) -> Value {
        let kind = self.kind();
        let (title, status, detail) = (kind.title(), self.code(), self.detail().into_owned());
        serde_json::to_value(ProblemDetails { kind, title, status, detail }).unwrap_or_default()
    }

    /// Returns the status as a number.
    pub(super) const fn code(&self) -> u16 {
        self.kind().status().as_u16()
    }

    /// Returns the response with `details`: those of this problem, with or without members of the route's own.
    pub(super) fn respond_with(&self, details: Value) -> Response {
        let status = self.kind().status();
        let mut response = (status, axum::Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond_with(self.to_value())
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
