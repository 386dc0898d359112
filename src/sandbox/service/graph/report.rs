//! `/beta/reports/appCredentialSignInActivities`: the credentials used to sign in, with the time of the last sign-in.

use std::borrow::Cow;

use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::read::Collection;
use super::wire::date_time;
use super::{Call, Outcome};
use crate::sandbox::https::Response;
use crate::sandbox::model::{GraphRefusal, ReportedSignIn};

const COLLECTION: Collection = Collection {
    name: Cow::Borrowed("reports/appCredentialSignInActivities"),
    resource: "AppCredentialSignInActivity",
    filterable: &["keyId", "appId"],
    version: "beta",
};

pub(super) fn handle(call: &Call<'_>) -> Outcome {
    if call.request.method != Method::GET {
        return Ok(Response::not_modelled(call.request));
    }
    call.may_read_reports()?;
    let rows = call.azure.model.sign_in_report(call.now).ok_or(GraphRefusal::NoPremiumLicence)?;
    let mut rows: Vec<_> = rows.iter().map(row).collect();
    rows.sort_by_key(|row| row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned());
    COLLECTION.filtered_page(call, rows)
}

fn row(row: &ReportedSignIn) -> Value {
    json!({
        "id": BASE64_STANDARD.encode(format!("{}|application", row.key_id)),
        "keyId": row.key_id,
        "keyType": "clientSecret",
        "keyUsage": "sign",
        "appId": row.client_id,
        "appObjectId": row.object_id,
        "servicePrincipalObjectId": row.service_principal,
        "resourceId": row.resource,
        "credentialOrigin": "application",
        "createdDateTime": date_time(row.start),
        "expirationDateTime": date_time(row.end),
        "signInActivity": {
            "lastSignInDateTime": date_time(row.at),
            "lastSignInRequestId": row.request_id,
        },
    })
}
