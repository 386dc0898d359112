//! Validation of Entra tokens: signature, issuer, audience, tenant and time. Permissions are checked elsewhere.

use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::AuthRejection;
use super::jwt_header::key_id;
use super::key_cache::KeyCache;
use crate::clock::ClockSkew;
use crate::ports::Clock;

/// Requirements for every accepted token.
#[derive(Debug, Clone)]
pub struct TokenRules {
    /// The issuer's keys.
    pub keys: Arc<KeyCache>,
    /// The tenant, if it is configured by its id; otherwise the one that the issuer names is used.
    pub tenant: Option<Uuid>,
    /// The issuer of version 1 tokens, without the tenant's id that follows (contract E.4).
    pub version_1_issuer: &'static str,
    /// The clock that token times are compared with.
    pub clock: Arc<dyn Clock>,
    /// The skew of that clock, to decide if it can be trusted.
    pub skew: Arc<ClockSkew>,
}

/// Claims of a valid token.
#[derive(Debug, Deserialize)]
pub(super) struct CallerClaims {
    exp: f64,
    #[serde(default)]
    nbf: f64,
    tid: Option<Uuid>,
    appid: Option<Uuid>,
    azp: Option<Uuid>,
    oid: Option<Uuid>,
    #[serde(default)]
    pub(super) roles: Vec<String>,
}

impl CallerClaims {
    /// Returns the application that requested the token (`appid` in version 1, `azp` in version 2).
    pub(super) fn client_id(&self) -> Option<Uuid> {
        self.azp.or(self.appid)
    }

    /// Returns the caller's name in logs.
    pub(super) fn caller(&self) -> String {
        let id = self.client_id().or(self.oid);
        id.map_or_else(|| "entra:unnamed".to_owned(), |id| format!("entra:{id}"))
    }
}

impl TokenRules {
    /// Returns the claims of `token`, if it is valid and for `audience`.
    ///
    /// # Errors
    /// The token is not valid, or that can't be known now, for the returned reason.
    pub(super) async fn check(&self, token: &str, audience: &str) -> Result<CallerClaims, AuthRejection> {
        let found = self.keys.find(&key_id(token)?).await?;
        let tenant = self.tenant.or_else(|| tenant_of(&found.issuer));
        let rules = self.validation(&found.issuer, tenant, audience);
        let claims =
            decode::<CallerClaims>(token, &found.key, &rules).map_err(|error| refusal(error.kind()))?.claims;
        if tenant.is_none() || claims.tid != tenant {
            return Err(AuthRejection::WrongTenant);
        }
        self.check_time(&claims, self.clock.now())?;
        Ok(claims)
    }

    fn validation(&self, issuer: &str, tenant: Option<Uuid>, audience: &str) -> Validation {
        let mut rules = Validation::new(Algorithm::RS256);
        // Times are compared with our own clock, below.
        (rules.validate_exp, rules.validate_nbf) = (false, false);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        let version_1 = tenant.map(|tenant| format!("{}/{tenant}/", self.version_1_issuer));
        rules.set_issuer(&[Some(issuer.to_owned()), version_1].into_iter().flatten().collect::<Vec<_>>());
        // Version 2 has the bare id where version 1 has the requested URI.
        let bare = audience.strip_prefix("api://").unwrap_or(audience);
        rules.set_audience(&[audience, bare]);
        rules
    }

    /// Checks the token's times. A wrong clock makes good tokens look bad: that is not a reason to refuse their holder
    /// permanently.
    fn check_time(&self, claims: &CallerClaims, now: OffsetDateTime) -> Result<(), AuthRejection> {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
        let now = now.unix_timestamp() as f64;
        let tolerated = TOLERATED.as_seconds_f64();
        let refused = if now > claims.exp + tolerated {
            AuthRejection::Expired
        } else if now + tolerated < claims.nbf {
            AuthRejection::NotYetValid
        } else {
            return Ok(());
        };
        Err(if self.skew.is_tolerable() { refused } else { AuthRejection::CannotJudge })
    }
}

/// Returns the tenant in an issuer's name, if there is one.
fn tenant_of(issuer: &str) -> Option<Uuid> {
    issuer.split('/').find_map(|part| Uuid::try_parse(part).ok())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a list of another crate, which grows")]
fn refusal(kind: &ErrorKind) -> AuthRejection {
    match kind {
        ErrorKind::InvalidSignature => AuthRejection::BadSignature,
        ErrorKind::InvalidIssuer => AuthRejection::WrongIssuer,
        ErrorKind::InvalidAudience => AuthRejection::WrongAudience,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => AuthRejection::WrongAlgorithm,
        _ => AuthRejection::Malformed,
    }
}

/// Tolerated difference between two good clocks.
const TOLERATED: Duration = Duration::MINUTE;
