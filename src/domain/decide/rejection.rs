//! The reasons why a pending command can't be done. It ends as rejected, and the secret goes on without it.

use time::Duration;

use super::operator::is_held_by_pause;
use crate::domain::command::CommandKind;
use crate::domain::names::SecretId;
use crate::domain::observed::Observed;

/// The reason why a command is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandRejection {
    /// Rotation of the secret is paused.
    Paused,
    /// There is no older version to roll back to.
    NothingToRollBackTo,
    /// Another managed secret of the application, which may hold what is to be retired, was never read.
    SiblingUnknown,
}

impl CommandRejection {
    /// Returns the time after the command was accepted until which the reason may go away by itself: a resume that was
    /// requested at the same time, or the passes after a start.
    #[must_use]
    pub const fn grace(self) -> Duration {
        match self {
            Self::Paused => Duration::seconds(5),
            Self::NothingToRollBackTo => Duration::ZERO,
            Self::SiblingUnknown => Duration::minutes(5),
        }
    }

    /// Returns the reason in words, with the command that helps.
    #[must_use]
    pub fn text(self, secret: &SecretId) -> String {
        match self {
            Self::Paused => {
                format!("rotation is paused (tag RotationDisabled): resume first (`rekeyd resume {secret}`)")
            }
            Self::NothingToRollBackTo => format!(
                "no older version holds a credential of rekeyd that still signs in: run `rekeyd rotate {secret}` instead"
            ),
            Self::SiblingUnknown => {
                "another managed secret of the application has not been read yet, and nothing is \
                                     revoked before: run it again once that secret is reconciled"
                    .to_owned()
            }
        }
    }
}

/// Returns the reason why the pending command, which is not completed, can't be done; `None` if it can, or if something
/// else decides.
#[must_use]
pub fn command_rejection(seen: &Observed) -> Option<CommandRejection> {
    let (command, current) = (seen.command?, seen.current_version()?);
    if seen.denied_reason.is_some() {
        return None;
    }
    let is_paused = is_held_by_pause(seen);
    match command.kind {
        CommandKind::Rotate | CommandKind::Rollback | CommandKind::Retire if is_paused => {
            Some(CommandRejection::Paused)
        }
        CommandKind::Rollback => (seen.fallback.is_none() && !current.tags.is_quarantined())
            .then_some(CommandRejection::NothingToRollBackTo),
        CommandKind::Retire => seen.held_elsewhere.is_none().then_some(CommandRejection::SiblingUnknown),
        CommandKind::Rotate | CommandKind::Compromised { .. } | CommandKind::Pause | CommandKind::Resume => {
            None
        }
    }
}
