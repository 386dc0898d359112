//! Entra's tokens: signed with a key made at start, and checked by the services that take them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, decode};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey};
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::SandboxError;
use super::azure::Azure;
use super::https::Request;
use super::real_time;
use crate::ports::Clock;

/// How long a token is good for; `expires_in` says one second less.
pub(crate) const LIFETIME: Duration = Duration::seconds(3600);

/// The tenant's signing key.
pub(crate) struct TokenSigner {
    pair: KeyPair,
    public: DecodingKey,
    jwk: Jwk,
    key_id: String,
}

/// For whom a token is, and for what.
pub(crate) struct Grant {
    pub(crate) client_id: Uuid,
    pub(crate) object_id: Uuid,
    pub(crate) audience: String,
    /// Whether an assertion, rather than a secret, proved who it is.
    pub(crate) by_assertion: bool,
    /// App roles; the claim is missing if there are none.
    pub(crate) roles: Vec<String>,
}

/// Who calls, as a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) client_id: Uuid,
    pub(crate) object_id: Uuid,
    /// The daemon or the client that may do everything; not a rotated application.
    pub(crate) is_service: bool,
    /// The app roles in its token.
    pub(crate) roles: Vec<String>,
}

/// Why a request's token isn't taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenProblem {
    Missing,
    Invalid,
    Expired,
    WrongAudience(String),
}

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: i64,
    nbf: i64,
    oid: Uuid,
    appid: Option<Uuid>,
    azp: Option<Uuid>,
    #[serde(default)]
    roles: Vec<String>,
}

impl TokenSigner {
    /// A fresh RSA key of 2048 bits.
    pub(crate) fn generate() -> Result<Self, SandboxError> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes())?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256)?;
        let key_id = Uuid::new_v4().simple().to_string();
        jwk.common.key_id = Some(key_id.clone());
        // Entra's own keys don't say which algorithm they are for.
        jwk.common.key_algorithm = None;
        jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk)?;
        Ok(Self { pair, public, jwk, key_id })
    }

    /// What `discovery/v2.0/keys` shows.
    pub(crate) fn key_set(&self) -> JwkSet {
        JwkSet { keys: vec![self.jwk.clone()] }
    }

    /// By hand, because `jsonwebtoken` reads and checks the key anew for each token, which costs half as much again.
    fn sign(&self, claims: &Value) -> Result<String, rcgen::Error> {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": self.key_id});
        let encoded = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes())?);
        Ok(format!("{message}.{signature}"))
    }

    fn verify(&self, token: &str) -> Option<Claims> {
        decode(token, &self.public, &signature_only()).ok().map(|token| token.claims)
    }
}

impl Azure {
    /// The time a token of this client lives in: the services' own libraries cache by the system's clock.
    pub(crate) fn token_time(&self, client_id: Uuid) -> OffsetDateTime {
        match self.model.tenant().service_identity(client_id) {
            Some(_) => real_time::now(),
            None => self.clock.now(),
        }
    }

    /// A signed token, good from now on.
    pub(crate) fn issue_token(&self, grant: &Grant) -> Result<String, rcgen::Error> {
        let (tenant, now) = (self.model.tenant().id, self.token_time(grant.client_id).unix_timestamp());
        let credential_kind = if grant.by_assertion { "2" } else { "1" };
        let mut claims = json!({
            "aud": grant.audience, "iat": now, "nbf": now, "exp": now + LIFETIME.whole_seconds(),
            "oid": grant.object_id, "sub": grant.object_id, "tid": tenant, "idtyp": "app",
            "uti": Uuid::new_v4().simple().to_string(),
        });
        let version = if Uuid::try_parse(&grant.audience).is_ok() {
            json!({"ver": "2.0", "iss": format!("{}/{tenant}/v2.0", self.addresses.authority),
                "azp": grant.client_id, "azpacr": credential_kind})
        } else {
            json!({"ver": "1.0", "iss": format!("https://sts.windows.net/{tenant}/"),
                "appid": grant.client_id, "appidacr": credential_kind})
        };
        if let (Value::Object(claims), Value::Object(version)) = (&mut claims, version) {
            claims.extend(version);
            if !grant.roles.is_empty() {
                claims.insert("roles".to_owned(), json!(grant.roles));
            }
        }
        self.signer.sign(&claims)
    }

    /// Who sends this request, if its token is for one of these audiences.
    pub(crate) fn caller(&self, request: &Request, audiences: &[&str]) -> Result<Caller, TokenProblem> {
        let token = request.bearer_token().ok_or(TokenProblem::Missing)?;
        let claims = self.signer.verify(token).ok_or(TokenProblem::Invalid)?;
        let client_id = claims.appid.or(claims.azp).ok_or(TokenProblem::Invalid)?;
        if !audiences.contains(&claims.aud.as_str()) {
            return Err(TokenProblem::WrongAudience(claims.aud));
        }
        let now = self.token_time(client_id).unix_timestamp();
        if now >= claims.exp || now + 300 < claims.nbf {
            return Err(TokenProblem::Expired);
        }
        let is_service = self.model.tenant().service_identity(client_id).is_some();
        Ok(Caller { client_id, object_id: claims.oid, is_service, roles: claims.roles })
    }
}

/// The crate would compare times with the system's clock, which may not be the one that counts.
pub(crate) fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    validation
}
