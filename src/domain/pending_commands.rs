//! The pending commands of one secret: the order in which passes work on them, and which of them another one replaces.

use super::command::{Command, CommandKind};

/// The progress of a command that is not completed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandProgress {
    /// No pass has worked on it. As the result of a pass: the pass did not get to it, and its progress is as before.
    Untried,
    /// A pass has left it alone for a moment. A pause or a resume goes first.
    Yielding,
    /// A pass has worked on it, and what it waits for takes minutes.
    Waiting,
    /// Something that may last holds it up. A pause or a resume goes first.
    HeldUp,
    /// The first effect of an action has happened, or may have, and the last one has not. Only a compromise goes first.
    HalfDone,
}

/// A command that is not completed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingCommand {
    /// The command, with the time at which it was requested.
    pub command: Command,
    /// Its progress.
    pub progress: CommandProgress,
}

/// A command that was ended because another one took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacedCommand {
    /// The command that ended.
    pub command: Command,
    /// The command that took its place.
    pub by: Command,
}

/// The pending commands of one secret: one that a pass works on, and at most one of each kind beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingCommands {
    /// The commands that wait for their turn, in the order in which they were requested.
    waiting: Vec<PendingCommand>,
    in_work: Option<PendingCommand>,
}

impl PendingCommand {
    /// Returns true if a pass has worked on it without completing it. It is tried again.
    #[must_use]
    pub const fn is_tried(&self) -> bool {
        match self.progress {
            CommandProgress::Untried | CommandProgress::Yielding => false,
            CommandProgress::Waiting | CommandProgress::HeldUp | CommandProgress::HalfDone => true,
        }
    }

    const fn yields(&self) -> bool {
        matches!(self.progress, CommandProgress::Yielding | CommandProgress::HeldUp) && !self.is_of_pause()
    }

    /// Returns true if a pass left one of its actions half done.
    #[must_use]
    pub const fn is_half_done(&self) -> bool {
        matches!(self.progress, CommandProgress::HalfDone)
    }

    const fn is_of_pause(&self) -> bool {
        matches!(self.command.kind, CommandKind::Pause | CommandKind::Resume)
    }

    const fn is_compromise(&self) -> bool {
        matches!(self.command.kind, CommandKind::Compromised { .. })
    }

    /// Returns the one command that two of the same kind are, where `later` was requested later or at the same time.
    fn merged_into(self, later: Self) -> Self {
        let is_half_done = self.is_half_done() || later.is_half_done();
        Self {
            command: later.command.covering(self.command),
            progress: if is_half_done { CommandProgress::HalfDone } else { later.progress },
        }
    }
}

impl PendingCommands {
    /// Adds a command that was accepted. Returns the rotation that it replaces, if it does.
    pub fn add(&mut self, command: Command) -> Option<ReplacedCommand> {
        let added = PendingCommand { command, progress: CommandProgress::Untried };
        let merged = self.merged(added);
        let after = self.waiting.partition_point(|waiting| waiting.command.at <= merged.command.at);
        self.waiting.insert(after, merged);
        self.replace_rotation()
    }

    /// Takes the next command in turn for a pass. [`Self::end`] must be called when the pass ends.
    pub fn begin(&mut self) -> Option<PendingCommand> {
        self.in_work = self.turn().map(|turn| self.waiting.remove(turn));
        self.in_work
    }

    /// Ends the work of a pass on the command that it took. A command that it `left` undone is pending again. Returns
    /// the rotation that a rollback has replaced, if one has.
    pub fn end(&mut self, left: Option<CommandProgress>) -> Option<ReplacedCommand> {
        if let (Some(before), Some(progress)) = (self.in_work.take(), left) {
            let is_as_before = progress == CommandProgress::Untried;
            let progress = if is_as_before { before.progress } else { progress };
            let merged = self.merged(PendingCommand { progress, ..before });
            let at = self.waiting.partition_point(|waiting| waiting.command.at < merged.command.at);
            self.waiting.insert(at, merged);
        }
        self.replace_rotation()
    }

    /// Returns the command that a pass works on.
    #[must_use]
    pub fn in_work(&self) -> Option<Command> {
        self.in_work.map(|taken| taken.command)
    }

    /// Returns the command that the next pass takes.
    #[must_use]
    pub fn next(&self) -> Option<Command> {
        self.waiting.get(self.turn()?).map(|next| next.command)
    }

    /// Returns every command: the one in work, the next in turn, then the others in their order.
    #[must_use]
    pub fn list(&self) -> Vec<PendingCommand> {
        let mut waiting = self.waiting.clone();
        let next = self.turn().map(|turn| waiting.remove(turn));
        self.in_work.into_iter().chain(next).chain(waiting).collect()
    }

    /// Removes and returns the commands that no pass works on.
    pub fn drain(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.waiting).into_iter().map(|waiting| waiting.command).collect()
    }

    /// Removes the waiting command of the kind of `added`, and returns what both are together.
    fn merged(&mut self, added: PendingCommand) -> PendingCommand {
        let Some(index) = self.position(|waiting| waiting.command.is_of_kind(added.command)) else {
            return added;
        };
        let known = self.waiting.remove(index);
        if known.command.at > added.command.at { added.merged_into(known) } else { known.merged_into(added) }
    }

    /// Removes a rotation that was requested before a rollback: the rollback would undo it. A half-done one stays,
    /// because it may have been published.
    fn replace_rotation(&mut self) -> Option<ReplacedCommand> {
        let rollback = self.position(|waiting| waiting.command.kind == CommandKind::Rollback)?;
        let rotation = self.position(|waiting| waiting.command.kind == CommandKind::Rotate)?;
        let by = self.waiting.get(rollback)?.command;
        let is_over = rotation < rollback && !self.waiting.get(rotation)?.is_half_done();
        is_over.then(|| ReplacedCommand { command: self.waiting.remove(rotation).command, by })
    }

    /// Returns the place of the command that the next pass takes.
    fn turn(&self) -> Option<usize> {
        let half_done = self.position(PendingCommand::is_half_done);
        let first = self.position(PendingCommand::is_compromise).or(half_done).unwrap_or(0);
        let yields = self.waiting.get(first)?.yields() && half_done.is_none();
        self.position(PendingCommand::is_of_pause).filter(|_| yields).or(Some(first))
    }

    fn position(&self, is_it: impl Fn(&PendingCommand) -> bool) -> Option<usize> {
        self.waiting.iter().position(is_it)
    }
}
