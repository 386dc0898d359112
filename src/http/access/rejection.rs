//! Why somebody is not let in: a bounded list, the same in answers, logs and metrics. Never any part of a token.

use axum::http::StatusCode;

use crate::metrics::Metrics;

/// Why a request is refused, or can't be judged now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthRejection {
    /// Nobody may come in here, by the configuration.
    Closed,
    /// There is no token, or no key.
    Missing,
    /// The token is of no form that could be right.
    Malformed,
    /// The token is signed in another way than RS256, or not at all.
    WrongAlgorithm,
    /// The issuer has no key of that name.
    UnknownKey,
    /// The signature is not the key's.
    BadSignature,
    /// Another issuer's.
    WrongIssuer,
    /// For somebody else.
    WrongAudience,
    /// Of another tenant.
    WrongTenant,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// No such token or key is known.
    Unknown,
    /// A good token of somebody else than Event Grid.
    WrongClient,
    /// A good token without a role that counts here.
    NoRole,
    /// The role is too low for this route.
    RoleTooLow,
    /// No subscription or topic of the configuration.
    UnknownSubscription,
    /// No origin of the configuration.
    UnknownOrigin,
    /// Too many requests.
    RateLimited,
    /// The keys can't be read now, or our clock is wrong: that speaks against nobody.
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

    /// Shows that nobody was refused yet.
    pub(super) fn declare(endpoint: &str, metrics: &Metrics) {
        for reason in Self::ALL {
            metrics.refused_requests_total.with_label_values(&[endpoint, reason.label()]);
        }
    }

    /// Its name in logs and metrics.
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

    /// The HTTP status. Event Grid drops an event for ever after a 401 or 403, so only what speaks against the caller is
    /// one of these (contract C.3).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Closed
            | Self::Missing
            | Self::Malformed
            | Self::WrongAlgorithm
            | Self::UnknownKey
            | Self::BadSignature
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::WrongTenant
            | Self::Expired
            | Self::NotYetValid
            | Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::WrongClient
            | Self::NoRole
            | Self::RoleTooLow
            | Self::UnknownSubscription
            | Self::UnknownOrigin => StatusCode::FORBIDDEN,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::CannotJudge => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What it means and what to do.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Closed => {
                "this is closed: set api.token_file, api.tokens or api.audience (webhook.key_files or webhook.audience for events) in the configuration"
            }
            Self::Missing => "send a token: Authorization: Bearer TOKEN (the webhook takes a key as well)",
            Self::Malformed => "this is no token that is taken here",
            Self::WrongAlgorithm => "the token is not signed with RS256",
            Self::UnknownKey => "the token's signing key is not one of its issuer's",
            Self::BadSignature => "the token's signature is wrong",
            Self::WrongIssuer => "the token is not of the configured tenant's issuer",
            Self::WrongAudience => "the token is for somebody else: ask for one for the configured audience",
            Self::WrongTenant => "the token is of another tenant",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::Unknown => "this token, or key, is not known",
            Self::WrongClient => "the token is not Event Grid's",
            Self::NoRole => {
                "the token carries no role that counts here: assign the app role Rekeyd.Reader or Rekeyd.Operator (for events, webhook.role)"
            }
            Self::RoleTooLow => "this needs the role Rekeyd.Operator",
            Self::UnknownSubscription => {
                "neither this subscription nor its topic is agreed to: add it to webhook.subscriptions and, if that is set, webhook.topics"
            }
            Self::UnknownOrigin => "this origin is not agreed to: add it to webhook.origins",
            Self::RateLimited => "too many requests: ask again later",
            Self::CannotJudge => "tokens can't be checked at the moment: try again",
        }
    }
}
