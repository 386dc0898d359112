//! The resources that tokens can be requested for: Microsoft's services, this sandbox's health services, its
//! applications.

use uuid::Uuid;

use super::model::{FirstParty, HEALTHCARE, Model};

/// A resource: its name in the request, and its identifier in the tenant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The `aud` of its tokens: exactly as in the request, even with an extra slash.
    pub(crate) audience: String,
    /// The key that its app roles are stored under.
    pub(crate) identifier: String,
    /// The object id of its service principal.
    pub(crate) principal: Option<Uuid>,
}

impl Resource {
    /// Finds the resource of this name if the FHIR service is at `fhir`; `None` if the tenant has none of that name.
    pub(crate) fn find(model: &Model, fhir: &str, asked_for: &str) -> Option<Self> {
        let name = asked_for.strip_suffix('/').unwrap_or(asked_for);
        let (identifier, client_id) = if let Some(service) = FirstParty::named(name) {
            (service.identifier.to_owned(), service.client_id)
        } else if name == fhir {
            // Each FHIR service is a resource of its own name, with one service principal for them all.
            (name.to_owned(), HEALTHCARE)
        } else {
            application(model, name)?
        };
        let principal = model.principal_by_client_id(client_id);
        Some(Self { audience: asked_for.to_owned(), identifier, principal })
    }
}

/// Finds an application by its client id or by `api://` and its client id.
fn application(model: &Model, name: &str) -> Option<(String, Uuid)> {
    let client_id = Uuid::try_parse(name.strip_prefix("api://").unwrap_or(name)).ok()?;
    model.object_id(client_id).map(|_| (client_id.to_string(), client_id))
}

/// Returns true if a token for this audience is of version 2: applications get those, Microsoft's own services don't.
pub(crate) fn takes_version_2(audience: &str) -> bool {
    Uuid::try_parse(audience).is_ok() && FirstParty::named(audience).is_none()
}
