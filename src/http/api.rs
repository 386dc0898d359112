//! The API of secrets: what is known of them, and a person's wish to rotate one.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tracing::info;

use super::HttpState;
use super::problem::Problem;
use crate::domain::{SecretId, Wish, WishKind};
use crate::reconcile::SecretStatus;

/// Every managed secret, by name.
#[derive(Debug, Serialize)]
pub(super) struct SecretList {
    secrets: Vec<SecretStatus>,
}

pub(super) async fn list_secrets(State(state): State<HttpState>) -> Json<SecretList> {
    Json(SecretList { secrets: state.board.list() })
}

pub(super) async fn show_secret(
    State(state): State<HttpState>,
    Path((vault, name)): Path<(String, String)>,
) -> Result<Json<SecretStatus>, Problem> {
    let secret = parse(&vault, &name)?;
    state.board.show(&secret).map(Json).ok_or_else(|| Problem::UnknownSecret(secret.to_string()))
}

/// Asks for a rotation. Asking twice within ten minutes rotates once.
pub(super) async fn rotate_secret(
    State(state): State<HttpState>,
    Path((vault, name)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let secret = parse(&vault, &name)?;
    if !state.board.knows(&secret) {
        return Err(Problem::UnknownSecret(secret.to_string()));
    }
    if state.readiness.is_draining() {
        return Err(Problem::Stopping);
    }
    info!(%secret, "somebody asked to rotate {secret}");
    state.metrics.triggers.with_label_values(&["api"]).inc();
    state.queue.enqueue(&secret, Some(Wish { kind: WishKind::Rotate, at: state.clock.now() }));
    let status = format!("/api/v1/secrets/{secret}");
    Ok((StatusCode::ACCEPTED, Json(json!({"secret": secret, "accepted": true, "status": status}))))
}

fn parse(vault: &str, name: &str) -> Result<SecretId, Problem> {
    let unknown = |_| Problem::UnknownSecret("a secret of that name".to_owned());
    Ok(SecretId::new(vault.parse().map_err(unknown)?, name.parse().map_err(unknown)?))
}
