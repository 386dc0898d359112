//! The `CredentialIssuer` port: the model's applications.

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{DirectPorts, graph_refused};
use crate::domain::{AppObjectId, ApplicationRef, ClientId, KeyId};
use crate::ports::{
    Application, Clock, Credential, CredentialIssuer, CredentialRules, IssuedCredential, OwnIdentity,
    PortError, Revocation, ServicePrincipal,
};
use crate::sandbox::model::{self, GraphRefusal};
use crate::sandbox::service::graph::rights::{READ_APPLICATIONS, READ_POLICIES};

#[async_trait]
impl CredentialIssuer for DirectPorts {
    async fn read_application(&self, application: ApplicationRef) -> Result<Option<Application>, PortError> {
        self.may_read_applications("get application")?;
        let now = self.clock.now();
        let found = match application {
            ApplicationRef::ObjectId(id) => self.model.application(id.0, now),
            ApplicationRef::ClientId(id) => self.model.application_by_client_id(id.0, now),
            ApplicationRef::Either(id) => {
                self.model.application(id, now).or_else(|| self.model.application_by_client_id(id, now))
            }
        };
        Ok(found.map(Application::from))
    }

    async fn issue(
        &self,
        application: AppObjectId,
        display_name: &str,
        end: OffsetDateTime,
    ) -> Result<IssuedCredential, PortError> {
        let made = self.may_write(application.0).and_then(|()| {
            self.model.add_password(application.0, Some(display_name), None, Some(end), self.clock.now())
        });
        let made = made.map_err(|refusal| graph_refused("addPassword", &refusal))?;
        Ok(IssuedCredential { key_id: KeyId(made.key_id), secret_text: made.text, end: made.end })
    }

    async fn revoke(&self, application: AppObjectId, key_id: KeyId) -> Result<Revocation, PortError> {
        let removed = self
            .may_write(application.0)
            .and_then(|()| self.model.remove_password(application.0, key_id.0, self.clock.now()));
        match removed {
            Ok(()) => Ok(Revocation::Revoked),
            Err(GraphRefusal::UnknownCredential(_)) => Ok(Revocation::NotFound),
            Err(refusal) => Err(graph_refused("removePassword", &refusal)),
        }
    }

    async fn read_service_principal(
        &self,
        client_id: ClientId,
    ) -> Result<Option<ServicePrincipal>, PortError> {
        self.may_read_applications("get service principal")?;
        let found = self.model.service_principal_of(client_id.0, self.clock.now());
        Ok(found.map(|found| ServicePrincipal {
            object_id: found.object_id.to_string(),
            is_enabled: found.enabled,
        }))
    }

    async fn read_credential_rules(&self, application: AppObjectId) -> Result<CredentialRules, PortError> {
        if self.has_one_of(&READ_POLICIES).is_err() {
            return Ok(CredentialRules::default());
        }
        let rules = self.model.password_rules(application.0, self.clock.now());
        Ok(rules.map_or_else(CredentialRules::default, |rules| CredentialRules {
            is_known: true,
            passwords_forbidden: rules.are_forbidden,
            longest_lifetime: rules.max_lifetime,
        }))
    }

    async fn read_own_identity(&self) -> Result<OwnIdentity, PortError> {
        let daemon = &self.model.tenant().daemon;
        Ok(OwnIdentity {
            client_id: Some(ClientId(daemon.client_id)),
            object_id: Some(daemon.object_id.to_string()),
            roles: self.graph_roles().into_iter().collect(),
        })
    }
}

impl DirectPorts {
    pub(super) fn may_read_applications(&self, operation: &'static str) -> Result<(), PortError> {
        self.has_one_of(&READ_APPLICATIONS).map_err(|refusal| graph_refused(operation, &refusal))
    }
}

impl From<model::Application> for Application {
    fn from(found: model::Application) -> Self {
        Self {
            object_id: AppObjectId(found.object_id),
            client_id: ClientId(found.client_id),
            admits_personal_accounts: found.audience.admits_personal_accounts(),
            is_public_only: is_public_only(&found),
            credentials: found.credentials.iter().map(credential).collect(),
            display_name: found.display_name,
            tags: found.tags,
        }
    }
}

/// Returns true if the application is only a public client and has no password: all others may need one.
fn is_public_only(found: &model::Application) -> bool {
    let is_public =
        found.is_fallback_public_client == Some(true) || !found.public_client.redirect_uris.is_empty();
    let is_more = !found.web.redirect_uris.is_empty()
        || !found.spa.redirect_uris.is_empty()
        || !found.identifier_uris.is_empty()
        || !found.app_roles.is_empty();
    is_public && !is_more && found.credentials.is_empty()
}

fn credential(found: &model::Credential) -> Credential {
    Credential {
        key_id: KeyId(found.key_id),
        display_name: found.display_name.clone(),
        hint: Some(found.hint()),
        start: found.start,
        end: found.end,
    }
}
