//! A consumer's sign-in over HTTPS: it reads the secret from Key Vault, then requests a token from Entra with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;

use super::USER_AGENT;
use crate::sandbox::addresses::Addresses;
use crate::sandbox::model::{ManagedSecret, Model};

/// Real time, well below the hour that a token lasts.
const TOKEN_IS_KEPT: Duration = Duration::from_secs(50 * 60);

const TIMEOUT: Duration = Duration::from_secs(30);

/// The HTTP client of all consumers, and the token that they read the vaults with.
pub(crate) struct HttpsSignIn {
    http: Client,
    model: Arc<Model>,
    addresses: Addresses,
    vault_token: Mutex<Option<(SecretString, Instant)>>,
}

/// The reason for which a sign-in over HTTPS failed.
#[derive(Debug, Error)]
pub(crate) enum Problem {
    #[error("{0} can't be reached")]
    Unreachable(&'static str, #[source] reqwest::Error),
    #[error("{service} returned {status} {code}")]
    Refused { service: &'static str, status: u16, code: String },
}

#[derive(Deserialize)]
struct Token {
    access_token: SecretString,
}

#[derive(Deserialize)]
struct Bundle {
    value: SecretString,
}

impl HttpsSignIn {
    /// Creates the client. It resolves production names to the sandbox, regardless of DNS.
    pub(crate) fn new(ca_pem: &str, model: Arc<Model>, addresses: Addresses) -> Result<Self, reqwest::Error> {
        let mut http = Client::builder()
            .tls_certs_only([Certificate::from_pem(ca_pem.as_bytes())?])
            .no_proxy()
            .user_agent(USER_AGENT)
            .timeout(TIMEOUT);
        if let Some(production) = &addresses.production {
            let names = production.hosts.names();
            http = names.fold(http, |http, name| http.resolve(name, production.address));
        }
        Ok(Self { http: http.build()?, model, addresses, vault_token: Mutex::new(None) })
    }

    /// Reads the current text and signs in with it.
    pub(crate) async fn sign_in(&self, secret: &ManagedSecret) -> Result<(), Problem> {
        let text = self.read(secret).await?;
        let client_id = secret.client_id.to_string();
        let scope = "https://graph.microsoft.com/.default";
        self.token(&client_id, &text, scope).await.map(|_| ())
    }

    /// Reads the secret. Retries with a new token if the kept one is refused: the key that signed it may be retired.
    async fn read(&self, secret: &ManagedSecret) -> Result<SecretString, Problem> {
        let token = self.vault_token().await?;
        match self.read_with(&token, secret).await {
            Err(Problem::Refused { status: 401, .. }) => {
                self.forget(&token).await;
                let token = self.vault_token().await?;
                self.read_with(&token, secret).await
            }
            read => read,
        }
    }

    async fn read_with(&self, token: &SecretString, secret: &ManagedSecret) -> Result<SecretString, Problem> {
        let vault = self.addresses.vault(&secret.vault);
        let url = format!("{vault}/secrets/{}?api-version=2025-07-01", secret.name);
        let read = self.http.get(url).bearer_auth(token.expose_secret()).send().await;
        let bundle: Bundle = read_response("Key Vault", read).await?;
        Ok(bundle.value)
    }

    /// Removes the refused token. A newer one, which another consumer may have stored already, stays.
    async fn forget(&self, refused: &SecretString) {
        let is_it = |(kept, _): &mut (SecretString, Instant)| kept.expose_secret() == refused.expose_secret();
        self.vault_token.lock().await.take_if(is_it);
    }

    async fn vault_token(&self) -> Result<SecretString, Problem> {
        let mut kept = self.vault_token.lock().await;
        if let Some((token, since)) = &*kept
            && since.elapsed() < TOKEN_IS_KEPT
        {
            return Ok(token.clone());
        }
        let client = &self.model.tenant().client;
        let scope = "https://vault.azure.net/.default";
        let token = self.token(&client.client_id.to_string(), &client.secret, scope).await?;
        *kept = Some((token.clone(), Instant::now()));
        Ok(token)
    }

    async fn token(
        &self,
        client_id: &str,
        secret: &SecretString,
        scope: &str,
    ) -> Result<SecretString, Problem> {
        let url = format!("{}/{}/oauth2/v2.0/token", self.addresses.authority, self.model.tenant().id);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret.expose_secret()),
            ("scope", scope),
        ];
        let token: Token = read_response("Entra", self.http.post(url).form(&form).send().await).await?;
        Ok(token.access_token)
    }
}

async fn read_response<T: for<'de> Deserialize<'de>>(
    service: &'static str,
    sent: Result<Response, reqwest::Error>,
) -> Result<T, Problem> {
    let unreachable = |error: reqwest::Error| Problem::Unreachable(service, error.without_url());
    let response = sent.map_err(unreachable)?;
    let status = response.status();
    if status.is_success() {
        return response.json().await.map_err(unreachable);
    }
    let body: Value = response.json().await.unwrap_or_default();
    let aadsts = body.pointer("/error_codes/0").map(|code| format!("AADSTS{code}"));
    let code = aadsts.or_else(|| body.pointer("/error/code").map(Value::to_string));
    Err(Problem::Refused { service, status: status.as_u16(), code: code.unwrap_or_default() })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop here")]
mod tests {
    use serde_json::json;
    use time::Duration;

    use crate::sandbox::tests::{START, World};

    /// Consumers get a new token when the key that signed theirs is retired, and no sign-in fails.
    #[tokio::test]
    async fn consumers_survive_retirement_of_signing_key() {
        let world = World::start().await;
        let clock = world.sandbox.clock();
        clock.run_until(START + Duration::days(2)).await;
        let url = format!("{}/_sandbox/keys/rollover", world.at.controls);
        for body in [json!({}), json!({"retire": true})] {
            let answer = world.http.post(&url).json(&body).send().await.unwrap();
            assert!(answer.status().is_success());
        }
        clock.run_until(START + Duration::days(4)).await;
        let summary = world.sandbox.summary();
        assert!(summary.consumer_sign_ins > 0);
        assert_eq!(summary.consumer_sign_in_failures, 0);
        world.sandbox.shutdown().await;
    }
}
