//! `addPassword` and `removePassword`. The text leaves Graph in the response to the first, and never again.

use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::wire::{in_context, new_credential, unreadable};
use super::{Call, Outcome};
use crate::sandbox::https::Response;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddPassword {
    password_credential: Option<WantedCredential>,
}

/// The credential in the body. A `secretText` in it is ignored: the text is always Graph's.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WantedCredential {
    display_name: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    start_date_time: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    end_date_time: Option<OffsetDateTime>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemovePassword {
    key_id: Uuid,
}

pub(super) fn add(call: &Call<'_>, id: Uuid) -> Outcome {
    let body: AddPassword = call.request.json().ok_or_else(unreadable)?;
    let wanted = body.password_credential.unwrap_or_default();
    let name = wanted.display_name.as_deref();
    let (start, end) = (wanted.start_date_time, wanted.end_date_time);
    let made = call.azure.model.add_password(id, name, start, end, call.now)?;
    let body = in_context(new_credential(&made), call.azure, "v1.0", "microsoft.graph.passwordCredential");
    Ok(Response::ok(body))
}

pub(super) fn remove(call: &Call<'_>, id: Uuid) -> Outcome {
    let body: RemovePassword = call.request.json().ok_or_else(unreadable)?;
    call.azure.model.remove_password(id, body.key_id, call.now)?;
    Ok(Response::no_content())
}
