//! The `ResourceProbe` port: the FHIR and DICOM services, each with the audience and the role that it requires.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::DirectPorts;
use super::sign_in::StandIn;
use crate::domain::{Probe, ProbeAnswer};
use crate::ports::{Clock, ResourceProbe};
use crate::sandbox::endpoints::HealthEndpoint;
use crate::sandbox::hosts::{DICOM, FHIR};
use crate::sandbox::model::{DICOM_AUDIENCE, Role, Scope};

#[async_trait]
impl ResourceProbe for DirectPorts {
    async fn probe(&self, probe: &Probe, token: &SecretString) -> ProbeAnswer {
        let Some(status) = self.ask(&probe.url, token) else {
            return ProbeAnswer::Unclear("there is no such host".to_owned());
        };
        match status {
            expected if probe.expected.contains(&expected) => ProbeAnswer::AsExpected,
            401 => ProbeAnswer::Unauthenticated,
            403 => ProbeAnswer::Forbidden,
            429 | 500.. => ProbeAnswer::Unclear(format!("status {status}")),
            other => ProbeAnswer::Unexpected(other),
        }
    }
}

impl DirectPorts {
    /// Returns the FHIR service: the URL to probe and the audience of its tokens.
    #[must_use]
    pub fn fhir() -> HealthEndpoint {
        let url = format!("https://{FHIR}");
        HealthEndpoint { audience: url.clone(), url }
    }

    /// Returns the DICOM service: the URL to probe and the audience of its tokens.
    #[must_use]
    pub fn dicom() -> HealthEndpoint {
        HealthEndpoint { url: format!("https://{DICOM}"), audience: DICOM_AUDIENCE.to_owned() }
    }

    /// Returns the status of the response to a `GET`; `None` if no service has that address.
    fn ask(&self, url: &str, token: &SecretString) -> Option<u16> {
        let url = Url::parse(url).ok().filter(|url| url.scheme() == "https")?;
        let path: Vec<_> = url.path_segments().into_iter().flatten().collect();
        let (service, scope, role) = match url.host_str()? {
            FHIR => (Self::fhir(), Scope::Fhir, Role::FhirDataReader),
            DICOM => (Self::dicom(), Scope::Dicom, Role::DicomDataReader),
            _ => return None,
        };
        let is_there = match scope {
            Scope::Fhir if path == ["metadata"] => return Some(200),
            Scope::Fhir => path == ["Patient"],
            Scope::Dicom | Scope::Vault(_) => matches!(path.as_slice(), ["v1" | "v2", "studies"]),
        };
        Some(match self.admits(&service, token) {
            None => 401,
            Some(principal) if !self.model.has_role(principal, &scope, &[role]) => 403,
            Some(_) if is_there => 200,
            Some(_) => 501,
        })
    }

    /// Returns the object id of the token's principal if the token is valid for this service.
    fn admits(&self, service: &HealthEndpoint, token: &SecretString) -> Option<uuid::Uuid> {
        let token: StandIn = serde_json::from_str(token.expose_secret()).ok()?;
        (token.aud == service.audience && self.clock.now() < token.exp).then_some(token.oid)
    }
}
