//! The `CredentialIssuer` on Graph: applications, and their passwords made and unmade.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::super::reads::retried;
use super::wire::{
    AddPassword, ApplicationJson, FIELDS, NewPassword, Page, PasswordCredentialJson, RemovePassword,
};
use super::{Graph, NO_SUCH_CREDENTIAL};
use crate::domain::{AppObjectId, ApplicationRef, ClientId, KeyId};
use crate::ports::{
    Application, Caller, CredentialIssuer, CredentialRules, IssuedCredential, PortError, Revocation,
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

impl Graph {
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
}
