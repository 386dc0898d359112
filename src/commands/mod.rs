//! Commands from people: they are submitted to the work queue, and an [`Operation`] shows what became of each.
//!
//! Used by the HTTP API, the Functions trigger and the command line. It decides nothing about a secret and waits for
//! nothing; everything here is in memory, and a restart forgets it.

mod idempotency;
mod operation;
mod registry;

use std::sync::Arc;

use tokio::sync::watch;
use uuid::Uuid;

pub use operation::{Operation, OperationState};

use self::idempotency::IdempotencyKeys;
use self::registry::OperationRegistry;
use crate::domain::{Command, CommandKind, CommandOutcome, ManagedSecret, PendingCommand, SecretId};
use crate::metrics::{COMMAND_ACCEPTED, Metrics};
use crate::ports::Clock;
use crate::reconcile::{Catalogue, SecretStatus, StatusBoard, WorkQueue};
use crate::telemetry::audit::{self, Asker};

/// Everything that commands need: where they go, and where their outcome is seen.
#[derive(Debug)]
pub struct Commands {
    queue: Arc<WorkQueue>,
    catalogue: Arc<Catalogue>,
    board: Arc<StatusBoard>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    operations: OperationRegistry,
    keys: IdempotencyKeys,
}

/// A managed secret: its status, and the commands that are not completed yet.
#[derive(Debug)]
pub struct SecretRecord {
    /// The status.
    pub status: SecretStatus,
    /// The commands: the one in work first, then the next in turn.
    pub pending_commands: Vec<PendingCommand>,
}

/// The reason why a secret takes no commands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotManaged {
    /// It is not managed.
    #[error("{0} is not managed")]
    Unknown(SecretId),
    /// It follows another one.
    #[error("{replica} is a replica of {primary}: name {primary} instead")]
    Replica {
        /// The one that was named.
        replica: SecretId,
        /// The one that it follows.
        primary: SecretId,
    },
}

/// The reason why a command is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The secret takes no commands.
    #[error(transparent)]
    NotManaged(#[from] NotManaged),
    /// The idempotency key came with another command within the last day.
    #[error("this Idempotency-Key came with another request within the last 24 hours")]
    KeyReused,
}

impl NotManaged {
    /// Returns the name in the audit log.
    const fn label(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "not_managed",
            Self::Replica { .. } => "replica",
        }
    }
}

impl Commands {
    /// Makes a layer over the queue of a loop and the board that it writes.
    #[must_use]
    pub fn new(
        queue: Arc<WorkQueue>,
        catalogue: Arc<Catalogue>,
        board: Arc<StatusBoard>,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (operations, keys) = (OperationRegistry::default(), IdempotencyKeys::default());
        Self { queue, catalogue, board, metrics, clock, operations, keys }
    }

