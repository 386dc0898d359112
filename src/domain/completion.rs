//! Completion of commands: derived from the observation, so that no record of past actions is needed.

use super::command::{Command, CommandKind};
use super::observed::{CurrentSignIn, Observed, VersionFacts};

impl Observed {
    /// Returns true if the pending command is completed, false if there is none.
    #[must_use]
    pub fn is_command_completed(&self) -> bool {
        self.command.is_some_and(|command| match command.kind {
            CommandKind::Rotate => self.is_rotated_since(command),
            // Any version counts: if a successor had to follow at once, it must not be rolled back again.
            CommandKind::Rollback => self
                .all_versions()
                .filter_map(|version| version.tags.rolled_back_at())
                .any(|at| command.is_completed_by(at)),
            CommandKind::Compromised { .. } => self.is_compromise_over(),
            CommandKind::Retire => self.is_retired_up_to(command),
            CommandKind::Pause => self.is_paused() == Some(true),
            CommandKind::Resume => self.is_paused() == Some(false),
        })
    }

    /// Returns true if a rotation completed this command: any since shortly before it whose version did not turn out to
    /// be bad.
    fn is_rotated_since(&self, command: Command) -> bool {
        self.all_versions()
            .filter(|version| version.is_good_rotation())
            .any(|version| command.is_completed_by(version.created))
    }

    /// Returns true if the compromise is recorded, a later credential is published, and every older one is gone and
    /// refused.
    fn is_compromise_over(&self) -> bool {
        self.sign_in == CurrentSignIn::Accepted
            && !self.is_compromise_news()
            && !self.is_compromised()
            && !self.is_compromise_unfinished()
            && self.remaining_compromised().is_none()
            && !self.is_compromise_scope_unknown()
    }

    /// Returns true if the credentials that were superseded at the time of the command are gone, and so are their
    /// versions. Credentials that are superseded later keep their overlap.
    fn is_retired_up_to(&self, command: Command) -> bool {
        self.sign_in == CurrentSignIn::Accepted
            && !self.superseded().iter().any(|(_, at)| *at <= command.at)
            && !self.older_versions().any(|version| self.is_left_by_retire(version, command))
    }

    /// Returns true if the version was superseded before the command and is still enabled, although its credential is
    /// gone.
    fn is_left_by_retire(&self, version: &VersionFacts, command: Command) -> bool {
        version.enabled
            && version.refused
            && self.names_gone_credential(version)
            && self.followed_at(version.created).is_some_and(|at| at <= command.at)
    }

    /// Returns true if rotation is disabled; `None` if there is no version to read that from.
    fn is_paused(&self) -> Option<bool> {
        self.current_version().map(|version| version.tags.is_rotation_disabled())
    }
}
