//! Responses that several routes have in common, for the description of the API only.
#![expect(dead_code, reason = "for the description of the API only")]

use utoipa::IntoResponses;

use super::problem::ProblemDetails;
use super::view::OperationView;

/// Responses of any route of the API.
#[derive(IntoResponses)]
pub(super) enum CommonResponses {
    /// There is no token, or it is not valid.
    #[response(status = 401, content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String, description = "The authentication scheme: `Bearer`.")))]
    Unauthorized(ProblemDetails),
    /// The token is valid and lacks the role that the route requires.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemDetails),
    /// The caller exceeds its rate limit.
    #[response(status = 429, content_type = "application/problem+json",
        headers(("Retry-After" = u64, description = "Seconds to wait.")))]
    RateLimited(ProblemDetails),
    /// A bug in the daemon.
    #[response(status = 500, content_type = "application/problem+json")]
    Internal(ProblemDetails),
    /// The daemon can't verify tokens, is shutting down, is overloaded, or took too long.
    #[response(status = 503, content_type = "application/problem+json",
        headers(("Retry-After" = u64, description = "Seconds to wait.")))]
    Unavailable(ProblemDetails),
}

/// Responses of a route that reads one secret or one operation.
#[derive(IntoResponses)]
pub(super) enum LookupResponses {
    /// The path is not valid.
    #[response(status = 400, content_type = "application/problem+json")]
    InvalidPath(ProblemDetails),
    /// It is not managed, or not known.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemDetails),
}

/// Responses of a command.
#[derive(IntoResponses)]
pub(super) enum CommandResponses {
    /// The command is accepted.
    #[response(status = 202,
        headers(("Location" = String, description = "The path of the operation, which shows what became of the command.")))]
    Accepted(OperationView),
    /// The path, the body or the idempotency key is not valid.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemDetails),
    /// The secret is not managed, or it is a replica.
    #[response(status = 404, content_type = "application/problem+json")]
    NotManaged(ProblemDetails),
    /// The body exceeds 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDetails),
    /// The body has an unknown member, or the idempotency key was used for a different request.
    #[response(status = 422, content_type = "application/problem+json")]
    InvalidBody(ProblemDetails),
}
