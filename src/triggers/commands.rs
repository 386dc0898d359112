//! A person's command: told to the loop, whichever way it came. It decides nothing and waits for nothing.

use std::sync::Arc;

use time::OffsetDateTime;

use crate::domain::{Command, CommandKind, ManagedSecret, SecretId};
use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::reconcile::{Catalogue, QueuedCommand, SecretStatus, StatusBoard, WorkQueue};
use crate::telemetry::audit::{self, Asker};

/// Where commands go, and where is seen what became of them.
#[derive(Debug)]
pub struct Commands {
    /// Where they go.
    pub queue: Arc<WorkQueue>,
    /// What can be asked for.
    pub catalogue: Arc<Catalogue>,
    /// What is known of it.
    pub board: Arc<StatusBoard>,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
    /// When they were made.
    pub clock: Arc<dyn Clock>,
}

/// What is known of a secret, with the command that is not completed yet.
#[derive(Debug)]
pub struct Standing {
    /// What the last looks found.
    pub status: SecretStatus,
    /// What a person asked for, until it is completed.
    pub pending_command: Option<QueuedCommand>,
}

/// A command that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// When it was made, as the pending command and the command that ended at last say it.
    pub at: OffsetDateTime,
    /// The other secrets that the same is asked of.
    pub also: Vec<SecretId>,
}

/// Why nothing can be asked of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotManaged {
    /// Nobody manages it.
    #[error("{0} is not managed")]
    Unknown(SecretId),
    /// It follows another one.
    #[error("{replica} is a replica of {primary}: ask for that")]
    Replica {
        /// The one that was named.
        replica: SecretId,
        /// The one that it follows.
        primary: SecretId,
    },
}

impl NotManaged {
    /// Its name in the audit log.
    const fn label(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "not_managed",
            Self::Replica { .. } => "replica",
        }
    }
}

impl Commands {
    /// Asks for `kind`, now. Where every credential of the application is meant, the same is asked of every other secret
    /// that holds one of them.
    ///
    /// # Errors
    /// Nobody manages the secret, or it is a replica.
    pub fn ask<'a>(
        &self,
        secret: &SecretId,
        kind: CommandKind,
        asker: impl Into<Asker<'a>>,
    ) -> Result<Taken, NotManaged> {
        let asker = asker.into();
        let managed = self.find(secret).inspect_err(|refused| {
            audit::command_rejected(secret, kind, asker, refused.label());
        })?;
        let mut others = Vec::new();
        if kind == (CommandKind::Compromised { all_credentials: true }) {
            let holders = self.catalogue.of_application(managed.application);
            others.extend(holders.iter().map(|holder| holder.id.clone()).filter(|other| other != secret));
        }
        let command = Command { kind, at: self.clock.now() };
        for wanted in [secret].into_iter().chain(&others) {
            audit::command(wanted, kind, asker);
            self.metrics.commands_total.with_label_values(&[kind.label()]).inc();
            self.metrics.triggers_total.with_label_values(&[asker.by]).inc();
            self.queue.enqueue(wanted, Some(command));
        }
        Ok(Taken { at: command.at, also: others })
    }

    fn find(&self, secret: &SecretId) -> Result<Arc<ManagedSecret>, NotManaged> {
        self.catalogue.find(secret).ok_or_else(|| match self.catalogue.managing(secret) {
            Some(primary) => NotManaged::Replica { replica: secret.clone(), primary: primary.id.clone() },
            None => NotManaged::Unknown(secret.clone()),
        })
    }

    /// What is known of one secret.
    ///
    /// # Errors
    /// Nobody manages the secret, or it is a replica.
    pub fn show(&self, secret: &SecretId) -> Result<Standing, NotManaged> {
        self.find(secret)?;
        self.standing(secret).ok_or_else(|| NotManaged::Unknown(secret.clone()))
    }

    /// What is known of every managed secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Standing> {
        let known = self.board.list();
        known.iter().filter_map(|status| self.standing(&status.secret)).collect()
    }

    /// A command that ends is told on the board first and leaves the queue then: read the other way round, it is always seen.
    fn standing(&self, secret: &SecretId) -> Option<Standing> {
        let pending_command = self.queue.pending_command(secret);
        Some(Standing { status: self.board.show(secret)?, pending_command })
    }
}

/// Everything that can be asked for, in the order of [`CommandKind::LABELS`].
pub const COMMANDS: [CommandKind; 6] = [
    CommandKind::Rotate,
    CommandKind::Rollback,
    CommandKind::Compromised { all_credentials: false },
    CommandKind::Retire,
    CommandKind::Pause,
    CommandKind::Resume,
];
