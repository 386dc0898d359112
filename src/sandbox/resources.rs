//! What tokens can be asked for: Microsoft's own services, the health services of this sandbox, its applications.

use uuid::Uuid;

use super::azure::Azure;

/// A resource as it was asked for, and as it is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The `aud` of its tokens: exactly what was asked for, even with a slash too many.
    pub(crate) audience: String,
    /// What its app roles are kept under.
    pub(crate) identifier: String,
}

/// What every tenant has: identifiers and application ids.
const FIRST_PARTY: [(&str, &str); 4] = [
    ("https://vault.azure.net", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"),
    ("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"),
    ("https://storage.azure.com", "e406a681-f3d4-42a8-90b6-c2b029497af1"),
    ("https://management.azure.com", "797f4846-ba00-4fd7-ba43-dac1f8f63013"),
];

/// The audience of every DICOM service's tokens.
pub(crate) const DICOM_AUDIENCE: &str = "https://dicom.healthcareapis.azure.com";

impl Azure {
    /// The resource that somebody means; `None` if the tenant has none of that name.
    pub(crate) fn resource(&self, asked_for: &str) -> Option<Resource> {
        let name = asked_for.strip_suffix('/').unwrap_or(asked_for);
        let known = FIRST_PARTY.iter().find(|(identifier, id)| *identifier == name || *id == name);
        let identifier = match known {
            Some((identifier, _)) => (*identifier).to_owned(),
            None if name == self.addresses.fhir || name == DICOM_AUDIENCE => name.to_owned(),
            None => self.application_resource(name)?,
        };
        Some(Resource { audience: asked_for.to_owned(), identifier })
    }

    /// An application by its id or as `api://` and its id.
    fn application_resource(&self, name: &str) -> Option<String> {
        let client_id = Uuid::try_parse(name.strip_prefix("api://").unwrap_or(name)).ok()?;
        let is_service = self.model.tenant().service_identity(client_id).is_some();
        let is_known = is_service || self.model.object_id(client_id).is_some();
        is_known.then(|| client_id.to_string())
    }
}

/// Whether a token for this audience is of version 2: applications ask for them, Microsoft's own services don't.
pub(crate) fn takes_version_2(audience: &str) -> bool {
    Uuid::try_parse(audience).is_ok() && FIRST_PARTY.iter().all(|(_, id)| *id != audience)
}
