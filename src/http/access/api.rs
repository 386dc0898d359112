//! API access: tokens known by their hash, and Entra tokens with a role.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tracing::warn;

use super::{AuthRejection, RateLimits, TokenRules, bearer};
use crate::config::{ApiConfig, Role, StaticToken};
use crate::http::HttpState;
use crate::http::problem::Problem;
use crate::metrics::Metrics;

/// The authentication of the API's callers.
pub struct ApiAuth {
    tokens: Vec<StaticToken>,
    audience: Option<String>,
    rules: TokenRules,
    caller_limits: RateLimits<String>,
    unauthenticated_limits: RateLimits<Option<IpAddr>>,
    metrics: Arc<Metrics>,
}

/// The authenticated caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The caller's name in logs and the audit trail.
    pub name: String,
    /// The caller's role.
    pub role: Role,
}

impl ApiAuth {
    /// Makes the authentication that `config` describes.
    #[must_use]
    pub fn new(config: &ApiConfig, rules: TokenRules, metrics: Arc<Metrics>) -> Self {
        AuthRejection::declare("api", &metrics);
        Self {
            tokens: config.tokens.clone(),
            audience: config.audience.clone(),
            rules,
            caller_limits: RateLimits::new(config.requests_per_minute),
            unauthenticated_limits: RateLimits::new(config.requests_per_minute),
            metrics,
        }
    }

    /// Returns the caller.
    ///
    /// # Errors
    /// The request is not authenticated, for the returned reason.
    async fn caller(&self, headers: &HeaderMap) -> Result<Caller, AuthRejection> {
        if self.tokens.is_empty() && self.audience.is_none() {
            return Err(AuthRejection::Closed);
        }
        let given = bearer(headers).ok_or(AuthRejection::Missing)?;
        match (self.known(given), &self.audience) {
            (Some(caller), _) => Ok(caller),
            (None, Some(audience)) if given.contains('.') => self.entra_caller(given, audience).await,
            (None, _) => Err(AuthRejection::Unknown),
        }
    }

    /// Returns the caller whose token was given. Compares with every token, in a time that reveals nothing about any.
    fn known(&self, given: &str) -> Option<Caller> {
        let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        let matching: Vec<_> = self.tokens.iter().filter(|token| token.hash.ct_eq(&given).into()).collect();
        matching.first().map(|token| Caller { name: token.name.clone(), role: token.role })
    }

    async fn entra_caller(&self, token: &str, audience: &str) -> Result<Caller, AuthRejection> {
        let claims = self.rules.check(token, audience).await?;
        let role = Role::highest(&claims.roles).ok_or(AuthRejection::NoRole)?;
        Ok(Caller { name: claims.caller(), role })
    }

    /// Returns the caller if their role is at least `least`. Logs and counts requests that are refused.
    async fn admit(&self, headers: &HeaderMap, peer: Option<IpAddr>, least: Role) -> Result<Caller, Problem> {
        let caller = match self.caller(headers).await {
            Ok(caller) => caller,
            Err(rejection) => return Err(self.refused(rejection, None, peer)),
        };
        if let Err(wait) = self.caller_limits.check(&caller.name) {
            return Err(self.limited(wait, &caller.name));
        }
        if caller.role < least {
            return Err(self.refused(AuthRejection::RoleTooLow, Some(&caller.name), peer));
        }
        Ok(caller)
    }

    fn refused(&self, rejection: AuthRejection, caller: Option<&str>, peer: Option<IpAddr>) -> Problem {
        if let Err(wait) = self.unauthenticated_limits.check(&peer) {
            return self.limited(wait, "unauthenticated");
        }
        let peer = peer.map(|peer| peer.to_string());
        let (reason, detail) = (rejection.label(), rejection.text());
        warn!(endpoint = "api", reason, caller, peer, detail, "refused request");
        self.metrics.refused_requests_total.with_label_values(&["api", reason]).inc();
        Problem::Refused(rejection)
    }

    fn limited(&self, wait: Duration, caller: &str) -> Problem {
        let reason = AuthRejection::RateLimited.label();
        let detail = AuthRejection::RateLimited.text();
        tracing::debug!(endpoint = "api", reason, caller, detail, "refused request");
        self.metrics.refused_requests_total.with_label_values(&["api", reason]).inc();
        Problem::RateLimited(wait)
    }
}

impl fmt::Debug for ApiAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiAuth").field("audience", &self.audience).finish_non_exhaustive()
    }
}

pub(in crate::http) async fn require_reader(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    authorize(&state, request, next, Role::Reader).await
}

pub(in crate::http) async fn require_operator(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    authorize(&state, request, next, Role::Operator).await
}

async fn authorize(
    state: &HttpState,
    mut request: Request,
    next: Next,
    least: Role,
) -> Result<Response, Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let headers = request.headers().clone();
    let caller = state.api.admit(&headers, peer, least).await?;
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}
