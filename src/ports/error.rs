//! Errors of the ports, by the known effect of the call.

use std::error::Error;

use time::Duration;

use super::RefusalKind;

type BoxError = Box<dyn Error + Send + Sync>;

/// A failed call, by its known effect. The caller has to handle each case.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The request was not sent: it is safe to send it again.
    #[error("{operation}: not sent")]
    NotSent {
        /// The operation.
        operation: &'static str,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The identity got no token, so the request was not sent: it is safe to send it again.
    #[error("{operation}: not sent")]
    NoToken {
        /// The operation.
        operation: &'static str,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The service refused: the call had no effect.
    #[error("{operation}: refused with status {status} ({code})")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The cause, as far as callers distinguish causes.
        kind: RefusalKind,
        /// The HTTP status. For logs only.
        status: u16,
        /// The service's own code, the innermost one it gave. For logs and people only.
        code: String,
        /// The beginning of the service's own message, in one line. Empty if there is none.
        message: String,
        /// The wait that the service asks for.
        retry_after: Option<Duration>,
    },
    /// No answer came, or none that shows the effect. Read the current state before doing anything else.
    #[error("{operation}: outcome unknown")]
    OutcomeUnknown {
        /// The operation.
        operation: &'static str,
        /// The cause: the result in place of a usable answer.
        #[source]
        source: BoxError,
    },
}

impl PortError {
    /// Returns the error for a request that was not sent.
    #[must_use]
    pub fn not_sent(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::NotSent { operation, source: source.into() }
    }

    /// Returns the error for a request whose effect is unknown.
    #[must_use]
    pub fn outcome_unknown(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::OutcomeUnknown { operation, source: source.into() }
    }

    /// Returns true if the call certainly had no effect.
    #[must_use]
    pub const fn had_no_effect(&self) -> bool {
        match self {
            Self::NotSent { .. } | Self::NoToken { .. } | Self::Refused { .. } => true,
            Self::OutcomeUnknown { .. } => false,
        }
    }

    /// Returns the cause of a refusal; `None` if the service did not refuse.
    #[must_use]
    pub const fn refusal(&self) -> Option<RefusalKind> {
        match self {
            Self::Refused { kind, .. } => Some(*kind),
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// Returns the service's own code, if it refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// Returns the HTTP status, if the service refused.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// Returns true if the same call may succeed a little later without anyone doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => true,
            Self::Refused { kind, .. } => matches!(kind, RefusalKind::Throttled),
        }
    }

    /// Returns the wait that the service asks for.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// Returns the label of this kind of error in logs and metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotSent { .. } | Self::NoToken { .. } => "not_sent",
            Self::Refused { .. } => "refused",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }
}

/// Formats an error and all its causes in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
