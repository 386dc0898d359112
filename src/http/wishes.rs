//! A person's wishes: taken with 202, and seen to by the loop.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::HttpState;
use super::api::parse;
use super::idempotency::key_of;
use super::problem::Problem;
use crate::domain::{SecretId, WishKind};
use crate::telemetry::audit::{self, Asker};
use crate::triggers::wishes::Taken;

/// The body of a wish that needs to say nothing more.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The body of `compromised`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Extent {
    #[serde(default)]
    all_credentials: bool,
}

/// Takes the wish `kind`. Asking twice within ten minutes does it once, and so does asking twice under one key.
pub(super) fn ask(
    kind: WishKind,
    State(state): State<HttpState>,
    Path((vault, name)): Path<(String, String)>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(StatusCode, Json<Value>), Problem> {
    let secret = parse(&vault, &name)?;
    let (key, kind) = (key_of(headers)?, in_full(kind, body)?);
    let asker = Asker { by: "api", key };
    if state.readiness.is_draining() {
        audit::wish_refused(&secret, kind, asker, "stopping");
        return Err(Problem::Stopping);
    }
    let grant = || grant(&state, &secret, kind, asker);
    let answer = match key {
        Some(key) => state.keys.once(key, (secret.clone(), kind), state.clock.now(), grant)?,
        None => grant()?,
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

fn grant(state: &HttpState, secret: &SecretId, kind: WishKind, asker: Asker<'_>) -> Result<Value, Problem> {
    let Taken { at, also } = state.wishes.ask(secret, kind, asker)?;
    let mut answer = json!({
        "secret": secret, "wish": kind.label(), "accepted": true, "at": at.format(&Rfc3339).unwrap_or_default(),
        "status": format!("/api/v1/secrets/{secret}"),
    });
    if let (Some(answer), false) = (answer.as_object_mut(), also.is_empty()) {
        answer.insert("also".to_owned(), json!(also));
    }
    Ok(answer)
}

/// The wish with what its body says.
fn in_full(kind: WishKind, body: &[u8]) -> Result<WishKind, Problem> {
    match kind {
        WishKind::Compromised { .. } => {
            let Extent { all_credentials } = read(body)?;
            Ok(WishKind::Compromised { all_credentials })
        }
        WishKind::Rotate | WishKind::Rollback | WishKind::Retire | WishKind::Pause | WishKind::Resume => {
            read::<Nothing>(body).map(|Nothing {}| kind)
        }
    }
}

/// An empty body says nothing more.
fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            Problem::WrongBody(error.to_string())
        } else {
            Problem::NoJson(error.to_string())
        }
    })
}
