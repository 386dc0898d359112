//! The API of operations: their current state, and a stream of their changes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::ToSchema;
use uuid::Uuid;

use super::HttpState;
use super::extract::{NamedOperation, OperationPath};
use super::problem::Problem;
use super::responses::{CommonResponses, LookupResponses};
use super::view::OperationView;
use crate::commands::Operation;

/// The limit of concurrent event streams: each keeps a connection open.
#[derive(Debug, Clone)]
pub struct EventStreams(Arc<Semaphore>);

impl Default for EventStreams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

/// A list of operations.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OperationList {
    /// The operations, the latest first, at most 1,000.
    operations: Vec<OperationView>,
}

/// Lists the operations since the daemon started.
#[utoipa::path(get, path = "/api/v1/operations", tag = "operations", responses(
    (status = 200, description = "The operations, the latest first.", body = OperationList), CommonResponses))]
pub(super) async fn list_operations(State(state): State<HttpState>) -> Json<OperationList> {
    let operations = state.commands.operations();
    Json(OperationList { operations: operations.into_iter().map(OperationView::from).collect() })
}

/// Returns the current state of one operation.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "operations",
    params(OperationPath), responses((status = 200, description = "The operation.", body = OperationView), LookupResponses, CommonResponses))]
pub(super) async fn show_operation(
    State(state): State<HttpState>,
    NamedOperation(id): NamedOperation,
) -> Result<Json<OperationView>, Problem> {
    find(&state, id).map(|operation| Json(operation.into()))
}

/// Streams the changes of one operation as server-sent events, until the operation is over.
///
/// Each event has the type `operation`.
#[utoipa::path(get, path = "/api/v1/operations/{id}/events", tag = "operations",
    params(OperationPath), responses((status = 200, description = "Server-sent events. The data of each is an operation.",
            body = String, content_type = "text/event-stream"), LookupResponses, CommonResponses))]
pub(super) async fn follow_operation(
    State(state): State<HttpState>,
    NamedOperation(id): NamedOperation,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let id = find(&state, id)?.id;
    let permit = Arc::clone(&state.event_streams.0).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
    let changes = state.commands.changes();
    let following = OperationEvents { state, id, changes, last: None, is_over: false, _permit: permit };
    let stream = futures::stream::unfold(following, |mut following| async {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn find(state: &HttpState, id: Uuid) -> Result<Operation, Problem> {
    state.commands.operation(id).ok_or(Problem::UnknownOperation)
}

/// One reader of one operation's events.
struct OperationEvents {
    state: HttpState,
    id: Uuid,
    changes: watch::Receiver<u64>,
    last: Option<Operation>,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl OperationEvents {
    /// Returns the next change; `None` once the operation is over, or is not known any more.
    async fn next(&mut self) -> Option<Event> {
        while !self.is_over {
            let operation = self.state.commands.operation(self.id)?;
            self.is_over = operation.state.is_over();
            if self.last.as_ref() != Some(&operation) {
                let event = Event::default()
                    .event("operation")
                    .json_data(OperationView::from(operation.clone()))
                    .ok();
                self.last = Some(operation);
                return event;
            }
            // A stop of the daemon ends every operation, and with it this stream.
            self.changes.changed().await.ok()?;
        }
        None
    }
}

const MAX_STREAMS: usize = 64;
