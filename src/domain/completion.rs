//! Whether what a person asked for has come about: by what is seen, so that nobody has to remember what was done.

use super::command::{Command, CommandKind};
use super::observed::{CurrentSignIn, Observed, VersionFacts};

impl Observed {
    /// Whether the standing command is completed. Without one there is nothing to meet.
    #[must_use]
    pub fn is_command_completed(&self) -> bool {
        self.command.is_some_and(|command| match command.kind {
            CommandKind::Rotate => self.is_rotated_since(command),
            // By any version: a successor that had to follow at once must not be rolled back again.
            CommandKind::Rollback => {
                let back = |version: &VersionFacts| version.tags.rolled_back_at();
                self.all_versions().filter_map(back).any(|at| command.is_completed_by(at))
            }
            CommandKind::Compromised { .. } => self.is_compromise_over(),
            CommandKind::Retire => self.is_retired_up_to(command),
            CommandKind::Pause => self.is_paused() == Some(true),
            CommandKind::Resume => self.is_paused() == Some(false),
        })
    }

    /// By any rotation since shortly before, but for one whose version turned out to be bad.
    fn is_rotated_since(&self, command: Command) -> bool {
        let good = |version: &&VersionFacts| {
            version.is_of_rotation() && version.named().is_some() && !version.tags.is_quarantined()
        };
        self.all_versions().filter(good).any(|version| command.is_completed_by(version.created))
    }

    /// The news is noted, a later credential is published, and every older one is gone and refused.
    fn is_compromise_over(&self) -> bool {
        let known = !self.wants_all_credentials_gone() || self.held_elsewhere.is_some();
        self.sign_in == CurrentSignIn::Accepted
            && !self.is_compromise_news()
            && !self.is_compromised()
            && self.compromised_credentials().is_empty()
            && self.unproven_revocations().next().is_none()
            && self.remaining_compromised().is_none()
            && known
    }

    /// What was superseded when that was asked for is gone, and so are its versions. What is superseded later has its
    /// overlap.
    fn is_retired_up_to(&self, command: Command) -> bool {
        let left = |version: &VersionFacts| {
            let gone = version.named().is_some_and(|key_id| self.credential(key_id).is_none());
            let followed = self.followed_at(version.created).is_some_and(|at| at <= command.at);
            version.enabled && version.refused && gone && followed
        };
        self.sign_in == CurrentSignIn::Accepted
            && !self.superseded().iter().any(|(_, at)| *at <= command.at)
            && !self.older_versions().any(left)
    }

    /// Whether rotation is disabled; `None` where there is no version to say so.
    fn is_paused(&self) -> Option<bool> {
        self.current_version().map(|version| version.tags.is_rotation_disabled())
    }
}
