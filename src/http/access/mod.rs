//! Access control: Entra tokens and tokens known by their hash for the API, keys and Event Grid's tokens for the
//! webhook. Applies on loopback too, because every local user can reach it.

mod api;
mod jwt_header;
mod key_cache;
mod limits;
mod rejection;
mod tokens;
mod webhook;

pub use api::{ApiAuth, Caller};
pub(super) use api::{require_operator, require_reader};
pub use key_cache::KeyCache;
pub use limits::RateLimits;
pub use rejection::AuthRejection;
pub use tokens::TokenRules;
pub use webhook::WebhookAuth;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// Returns the token of `Authorization: Bearer TOKEN`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
