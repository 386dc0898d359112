//! Assertions: tokens of another issuer that an application trusts, or signed with the application's certificate.

use axum::http::StatusCode;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Header, dangerous, decode, decode_header};
use serde::{Deserialize, Deserializer};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::refusal::Refusal;
use crate::sandbox::model::FederatedCredential;
use crate::sandbox::service::azure::Azure;
use crate::sandbox::signing_keys::signature_only;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    #[serde(deserialize_with = "seconds")]
    exp: i64,
    #[serde(default, deserialize_with = "seconds")]
    nbf: i64,
}

/// Reads a date in seconds. MSAL for Python writes fractions.
fn seconds<'de, D: Deserializer<'de>>(date: D) -> Result<i64, D::Error> {
    f64::deserialize(date).map(|seconds| Duration::saturating_seconds_f64(seconds).whole_seconds())
}

/// The `aud` of an assertion. Kubernetes writes a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

/// Checks that the assertion comes from an issuer that may sign in as this application.
pub(super) fn check(azure: &Azure, client_id: Uuid, assertion: &str) -> Result<(), Refusal> {
    let (Ok(header), Ok(read)) = (decode_header(assertion), dangerous::insecure_decode::<Claims>(assertion))
    else {
        let message = "JWT token is invalid or malformed.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", 50_027, message));
    };
    let trusted = azure.model.federated_credentials(client_id);
    let credentials = meant(&trusted, &read.claims, client_id)?;
    if !credentials.iter().any(|credential| is_signed(credential, &header, assertion)) {
        let message = "Authentication failed: the client assertion contains an invalid signature.";
        return Err(Refusal::invalid_client(50_012, message));
    }
    check_time(&read.claims, azure.tokens.now_for(client_id))
}

/// Returns the credentials that expect such an assertion.
fn meant<'a>(
    trusted: &'a [FederatedCredential],
    claims: &Claims,
    client_id: Uuid,
) -> Result<Vec<&'a FederatedCredential>, Refusal> {
    let is_own = |text: &str| Uuid::try_parse(text) == Ok(client_id);
    let is_certificates = Uuid::try_parse(&claims.iss).is_ok();
    if is_certificates && !(is_own(&claims.iss) && is_own(&claims.sub)) {
        let message = "Client assertion application identifier doesn't match 'client_id' parameter.";
        return Err(Refusal::invalid_client(700_021, message));
    }
    let mut left: Vec<_> = trusted.iter().filter(|credential| credential.issuer == claims.iss).collect();
    if left.is_empty() && is_certificates {
        let message =
            "Authentication failed: the certificate that signed the client assertion isn't registered.";
        return Err(Refusal::invalid_client(50_012, message));
    }
    let none_left = |left: &[&FederatedCredential], code, what, found: &str| {
        if left.is_empty() { Err(no_match(code, what, found)) } else { Ok(()) }
    };
    none_left(&left, 700_211, "issuer", &claims.iss)?;
    left.retain(|credential| credential.subject == claims.sub);
    none_left(&left, 700_213, "subject", &claims.sub)?;
    left.retain(|credential| claims.aud.names(&credential.audience));
    none_left(&left, 700_212, "audience", &claims.aud.shown())?;
    Ok(left)
}

fn no_match(code: u32, what: &str, found: &str) -> Refusal {
    let message = format!(
        "No matching federated identity record found for presented assertion {what} '{found}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    );
    Refusal::invalid_client(code, message)
}

/// Returns true if a key of the credential signed the assertion. A certificate's assertion names no key, only a
/// thumbprint, and may be signed with PS256.
fn is_signed(credential: &FederatedCredential, header: &Header, assertion: &str) -> bool {
    let named =
        |key: &&Jwk| header.kid.as_ref().is_none_or(|key_id| key.common.key_id.as_ref() == Some(key_id));
    let mut validation = signature_only();
    validation.algorithms = vec![Algorithm::RS256, Algorithm::PS256];
    let verifies = |key: &Jwk| {
        let key = DecodingKey::from_jwk(key);
        key.is_ok_and(|key| decode::<Claims>(assertion, &key, &validation).is_ok())
    };
    credential.keys.keys.iter().filter(named).any(verifies)
}

fn check_time(claims: &Claims, now: OffsetDateTime) -> Result<(), Refusal> {
    let current = now.unix_timestamp();
    if current < claims.exp && claims.nbf <= current + CLOCK_SKEW {
        return Ok(());
    }
    let shown = |seconds: i64| {
        let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        moment.format(&Rfc3339).unwrap_or_default()
    };
    let message = format!(
        "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry time of assertion {}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
        shown(current),
        shown(claims.nbf),
        shown(claims.exp),
    );
    Err(Refusal::invalid_client(700_024, message))
}

impl Audience {
    fn names(&self, wanted: &str) -> bool {
        match self {
            Self::One(audience) => audience == wanted,
            Self::Some(audiences) => audiences.iter().any(|audience| audience == wanted),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::One(audience) => audience.clone(),
            Self::Some(audiences) => audiences.join(", "),
        }
    }
}

/// The seconds that an issuer's clock may be ahead of ours.
const CLOCK_SKEW: i64 = 300;
