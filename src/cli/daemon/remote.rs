//! A running daemon, as its API shows it.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use super::follow::FollowedOperation;
use super::{ConnectArgs, Unseen};
use crate::azure::AzLogin;
use crate::domain::{CommandKind, SecretId};
use crate::ports::{PortError, chain};

/// Where it is, and what opens it.
pub(super) struct RemoteDaemon {
    http: Client,
    base: String,
    proof: ApiCredential,
    key: String,
}

/// What opens the daemon's API.
enum ApiCredential {
    Token(SecretString),
    AzLogin(AzLogin),
}

/// Why it can't be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum DaemonError {
    #[error("{} can't be read", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    #[error("there is no token (az login?)")]
    SignIn(#[source] PortError),
    #[error("no HTTPS client can be made")]
    Client(#[source] reqwest::Error),
    #[error("the daemon did not answer (ask again with --idempotency-key {1}: nothing is done twice)")]
    NoAnswer(#[source] reqwest::Error, String),
    #[error("the daemon answered with {0}: {1}")]
    Refused(StatusCode, String),
}

#[derive(Deserialize)]
struct SecretPage {
    secrets: Vec<ListedSecretName>,
    next_offset: Option<usize>,
}

#[derive(Deserialize)]
struct ListedSecretName {
    secret: SecretId,
}

#[derive(Deserialize)]
struct OperationPage {
    operations: Vec<FollowedOperation>,
}

fn read(file: &PathBuf) -> Result<Vec<u8>, DaemonError> {
    std::fs::read(file).map_err(|source| DaemonError::File(file.clone(), source))
}

impl From<DaemonError> for Unseen {
    /// A daemon that is being replaced does not answer for a while, and whatever is in front of it says so.
    fn from(error: DaemonError) -> Self {
        let passes = match &error {
            DaemonError::NoAnswer(..) => true,
            DaemonError::Refused(status, _) => {
                status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(status)
            }
            DaemonError::File(..) | DaemonError::Client(_) | DaemonError::SignIn(_) => false,
        };
        if passes { Self::Passing(chain(&error)) } else { Self::Lasting(chain(&error)) }
    }
}

impl RemoteDaemon {
    /// The daemon at `server`, with the token and the authorities that `connect` names.
    pub(super) fn new(server: &Url, connect: &ConnectArgs) -> Result<Self, DaemonError> {
        let proof = if let Some(audience) = &connect.audience {
            ApiCredential::AzLogin(AzLogin::new(audience).map_err(DaemonError::SignIn)?)
        } else {
            let token = connect.token_file.as_ref().map(read).transpose()?.unwrap_or_default();
            ApiCredential::Token(SecretString::from(String::from_utf8_lossy(&token).trim_ascii().to_owned()))
        };
        let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(MAX_REQUEST_TIME);
        let client = match &connect.ca_file {
            Some(file) => {
                let roots = Certificate::from_pem_bundle(&read(file)?).map_err(DaemonError::Client)?;
                client.tls_certs_only(roots)
            }
            None => client,
        };
        Ok(Self {
            http: client.build().map_err(DaemonError::Client)?,
            base: server.as_str().trim_end_matches('/').to_owned(),
            proof,
            key: connect.idempotency_key.clone().unwrap_or_else(|| Uuid::new_v4().to_string()),
        })
    }

    /// Submits the command under a key of this secret and invocation.
    pub(super) async fn submit(
        &self,
        secret: &SecretId,
        kind: CommandKind,
    ) -> Result<FollowedOperation, DaemonError> {
        let url = format!("{}/{}", self.url(secret), kind.label());
        let request = self.http.post(url).header("Idempotency-Key", self.key_of(secret));
        let request = match kind {
            CommandKind::Compromised { all_credentials } => {
                request.json(&json!({ "all_credentials": all_credentials }))
            }
            CommandKind::Rotate
            | CommandKind::Rollback
            | CommandKind::Retire
            | CommandKind::Pause
            | CommandKind::Resume => request,
        };
        let answer = self.answer(request).await?;
        answer.json().await.map_err(|error| self.no_answer(error))
    }

    /// Reads an operation.
    pub(super) async fn operation(&self, id: Uuid) -> Result<FollowedOperation, DaemonError> {
        self.read(format!("{}/api/v1/operations/{id}", self.base)).await
    }

    /// Reads the latest operations.
    pub(super) async fn operations(&self) -> Result<Vec<FollowedOperation>, DaemonError> {
        let list: OperationPage = self.read(format!("{}/api/v1/operations", self.base)).await?;
        Ok(list.operations)
    }

    /// Reads the names of all managed secrets.
    pub(super) async fn secrets(&self) -> Result<Vec<SecretId>, DaemonError> {
        let (mut all, mut offset) = (Vec::new(), Some(0));
        while let Some(from) = offset {
            let url = format!("{}/api/v1/secrets?limit=1000&offset={from}", self.base);
            let page: SecretPage = self.read(url).await?;
            all.extend(page.secrets.into_iter().map(|listed| listed.secret));
            offset = page.next_offset.filter(|next| *next > from);
        }
        Ok(all)
    }

    fn url(&self, secret: &SecretId) -> String {
        format!("{}/api/v1/secrets/{secret}", self.base)
    }

    async fn read<T: DeserializeOwned>(&self, url: String) -> Result<T, DaemonError> {
        let answer = self.answer(self.http.get(url)).await?;
        answer.json().await.map_err(|error| self.no_answer(error))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Response, DaemonError> {
        let token = match &self.proof {
            ApiCredential::Token(token) => token.clone(),
            ApiCredential::AzLogin(login) => login.token().await.map_err(DaemonError::SignIn)?,
        };
        let request = request.bearer_auth(token.expose_secret());
        let answer = request.send().await.map_err(|error| self.no_answer(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let problem: Value = answer.json().await.unwrap_or_default();
        let detail =
            problem.get("detail").and_then(Value::as_str).unwrap_or("is this the address of a rekeyd?");
        Err(DaemonError::Refused(status, detail.to_owned()))
    }

    fn no_answer(&self, error: reqwest::Error) -> DaemonError {
        DaemonError::NoAnswer(error.without_url(), self.key.clone())
    }

    /// A key is of one request; the same invocation, repeated, asks each secret under the same one again.
    fn key_of(&self, secret: &SecretId) -> String {
        let hash = Sha256::digest(secret.to_string().as_bytes());
        let short = hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        format!("{}:{short:016x}", self.key)
    }
}

const MAX_REQUEST_TIME: Duration = Duration::from_secs(30);
