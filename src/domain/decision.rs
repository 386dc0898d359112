//! The answers that a decision can give. Their reasons are in [`super::reasons`].

use serde::Serialize;
use time::OffsetDateTime;

use super::names::{KeyId, SecretId, VersionId};
use super::quarantine::QuarantineReason;
use super::reasons::{BlockReason, IssueReason, RepublishReason, RevokeReason, WaitReason};

/// The next step for a managed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Take this action, then observe again.
    Act(Action),
    /// Nothing is to be done before `until`, the first moment at which this answer can change by itself.
    Wait {
        /// `None`: only an event or a person changes it.
        until: Option<OffsetDateTime>,
        /// Reason for the wait.
        reason: WaitReason,
    },
    /// Something is in the way that rekeyd may not or can't overcome.
    Blocked {
        /// As for [`Decision::Wait`].
        until: Option<OffsetDateTime>,
        /// The obstacle.
        reason: BlockReason,
    },
}

/// One step, with at most one effect that can't be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Makes a successor: issue, verify, publish. One action, because the text lives only in memory.
    ///
    /// # If it stops half-way
    /// After the intent: the next pass sees `PendingRotation` and waits. After issue or verify: it sees a
    /// credential with our marker in no version, waits, issues again and revokes it after `orphan_grace`.
    /// After the publication nothing is left to do.
    Issue {
        /// Reason for the successor.
        reason: IssueReason,
        /// Attempt number since the last published version, starting at 1.
        attempt: u32,
    },
    /// Publishes an older version's text again, because the current credential is lost or an operator rolled back.
    ///
    /// # If it stops half-way
    /// The text is published, or it isn't: then the next pass sees the same loss.
    Republish {
        /// The version whose text still signs in.
        from: VersionId,
        /// Reason for the republish.
        reason: RepublishReason,
    },
    /// Removes a credential from Entra.
    ///
    /// # If it stops half-way
    /// It is gone, or still there: revoking twice does no harm.
    Revoke {
        /// The credential to revoke.
        key_id: KeyId,
        /// Reason for the revocation.
        reason: RevokeReason,
    },
    /// Disables an older version whose credential is gone.
    ///
    /// # If it stops half-way
    /// It is disabled, or not: doing it twice does no harm.
    Disable {
        /// The version to disable; never the current one.
        version: VersionId,
        /// The replica that it is a version of; `None`: the primary.
        replica: Option<SecretId>,
    },
    /// Removes the index of superseded credentials from the current version, when none is left.
    ///
    /// # If it stops half-way
    /// The tag is gone, or the next pass removes it.
    ClearIndex,
    /// Records which credential the current version holds, so that a secret made by others is taken over.
    ///
    /// # If it stops half-way
    /// The tag is there, or the next pass writes it.
    Adopt {
        /// The credential whose text it is.
        key_id: KeyId,
    },
    /// Copies the current version to a replica.
    ///
    /// # If it stops half-way
    /// The replica has it, or is still behind: then the next pass copies it.
    Copy {
        /// The replica.
        to: SecretId,
    },
    /// Marks the current version so that it is never published again: the first effect of a rollback or a compromise.
    ///
    /// # If it stops half-way
    /// The tag is there and the next pass goes on from it, or nothing has happened.
    Quarantine {
        /// Reason for the quarantine.
        reason: QuarantineReason,
    },
    /// Sets `RotationDisabled`.
    ///
    /// # If it stops half-way
    /// The tag is as asked for, or as before.
    Pause,
    /// Removes `RotationDisabled`.
    ///
    /// # If it stops half-way
    /// The tag is as asked for, or as before.
    Resume,
}

