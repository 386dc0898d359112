//! The commands that a person gives in the world, and the last daemon's answers.

use rekeyd::domain::{BlockReason, Command, CommandKind, SecretId};
use rekeyd::ports::{Clock, sleep};
use rekeyd::sandbox::SandboxClock;
use time::Duration;

use super::{Daemon, World};

impl World {
    /// Requests a rotation, as a person does through the API.
    pub(crate) fn command_to_rotate(&self) {
        self.command(CommandKind::Rotate);
    }

    /// Gives a command, as a person does through the API, when the next daemon starts.
    pub(crate) fn command(&self, kind: CommandKind) {
        self.commands.lock().unwrap().push(Command { kind, at: self.now() });
    }

    /// Gives a command, as a person does through the API, after this time of the next daemon's life.
    pub(crate) fn command_after(&self, kind: CommandKind, delay: Duration) {
        self.commands.lock().unwrap().push(Command { kind, at: self.now() + delay });
    }

    /// Returns the outcome of a command that was given to the last daemon, and the reason.
    pub(crate) fn end_of(&self, kind: CommandKind) -> (&'static str, String) {
        let ended = self.ends.lock().unwrap();
        let ended = ended.iter().find(|ended| ended.command.kind == kind);
        let ended = ended.unwrap_or_else(|| panic!("{kind:?} has not ended"));
        (ended.outcome.label(), ended.reason.clone())
    }

    /// Returns the commands that were pending when the last daemon ended, in the order in which they run.
    pub(crate) fn pending(&self) -> Vec<CommandKind> {
        self.pending.lock().unwrap().clone()
    }

    /// Returns the number of passes of the last daemon that were blocked.
    pub(crate) fn blocked_passes(&self) -> u64 {
        *self.blocked.lock().unwrap()
    }

    /// Returns the last action of the last daemon, and its outcome.
    pub(crate) fn last_outcome(&self) -> Option<(&'static str, &'static str)> {
        let status = self.status.lock().unwrap();
        let outcome = status.as_ref().and_then(|status| status.last_outcome.as_ref());
        outcome.map(|last| (last.action.label(), last.outcome.label()))
    }

    /// Returns the state and reason that the last daemon showed.
    pub(crate) fn last_state(&self) -> (&'static str, &'static str) {
        let status = self.status.lock().unwrap();
        let status = status.as_ref().expect("the daemon has run");
        (status.state.label(), status.reason.label())
    }

    /// Returns the command that ended last while the last daemon lived, and its outcome.
    pub(crate) fn last_command(&self) -> (&'static str, &'static str) {
        let status = self.status.lock().unwrap();
        let ended = status.as_ref().and_then(|status| status.last_command.as_ref()).expect("a command ended");
        (ended.command.kind.label(), ended.outcome.label())
    }

    /// Returns true if the last daemon showed that only a person can end the state of the secret.
    pub(crate) fn needs_person(&self) -> bool {
        self.status.lock().unwrap().as_ref().expect("a daemon lived").needs_person
    }

    /// Returns the status message that the last daemon showed.
    pub(crate) fn last_message(&self) -> String {
        self.status.lock().unwrap().as_ref().expect("the daemon has run").message.clone()
    }
}

impl Daemon {
    /// Gives a command, as the API does.
    pub(super) fn give(&self, secret: &SecretId, command: Command) {
        self.queue.enqueue_command(secret, command, |replaced| self.board.replace_command(secret, replaced));
    }

    /// Returns the number of passes that were blocked for this reason.
    pub(super) fn blocked(&self, reason: BlockReason) -> u64 {
        self.metrics.blocked_total.with_label_values(&[reason.label()]).get()
    }
}

/// Gives the commands, each at its time. Never returns.
pub(super) async fn give_each(
    daemon: &Daemon,
    secret: &SecretId,
    commands: Vec<Command>,
    clock: SandboxClock,
) {
    let _hold = clock.hold();
    for command in commands {
        clock.sleep_until(command.at).await;
        daemon.give(secret, command);
    }
    sleep(&clock, Duration::days(10_000)).await;
}
