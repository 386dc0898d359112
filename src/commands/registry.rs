//! The commands that were accepted since the start, each under the id of its operation.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::domain::{Command, CommandKind, SecretId};

/// A command that was accepted.
#[derive(Debug, Clone)]
pub(super) struct AcceptedCommand {
    pub(super) id: Uuid,
    pub(super) secret: SecretId,
    pub(super) command: Command,
    pub(super) by: String,
    pub(super) also: Vec<SecretId>,
}

/// The latest accepted commands, at most 10,000.
#[derive(Debug, Default)]
pub(super) struct OperationRegistry(Mutex<AcceptedCommands>);

#[derive(Debug, Default)]
struct AcceptedCommands {
    by_id: BTreeMap<Uuid, AcceptedCommand>,
    /// The ids, the oldest in front.
    order: VecDeque<Uuid>,
}

impl OperationRegistry {
    /// Remembers a command, and returns the id of its operation.
    pub(super) fn begin(&self, secret: &SecretId, command: Command, by: &str, also: Vec<SecretId>) -> Uuid {
        let id = Uuid::new_v4();
        let accepted = AcceptedCommand { id, secret: secret.clone(), command, by: by.to_owned(), also };
        let mut commands = self.lock();
        if commands.order.len() >= MAX_REMEMBERED
            && let Some(oldest) = commands.order.pop_front()
        {
            commands.by_id.remove(&oldest);
        }
        commands.order.push_back(id);
        commands.by_id.insert(id, accepted);
        id
    }

    pub(super) fn get(&self, id: Uuid) -> Option<AcceptedCommand> {
        self.lock().by_id.get(&id).cloned()
    }

    /// Returns the latest commands, the last one first.
    pub(super) fn latest(&self) -> Vec<AcceptedCommand> {
        let commands = self.lock();
        commands
            .order
            .iter()
            .rev()
            .take(MAX_LISTED)
            .filter_map(|id| commands.by_id.get(id).cloned())
            .collect()
    }

    /// Returns the latest commands that mean every credential of an application, one for each moment.
    pub(super) fn of_all_credentials(&self) -> Vec<AcceptedCommand> {
        let mut found = self.latest();
        found.retain(|accepted| accepted.command.kind == CommandKind::Compromised { all_credentials: true });
        found.dedup_by_key(|accepted| accepted.command.at);
        found
    }

    /// Returns the secrets for which this very command has an operation.
    pub(super) fn secrets_with(&self, command: Command) -> BTreeSet<SecretId> {
        let commands = self.lock();
        let operations = commands.by_id.values().filter(|accepted| accepted.command == command);
        operations.map(|accepted| accepted.secret.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, AcceptedCommands> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MAX_REMEMBERED: usize = 10_000;

const MAX_LISTED: usize = 1_000;
