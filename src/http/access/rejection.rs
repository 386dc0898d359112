//! Reasons to refuse a request: a bounded list, for responses, logs and metrics. Never any part of a token.

use crate::http::ProblemType;
use crate::metrics::Metrics;

/// The reason why a request is refused, or can't be judged now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthRejection {
    /// Authentication is not configured, so that all requests are refused.
    Closed,
    /// There is no token, or no key.
    Missing,
    /// The token is malformed.
    Malformed,
    /// The token is signed in another way than RS256, or not at all.
    WrongAlgorithm,
    /// The issuer has no key of that name.
    UnknownKey,
    /// The signature is not the key's.
    BadSignature,
    /// The token is another issuer's.
    WrongIssuer,
    /// The token is for another audience.
    WrongAudience,
    /// The token is of another tenant.
    WrongTenant,
    /// The token has expired.
    Expired,
    /// The token is not valid yet.
    NotYetValid,
    /// No such token or key is known.
    Unknown,
    /// A valid token of another client than Event Grid.
    WrongClient,
    /// A valid token without a role that counts here.
    NoRole,
    /// The role is too low for this route.
    RoleTooLow,
    /// The subscription or its topic is not configured.
    UnknownSubscription,
    /// The origin is not configured.
    UnknownOrigin,
    /// Too many requests.
    RateLimited,
    /// The keys can't be read now, or our clock is wrong: not the caller's fault.
    CannotJudge,
}

impl AuthRejection {
    /// Every reason.
    pub const ALL: [Self; 19] = [
        Self::Closed,
        Self::Missing,
        Self::Malformed,
        Self::WrongAlgorithm,
        Self::UnknownKey,
        Self::BadSignature,
        Self::WrongIssuer,
        Self::WrongAudience,
        Self::WrongTenant,
        Self::Expired,
        Self::NotYetValid,
        Self::Unknown,
        Self::WrongClient,
        Self::NoRole,
        Self::RoleTooLow,
        Self::UnknownSubscription,
        Self::UnknownOrigin,
        Self::RateLimited,
        Self::CannotJudge,
    ];

    /// Initializes the metrics of `endpoint` at zero for every reason.
    pub(super) fn declare(endpoint: &str, metrics: &Metrics) {
        for reason in Self::ALL {
            metrics.refused_requests_total.with_label_values(&[endpoint, reason.label()]);
        }
    }

    /// Returns the reason's name in logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongTenant => "wrong_tenant",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Unknown => "unknown",
            Self::WrongClient => "wrong_client",
            Self::NoRole => "no_role",
            Self::RoleTooLow => "role_too_low",
            Self::UnknownSubscription => "unknown_subscription",
            Self::UnknownOrigin => "unknown_origin",
            Self::RateLimited => "rate_limited",
            Self::CannotJudge => "cannot_judge",
        }
    }

    /// Returns the type of the problem, which has the HTTP status. Event Grid drops an event permanently after a 401 or
    /// 403, so only the caller's own faults get one of these (contract C.3).
    pub(in crate::http) const fn problem_type(self) -> ProblemType {
        match self {
            Self::Closed => ProblemType::AuthenticationNotConfigured,
            Self::Missing
            | Self::Malformed
            | Self::WrongAlgorithm
            | Self::UnknownKey
            | Self::BadSignature
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::WrongTenant
            | Self::Expired
            | Self::NotYetValid
            | Self::Unknown => ProblemType::Unauthenticated,
            Self::NoRole | Self::RoleTooLow => ProblemType::MissingRole,
            Self::WrongClient | Self::UnknownSubscription | Self::UnknownOrigin => {
                ProblemType::SubscriptionNotAllowed
            }
            Self::RateLimited => ProblemType::RateLimited,
            Self::CannotJudge => ProblemType::TokensNotVerifiable,
        }
    }

    /// Returns the cause and the fix.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Closed => {
                "authentication is not configured: set api.token_file, api.tokens or api.audience (for events, webhook.key_files or webhook.audience)"
            }
            Self::Missing => {
                "a token is required: send Authorization: Bearer TOKEN (the webhook accepts a key as well)"
            }
            Self::Malformed => "the token is malformed",
            Self::WrongAlgorithm => "the token is not signed with RS256",
            Self::UnknownKey => "the token's signing key does not belong to its issuer",
            Self::BadSignature => "the token's signature is not valid",
            Self::WrongIssuer => "the token was not issued by the configured tenant",
            Self::WrongAudience => {
                "the token is for another audience: request one for the configured audience"
            }
            Self::WrongTenant => "the token belongs to another tenant",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::Unknown => "the token or key is not known",
            Self::WrongClient => "the token was not issued to Event Grid",
            Self::NoRole => {
                "the token has no accepted role: assign the app role Rekeyd.Reader or Rekeyd.Operator (for events, webhook.role)"
            }
            Self::RoleTooLow => "the role Rekeyd.Operator is required",
            Self::UnknownSubscription => {
                "the subscription or its topic is not allowed: add it to webhook.subscriptions and, if that is set, webhook.topics"
            }
            Self::UnknownOrigin => "the origin is not allowed: add it to webhook.origins",
            Self::RateLimited => "too many requests: retry after the seconds in Retry-After",
            Self::CannotJudge => "tokens can't be verified at the moment: retry",
        }
    }
}
