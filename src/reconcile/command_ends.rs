//! The ends of commands: each leaves a record in the status, the log, the audit trail and metrics. It decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tracing::{info, warn};

use super::status::EndedCommand;
use super::status_board::StatusBoard;
use crate::domain::{Command, CommandOutcome, ReplacedCommand, SecretId};
use crate::telemetry::audit;

/// The commands that ended lately, by secret.
#[derive(Debug, Default)]
pub(super) struct CommandEnds {
    by_secret: BTreeMap<SecretId, RecentEnds>,
    /// The secrets that are not managed any more. Their ends are dropped when the board is next asked what to keep.
    released: BTreeSet<SecretId>,
}

/// The ends of one secret's commands.
#[derive(Debug, Default)]
struct RecentEnds {
    /// The latest last.
    ends: VecDeque<EndedCommand>,
    /// The commands whose end is forgotten, the latest of each kind.
    forgotten: Vec<Command>,
}

impl RecentEnds {
    /// Adds an end. Returns false, and adds nothing, if the command has ended before.
    fn push(&mut self, ended: EndedCommand) -> bool {
        if self.ends.iter().any(|known| is_same(known.command, ended.command)) {
            return false;
        }
        if self.ends.len() >= MAX_ENDS
            && let Some(oldest) = self.ends.pop_front()
        {
            self.forgotten.retain(|known| !known.is_of_kind(oldest.command));
            self.forgotten.push(oldest.command);
        }
        self.ends.push_back(ended);
        true
    }

    /// Returns the end of `command`, or of the later command that it was merged into.
    fn of(&self, command: Command) -> Option<&EndedCommand> {
        if self.forgotten.iter().any(|forgotten| command.is_merged_into(*forgotten)) {
            return None;
        }
        self.ends.iter().find(|ended| command.is_merged_into(ended.command))
    }
}

impl CommandEnds {
    fn push(&mut self, secret: &SecretId, ended: EndedCommand) -> bool {
        self.by_secret.entry(secret.clone()).or_default().push(ended)
    }

    fn of(&self, secret: &SecretId, command: Command) -> Option<&EndedCommand> {
        self.by_secret.get(secret)?.of(command)
    }

    /// Drops the ends of secrets that were `released` before, and are still. Those that are released now keep theirs
    /// for one round more, so that anyone who follows a command sees its end.
    pub(super) fn release(&mut self, released: BTreeSet<SecretId>) {
        for secret in self.released.intersection(&released) {
            self.by_secret.remove(secret);
        }
        self.released = released;
    }

    /// Returns the secrets of which there are ends.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretId> {
        self.by_secret.keys()
    }
}

/// Returns true if both are one command: the same kind, at the same time.
fn is_same(one: Command, other: Command) -> bool {
    one.is_of_kind(other) && one.at == other.at
}

impl StatusBoard {
    /// Records that `command` was done.
    pub(super) fn complete_command(&self, secret: &SecretId, command: Command) {
        let why = command.kind.completed_text();
        if self.end_command(secret, command, CommandOutcome::Completed, why) {
            info!(%secret, command = command.kind.label(), "completed command");
            audit::command_completed(secret, command.kind);
        }
    }

    /// Records that `command` is not done and not tried again, for the reason `why`.
    pub fn reject_command(&self, secret: &SecretId, command: Command, why: &str) {
        if self.end_command(secret, command, CommandOutcome::Rejected, why) {
            warn!(%secret, command = command.kind.label(), reason = why, "rejected command");
            audit::command_rejected(secret, command.kind, "loop", why);
        }
    }

    /// Records that another command took the place of one that was not done.
    pub fn replace_command(&self, secret: &SecretId, replaced: ReplacedCommand) {
        let (kind, by) = (replaced.command.kind, replaced.by.kind.label());
        let why = format!("{by} was requested after it");
        if self.end_command(secret, replaced.command, CommandOutcome::Replaced, &why) {
            warn!(%secret, command = kind.label(), replaced_by = by, "replaced command");
            audit::command_replaced(secret, kind, by);
        }
    }

    /// Returns how `command` ended, if it did and that is remembered.
    #[must_use]
    pub fn ended(&self, secret: &SecretId, command: Command) -> Option<EndedCommand> {
        self.ends().of(secret, command).cloned()
    }

    /// Records the end of a command. Returns false if it has ended before: each has one end.
    fn end_command(
        &self,
        secret: &SecretId,
        command: Command,
        outcome: CommandOutcome,
        reason: &str,
    ) -> bool {
        let ended = EndedCommand { command, outcome, reason: reason.to_owned() };
        if !self.ends().push(secret, ended.clone()) {
            return false;
        }
        self.metrics.commands_total.with_label_values(&[command.kind.label(), outcome.label()]).inc();
        self.update(secret, |status| status.last_command = Some(ended));
        true
    }
}

/// Ends that are remembered for each secret.
const MAX_ENDS: usize = 64;
