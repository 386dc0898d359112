//! Completion of commands: derived from the observation, so that no record of past actions is needed, and noted at once
//! after the action that completes one.

use time::{Duration, OffsetDateTime};

use super::command::{Command, CommandKind};
use super::decision::Action;
use super::observed::{CurrentSignIn, Observed, VersionFacts};
use super::quarantine::QuarantineReason;
use super::reasons::RepublishReason;

impl Command {
    /// Returns true if the success of `action` completes the command. All others are completed by what a later pass
    /// observes.
    #[must_use]
    pub const fn is_completed_by_action(&self, action: &Action) -> bool {
        matches!(
            (self.kind, action),
            (CommandKind::Rotate, Action::Issue { .. })
                | (CommandKind::Rollback, Action::Republish { reason: RepublishReason::Rollback, .. })
                | (CommandKind::Pause, Action::Pause)
                | (CommandKind::Resume, Action::Resume)
        )
    }
}

impl Observed {
    /// Returns true if the pending command is completed, false if there is none.
    #[must_use]
    pub fn is_command_completed(&self) -> bool {
        self.command.is_some_and(|command| match command.kind {
            CommandKind::Rotate => self.is_rotated_since(command),
            // Any version counts: if a successor had to follow at once, it must not be rolled back again. But a rollback
            // that was requested after a successor was published is for that one.
            CommandKind::Rollback => self
                .all_versions()
                .filter_map(|version| version.tags.rolled_back_at())
                .any(|at| command.is_completed_by(at) && !self.is_rotated_between(at, command.at)),
            CommandKind::Compromised { .. } => self.is_compromise_over(),
            CommandKind::Retire => self.is_retired_up_to(command),
            CommandKind::Pause => self.is_paused() == Some(true),
            CommandKind::Resume => self.is_paused() == Some(false),
        })
    }

    /// Returns true if the pending command has had an effect that has to be followed by another one: a rollback or a
    /// compromise is recorded, or a rotation began within its `deadline` and may have been published.
    #[must_use]
    pub fn is_command_half_done(&self, deadline: Duration, now: OffsetDateTime) -> bool {
        self.command.is_some_and(|command| match command.kind {
            CommandKind::Rotate => {
                self.pending().is_some_and(|pending| pending.under_way_until(deadline, now).is_some())
            }
            CommandKind::Rollback => self.is_rollback_recorded(),
            CommandKind::Compromised { .. } => self.is_compromised() || self.is_compromise_unfinished(),
            CommandKind::Retire | CommandKind::Pause | CommandKind::Resume => false,
        })
    }

    /// Returns true if the current version is marked as bad by a rollback, and nothing is published in its place yet.
    #[must_use]
    pub fn is_rollback_recorded(&self) -> bool {
        self.current_quarantine().is_some_and(|quarantine| quarantine.reason == QuarantineReason::Rollback)
    }

    /// Returns true if a rotation completed this command: any since shortly before it whose version did not turn out to
    /// be bad.
    fn is_rotated_since(&self, command: Command) -> bool {
        self.all_versions()
            .filter(|version| version.is_good_rotation())
            .any(|version| command.is_completed_by(version.created))
    }

    /// Returns true if a rotation was published after `from` and not after `until`.
    fn is_rotated_between(&self, from: OffsetDateTime, until: OffsetDateTime) -> bool {
        let rotations = self.all_versions().filter(|version| version.is_good_rotation());
        rotations.map(|version| version.created).any(|created| from < created && created <= until)
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
