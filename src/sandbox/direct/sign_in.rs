//! The `SignInVerifier` port: the model's Entra, and a stand-in for its tokens.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::DirectPorts;
use crate::domain::{ClientId, TokenClaims};
use crate::ports::{Clock, SignIn, SignInVerifier, Token};
use crate::sandbox::model::SignInRefusal;
use crate::sandbox::resources::Resource;
use crate::sandbox::tokens::LIFETIME;

/// The content of a token's text here: only [`DirectPorts`] accepts it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StandIn {
    pub(super) aud: String,
    pub(super) oid: Uuid,
    #[serde(with = "time::serde::timestamp")]
    pub(super) exp: OffsetDateTime,
}

#[async_trait]
impl SignInVerifier for DirectPorts {
    async fn sign_in(&self, client_id: ClientId, text: &SecretString) -> SignIn {
        match self.model.sign_in(client_id.0, text.expose_secret(), self.clock.now()) {
            Ok(()) => SignIn::Accepted,
            Err(refusal) => refused(refusal),
        }
    }

    async fn token(&self, client_id: ClientId, text: &SecretString, scope: &str) -> Result<Token, SignIn> {
        let named = scope.strip_suffix("/.default").filter(|resource| !resource.contains(' '));
        let named = named.ok_or_else(|| unclear("invalid_scope", 70_011))?;
        let oid = self.model.service_principal(client_id.0).ok_or(SignIn::ApplicationUnknown)?;
        let resource = Resource::find(&self.model, &Self::fhir().url, named)
            .ok_or_else(|| unclear("invalid_resource", 500_011))?;
        let now = self.clock.now();
        let signed_in = self.model.sign_in_to(client_id.0, text.expose_secret(), resource.principal, now);
        signed_in.map_err(refused)?;
        let roles = self.model.app_roles(oid, &resource.identifier);
        let token = StandIn { aud: resource.audience, oid, exp: (now + LIFETIME).truncate_to_second() };
        let text = serde_json::to_string(&token).map_err(|error| SignIn::Unclear(error.to_string()))?;
        let claims = TokenClaims {
            audience: token.aud,
            tenant: Some(self.model.tenant().id.to_string()),
            client_id: Some(client_id),
            object_id: Some(oid.to_string()),
            expires: Some(token.exp),
            roles: roles.into_iter().collect(),
        };
        Ok(Token { claims: Some(claims), text: text.into() })
    }
}

fn refused(refusal: SignInRefusal) -> SignIn {
    match refusal {
        SignInRefusal::Wrong => SignIn::Wrong,
        SignInRefusal::Expired => SignIn::Expired,
        SignInRefusal::UnknownApplication => SignIn::ApplicationUnknown,
        SignInRefusal::NoServicePrincipal => SignIn::NoServicePrincipal,
        SignInRefusal::Disabled => SignIn::ApplicationDisabled,
    }
}

/// Converts Entra's other refusals, which do not concern the secret.
fn unclear(error: &str, code: u32) -> SignIn {
    SignIn::Unclear(format!("status 400, error {error:?}, codes [{code}]"))
}