    /// Accepts the command `kind` for `secret`, once for each key of the asker, and returns its operation.
    ///
    /// # Errors
    /// The secret is not managed or a replica, or the key came with another command.
    pub fn submit<'a>(
        &self,
        secret: &SecretId,
        kind: CommandKind,
        asker: impl Into<Asker<'a>>,
    ) -> Result<Operation, SubmitError> {
        let asker = asker.into();
        let id = match asker.key {
            // A key is the caller's own: no one learns of another's commands by it.
            Some(key) => {
                let key = format!("{}\n{key}", asker.caller.unwrap_or_default());
                let request = (secret.clone(), kind);
                self.keys.once(&key, request, self.clock.now(), || self.accept(secret, kind, asker))?
            }
            None => self.accept(secret, kind, asker)?,
        };
        let accepted = self.operations.get(id).ok_or_else(|| NotManaged::Unknown(secret.clone()))?;
        let operation = operation::of(&accepted, &self.queue, &self.board);
        Ok(operation.unwrap_or_else(|| operation::forgotten(accepted)))
    }

    /// Counts and logs a command that is not accepted, for the reason of this label.
    pub fn refuse(&self, secret: &SecretId, kind: CommandKind, asker: Asker<'_>, why: &str) {
        audit::command_rejected(secret, kind, asker, why);
        self.metrics
            .commands_total
            .with_label_values(&[kind.label(), CommandOutcome::Rejected.label()])
            .inc();
    }

    /// Rejects every pending command because the daemon stops. Called when the loop has ended for good.
    pub fn reject_pending(&self) {
        for (secret, command) in self.queue.drain_all_commands() {
            self.board.reject_command(&secret, command, STOPPED);
        }
    }

    /// Returns what is known of one secret.
    ///
    /// # Errors
    /// The secret is not managed, or it is a replica.
    pub fn get(&self, secret: &SecretId) -> Result<SecretRecord, NotManaged> {
        self.find(secret)?;
        let status = self.board.show(secret).ok_or_else(|| NotManaged::Unknown(secret.clone()))?;
        Ok(self.record(status))
    }

    /// Lists every managed secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<SecretRecord> {
        self.board.list().into_iter().map(|status| self.record(status)).collect()
    }

    /// Returns the operation of this id as it is now; none if it is not known.
    #[must_use]
    pub fn operation(&self, id: Uuid) -> Option<Operation> {
        self.operations.get(id).and_then(|accepted| operation::of(&accepted, &self.queue, &self.board))
    }

    /// Lists the operations since the start, the latest first, at most 1,000.
    #[must_use]
    pub fn operations(&self) -> Vec<Operation> {
        self.register_passed_on();
        let latest = self.operations.latest();
        latest.iter().filter_map(|accepted| operation::of(accepted, &self.queue, &self.board)).collect()
    }

    /// Returns a receiver that is notified when anything has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.board.changes()
    }

    /// Queues the command. If every credential of the application is meant, each other secret of it gets the same
    /// command and an operation of its own.
    fn accept(&self, secret: &SecretId, kind: CommandKind, asker: Asker<'_>) -> Result<Uuid, NotManaged> {
        let managed = self.find(secret).inspect_err(|refused| {
            self.refuse(secret, kind, asker, refused.label());
        })?;
        let mut also = Vec::new();
        if kind == (CommandKind::Compromised { all_credentials: true }) {
            let holders = self.catalogue.of_application(managed.application);
            also.extend(holders.iter().map(|holder| holder.id.clone()).filter(|other| other != secret));
        }
        let command = Command { kind, at: self.clock.now() };
        let by = asker.caller.unwrap_or(asker.by);
        let id = self.operations.begin(secret, command, by, also.clone());
        self.enqueue(secret, command, asker);
        for other in also {
            self.operations.begin(&other, command, by, Vec::new());
            self.enqueue(&other, command, asker);
        }
        Ok(id)
    }

    fn enqueue(&self, secret: &SecretId, command: Command, asker: Asker<'_>) {
        audit::command(secret, command.kind, asker);
        self.metrics.commands_total.with_label_values(&[command.kind.label(), COMMAND_ACCEPTED]).inc();
        self.metrics.triggers_total.with_label_values(&[asker.by]).inc();
        self.queue.enqueue_command(secret, command, |replaced| self.board.replace_command(secret, replaced));
    }

    /// Gives an operation to each command that the loop passed on to other secrets of a compromised application.
    fn register_passed_on(&self) {
        for origin in self.operations.of_all_credentials() {
            let known = self.operations.secrets_with(origin.command);
            let others = self.catalogue.list().into_iter().map(|managed| managed.id.clone());
            for other in others.filter(|other| !known.contains(other)) {
                if self.has_received(&other, origin.command) {
                    self.operations.begin(&other, origin.command, &origin.by, Vec::new());
                }
            }
        }
    }

    /// Returns true if this very command is pending for `secret`, or ended.
    fn has_received(&self, secret: &SecretId, command: Command) -> bool {
        let pending = self.queue.pending_commands(secret).into_iter().map(|pending| pending.command);
        let pending = pending.filter(|pending| command.is_merged_into(*pending));
        let ended = self.board.ended(secret, command).map(|ended| ended.command);
        pending.chain(ended).any(|received| received.at == command.at)
    }

    fn find(&self, secret: &SecretId) -> Result<Arc<ManagedSecret>, NotManaged> {
        self.catalogue.find(secret).ok_or_else(|| match self.catalogue.managing(secret) {
            Some(primary) => NotManaged::Replica { replica: secret.clone(), primary: primary.id.clone() },
            None => NotManaged::Unknown(secret.clone()),
        })
    }

    fn record(&self, status: SecretStatus) -> SecretRecord {
        let pending_commands = self.queue.pending_commands(&status.secret);
        SecretRecord { status, pending_commands }
    }
}

const STOPPED: &str = "the daemon stopped before it was done: run it again";

/// Every command, in the order of [`CommandKind::LABELS`].
pub const COMMANDS: [CommandKind; 6] = [
    CommandKind::Rotate,
    CommandKind::Rollback,
    CommandKind::Compromised { all_credentials: false },
    CommandKind::Retire,
    CommandKind::Pause,
    CommandKind::Resume,
];
