//! How a consumer signs in over HTTPS: read the secret from Key Vault, then ask Entra for a token with it.

use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::Mutex;

use super::azure::{Azure, Production};
use super::consumers::USER_AGENT;
use super::model::ManagedSecret;

/// In real time, well under the hour a token lasts.
const TOKEN_IS_KEPT: Duration = Duration::from_secs(50 * 60);

const TIMEOUT: Duration = Duration::from_secs(30);

/// One client for all consumers, and the token they read the vaults with.
pub(crate) struct Https {
    http: Client,
    vault_token: Mutex<Option<(SecretString, Instant)>>,
}

/// Why a sign-in over HTTPS came to nothing.
#[derive(Debug, Error)]
pub(crate) enum Problem {
    #[error("{0} can't be reached")]
    Unreachable(&'static str, #[source] reqwest::Error),
    #[error("{service} answered {status} {code}")]
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

impl Https {
    /// Production names lead to the sandbox, whatever DNS says.
    pub(crate) fn new(ca_pem: &str, production: Option<&Production>) -> Result<Self, reqwest::Error> {
        let mut http = Client::builder()
            .tls_certs_only([Certificate::from_pem(ca_pem.as_bytes())?])
            .no_proxy()
            .user_agent(USER_AGENT)
            .timeout(TIMEOUT);
        if let Some(production) = production {
            let names = production.hosts.names();
            http = names.fold(http, |http, name| http.resolve(name, production.address));
        }
        Ok(Self { http: http.build()?, vault_token: Mutex::new(None) })
    }

    /// Reads the current text and signs in with it.
    pub(crate) async fn sign_in(&self, azure: &Azure, secret: &ManagedSecret) -> Result<(), Problem> {
        let token = self.vault_token(azure).await?;
        let vault = azure.addresses.vault(&secret.vault);
        let url = format!("{vault}/secrets/{}?api-version=2025-07-01", secret.name);
        let read = self.http.get(url).bearer_auth(token.expose_secret()).send().await;
        let bundle: Bundle = answer("Key Vault", read).await?;
        let client_id = secret.client_id.to_string();
        let scope = "https://graph.microsoft.com/.default";
        self.token(azure, &client_id, &bundle.value, scope).await.map(|_| ())
    }

    async fn vault_token(&self, azure: &Azure) -> Result<SecretString, Problem> {
        let mut kept = self.vault_token.lock().await;
        if let Some((token, since)) = &*kept
            && since.elapsed() < TOKEN_IS_KEPT
        {
            return Ok(token.clone());
        }
        let client = &azure.model.tenant().client;
        let scope = "https://vault.azure.net/.default";
        let token = self.token(azure, &client.client_id.to_string(), &client.secret, scope).await?;
        *kept = Some((token.clone(), Instant::now()));
        Ok(token)
    }

    async fn token(
        &self,
        azure: &Azure,
        client_id: &str,
        secret: &SecretString,
        scope: &str,
    ) -> Result<SecretString, Problem> {
        let url = format!("{}/{}/oauth2/v2.0/token", azure.addresses.authority, azure.model.tenant().id);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret.expose_secret()),
            ("scope", scope),
        ];
        let token: Token = answer("Entra", self.http.post(url).form(&form).send().await).await?;
        Ok(token.access_token)
    }
}

async fn answer<T: for<'de> Deserialize<'de>>(
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
