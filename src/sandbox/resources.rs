//! What tokens can be asked for: Microsoft's own services, the health services of this sandbox, its applications.

use uuid::Uuid;

use super::model::{FirstParty, HEALTHCARE, Model};

/// A resource as it was asked for, and as it is known.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The `aud` of its tokens: exactly what was asked for, even with a slash too many.
    pub(crate) audience: String,
    /// What its app roles are kept under.
    pub(crate) identifier: String,
    /// The object id of its service principal.
    pub(crate) principal: Option<Uuid>,
}

impl Resource {
    /// The resource that somebody means where the FHIR service is at `fhir`; `None` if the tenant has none of that
    /// name.
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

/// An application by its id or as `api://` and its id.
fn application(model: &Model, name: &str) -> Option<(String, Uuid)> {
    let client_id = Uuid::try_parse(name.strip_prefix("api://").unwrap_or(name)).ok()?;
    model.object_id(client_id).map(|_| (client_id.to_string(), client_id))
}

/// Whether a token for this audience is of version 2: applications ask for them, Microsoft's own services don't.
pub(crate) fn takes_version_2(audience: &str) -> bool {
    Uuid::try_parse(audience).is_ok() && FirstParty::named(audience).is_none()
}
