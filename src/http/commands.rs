//! A person's commands: accepted with 202, and completed by the reconcile loop.

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::HttpState;
use super::access::Caller;
use super::extract::{NamedSecret, SecretPath};
use super::problem::Problem;
use super::responses::{CommandResponses, CommonResponses};
use super::view::OperationView;
use crate::commands::Operation;
use crate::domain::{CommandKind, SecretId};
use crate::telemetry::audit::Asker;

/// The body of a command without options: none, or an empty object.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EmptyBody {}

/// The extent of a compromise.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompromisedBody {
    /// True to revoke every credential of the application, including those that others made.
    #[serde(default)]
    all_credentials: bool,
}

/// The idempotency key of a request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "for the description of the API only")]
pub(super) struct KeyHeader {
    /// A request with the same key from the same caller does not start another command.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 128,
        pattern = "^[!-~]+$"
    )]
    idempotency_key: Option<String>,
}

/// A request for a command, before any of it is checked.
pub(super) type CommandRequest =
    (State<HttpState>, Extension<Caller>, NamedSecret, HeaderMap, Result<Bytes, BytesRejection>);

/// Rotates the secret now, regardless of the schedule.
///
/// Two requests within ten minutes rotate once.
#[utoipa::path(post, path = "/api/v1/secrets/{vault}/{name}/rotate", tag = "commands", params(SecretPath, KeyHeader),
    request_body = EmptyBody, responses(CommandResponses, CommonResponses))]
pub(super) async fn rotate(request: CommandRequest) -> Result<Response, Problem> {
    accept(CommandKind::Rotate, request)
}

/// Publishes the previous version's text again, and quarantines the current version.
///
/// The previous version's credential must still exist.
#[utoipa::path(post, path = "/api/v1/secrets/{vault}/{name}/rollback", tag = "commands", params(SecretPath, KeyHeader),
    request_body = EmptyBody, responses(CommandResponses, CommonResponses))]
pub(super) async fn rollback(request: CommandRequest) -> Result<Response, Problem> {
    accept(CommandKind::Rollback, request)
}

/// Replaces a compromised credential and revokes all older ones.
///
/// Verifies that they no longer work by signing in with each of them.
#[utoipa::path(post, path = "/api/v1/secrets/{vault}/{name}/compromised", tag = "commands", params(SecretPath, KeyHeader),
    request_body = CompromisedBody, responses(CommandResponses, CommonResponses))]
pub(super) async fn compromised(request: CommandRequest) -> Result<Response, Problem> {
    accept(CommandKind::Compromised { all_credentials: false }, request)
}

/// Revokes superseded credentials without waiting for the overlap to end.
#[utoipa::path(post, path = "/api/v1/secrets/{vault}/{name}/retire", tag = "commands", params(SecretPath, KeyHeader),
    request_body = EmptyBody, responses(CommandResponses, CommonResponses))]
pub(super) async fn retire(request: CommandRequest) -> Result<Response, Problem> {
    accept(CommandKind::Retire, request)
}

/// Pauses rotation until `resume`.
#[utoipa::path(post, path = "/api/v1/secrets/{vault}/{name}/pause", tag = "commands", params(SecretPath, KeyHeader),
    request_body = EmptyBody, responses(CommandResponses, CommonResponses))]
pub(super) async fn pause(request: CommandRequest) -> Result<Response, Problem> {
    accept(CommandKind::Pause, request)
}

/// Ends a pause.
#[utoipa::path(post, path = "/api/v1/secrets/{vault}/{name}/resume", tag = "commands", params(SecretPath, KeyHeader),
    request_body = EmptyBody, responses(CommandResponses, CommonResponses))]
pub(super) async fn resume(request: CommandRequest) -> Result<Response, Problem> {
    accept(CommandKind::Resume, request)
}

/// Accepts the command `kind`. Two requests within ten minutes have the effect of one, and so do two with one key.
fn accept(kind: CommandKind, request: CommandRequest) -> Result<Response, Problem> {
    let (State(state), Extension(caller), NamedSecret(secret), headers, body) = request;
    let body = body.map_err(|_| Problem::TooLarge)?;
    let (key, kind) = (key_of(&headers)?, in_full(kind, &body)?);
    let asker = Asker { by: "api", caller: Some(&caller.name), key };
    let operation = OperationView::from(submit(&state, &secret, kind, asker)?);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, operation.path())], Json(operation)).into_response())
}

/// Submits a command, unless the daemon is being stopped.
pub(super) fn submit(
    state: &HttpState,
    secret: &SecretId,
    kind: CommandKind,
    asker: Asker<'_>,
) -> Result<Operation, Problem> {
    if state.readiness.is_draining() {
        state.commands.refuse(secret, kind, asker, "stopping");
        return Err(Problem::Stopping);
    }
    Ok(state.commands.submit(secret, kind, asker)?)
}

/// Returns the command with the options from its body.
fn in_full(kind: CommandKind, body: &[u8]) -> Result<CommandKind, Problem> {
    match kind {
        CommandKind::Compromised { .. } => {
            let CompromisedBody { all_credentials } = read(body)?;
            Ok(CommandKind::Compromised { all_credentials })
        }
        CommandKind::Rotate
        | CommandKind::Rollback
        | CommandKind::Retire
        | CommandKind::Pause
        | CommandKind::Resume => read::<EmptyBody>(body).map(|EmptyBody {}| kind),
    }
}

/// Reads the options of a body. An empty body has none.
fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let body = serde_json::from_slice(body).map_err(|error| Problem::NoJson(error.to_string()))?;
    match body {
        Value::Object(_) => {
            serde_json::from_value(body).map_err(|error| Problem::WrongBody(error.to_string()))
        }
        // An array would be read as the members in their order.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(Problem::WrongBody("it is not an object".to_owned()))
        }
    }
}

/// Returns the request's idempotency key, if it has one.
pub(super) fn key_of(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| {
        (1..=MAX_KEY_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    text.map(Some).ok_or(Problem::UnusableKey)
}

/// Maximum length of an idempotency key, in characters.
const MAX_KEY_LENGTH: usize = 128;
