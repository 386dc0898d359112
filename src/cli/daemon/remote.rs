//! A running daemon, through its API.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::redirect::Policy;
use reqwest::{Body, Certificate, Client, RequestBuilder, Response, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sse_stream::SseStream;
use url::Url;
use uuid::Uuid;

use super::follow::FollowedOperation;
use super::{ConnectArgs, Unseen};
use crate::azure::AzLogin;
use crate::domain::{CommandKind, SecretId};
use crate::ports::{PortError, chain};

/// The client of a daemon's API.
pub(super) struct RemoteDaemon {
    http: Client,
    base: String,
    proof: ApiCredential,
    key: String,
}

/// The credential for a daemon's API.
enum ApiCredential {
    Token(SecretString),
    AzLogin(AzLogin),
}

/// The reason why a request to the daemon failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DaemonError {
    #[error("can't read the file {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    #[error("can't get a token for the daemon's API: run `az login`")]
    SignIn(#[source] PortError),
    #[error("can't set up the HTTPS client")]
    Client(#[source] reqwest::Error),
    #[error(
        "the daemon did not answer (to repeat a command without doing it twice, add --idempotency-key {1})"
    )]
    NoAnswer(#[source] reqwest::Error, String),
    #[error("the daemon answered {0}: {1}")]
    Refused(StatusCode, String),
}

/// The changes of an operation, as the daemon streams them.
pub(super) struct FollowedEvents {
    stream: Pin<Box<SseStream<Body>>>,
    url: Option<String>,
}

impl FollowedEvents {
    /// Returns the operation after its next change; `None` once the stream has ended or is cut.
    pub(super) async fn next(&mut self) -> Option<FollowedOperation> {
        loop {
            let event = self.stream.next().await?.ok()?;
            if event.event.as_deref() == Some("operation") {
                let operation = serde_json::from_str(&event.data?).ok()?;
                return Some(FollowedOperation { url: self.url.clone(), ..operation });
            }
        }
    }
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
    /// A daemon that is being replaced does not answer for a while; a proxy in front of it answers 5xx.
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
    /// Returns a client of the daemon at `server`, with the token and the authorities that `connect` names.
    pub(super) fn new(server: &Url, connect: &ConnectArgs) -> Result<Self, DaemonError> {
        let proof = if let Some(audience) = &connect.audience {
            ApiCredential::AzLogin(AzLogin::new(audience).map_err(DaemonError::SignIn)?)
        } else {
            let token = connect.token_file.as_ref().map(read).transpose()?.unwrap_or_default();
            ApiCredential::Token(SecretString::from(String::from_utf8_lossy(&token).trim_ascii().to_owned()))
        };
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(MAX_REQUEST_TIME)
            .read_timeout(MAX_REQUEST_TIME);
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
        let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        // The token goes to this daemon only.
        let path = location.filter(|path| path.starts_with("/api/")).map(str::to_owned);
        let operation = answer.json().await.map_err(|error| self.no_answer(error))?;
        Ok(self.located(operation, path))
    }

    /// Reads an operation again.
    pub(super) async fn operation(&self, known: &FollowedOperation) -> Result<FollowedOperation, Unseen> {
        match self.read::<FollowedOperation>(known.url.clone().unwrap_or_default()).await {
            Ok(operation) => Ok(FollowedOperation { url: known.url.clone(), ..operation }),
            Err(DaemonError::Refused(StatusCode::NOT_FOUND, _)) => Err(Unseen::Lasting(FORGOTTEN.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the stream of an operation's changes. Returns `None` if the daemon does not offer it now.
    pub(super) async fn events(&self, known: &FollowedOperation) -> Option<FollowedEvents> {
        let url = known.url.clone();
        let request = self.http.get(format!("{}/events", url.as_deref()?)).timeout(MAX_STREAM_TIME);
        let answer = self.answer(request).await.ok()?;
        let body = axum::http::Response::<Body>::from(answer).into_body();
        Some(FollowedEvents { stream: Box::pin(SseStream::new(body)), url })
    }

    /// Returns the operation with its absolute URL, which has this path at the daemon.
    fn located(&self, operation: FollowedOperation, path: Option<String>) -> FollowedOperation {
        let path = path.unwrap_or_else(|| format!("/api/v1/operations/{}", operation.id));
        FollowedOperation { url: Some(format!("{}{path}", self.base)), ..operation }
    }

    /// Reads the latest operations.
    pub(super) async fn operations(&self) -> Result<Vec<FollowedOperation>, DaemonError> {
        let list: OperationPage = self.read(format!("{}/api/v1/operations", self.base)).await?;
        Ok(list.operations.into_iter().map(|operation| self.located(operation, None)).collect())
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
        let detail = problem
            .get("detail")
            .and_then(Value::as_str)
            .unwrap_or("check that a rekeyd daemon has this address");
        Err(DaemonError::Refused(status, detail.to_owned()))
    }

    fn no_answer(&self, error: reqwest::Error) -> DaemonError {
        DaemonError::NoAnswer(error.without_url(), self.key.clone())
    }

    /// Returns the idempotency key of one secret's request: the same again if the invocation is repeated.
    fn key_of(&self, secret: &SecretId) -> String {
        let hash = Sha256::digest(secret.to_string().as_bytes());
        let short = hash.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        format!("{}:{short:016x}", self.key)
    }
}

/// Maximum time for a request, and between two parts of an answer: a stream of events has a part every 15 seconds.
const MAX_REQUEST_TIME: Duration = Duration::from_secs(30);

/// Maximum time for a stream of events. After that the operation is read.
const MAX_STREAM_TIME: Duration = Duration::from_secs(24 * 60 * 60);

const FORGOTTEN: &str = "the daemon no longer knows this command (it may have restarted): run it again";
