//! The API of secrets: what is known of them.

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;

use super::HttpState;
use super::problem::Problem;
use crate::domain::SecretId;
use crate::triggers::wishes::Standing;

/// Every managed secret, by name.
#[derive(Debug, Serialize)]
pub(super) struct SecretList {
    secrets: Vec<Standing>,
}

pub(super) async fn list_secrets(State(state): State<HttpState>) -> Json<SecretList> {
    Json(SecretList { secrets: state.wishes.list() })
}

pub(super) async fn show_secret(
    State(state): State<HttpState>,
    Path((vault, name)): Path<(String, String)>,
) -> Result<Json<Standing>, Problem> {
    let secret = parse(&vault, &name)?;
    Ok(Json(state.wishes.show(&secret)?))
}

pub(super) fn parse(vault: &str, name: &str) -> Result<SecretId, Problem> {
    let unknown = |_| Problem::UnknownSecret("a secret of that name".to_owned());
    Ok(SecretId::new(vault.parse().map_err(unknown)?, name.parse().map_err(unknown)?))
}
