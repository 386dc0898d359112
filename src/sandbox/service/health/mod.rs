//! The health services, which applications' credentials are for: FHIR and DICOM, each with one thing to read. Nothing
//! can be written.

mod dicom;
mod fhir;

pub(crate) use dicom::{failure_response as dicom_failure_response, handle_request as handle_dicom};
pub(crate) use fhir::{failure_response as fhir_failure_response, handle_request as handle_fhir};

use crate::sandbox::https::Request;
use crate::sandbox::model::{Role, Scope};
use crate::sandbox::service::azure::Azure;

/// The reason for which a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// No valid token for this service.
    Unauthenticated,
    /// A valid token of a caller without the role.
    Unauthorised,
}

fn authorise(
    azure: &Azure,
    request: &Request,
    audience: &str,
    scope: &Scope,
    role: Role,
) -> Result<(), Refused> {
    let caller =
        azure.tokens.caller(request.bearer_token(), &[audience]).map_err(|_| Refused::Unauthenticated)?;
    let is_allowed = azure.model.has_role(caller.object_id, scope, &[role]);
    if is_allowed { Ok(()) } else { Err(Refused::Unauthorised) }
}

/// Returns the challenge of a 401: the authority to sign in to, and the audience.
fn challenge(azure: &Azure, audience: &str) -> String {
    let (authority, tenant) = (&azure.addresses.authority, azure.model.tenant().id);
    format!(
        "Bearer authorization_uri=\"{authority}/{tenant}/oauth2/authorize\", resource_id=\"{audience}\", realm=\"{audience}\""
    )
}
