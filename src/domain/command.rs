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

    /// All names.
    pub const LABELS: [&'static str; 6] = ["rotate", "rollback", "compromised", "retire", "pause", "resume"];

    /// Returns the rank of the command: if several are pending, only the one with the highest rank is kept.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Compromised { all_credentials: true } => 6,
            Self::Compromised { all_credentials: false } => 5,
            Self::Rollback => 4,
            Self::Pause | Self::Resume => 3,
            Self::Rotate => 2,
            Self::Retire => 1,
        }
    }
}

/// The way a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandOutcome {
    /// It was done.
    Completed,
    /// It was not done, and is not tried again.
    Rejected,
    /// Another command for the same secret took its place.
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
    /// Returns the command that is pending if both were given: the graver one, and of two equal ones the later.
    ///
    /// Of two compromises the wider one is pending, with the later time: actions between the two do not complete it.
    #[must_use]
    pub fn combined_with(self, other: Self) -> Self {
        let (graver, lesser) = if other.weight() > self.weight() { (other, self) } else { (self, other) };
        match lesser.kind {
            CommandKind::Compromised { .. } => Self { at: graver.at.max(lesser.at), ..graver },
            CommandKind::Rotate
            | CommandKind::Rollback
            | CommandKind::Retire
            | CommandKind::Pause
            | CommandKind::Resume => graver,
        }
    }

    const fn weight(self) -> (u8, OffsetDateTime) {
        (self.kind.rank(), self.at)
    }

    /// Returns true if `kept` covers this command as well: it is of the same kind, and not older.
    #[must_use]
    pub fn is_merged_into(self, kept: Self) -> bool {
        self.kind.label() == kept.kind.label() && kept.at >= self.at
    }

    /// Returns true if something that happened at `moment` completes this command: commanding twice acts once.
    #[must_use]
    pub fn is_completed_by(&self, moment: OffsetDateTime) -> bool {
        moment >= self.at.saturating_sub(TOLERANCE)
    }
}

/// An action that began at most this long before a command completes it.
const TOLERANCE: Duration = Duration::minutes(10);
