//! The parts of requests that handlers take: paths and queries. Malformed ones are answered with problem details.

use std::error::Error as _;

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use uuid::Uuid;

use super::problem::Problem;
use crate::domain::SecretId;

/// The secret that a path names.
pub(super) struct NamedSecret(pub(super) SecretId);

/// The operation that a path names.
pub(super) struct NamedOperation(pub(super) Uuid);

/// The parameters of a query.
pub(super) struct Params<T>(pub(super) T);

/// The path of a secret.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SecretPath {
    /// The vault's name.
    vault: String,
    /// The secret's name.
    name: String,
}

/// The path of an operation.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OperationPath {
    /// The operation's id, as the response to the command has it.
    #[param(value_type = Uuid)]
    id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for NamedSecret {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let SecretPath { vault, name } = read_path(parts, state).await?;
        secret_id(&vault, &name).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamedOperation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let OperationPath { id } = read_path(parts, state).await?;
        Uuid::try_parse(&id).map(Self).map_err(|_| Problem::UnknownOperation)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::WrongQuery(cause_of(&error))),
        }
    }
}

/// Returns the id of a secret. A text that can't be a name is not the name of a managed secret.
pub(super) fn secret_id(vault: &str, name: &str) -> Result<SecretId, Problem> {
    match (vault.parse(), name.parse()) {
        (Ok(vault), Ok(name)) => Ok(SecretId::new(vault, name)),
        (Err(_), _) | (_, Err(_)) => Err(Problem::UnknownSecret("a secret of that name".to_owned())),
    }
}

async fn read_path<S, T>(parts: &mut Parts, state: &S) -> Result<T, Problem>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    match Path::from_request_parts(parts, state).await {
        Ok(Path(path)) => Ok(path),
        Err(error) => Err(Problem::WrongPath(error.body_text())),
    }
}

/// Returns the text of the error's cause, or of the error itself.
fn cause_of(error: &QueryRejection) -> String {
    error.source().map_or_else(|| error.body_text(), ToString::to_string)
}
