//! Operations: what became of each command that was taken, under an id, as it is now and as it goes on.
//!
//! Kept in memory: a restart forgets them, as it forgets the commands. What a command began can still be seen in its secret.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::ToSchema;
use uuid::Uuid;

use super::HttpState;
use super::problem::{Common, Details, Problem};
use crate::domain::{CommandKind, CommandOutcome, SecretId, SecretState};
use crate::reconcile::QueuedCommand;
use crate::triggers::commands::{Commands, Standing, Taken};

/// The operations since the start, at most 10,000.
#[derive(Debug)]
pub struct Operations {
    commands: Arc<Commands>,
    known: Mutex<Known>,
    streams: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Known {
    asked: BTreeMap<Uuid, Asked>,
    /// The ids, the oldest in front.
    order: VecDeque<Uuid>,
}

/// What was asked for, and how it ended if that was seen.
#[derive(Debug, Clone)]
struct Asked {
    secret: SecretId,
    kind: CommandKind,
    by: String,
    taken: Taken,
    ended: Option<(Phase, String)>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// It will be seen to.
    Accepted,
    /// It is being done.
    Running,
    /// It was tried and waits for what the message says; it is tried again.
    Waiting,
    /// It is done.
    Succeeded,
    /// It will not be done, for the reason in the message.
    Failed,
    /// Another command for the same secret took its place.
    Replaced,
}

/// A command that was taken, and what has become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Operation {
    /// Its id.
    id: Uuid,
    /// `vault/name`.
    #[schema(value_type = String)]
    secret: SecretId,
    /// `rotate`, `rollback`, `compromised`, `retire`, `pause` or `resume`.
    command: &'static str,
    /// Who asked.
    by: String,
    /// When that was.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The other secrets that the same is asked of.
    #[schema(value_type = Vec<String>)]
    also: Vec<SecretId>,
    /// How far it is.
    phase: Phase,
    /// What it waits for, why it failed, or what the secret is doing.
    message: String,
    /// Where the secret itself is shown.
    secret_url: String,
}

/// A list of operations.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OperationList {
    /// The latest first, at most 1,000.
    operations: Vec<Operation>,
}

impl Phase {
    const fn is_over(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Replaced => true,
            Self::Accepted | Self::Running | Self::Waiting => false,
        }
    }
}

