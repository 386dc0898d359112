//! The `CredentialIssuer` on Graph: reads applications, adds and removes their passwords.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::super::claims::claims;
use super::wire::{
    AddPassword, ApplicationJson, FIELDS, NewPassword, PasswordCredentialJson, RemovePassword,
    ServicePrincipalJson,
};
use super::{Graph, NO_SUCH_CREDENTIAL, found};
use crate::domain::{AppObjectId, ApplicationRef, ClientId, KeyId};
use crate::ports::{
    Application, CredentialIssuer, CredentialRules, IssuedCredential, OwnIdentity, PortError, Revocation,
    ServicePrincipal,
};

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
        let response =
            self.post(OPERATION, &format!("applications/{application}/addPassword"), &body).await?;
        // From here on the credential exists, even if reading the answer fails.
        let made: PasswordCredentialJson = response
            .json()
            .await
            .map_err(|error| PortError::outcome_unknown(OPERATION, error.without_url()))?;
        let Some(secret_text) = made.secret_text else {
            return Err(PortError::outcome_unknown(OPERATION, "the response does not contain secretText"));
        };
        Ok(IssuedCredential { key_id: KeyId(made.key_id), secret_text, end: made.end_date_time })
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

    async fn read_service_principal(
        &self,
        client_id: ClientId,
    ) -> Result<Option<ServicePrincipal>, PortError> {
        const OPERATION: &str = "get service principal";
        let path = format!("servicePrincipals(appId='{client_id}')?$select=id,accountEnabled");
        let url = self.url(OPERATION, &path)?;
        let found = found(self.read::<ServicePrincipalJson>(OPERATION, &url).await)?;
        Ok(found.map(|found| ServicePrincipal {
            object_id: found.id,
            is_enabled: found.account_enabled.unwrap_or(true),
        }))
    }

    async fn read_credential_rules(&self, application: AppObjectId) -> Result<CredentialRules, PortError> {
        self.credential_rules(application).await
    }

    async fn read_own_identity(&self) -> Result<OwnIdentity, PortError> {
        const OPERATION: &str = "read own token";
        let token = self.token.token(OPERATION).await?;
        // An opaque token is not an error: Graph's answers will show its permissions.
        let identity = claims(&token).map(|claims| OwnIdentity {
            client_id: claims.client_id,
            object_id: claims.object_id,
            roles: claims.roles,
        });
        Ok(identity.unwrap_or_default())
    }
}

impl Graph {
    async fn find_by_client_id(&self, id: ClientId) -> Result<Option<ApplicationJson>, PortError> {
        const OPERATION: &str = "list applications";
        let mut url = self.url(OPERATION, "applications")?;
        let filter = format!("appId eq '{id}'");
        url.query_pairs_mut().append_pair("$filter", &filter).append_pair("$select", FIELDS);
        Ok(self.list(OPERATION, url).await?.into_iter().next())
    }

    async fn show_application(&self, id: AppObjectId) -> Result<Option<ApplicationJson>, PortError> {
        const OPERATION: &str = "get application";
        let url = self.url(OPERATION, &format!("applications/{id}?$select={FIELDS}"))?;
        found(self.read(OPERATION, &url).await)
    }
}
