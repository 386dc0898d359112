//! What the errors of the SDK and of Graph say about a call's effect.

use azure_core::error::ErrorKind;
use serde::Deserialize;
use time::Duration;

use crate::ports::PortError;

/// An error body of Key Vault or Graph: `{"error": {"code", "innererror" | "innerError": {"code"}}}`.
#[derive(Debug, Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: ErrorDetail,
}

#[derive(Debug, Default, Deserialize)]
struct ErrorDetail {
    #[serde(default)]
    code: Option<String>,
    #[serde(default, alias = "innererror", rename = "innerError")]
    inner: Option<Box<ErrorDetail>>,
}

/// The innermost code of an error body: the one that tells most. Without one: a dash.
pub(super) fn innermost_code(body: &[u8]) -> String {
    let mut detail = serde_json::from_slice::<ErrorBody>(body).unwrap_or_default().error;
    let mut code = None;
    loop {
        code = detail.code.take().or(code);
        match detail.inner.take() {
            Some(inner) => detail = *inner,
            None => return code.unwrap_or_else(|| NO_CODE.to_owned()),
        }
    }
}

/// Stands where an error has no code.
pub(super) const NO_CODE: &str = "-";

/// A status that says no.
///
/// A server's error, or a gateway that gave up waiting, may come after the effect: for a write the outcome is
/// unknown then.
pub(super) fn refusal(
    operation: &'static str,
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
) -> PortError {
    let code = innermost_code(body);
    if status >= 500 || matches!(status, 408 | 499) {
        let source = format!("status {status} ({code})").into();
        return PortError::OutcomeUnknown { operation, source };
    }
    PortError::Refused { operation, status, code, retry_after }
}

/// What an error of the SDK means.
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
        // Without a connection, or without a token, the request itself never left.
        ErrorKind::Connection | ErrorKind::Credential => {
            PortError::NotSent { operation, source: Box::new(error) }
        }
        ErrorKind::Io | ErrorKind::DataConversion | ErrorKind::Other => {
            PortError::OutcomeUnknown { operation, source: Box::new(error) }
        }
    }
}

/// What an error of the HTTP client means.
pub(super) fn from_http(operation: &'static str, error: reqwest::Error) -> PortError {
    // The address of a request may hold identifiers, but never a secret; it is left out to keep the line short.
    let error = error.without_url();
    if error.is_connect() || error.is_builder() {
        PortError::NotSent { operation, source: Box::new(error) }
    } else {
        PortError::OutcomeUnknown { operation, source: Box::new(error) }
    }
}

/// `Retry-After` in seconds. The form with a date is not used by these services.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(|seconds: u32| Duration::seconds(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_code_is_found_in_either_spelling_and_with_escapes() {
        let bodies = [
            r#"{"error":{"code":"Forbidden","message":"a\r\nb","innererror":{"code":"SecretDisabled"}}}"#,
            r#"{"error":{"code":"X","innerError":{"code":"SecretDisabled","date":"2026"}}}"#,
            r#"{"error":{"code":"SecretDisabled","innerError":{"request-id":"1"}}}"#,
        ];
        assert!(bodies.iter().all(|body| innermost_code(body.as_bytes()) == "SecretDisabled"));
        assert_eq!(innermost_code(b"<html>"), "-");
    }

    #[test]
    fn a_server_s_error_leaves_the_outcome_open_and_a_refusal_does_not() {
        assert!([408, 500, 503].iter().all(|status| !refusal("put", *status, b"", None).had_no_effect()));
        assert!(refusal("put", 429, b"", None).had_no_effect());
    }
}