impl Operations {
    /// None yet.
    #[must_use]
    pub fn new(commands: Arc<Commands>) -> Self {
        Self { commands, known: Mutex::default(), streams: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }

    /// Remembers a command that was taken, and gives it an id.
    pub(super) fn begin(&self, secret: &SecretId, kind: CommandKind, by: &str, taken: Taken) -> Uuid {
        let id = Uuid::new_v4();
        let asked = Asked { secret: secret.clone(), kind, by: by.to_owned(), taken, ended: None };
        let mut known = self.lock();
        if known.order.len() >= MAX_KNOWN
            && let Some(oldest) = known.order.pop_front()
        {
            known.asked.remove(&oldest);
        }
        known.order.push_back(id);
        known.asked.insert(id, asked);
        id
    }

    /// The operation as it is now; `None` if none of that id is known.
    pub(super) fn show(&self, id: Uuid) -> Option<Operation> {
        let asked = self.lock().asked.get(&id)?.clone();
        let (phase, message) = asked.ended.clone().unwrap_or_else(|| progress(&asked, &self.commands));
        if phase.is_over()
            && let Some(known) = self.lock().asked.get_mut(&id)
        {
            known.ended = Some((phase, message.clone()));
        }
        let Asked { secret, kind, by, taken, .. } = asked;
        let secret_url = format!("/api/v1/secrets/{secret}");
        let Taken { at, also } = taken;
        Some(Operation { id, secret, command: kind.label(), by, at, also, phase, message, secret_url })
    }

    fn list(&self) -> Vec<Operation> {
        let ids: Vec<_> = self.lock().order.iter().rev().take(MAX_LISTED).copied().collect();
        ids.into_iter().filter_map(|id| self.show(id)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the board and the queue say of a command.
fn progress(asked: &Asked, commands: &Commands) -> (Phase, String) {
    let Ok(standing) = commands.show(&asked.secret) else {
        return (Phase::Failed, "the secret is not managed any more".to_owned());
    };
    let Standing { status, pending_command } = standing;
    let (label, at) = (asked.kind.label(), asked.taken.at);
    let last = status.last_command.as_ref();
    if let Some(ended) = last.filter(|last| last.command.kind.label() == label && last.command.at >= at) {
        let phase = match ended.outcome {
            CommandOutcome::Completed => Phase::Succeeded,
            CommandOutcome::Rejected => Phase::Failed,
            CommandOutcome::Replaced => Phase::Replaced,
        };
        return (phase, ended.reason.clone());
    }
    match pending_command {
        Some(QueuedCommand { command, .. }) if command.kind.label() != label => {
            let why = format!("{} was asked for as well, and is graver", command.kind.label());
            (Phase::Replaced, why)
        }
        None => (Phase::Replaced, "another command was completed in its place".to_owned()),
        Some(_) if status.state == SecretState::Rotating => (Phase::Running, status.message),
        Some(command) if command.tried => (Phase::Waiting, status.message),
        Some(_) => (Phase::Accepted, "it will be seen to".to_owned()),
    }
}

/// The operations since the start.
#[utoipa::path(get, path = "/api/v1/operations", tag = "operations", responses(
    (status = 200, description = "The latest first.", body = OperationList), Common))]
pub(super) async fn list_operations(State(state): State<HttpState>) -> Json<OperationList> {
    Json(OperationList { operations: state.operations.list() })
}

/// One operation, as it is now.
#[utoipa::path(get, path = "/api/v1/operations/{id}", tag = "operations",
    params(("id" = Uuid, Path, description = "Its id, as the answer to the command has it")),
    responses((status = 200, description = "As it is now.", body = Operation),
        (status = 404, description = "No such operation is known.", body = Details,
            content_type = "application/problem+json"), Common))]
pub(super) async fn show_operation(
    State(state): State<HttpState>,
    Path(id): Path<String>,
) -> Result<Json<Operation>, Problem> {
    find(&state, &id).map(Json)
}

/// One operation as it goes on: an event of the type `operation` for each change, until it is over.
#[utoipa::path(get, path = "/api/v1/operations/{id}/events", tag = "operations",
    params(("id" = Uuid, Path, description = "Its id, as the answer to the command has it")),
    responses((status = 200, description = "Server-sent events; the data of each is an operation.",
            body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such operation is known.", body = Details,
            content_type = "application/problem+json"), Common))]
pub(super) async fn follow_operation(
    State(state): State<HttpState>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let id = find(&state, &id)?.id;
    let permit =
        Arc::clone(&state.operations.streams).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
    let changes = state.commands.board.changes();
    let following = Following { state, id, changes, last: None, is_over: false, _permit: permit };
    let stream = futures::stream::unfold(following, |mut following| async {
        let event = following.next().await?;
        Some((Ok(event), following))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

fn find(state: &HttpState, id: &str) -> Result<Operation, Problem> {
    let id = Uuid::try_parse(id).map_err(|_| Problem::UnknownOperation)?;
    state.operations.show(id).ok_or(Problem::UnknownOperation)
}

/// One reader of one operation's events.
struct Following {
    state: HttpState,
    id: Uuid,
    changes: watch::Receiver<u64>,
    last: Option<Operation>,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Following {
    /// The next change; `None` once it is over, or the daemon stops.
    async fn next(&mut self) -> Option<Event> {
        while !self.is_over {
            let operation = self.state.operations.show(self.id)?;
            self.is_over = operation.phase.is_over();
            if self.last.as_ref() != Some(&operation) {
                let event = Event::default().event("operation").json_data(&operation).ok();
                self.last = Some(operation);
                return event;
            }
            tokio::select! {
                () = self.state.stop.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
            }
        }
        None
    }
}

const MAX_KNOWN: usize = 10_000;

const MAX_LISTED: usize = 1_000;

/// Readers of events at a time.
const MAX_STREAMS: usize = 64;
