//! The mapping of errors from the SDK and from Graph to the known effect of a call.

use azure_core::error::ErrorKind;
use serde::Deserialize;
use serde_json::Value;
use time::Duration;

use crate::ports::{PortError, RefusalKind};

/// An error body of Key Vault or Graph: `{"error": {"code", "message", "innererror" | "innerError": {"code"}}}`.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorDetail,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<Value>,
    #[serde(default, alias = "innererror", rename = "innerError")]
    inner: Option<Box<ErrorDetail>>,
}

impl ErrorBody {
    fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Returns the innermost code, which is the most specific one, or a dash if there is none.
    fn innermost_code(&self) -> &str {
        let mut code = None;
        let mut detail = Some(&self.error);
        while let Some(current) = detail {
            code = current.code.as_deref().or(code);
            detail = current.inner.as_deref();
        }
        code.unwrap_or(NO_CODE)
    }

    /// Returns the beginning of the message, without control characters.
    fn message(&self) -> String {
        let message = self.error.message.as_ref().and_then(Value::as_str).unwrap_or_default();
        message.chars().filter(|character| !character.is_control()).take(MAX_MESSAGE).collect()
    }
}

/// The code of an error that has none.
pub(super) const NO_CODE: &str = "-";

/// The number of characters that are kept of a service's message.
const MAX_MESSAGE: usize = 300;

/// Returns the error for an answer with an error status.
///
/// A server error, or a gateway that gave up waiting, may come after the effect: for a write the outcome is then
/// unknown.
pub(super) fn refusal(
    operation: &'static str,
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
) -> PortError {
    let body = ErrorBody::parse(body);
    let code = body.innermost_code();
    if status >= 500 || matches!(status, 408 | 499) {
        let source = format!("status {status} ({code})").into();
        return PortError::OutcomeUnknown { operation, source };
    }
    let (kind, code) = (kind_of(status, code), code.to_owned());
    PortError::Refused { operation, kind, status, code, message: body.message(), retry_after }
}

/// Returns a refusal with this status and code, for adapters and simulations that read no error body.
#[must_use]
pub fn refused(operation: &'static str, status: u16, code: impl Into<String>) -> PortError {
    let code = code.into();
    let kind = kind_of(status, &code);
    PortError::Refused { operation, kind, status, code, message: String::new(), retry_after: None }
}

/// Returns the kind of a refusal. This is the only place that interprets the services' codes for callers.
fn kind_of(status: u16, code: &str) -> RefusalKind {
    match (status, code) {
        (429, _) => RefusalKind::Throttled,
        (_, "ObjectIsDeletedButRecoverable") => RefusalKind::SecretDeleted,
        (_, "ObjectIsBeingDeleted" | "ObjectIsBeingRecovered") => RefusalKind::SecretInTransition,
        (_, "CredentialInvalidLifetimeAsPerAppPolicy") => RefusalKind::LifetimePolicy,
        (_, "CredentialTypeNotAllowedAsPerAppPolicy") => RefusalKind::PasswordsForbidden,
        (_, "Request_ResourceNotFound") => RefusalKind::ApplicationMissing,
        (_, "Directory_ResourceSizeExceeded") => RefusalKind::PasswordLimitReached,
        (401, _) => RefusalKind::Unauthenticated,
        (403, "AccessDenied") => RefusalKind::AccessPolicyMissing,
        (403, "ForbiddenByFirewall") => RefusalKind::FirewallBlocked,
        (403, "ForbiddenByConnection") => RefusalKind::PublicAccessDisabled,
        (403, _) => RefusalKind::Forbidden,
        _ => RefusalKind::Other,
    }
}

/// Returns the error for a change of a queue message, whose receipt is valid until the message is received again.
pub(super) fn from_queue_message(operation: &'static str, error: azure_core::Error) -> PortError {
    let mut error = from_sdk(operation, error);
    if let PortError::Refused { kind, status: 400 | 404, .. } = &mut error {
        *kind = RefusalKind::MessageLost;
    }
    error
}

