//! The ends of commands: each leaves a record in the status, the log, the audit trail and metrics. It decides nothing.

use std::collections::{BTreeMap, VecDeque};

use tracing::{info, warn};

use super::status::EndedCommand;
use super::status_board::StatusBoard;
use crate::domain::{Command, CommandOutcome, SecretId};
use crate::telemetry::audit;

/// The commands that ended lately, by secret, the latest last.
#[derive(Debug, Default)]
pub(super) struct CommandEnds(BTreeMap<SecretId, VecDeque<EndedCommand>>);

impl CommandEnds {
    fn push(&mut self, secret: &SecretId, ended: EndedCommand) {
        let ends = self.0.entry(secret.clone()).or_default();
        if ends.len() >= MAX_ENDS {
            ends.pop_front();
        }
        ends.push_back(ended);
    }

    /// Returns the end of `command`, or of the later command that it was merged into.
    fn of(&self, secret: &SecretId, command: Command) -> Option<&EndedCommand> {
        self.0.get(secret)?.iter().find(|ended| command.is_merged_into(ended.command))
    }
}

impl StatusBoard {
    /// Records that `command` was done.
    pub(super) fn complete_command(&self, secret: &SecretId, command: Command) {
        let label = command.kind.label();
        info!(%secret, command = label, "what was asked for {secret} is done: {label}");
        self.end_command(secret, command, CommandOutcome::Completed, label);
    }

    /// Records that `command` is not done and not tried again, for the reason `why`.
    pub fn reject_command(&self, secret: &SecretId, command: Command, why: &str) {
        let label = command.kind.label();
        warn!(%secret, command = label, "{label} of {secret} is not done: {why}");
        audit::command_rejected(secret, command.kind, "loop", why);
        self.end_command(secret, command, CommandOutcome::Rejected, why);
    }

    /// Records that `by` took the place of `command`.
    pub fn replace_command(&self, secret: &SecretId, command: Command, by: Command) {
        let (label, by) = (command.kind.label(), by.kind.label());
        warn!(%secret, command = label, by, "{label} of {secret} is replaced by {by}");
        audit::command_replaced(secret, command.kind, by);
        let why = format!("{by} was asked for as well, and takes its place");
        self.end_command(secret, command, CommandOutcome::Replaced, &why);
    }

    /// Returns how `command` ended, if it did and that is remembered.
    #[must_use]
    pub fn ended(&self, secret: &SecretId, command: Command) -> Option<EndedCommand> {
        self.ends().of(secret, command).cloned()
    }

    fn end_command(&self, secret: &SecretId, command: Command, outcome: CommandOutcome, reason: &str) {
        let ended = EndedCommand { command, outcome, reason: reason.to_owned() };
        self.metrics.commands_total.with_label_values(&[command.kind.label(), outcome.label()]).inc();
        self.ends().push(secret, ended.clone());
        self.update(secret, |status| status.last_command = Some(ended));
    }
}

/// Ends that are remembered for each secret.
const MAX_ENDS: usize = 64;
