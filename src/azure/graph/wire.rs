//! What Graph sends and is sent, as JSON. It decides nothing.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::domain::{AppObjectId, ClientId, KeyId};
use crate::ports::{Application, Credential};

/// What of an application is asked for.
pub(super) const FIELDS: &str = "id,appId,displayName,passwordCredentials";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApplicationJson {
    pub(super) id: Uuid,
    pub(super) app_id: Uuid,
    #[serde(default)]
    pub(super) display_name: Option<String>,
    #[serde(default)]
    pub(super) password_credentials: Vec<PasswordCredentialJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordCredentialJson {
    pub(super) key_id: Uuid,
    #[serde(default)]
    pub(super) display_name: Option<String>,
    #[serde(default)]
    pub(super) hint: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) start_date_time: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) end_date_time: OffsetDateTime,
    #[serde(default)]
    pub(super) secret_text: Option<SecretString>,
}

#[derive(Deserialize)]
pub(super) struct Page<T> {
    pub(super) value: Vec<T>,
    #[serde(rename = "@odata.nextLink")]
    pub(super) next_link: Option<Url>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AddPassword<'a> {
    pub(super) password_credential: NewPassword<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewPassword<'a> {
    pub(super) display_name: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) end_date_time: OffsetDateTime,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemovePassword {
    pub(super) key_id: Uuid,
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