impl Action {
    /// Returns the kind, without what the action acts on.
    #[must_use]
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Issue { .. } => ActionKind::Issue,
            Self::Republish { .. } => ActionKind::Republish,
            Self::Revoke { .. } => ActionKind::Revoke,
            Self::Disable { .. } => ActionKind::Disable,
            Self::ClearIndex => ActionKind::ClearIndex,
            Self::Adopt { .. } => ActionKind::Adopt,
            Self::Copy { .. } => ActionKind::Copy,
            Self::Quarantine { .. } => ActionKind::Quarantine,
            Self::Pause => ActionKind::Pause,
            Self::Resume => ActionKind::Resume,
        }
    }

    /// Returns the name in logs, metrics and the API.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.kind().label()
    }

    /// Returns the reason for the credential that the action makes, if it makes one.
    #[must_use]
    pub const fn issue_reason(&self) -> Option<IssueReason> {
        if let Self::Issue { reason, .. } = self { Some(*reason) } else { None }
    }
}

/// The kinds of actions: each is one word in logs, metrics and the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// See [`Action::Issue`].
    Issue,
    /// See [`Action::Republish`].
    Republish,
    /// See [`Action::Revoke`].
    Revoke,
    /// See [`Action::Disable`].
    Disable,
    /// See [`Action::ClearIndex`].
    ClearIndex,
    /// See [`Action::Adopt`].
    Adopt,
    /// See [`Action::Copy`].
    Copy,
    /// See [`Action::Quarantine`].
    Quarantine,
    /// See [`Action::Pause`].
    Pause,
    /// See [`Action::Resume`].
    Resume,
}

impl ActionKind {
    /// Every kind, for metrics that show a zero as a zero.
    pub const ALL: [Self; 10] = [
        Self::Issue,
        Self::Republish,
        Self::Revoke,
        Self::Disable,
        Self::ClearIndex,
        Self::Adopt,
        Self::Copy,
        Self::Quarantine,
        Self::Pause,
        Self::Resume,
    ];

    /// Returns the name in logs, metrics and the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Republish => "republish",
            Self::Revoke => "revoke",
            Self::Disable => "disable",
            Self::ClearIndex => "clear_index",
            Self::Adopt => "adopt",
            Self::Copy => "copy",
            Self::Quarantine => "quarantine",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }
}

/// The state that a decision leaves a managed secret in, for planning. From the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Nothing is due.
    UpToDate,
    /// Something is due, but held back for a while.
    Deferred,
    /// An action would be taken now.
    Due,
    /// Something is in the way.
    Blocked,
}

impl PlanStatus {
    /// All states, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Due, Self::Deferred, Self::Blocked, Self::UpToDate];

    /// Returns the name in tables and JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Deferred => "deferred",
            Self::Blocked => "blocked",
            Self::UpToDate => "up_to_date",
        }
    }
}

impl Decision {
    /// Returns the state that this decision leaves the secret in.
    #[must_use]
    pub const fn plan_status(&self) -> PlanStatus {
        match self {
            Self::Act(_) => PlanStatus::Due,
            Self::Wait { reason, .. } if reason.is_deferral() => PlanStatus::Deferred,
            Self::Wait { .. } => PlanStatus::UpToDate,
            Self::Blocked { .. } => PlanStatus::Blocked,
        }
    }

    /// Returns the first moment at which it can change by itself; `None`: now, or only by an event or a person.
    #[must_use]
    pub const fn until(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Act(_) => None,
            Self::Wait { until, .. } | Self::Blocked { until, .. } => *until,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    /// In the plan a decision that is held back counts as deferred, while one that waits for its time is up to date.
    #[test]
    fn held_back_decision_counts_as_deferred() {
        let until = Some(datetime!(2026-11-23 0:00 UTC));
        let wait = |reason| Decision::Wait { until, reason };
        for (decision, status, moment) in [
            (Decision::Act(Action::ClearIndex), PlanStatus::Due, None),
            (wait(WaitReason::OutsideWindow), PlanStatus::Deferred, until),
            (wait(WaitReason::NotDue), PlanStatus::UpToDate, until),
            (wait(WaitReason::RotationDisabled), PlanStatus::UpToDate, until),
            (Decision::Blocked { until, reason: BlockReason::NoConsent }, PlanStatus::Blocked, until),
        ] {
            assert_eq!((decision.plan_status(), decision.until()), (status, moment), "{decision:?}");
        }
    }
}
