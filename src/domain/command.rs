//! What a person asks for: a command is completed or refused by the same loop that does everything else.

use time::{Duration, OffsetDateTime};

/// What a person asked for, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    /// What.
    pub kind: CommandKind,
    /// When it was asked for.
    pub at: OffsetDateTime,
}

/// What a person can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// A successor now, whatever the schedule says.
    Rotate,
    /// The previous version's text again, in the place of one that turned out to be bad.
    Rollback,
    /// The credential is compromised: a successor now, and the end of every older one at once.
    Compromised {
        /// Whether that means every credential of the application, those of others too.
        all_credentials: bool,
    },
    /// The end of what is superseded, without waiting for the overlap or the usage gate.
    Retire,
    /// No rotation until [`CommandKind::Resume`].
    Pause,
    /// The end of a pause.
    Resume,
}

impl CommandKind {
    /// Its name in paths, commands, logs and metrics.
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

    /// How much it outranks the others, where several stand at a time: only one is kept.
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

/// How a command ended.
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
    /// What stands if both were asked for: the graver one, and of two equal ones the later.
    ///
    /// Of two compromises the wider one stands as of the later word: what was done between the two does not meet it.
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

    /// Returns true if `kept` stands for this command as well: it is of the same kind, and not older.
    #[must_use]
    pub fn is_merged_into(self, kept: Self) -> bool {
        self.kind.label() == kept.kind.label() && kept.at >= self.at
    }

    /// Whether something that happened at `moment` meets this command: asking twice does it once.
    #[must_use]
    pub fn is_completed_by(&self, moment: OffsetDateTime) -> bool {
        moment >= self.at.saturating_sub(TOLERANCE)
    }
}

/// What began this long before a command meets it.
const TOLERANCE: Duration = Duration::minutes(10);
