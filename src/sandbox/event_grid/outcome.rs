//! The outcome of a delivery, with Event Grid's name for it.

use reqwest::{Response, StatusCode};

/// The outcome of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    /// A response with this status, which is not retried.
    Refused(u16),
    /// A response with this status, which is retried.
    Failed(u16),
    /// No response in time.
    TimedOut,
    /// The connection failed or broke off.
    Unreachable,
}

impl Outcome {
    /// Classifies a response. Only 200 to 204 are successful; `final_codes` are never retried.
    pub(super) fn of(sent: Result<Response, reqwest::Error>, final_codes: &[u16]) -> Self {
        match sent.map(|response| response.status().as_u16()) {
            Ok(200..=204) => Self::Delivered,
            Ok(status) if final_codes.contains(&status) => Self::Refused(status),
            Ok(status) => Self::Failed(status),
            Err(error) if error.is_timeout() => Self::TimedOut,
            Err(error) => {
                tracing::debug!(error = %error.without_url(), "subscriber not reachable");
                Self::Unreachable
            }
        }
    }

    /// Returns the name as in `lastDeliveryOutcome`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Delivered => "Delivered".to_owned(),
            Self::TimedOut | Self::Failed(408) => "TimedOut".to_owned(),
            Self::Unreachable => "SocketError".to_owned(),
            Self::Failed(429 | 503) => "Busy".to_owned(),
            Self::Refused(413) | Self::Failed(413) => "PayloadTooLarge".to_owned(),
            Self::Refused(status) | Self::Failed(status) => {
                let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
                reason.map_or_else(|| format!("Http{status}"), |reason| reason.replace(' ', ""))
            }
        }
    }

    /// Returns the status, if there was a response.
    pub(super) fn status(self) -> Option<u16> {
        match self {
            Self::Refused(status) | Self::Failed(status) => Some(status),
            Self::Delivered | Self::TimedOut | Self::Unreachable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_event_grid_s_names() {
        let named = [
            (400, "BadRequest"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "NotFound"),
            (408, "TimedOut"),
            (413, "PayloadTooLarge"),
            (503, "Busy"),
        ];
        for (status, name) in named {
            assert_eq!(Outcome::Failed(status).name(), name);
        }
    }
}
