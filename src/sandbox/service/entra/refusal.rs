//! Entra's errors, as Entra words them.

use axum::http::StatusCode;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use uuid::Uuid;

use crate::ports::Clock;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::service::azure::Azure;

/// An error of Entra.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    code: u32,
    message: String,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        error: &'static str,
        code: u32,
        message: impl Into<String>,
    ) -> Self {
        Self { status, error, code, message: message.into() }
    }

    /// Returns the error for a client that did not prove its identity.
    pub(super) fn invalid_client(code: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", code, message)
    }

    /// Returns the error for a missing parameter.
    pub(super) fn missing(parameter: &str) -> Self {
        let message = format!("The request body must contain the following parameter: '{parameter}'.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", 900_144, message)
    }

    /// Converts the error to a response. `client-request-id` comes back as the correlation id.
    pub(super) fn into_response(self, azure: &Azure, request: &Request) -> Response {
        let correlation = request.header("client-request-id").and_then(|id| Uuid::try_parse(id).ok());
        let body = self.body(azure.clock.now(), correlation.unwrap_or_else(Uuid::new_v4));
        Response::json(self.status, body)
    }

    pub(super) fn error(&self) -> &'static str {
        self.error
    }

    /// Returns the text as in `error_description`, without the ids.
    pub(super) fn description(&self) -> String {
        format!("AADSTS{}: {}", self.code, self.message)
    }

    fn body(&self, now: OffsetDateTime, correlation: Uuid) -> Value {
        let (trace, timestamp) = (Uuid::new_v4(), now.format(TIMESTAMP).unwrap_or_default());
        let description = format!(
            "{}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}",
            self.description()
        );
        json!({
            "error": self.error, "error_description": description, "error_codes": [self.code],
            "timestamp": timestamp, "trace_id": trace, "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        })
    }
}

/// Returns Entra's error when it is overloaded: the tenant is throttled (429), or Entra's own budget is spent (503).
pub(crate) fn unavailable(status: StatusCode, now: OffsetDateTime) -> Value {
    let (code, message) = if status == StatusCode::TOO_MANY_REQUESTS {
        (90_055, "There are too many incoming requests. Please try again later.")
    } else {
        (90_024, "A transient error has occurred: the request budget is exceeded. Please try again later.")
    };
    Refusal::new(status, "temporarily_unavailable", code, message).body(now, Uuid::new_v4())
}

const TIMESTAMP: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
