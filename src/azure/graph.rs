//! The `CredentialIssuer` on Microsoft Graph: a thin typed client. Graph's words are spoken only here.
//!
//! Reads are repeated a few times; `addPassword` is sent once, since its answer is the only sight of the text.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::errors::{from_http, refusal, retry_after};
use super::observation::Observation;
use super::reads::retried;
use super::token::TokenSource;
use crate::domain::{AppObjectId, ApplicationRef, ClientId, KeyId};
use crate::ports::{
    Application, Caller, Clock, Credential, CredentialIssuer, CredentialRules, Directory, IssuedCredential,
    PortError, Revocation, ServicePrincipal, Usage, UsageReport,
};

/// A client for the applications of one tenant.
#[derive(Debug)]
pub struct Graph {
    http: reqwest::Client,
    /// With `/v1.0/`.
    base: Url,
    token: TokenSource,
    observation: Observation,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApplicationJson {
    id: Uuid,
    app_id: Uuid,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    password_credentials: Vec<PasswordCredentialJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordCredentialJson {
    key_id: Uuid,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    hint: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    start_date_time: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    end_date_time: OffsetDateTime,
    #[serde(default)]
    secret_text: Option<SecretString>,
}

#[derive(Deserialize)]
struct Page<T> {
    value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    next_link: Option<Url>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AddPassword<'a> {
    password_credential: NewPassword<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewPassword<'a> {
    display_name: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    end_date_time: OffsetDateTime,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RemovePassword {
    key_id: Uuid,
}

impl Graph {
    pub(super) fn new(
        http: reqwest::Client,
        base: &Url,
        token: TokenSource,
        observation: Observation,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, url::ParseError> {
        let base = base.join("/v1.0/")?;
        Ok(Self { http, base, token, observation, clock })
    }

    /// Asks for one application: whether Graph answers, and lets us read.
    ///
    /// # Errors
    /// It doesn't.
    pub async fn probe(&self) -> Result<(), PortError> {
        let url = self.url("list applications", "applications?$select=id&$top=1")?;
        self.get::<serde::de::IgnoredAny>("list applications", url).await.map(drop)
    }

    /// The applications that `filter` selects (OData), all pages of them.
    async fn select_applications(&self, filter: &str) -> Result<Vec<ApplicationJson>, PortError> {
        const OPERATION: &str = "list applications";
        let mut url = self.url(OPERATION, "applications")?;
        url.query_pairs_mut().append_pair("$filter", filter).append_pair("$select", FIELDS);
        let (mut next, mut found) = (Some(url), Vec::new());
        while let Some(url) = next {
            let page: Page<ApplicationJson> =
                retried(&self.clock, || Box::pin(self.get(OPERATION, url.clone()))).await?;
            found.extend(page.value);
            // A link that leads elsewhere would be handed our token.
            next = page.next_link.filter(|link| link.origin() == self.base.origin());
        }
        Ok(found)
    }

    async fn find_by_client_id(&self, id: ClientId) -> Result<Option<ApplicationJson>, PortError> {
        Ok(self.select_applications(&format!("appId eq '{id}'")).await?.into_iter().next())
    }

    async fn show_application(&self, id: AppObjectId) -> Result<Option<ApplicationJson>, PortError> {
        const OPERATION: &str = "get application";
        let url = self.url(OPERATION, &format!("applications/{id}?$select={FIELDS}"))?;
        match retried(&self.clock, || Box::pin(self.get(OPERATION, url.clone()))).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn get<T: DeserializeOwned>(&self, operation: &'static str, url: Url) -> Result<T, PortError> {
        let answer = self.send(operation, self.http.request(Method::GET, url)).await?;
        answer.json().await.map_err(|error| from_http(operation, error))
    }

    async fn post(
        &self,
        operation: &'static str,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Response, PortError> {
        let url = self.url(operation, path)?;
        self.send(operation, self.http.request(Method::POST, url).json(body)).await
    }

    /// Sends once. Everything but a success is an error that says what is known of the effect.
    async fn send(&self, operation: &'static str, request: RequestBuilder) -> Result<Response, PortError> {
        let token = self.token.token(operation).await?;
        let request = request
            .bearer_auth(token.expose_secret())
            .header("client-request-id", Uuid::new_v4().to_string());
        let started = self.observation.start();
        let result = request.send().await;
        let answer = result.as_ref().ok();
        let date = answer.and_then(|answer| answer.headers().get("date")?.to_str().ok());
        self.observation.finish(&started, answer.map(|answer| answer.status().as_u16()), date);
        let answer = result.map_err(|error| from_http(operation, error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let wait = answer.headers().get("retry-after").and_then(|value| retry_after(value.to_str().ok()?));
        // A refusal whose body is lost is still a refusal.
        let body = answer.bytes().await.unwrap_or_default();
        if status == 400 && is_no_such_credential(&body) {
            let code = NO_SUCH_CREDENTIAL.to_owned();
            return Err(PortError::Refused { operation, status, code, retry_after: None });
        }
        Err(refusal(operation, status, &body, wait))
    }

    fn url(&self, operation: &'static str, path: &str) -> Result<Url, PortError> {
        self.base.join(path).map_err(|error| PortError::NotSent { operation, source: Box::new(error) })
    }
}

#[async_trait]
impl CredentialIssuer for Graph {
    async fn read_application(&self, application: ApplicationRef) -> Result<Option<Application>, PortError> {
        let found = match application {
            ApplicationRef::ObjectId(id) => self.show_application(id).await?,
            ApplicationRef::ClientId(id) => self.find_by_client_id(id).await?,
            ApplicationRef::Either(id) => match self.show_application(AppObjectId(id)).await? {
                Some(found) => Some(found),
                None => self.find_by_client_id(ClientId(id)).await?,
            },
        };
        Ok(found.map(Application::from))
    }

    async fn issue(
        &self,
        application: AppObjectId,
        display_name: &str,
        end: OffsetDateTime,
    ) -> Result<IssuedCredential, PortError> {
        const OPERATION: &str = "addPassword";
        let body = AddPassword { password_credential: NewPassword { display_name, end_date_time: end } };
        let answer = self.post(OPERATION, &format!("applications/{application}/addPassword"), &body).await?;
        // Beyond this point the credential exists, whatever becomes of the answer.
        let lost = |source| PortError::OutcomeUnknown { operation: OPERATION, source };
        let made: PasswordCredentialJson =
            answer.json().await.map_err(|error| lost(Box::new(error.without_url())))?;
        let text = made.secret_text.ok_or_else(|| lost("the answer holds no secretText".into()))?;
        Ok(IssuedCredential { key_id: KeyId(made.key_id), text, end: made.end_date_time })
    }

    async fn revoke(&self, application: AppObjectId, key_id: KeyId) -> Result<Revocation, PortError> {
        const OPERATION: &str = "removePassword";
        let path = format!("applications/{application}/removePassword");
        match self.post(OPERATION, &path, &RemovePassword { key_id: key_id.0 }).await {
            Ok(_) => Ok(Revocation::Revoked),
            Err(error) if error.code() == Some(NO_SUCH_CREDENTIAL) => Ok(Revocation::NotFound),
            Err(error) => Err(error),
        }
    }

    async fn read_service_principal(&self, _: ClientId) -> Result<Option<ServicePrincipal>, PortError> {
        Err(PortError::NotSent { operation: "get service principal", source: "not built yet".into() })
    }

    async fn read_credential_rules(&self, _: AppObjectId) -> Result<CredentialRules, PortError> {
        Ok(CredentialRules::default())
    }

    async fn read_caller(&self) -> Result<Caller, PortError> {
        Err(PortError::NotSent { operation: "read the own token", source: "not built yet".into() })
    }
}

#[async_trait]
impl UsageReport for Graph {
    async fn last_sign_ins(&self, _: ClientId) -> Result<Usage, PortError> {
        Ok(Usage::Unavailable("not built yet".to_owned()))
    }
}

#[async_trait]
impl Directory for Graph {
    async fn list_applications(&self) -> Result<Vec<Application>, PortError> {
        Err(PortError::NotSent { operation: "list applications", source: "not built yet".into() })
    }

    async fn list_owners(&self, _: AppObjectId) -> Result<std::collections::BTreeSet<String>, PortError> {
        Err(PortError::NotSent { operation: "list owners", source: "not built yet".into() })
    }

    async fn has_federated_credentials(&self, _: AppObjectId) -> Result<bool, PortError> {
        Err(PortError::NotSent { operation: "list federated credentials", source: "not built yet".into() })
    }
}

impl From<ApplicationJson> for Application {
    fn from(found: ApplicationJson) -> Self {
        Self {
            object_id: AppObjectId(found.id),
            client_id: ClientId(found.app_id),
            display_name: found.display_name.unwrap_or_default(),
            credentials: found.password_credentials.into_iter().map(Credential::from).collect(),
            tags: Vec::new(),
            admits_personal_accounts: false,
            is_public_only: false,
        }
    }
}

impl From<PasswordCredentialJson> for Credential {
    fn from(found: PasswordCredentialJson) -> Self {
        Self {
            key_id: KeyId(found.key_id),
            display_name: found.display_name,
            hint: found.hint,
            start: found.start_date_time,
            end: found.end_date_time,
        }
    }
}

/// Graph's code for a credential that is gone already is not documented; the message is known.
fn is_no_such_credential(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("No password credential found")
}

/// Our name for that.
const NO_SUCH_CREDENTIAL: &str = "NoPasswordCredential";

const FIELDS: &str = "id,appId,displayName,passwordCredentials";
