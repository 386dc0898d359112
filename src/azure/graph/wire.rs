//! The JSON that Graph sends and receives. Makes no decisions.

use secrecy::SecretString;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use crate::domain::{AppObjectId, ClientId, KeyId};
use crate::ports::{Application, Credential};

/// The fields of an application that are requested.
///
/// `keyCredentials` are left out: reading them is limited to 150 a minute for the whole tenant.
pub(super) const FIELDS: &str = "id,appId,displayName,passwordCredentials,tags,signInAudience,isFallbackPublicClient,publicClient,web,spa,identifierUris,appRoles";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApplicationJson {
    pub(super) id: Uuid,
    pub(super) app_id: Uuid,
    #[serde(default)]
    pub(super) display_name: Option<String>,
    #[serde(default)]
    pub(super) password_credentials: Vec<PasswordCredentialJson>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    sign_in_audience: Option<String>,
    #[serde(default)]
    is_fallback_public_client: Option<bool>,
    #[serde(default)]
    public_client: Option<PlatformJson>,
    #[serde(default)]
    web: Option<PlatformJson>,
    #[serde(default)]
    spa: Option<PlatformJson>,
    #[serde(default)]
    identifier_uris: Vec<String>,
    #[serde(default)]
    app_roles: Vec<IgnoredAny>,
}

/// The redirect URIs of an application on one kind of platform.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlatformJson {
    #[serde(default)]
    redirect_uris: Vec<String>,
}

impl PlatformJson {
    fn has_redirects(platform: Option<&Self>) -> bool {
        platform.is_some_and(|platform| !platform.redirect_uris.is_empty())
    }
}

impl ApplicationJson {
    fn admits_personal_accounts(&self) -> bool {
        let audience = self.sign_in_audience.as_deref();
        matches!(audience, Some("AzureADandPersonalMicrosoftAccount" | "PersonalMicrosoftAccount"))
    }

    /// Returns true if the application is only a public client. One that has a password already signs in with it,
    /// whatever its other settings are.
    fn is_public_only(&self) -> bool {
        let is_public = self.is_fallback_public_client == Some(true)
            || PlatformJson::has_redirects(self.public_client.as_ref());
        let is_more = PlatformJson::has_redirects(self.web.as_ref())
            || PlatformJson::has_redirects(self.spa.as_ref())
            || !self.identifier_uris.is_empty()
            || !self.app_roles.is_empty()
            || !self.password_credentials.is_empty();
        is_public && !is_more
    }
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

/// The service principal, with which an application can sign in.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePrincipalJson {
    pub(super) id: String,
    #[serde(default)]
    pub(super) account_enabled: Option<bool>,
}

/// An object of which only the id is needed.
#[derive(Deserialize)]
pub(super) struct ObjectJson {
    pub(super) id: String,
}

/// One page of a list.
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
            admits_personal_accounts: found.admits_personal_accounts(),
            is_public_only: found.is_public_only(),
            object_id: AppObjectId(found.id),
            client_id: ClientId(found.app_id),
            display_name: found.display_name.unwrap_or_default(),
            credentials: found.password_credentials.into_iter().map(Credential::from).collect(),
            tags: found.tags,
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn application(more: &Value) -> Application {
        let mut object = json!({"id": Uuid::from_u128(1), "appId": Uuid::from_u128(2)});
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<ApplicationJson>(object).unwrap().into()
    }

    fn is_public_with(public: &Value, name: &str, value: Value) -> bool {
        let mut object = public.clone();
        object.as_object_mut().unwrap().insert(name.to_owned(), value);
        application(&object).is_public_only
    }

    /// An application is a public client only if it has no web or SPA redirects, identifier URIs, app roles or
    /// passwords.
    #[test]
    fn public_client_has_nothing_else_configured() {
        let uris = json!({"redirectUris": ["https://a"]});
        for public in [json!({"isFallbackPublicClient": true}), json!({"publicClient": uris})] {
            assert!(is_public_with(&public, "web", json!({"redirectUris": []})));
            assert!(is_public_with(&public, "spa", Value::Null));
            assert!(!is_public_with(&public, "web", uris.clone()));
            assert!(!is_public_with(&public, "spa", uris.clone()));
            assert!(!is_public_with(&public, "identifierUris", json!(["api://a"])));
            assert!(!is_public_with(&public, "appRoles", json!([{"value": "Read"}])));
            let day = "2026-01-01T00:00:00Z";
            let password = json!({"keyId": Uuid::nil(), "startDateTime": day, "endDateTime": day});
            assert!(!is_public_with(&public, "passwordCredentials", json!([password])));
        }
        assert!(!application(&json!({"isFallbackPublicClient": null})).is_public_only);
    }

    #[test]
    fn personal_accounts_are_seen_in_the_audience() {
        for (audience, admitted) in [
            ("AzureADMyOrg", false),
            ("AzureADMultipleOrgs", false),
            ("AzureADandPersonalMicrosoftAccount", true),
            ("PersonalMicrosoftAccount", true),
        ] {
            assert_eq!(application(&json!({"signInAudience": audience})).admits_personal_accounts, admitted);
        }
    }
}
