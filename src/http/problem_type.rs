//! The types of problems: `type`, `title` and `status` of an error, with the fix that the manual lists.

use axum::http::StatusCode;

use crate::domain::serialize_as_label;

macro_rules! problem_types {
    ($($variant:ident = $status:ident, $name:literal, $title:literal, $meaning:literal, $fix:literal;)+) => {
        /// A type of problem, as defined by RFC 9457.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ProblemType { $(#[doc = $meaning] $variant,)+ }

        impl ProblemType {
            /// Every type, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the URI of the type: `urn:rekeyd:problem:` and the name.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => concat!("urn:rekeyd:problem:", $name),)+ }
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

            /// Returns the meaning, for the manual.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }

            /// Returns the instruction for the caller or the operator, for the manual.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)+ }
            }
        }
    };
}

problem_types! {
    InvalidPath = BAD_REQUEST, "invalid-path", "Invalid path",
        "The path of the URL can't be decoded.", "Percent-encode the path as UTF-8.";
    InvalidQuery = BAD_REQUEST, "invalid-query", "Invalid query",
        "A query parameter is malformed, out of range or given twice.", "Correct the parameter that `detail` names.";
    InvalidJson = BAD_REQUEST, "invalid-json", "Body is not JSON",
        "The body is not JSON.", "Send JSON, or no body.";
    InvalidIdempotencyKey = BAD_REQUEST, "invalid-idempotency-key", "Invalid idempotency key",
        "The `Idempotency-Key` is empty, too long or has other characters than visible ASCII.",
        "Use 1 to 128 visible ASCII characters, for example a UUID.";
    MalformedRequest = BAD_REQUEST, "malformed-request", "Malformed request",
        "The request can't be read for another reason.", "Check that the client and proxies send it completely.";
    AuthenticationNotConfigured = UNAUTHORIZED, "authentication-not-configured", "Authentication is not configured",
        "The daemon has no authentication configured, so that it refuses every request.",
        "Set the keys that `detail` names, and restart the daemon.";
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "Not authenticated",
        "There is no token or key, or it is not valid. `detail` has the reason.", "Send a valid token, or request a new one.";
    MissingRole = FORBIDDEN, "missing-role", "Missing role",
        "The token is valid and lacks the role that the route requires.",
        "Assign the app role, or `role` of the token in `[[api.tokens]]`.";
    SubscriptionNotAllowed = FORBIDDEN, "subscription-not-allowed", "Subscription not allowed",
        "The webhook does not accept this client, subscription, topic or origin.",
        "Add it to the key of `[webhook]` that `detail` names.";
    NotManaged = NOT_FOUND, "not-managed", "Secret not managed",
        "rekeyd does not manage a secret of this name.",
        "Correct the name. `GET /api/v1/secrets` lists the managed secrets, and `rekeyd inventory` all others.";
    IsAReplica = NOT_FOUND, "is-a-replica", "Secret is a replica",
        "The secret is a replica, which follows its primary.", "Use the primary, which `detail` names.";
    UnknownOperation = NOT_FOUND, "unknown-operation", "Unknown operation",
        "The daemon knows no operation with this id: it keeps the latest 10,000, until it restarts.",
        "Read the status of the secret, and run the command again if it had no effect.";
    UnknownRoute = NOT_FOUND, "unknown-route", "Unknown route",
        "There is no such route.", "Correct the path. With `health.listen`, health and metrics have a port of their own.";
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed",
        "The route does not support this method.", "Use a method that the header `Allow` lists.";
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "Body too large",
        "The body exceeds 64 KiB (commands) or 2 MiB (events).", "Send less.";
    InvalidBody = UNPROCESSABLE_ENTITY, "invalid-body", "Invalid body",
        "The body is JSON with an unknown member or a value of the wrong type.", "Correct the member that `detail` names.";
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency key reused",
        "The `Idempotency-Key` was used for a different request within the last 24 hours.", "Use a new key.";
    RateLimited = TOO_MANY_REQUESTS, "rate-limited", "Rate limited",
        "The caller exceeds `api.requests_per_minute`.", "Wait for the seconds in `Retry-After`.";
    InternalError = INTERNAL_SERVER_ERROR, "internal-error", "Internal error",
        "The daemon has a bug.", "Report it with the daemon's log.";
    TokensNotVerifiable = SERVICE_UNAVAILABLE, "tokens-not-verifiable", "Tokens can't be verified",
        "The daemon can't read Entra's signing keys, or its clock is wrong.",
        "Retry after `Retry-After`. If it persists, check the daemon's network and clock with `rekeyd doctor`.";
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "Too many concurrent requests",
        "There are more concurrent requests than `api.max_concurrent`, or more than 64 event streams.",
        "Retry after `Retry-After`.";
    RequestTimeout = SERVICE_UNAVAILABLE, "request-timeout", "Request timed out",
        "The request took more than 20 seconds, most likely to send its body.", "Retry.";
    NotReady = SERVICE_UNAVAILABLE, "not-ready", "Not ready",
        "Graph or a vault has not answered yet (`/readyz` only). The member `awaited` lists them.",
        "Wait. If it persists, run `rekeyd doctor`.";
    ShuttingDown = SERVICE_UNAVAILABLE, "shutting-down", "Shutting down",
        "The daemon is shutting down.", "Retry after `Retry-After`.";
}

serialize_as_label! { ProblemType }
