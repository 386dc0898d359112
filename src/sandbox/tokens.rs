//! Entra's tokens: issues them and checks those that the services receive. It knows no request.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::clock::SandboxClock;
use super::model::Model;
use super::real_time;
use super::resources::takes_version_2;
use super::signing_keys::TokenSigner;
use crate::ports::Clock;

/// The lifetime of a token; `expires_in` is one second less.
pub(crate) const LIFETIME: Duration = Duration::seconds(3600);

/// The client that a token is for, and its audience and roles.
pub(crate) struct Grant {
    pub(crate) client_id: Uuid,
    pub(crate) object_id: Uuid,
    pub(crate) audience: String,
    /// True if an assertion, rather than a secret, proved the client's identity.
    pub(crate) by_assertion: bool,
    /// App roles; the claim is missing if there are none.
    pub(crate) roles: Vec<String>,
}

/// The caller, according to a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) client_id: Uuid,
    pub(crate) object_id: Uuid,
    /// The app roles in its token.
    pub(crate) roles: Vec<String>,
}

/// The reason for which a request's token is rejected.
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

/// The issuer of Entra's tokens, and the check of those that services receive.
pub(crate) struct TokenIssuer {
    pub(crate) signer: TokenSigner,
    clock: SandboxClock,
    model: Arc<Model>,
    /// Entra's URL, without a trailing slash.
    authority: String,
}

impl TokenIssuer {
    pub(crate) fn new(
        signer: TokenSigner,
        clock: SandboxClock,
        model: Arc<Model>,
        authority: String,
    ) -> Self {
        Self { signer, clock, model, authority }
    }

    /// Returns the time that applies to this client's tokens: the services' own libraries cache by the system's clock.
    pub(crate) fn now_for(&self, client_id: Uuid) -> OffsetDateTime {
        match self.model.tenant().service_identity(client_id) {
            Some(_) => real_time::now(),
            None => self.clock.now(),
        }
    }

    /// Issues a signed token, valid from now on.
    pub(crate) fn issue(&self, grant: &Grant) -> Result<String, rcgen::Error> {
        self.issue_capable(grant, &[])
    }

    /// Issues a signed token that repeats its client's declared capabilities (`xms_cc`).
    pub(crate) fn issue_capable(
        &self,
        grant: &Grant,
        capabilities: &[String],
    ) -> Result<String, rcgen::Error> {
        let is_v2 = takes_version_2(&grant.audience);
        self.signer.sign(&self.claims(grant, is_v2, capabilities), !is_v2)
    }

    fn claims(&self, grant: &Grant, is_v2: bool, capabilities: &[String]) -> Value {
        let (tenant, now) = (self.model.tenant().id, self.now_for(grant.client_id).unix_timestamp());
        let credential_kind = if grant.by_assertion { "2" } else { "1" };
        let mut claims = json!({
            "aud": grant.audience, "iat": now, "nbf": now, "exp": now + LIFETIME.whole_seconds(),
            "oid": grant.object_id, "sub": grant.object_id, "tid": tenant, "idtyp": "app",
            "uti": BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4()),
        });
        let version = if is_v2 {
            json!({"ver": "2.0", "iss": format!("{}/{tenant}/v2.0", self.authority),
                "azp": grant.client_id, "azpacr": credential_kind})
        } else {
            json!({"ver": "1.0", "iss": format!("https://sts.windows.net/{tenant}/"),
                "appid": grant.client_id, "appidacr": credential_kind})
        };
        if let (Value::Object(claims), Value::Object(version)) = (&mut claims, version) {
            claims.extend(version);
            for (name, values) in [("roles", grant.roles.as_slice()), ("xms_cc", capabilities)] {
                if !values.is_empty() {
                    claims.insert(name.to_owned(), json!(values));
                }
            }
        }
        claims
    }

    /// Issues a token for Storage to the client that may do everything. It uses real time, as Storage does.
    pub(crate) fn storage_token(&self) -> Option<SecretString> {
        let client = &self.model.tenant().client;
        let grant = Grant {
            client_id: client.client_id,
            object_id: client.object_id,
            audience: "https://storage.azure.com".to_owned(),
            by_assertion: true,
            roles: Vec::new(),
        };
        self.issue(&grant).ok().map(SecretString::from)
    }

    /// Checks a request's bearer token and returns its caller.
    ///
    /// # Errors
    /// The reason for which a service with these audiences refuses it.
    pub(crate) fn caller(&self, bearer: Option<&str>, audiences: &[&str]) -> Result<Caller, TokenProblem> {
        let token = bearer.ok_or(TokenProblem::Missing)?;
        let claims: Claims = self.signer.verify(token).ok_or(TokenProblem::Invalid)?;
        let client_id = claims.appid.or(claims.azp).ok_or(TokenProblem::Invalid)?;
        if !audiences.contains(&claims.aud.as_str()) {
            return Err(TokenProblem::WrongAudience(claims.aud));
        }
        let now = self.now_for(client_id).unix_timestamp();
        if now >= claims.exp || now + 300 < claims.nbf {
            return Err(TokenProblem::Expired);
        }
        Ok(Caller { client_id, object_id: claims.oid, roles: claims.roles })
    }
}