/// Converts an error of the SDK.
pub(super) fn from_sdk(operation: &'static str, error: azure_core::Error) -> PortError {
    match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => {
            let body = raw_response.as_ref().map_or(&[][..], |raw| raw.body().as_ref());
            let wait = raw_response.as_ref().and_then(|raw| {
                raw.headers()
                    .get_optional_string(&azure_core::http::headers::HeaderName::from_static("retry-after"))
            });
            refusal(operation, u16::from(*status), body, wait.as_deref().and_then(retry_after))
        }
        // Without a connection or a token, the request itself was never sent.
        ErrorKind::Connection => PortError::NotSent { operation, source: Box::new(error) },
        ErrorKind::Credential => PortError::NoToken { operation, source: Box::new(error) },
        ErrorKind::Io | ErrorKind::DataConversion | ErrorKind::Other => {
            PortError::OutcomeUnknown { operation, source: Box::new(error) }
        }
    }
}

/// Converts an error of the HTTP client.
pub(super) fn from_http(operation: &'static str, error: reqwest::Error) -> PortError {
    // The URL of a request may contain identifiers, but never a secret; it is left out to keep the line short.
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        PortError::NotSent { operation, source: Box::new(error) }
    } else {
        PortError::OutcomeUnknown { operation, source: Box::new(error) }
    }
}

/// Parses `Retry-After` in seconds. These services do not use the form with a date.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(|seconds: u32| Duration::seconds(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The innermost error code is found under `innererror` or `innerError`, also in a body with escapes, and is `-`
    /// without one.
    #[test]
    fn innermost_error_code_is_found() {
        let bodies = [
            r#"{"error":{"code":"Forbidden","message":"a\r\nb","innererror":{"code":"SecretDisabled"}}}"#,
            r#"{"error":{"code":"X","innerError":{"code":"SecretDisabled","date":"2026"}}}"#,
            r#"{"error":{"code":"SecretDisabled","innerError":{"request-id":"1"}}}"#,
        ];
        assert!(bodies.iter().all(|body| code(body) == "SecretDisabled"));
        assert_eq!(code("<html>"), "-");
    }

    fn code(body: &str) -> String {
        ErrorBody::parse(body.as_bytes()).innermost_code().to_owned()
    }

    /// An error message loses its line breaks and is cut to 300 characters; a value that is not text gives an empty
    /// message.
    #[test]
    fn message_is_short_and_single_line() {
        assert_eq!(message(&"a\r\nb".into()).as_deref(), Some("ab"));
        assert_eq!(message(&"ü".repeat(301).into()), Some("ü".repeat(300)));
        assert_eq!(message(&Value::Null).as_deref(), Some(""));
        assert_eq!(message(&7.into()).as_deref(), Some(""));
    }

    fn message(given: &Value) -> Option<String> {
        let body = serde_json::json!({"error": {"code": "Forbidden", "message": given}}).to_string();
        match refusal("get secret", 403, body.as_bytes(), None) {
            PortError::Refused { message, .. } => Some(message),
            PortError::NotSent { .. } | PortError::NoToken { .. } | PortError::OutcomeUnknown { .. } => None,
        }
    }

    /// An error code decides the kind of a refusal over the status, except that status 429 always means throttled.
    #[test]
    fn code_outweighs_status_except_for_throttling() {
        for (status, code, kind) in [
            (429, "Directory_ResourceSizeExceeded", RefusalKind::Throttled),
            (403, "CredentialTypeNotAllowedAsPerAppPolicy", RefusalKind::PasswordsForbidden),
            (403, "AccessDenied", RefusalKind::AccessPolicyMissing),
            (401, "AccessDenied", RefusalKind::Unauthenticated),
            (403, NO_CODE, RefusalKind::Forbidden),
            (404, "Request_ResourceNotFound", RefusalKind::ApplicationMissing),
            (404, NO_CODE, RefusalKind::Other),
            (409, "ObjectIsBeingDeleted", RefusalKind::SecretInTransition),
        ] {
            assert_eq!(refused("test", status, code).refusal(), Some(kind), "{status} {code}");
        }
    }

    /// A server error or a timeout leaves open if the call took effect; a throttled call certainly had no effect.
    #[test]
    fn server_error_leaves_outcome_open() {
        assert!([408, 500, 503].iter().all(|status| !refusal("put", *status, b"", None).had_no_effect()));
        assert!(refusal("put", 429, b"", None).had_no_effect());
    }
}
