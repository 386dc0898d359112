//! The health services, which applications' credentials are for: FHIR and DICOM, each with one thing to read.
//! Nothing can be written.

mod dicom;
mod fhir;

pub(crate) use dicom::{handle_request as handle_dicom, trouble as dicom_trouble};
pub(crate) use fhir::{handle_request as handle_fhir, trouble as fhir_trouble};

use crate::sandbox::azure::Azure;
use crate::sandbox::https::Request;
use crate::sandbox::model::{Role, Scope};

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// No token for this service.
    Unauthenticated,
    /// A good token of somebody without the role.
    Unauthorised,
}

fn authorise(
    azure: &Azure,
    request: &Request,
    audience: &str,
    scope: &Scope,
    role: Role,
) -> Result<(), Refused> {
    let caller = azure.caller(request, &[audience]).map_err(|_| Refused::Unauthenticated)?;
    let is_allowed = azure.model.has_role(caller.object_id, scope, &[role]);
    if is_allowed { Ok(()) } else { Err(Refused::Unauthorised) }
}

/// The challenge of a 401: where to sign in, and for what.
fn challenge(azure: &Azure, audience: &str) -> String {
    let (authority, tenant) = (&azure.addresses.authority, azure.model.tenant().id);
    format!(
        "Bearer authorization_uri=\"{authority}/{tenant}/oauth2/authorize\", resource_id=\"{audience}\", realm=\"{audience}\""
    )
}
