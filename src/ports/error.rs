//! What is known of a call that gave no usable answer.

use std::error::Error;

use time::Duration;

use super::RefusalKind;

type BoxError = Box<dyn Error + Send + Sync>;

/// A call that failed, by what is known of its effect. The caller has to choose.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The request never left: safe to send again.
    #[error("{operation}: not sent")]
    NotSent {
        /// What was to be done.
        operation: &'static str,
        /// What stopped it.
        #[source]
        source: BoxError,
    },
    /// The identity got no token, so that the request never left: safe to send again.
    #[error("{operation}: not sent")]
    NoToken {
        /// What was to be done.
        operation: &'static str,
        /// What stopped it.
        #[source]
        source: BoxError,
    },
    /// The service refused: nothing happened.
    #[error("{operation}: refused with status {status} ({code})")]
    Refused {
        /// What was to be done.
        operation: &'static str,
        /// The cause, as far as callers tell causes apart.
        kind: RefusalKind,
        /// The HTTP status. For logs only.
        status: u16,
        /// The service's own code, the innermost one it gave. For logs and people only.
        code: String,
        /// The beginning of the service's own message, in one line. Empty if there is none.
        message: String,
        /// How long the service asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer came, or none that says what happened. Look before anything else.
    #[error("{operation}: outcome unknown")]
    OutcomeUnknown {
        /// What was to be done.
        operation: &'static str,
        /// What came in the place of an answer.
        #[source]
        source: BoxError,
    },
}

impl PortError {
    /// Returns the error for a request that never left.
    #[must_use]
    pub fn not_sent(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::NotSent { operation, source: source.into() }
    }

    /// Returns the error for a request whose effect is not known.
    #[must_use]
    pub fn outcome_unknown(operation: &'static str, source: impl Into<BoxError>) -> Self {
        Self::OutcomeUnknown { operation, source: source.into() }
    }

    /// Whether it is certain that nothing happened.
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

    /// The service's own code, if it refused.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// The HTTP status, if there was an answer that says no.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// Whether the same call may succeed a little later, without anybody doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => true,
            Self::Refused { kind, .. } => matches!(kind, RefusalKind::Throttled),
        }
    }

    /// How long the service asks to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::NotSent { .. } | Self::NoToken { .. } | Self::OutcomeUnknown { .. } => None,
        }
    }

    /// Its kind in logs and metrics.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotSent { .. } | Self::NoToken { .. } => "not_sent",
            Self::Refused { .. } => "refused",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
        }
    }
}

/// An error with everything that caused it, in one line.
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
