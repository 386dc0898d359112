//! Operators' commands. The reconcile loop, which does everything else too, completes or rejects them.

use time::{Duration, OffsetDateTime};

/// An operator's command, and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// Kind of the command.
    pub kind: CommandKind,
    /// Time of the command.
    pub at: OffsetDateTime,
}

/// The kinds of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// A successor now, regardless of the schedule.
    Rotate,
    /// The previous version's text again, in place of one that turned out to be bad.
    Rollback,
    /// A successor now and the immediate end of every older credential, because the credential is compromised.
    Compromised {
        /// True if every credential of the application is compromised, including those of others.
        all_credentials: bool,
    },
    /// The end of superseded credentials, without waiting for the overlap or the usage gate.
    Retire,
    /// No rotation until [`CommandKind::Resume`].
    Pause,
    /// The end of a pause.
    Resume,
}

impl CommandKind {
    /// Returns the name in paths, commands, logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Rollback => "rollback",
            Self::Compromised { .. } => "compromised",
            Self::Retire => "retire",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// Returns the meaning of the command's completion.
    #[must_use]
    pub const fn completed_text(self) -> &'static str {
        match self {
            Self::Rotate => "a new credential is published",
            Self::Rollback => "the previous credential is published again",
            Self::Compromised { .. } => "every older credential is revoked, and its text is refused",
            Self::Retire => "every credential that was superseded before the command is revoked",
            Self::Pause => "rotation is paused",
            Self::Resume => "rotation is not paused",
        }
    }

    /// All names.
    pub const LABELS: [&'static str; 6] = ["rotate", "rollback", "compromised", "retire", "pause", "resume"];
}

/// The way a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandOutcome {
    /// It was done.
    Completed,
    /// It was not done, and is not tried again.
    Rejected,
    /// A rollback that was requested after it took its place.
    Replaced,
}

impl CommandOutcome {
    /// Every outcome, for metrics that show a zero as a zero.
    pub const ALL: [Self; 3] = [Self::Completed, Self::Rejected, Self::Replaced];

    /// Returns the name in logs, metrics and the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Rejected => "rejected",
            Self::Replaced => "replaced",
        }
    }
}

impl Command {
    /// Returns true if both are of the same kind; of a compromise, whatever the extent.
    #[must_use]
    pub fn is_of_kind(self, other: Self) -> bool {
        self.kind.label() == other.kind.label()
    }

    /// Returns this command with the extent of `earlier`, if that is wider. Both are of the same kind.
    #[must_use]
    pub fn covering(self, earlier: Self) -> Self {
        match earlier.kind {
            CommandKind::Compromised { all_credentials: true } => Self { kind: earlier.kind, ..self },
            CommandKind::Compromised { all_credentials: false }
            | CommandKind::Rotate
            | CommandKind::Rollback
            | CommandKind::Retire
            | CommandKind::Pause
            | CommandKind::Resume => self,
        }
    }

    /// Returns true if `kept` covers this command as well: it is of the same kind, and not older.
    #[must_use]
    pub fn is_merged_into(self, kept: Self) -> bool {
        self.is_of_kind(kept) && kept.at >= self.at
    }

    /// Returns true if something that happened at `moment` completes this command: commanding twice acts once.
    #[must_use]
    pub fn is_completed_by(&self, moment: OffsetDateTime) -> bool {
        moment >= self.at.saturating_sub(TOLERANCE)
    }
}

/// An action that began at most this long before a command completes it.
const TOLERANCE: Duration = Duration::minutes(10);
