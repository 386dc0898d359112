//! The types of problems: what `type`, `title` and `status` of an error are. The manual lists each with its fix.

use axum::http::StatusCode;

use crate::domain::serialize_as_label;

macro_rules! problem_types {
    ($($(#[$doc:meta])+ $variant:ident = $status:ident, $urn:literal, $title:literal;)+) => {
        /// A type of problem, as defined by RFC 9457.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemType { $($(#[$doc])+ $variant,)+ }

        impl ProblemType {
            /// Every type, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the URI of the type: `urn:rekeyd:problem:` and the name.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:rekeyd:problem:", $urn),)+ }
            }

            /// Returns the status of responses with this type.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// Returns the summary, which is the same for every problem of this type.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

problem_types! {
    /// The path of the URL can't be decoded.
    InvalidPath = BAD_REQUEST, "invalid-path", "Invalid path";
    /// A query parameter is malformed or out of range.
    InvalidQuery = BAD_REQUEST, "invalid-query", "Invalid query";
    /// The body is not JSON.
    InvalidJson = BAD_REQUEST, "invalid-json", "Body is not JSON";
    /// The `Idempotency-Key` is empty, too long or not ASCII.
    InvalidIdempotencyKey = BAD_REQUEST, "invalid-idempotency-key", "Invalid idempotency key";
    /// The request can't be read for another reason.
    MalformedRequest = BAD_REQUEST, "malformed-request", "Malformed request";
    /// No authentication is configured, so that every request is refused.
    AuthenticationNotConfigured = UNAUTHORIZED, "authentication-not-configured", "Authentication is not configured";
    /// There is no token, or it is not valid.
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "Not authenticated";
    /// The token is valid and lacks the role that the route requires.
    MissingRole = FORBIDDEN, "missing-role", "Missing role";
    /// The webhook does not accept this client, subscription, topic or origin.
    SubscriptionNotAllowed = FORBIDDEN, "subscription-not-allowed", "Subscription not allowed";
    /// No such secret is managed.
    NotManaged = NOT_FOUND, "not-managed", "Secret not managed";
    /// The secret is a replica, which follows its primary.
    IsAReplica = NOT_FOUND, "is-a-replica", "Secret is a replica";
    /// No operation with this id is known.
    UnknownOperation = NOT_FOUND, "unknown-operation", "Unknown operation";
    /// There is no such route.
    UnknownRoute = NOT_FOUND, "unknown-route", "Unknown route";
    /// The route does not support this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed";
    /// The body exceeds the size limit.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "Body too large";
    /// The body has an unknown member or a value of the wrong type.
    InvalidBody = UNPROCESSABLE_ENTITY, "invalid-body", "Invalid body";
    /// The `Idempotency-Key` was used for a different request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused";
    /// The caller exceeds its rate limit.
    RateLimited = TOO_MANY_REQUESTS, "rate-limited", "Rate limited";
    /// A panic, or metrics that can't be rendered.
    InternalError = INTERNAL_SERVER_ERROR, "internal-error", "Internal error";
    /// Tokens can't be verified at the moment.
    TokensNotVerifiable = SERVICE_UNAVAILABLE, "tokens-not-verifiable", "Tokens can't be verified";
    /// There are too many concurrent requests or event streams.
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Too many concurrent requests";
    /// The request took too long.
    RequestTimeout = SERVICE_UNAVAILABLE, "request-timeout", "Request timed out";
    /// The daemon has not reached every service yet, or is shutting down.
    NotReady = SERVICE_UNAVAILABLE, "not-ready", "Not ready";
    /// The daemon is shutting down.
    ShuttingDown = SERVICE_UNAVAILABLE, "shutting-down", "Shutting down";
}

serialize_as_label! { ProblemType }
