//! Controls of a vault's settings: its network, its access model, and its retention period for deleted secrets.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::bad_request;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{AccessModel, MAX_RETENTION_DAYS, MIN_RETENTION_DAYS, Network};
use crate::sandbox::service::azure::Azure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedVault {
    network: Option<Network>,
    access_model: Option<AccessModel>,
    retention_days: Option<u8>,
}

/// Changes the settings in the body and leaves the rest: `{"network": "open" | "firewall" | "private", "access_model":
/// "rbac" | "access_policies", "retention_days": 7..90}`.
pub(super) fn set(azure: &Azure, vault: &str, request: &Request) -> Response {
    let Some(wanted) = request.json::<WantedVault>() else {
        return bad_request("expected {\"network\": ..., \"access_model\": ..., \"retention_days\": ...}");
    };
    let is_allowed = |days: u8| (MIN_RETENTION_DAYS..=MAX_RETENTION_DAYS).contains(&days);
    if !wanted.retention_days.is_none_or(is_allowed) {
        return bad_request("\"retention_days\" must be from 7 to 90");
    }
    let Some(mut options) = azure.model.vault_options(vault) else {
        let error = format!("vault {vault} not found");
        return Response::json(StatusCode::NOT_FOUND, json!({"error": error}));
    };
    options.network = wanted.network.unwrap_or(options.network);
    options.access_model = wanted.access_model.unwrap_or(options.access_model);
    options.retention_days = wanted.retention_days.unwrap_or(options.retention_days);
    azure.model.set_vault_options(vault, options);
    Response::no_content()
}
