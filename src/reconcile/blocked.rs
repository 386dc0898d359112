//! The failure of a pass or of one of its actions: made of port errors, shown as a secret's status. The only such type
//! of this layer.

use std::fmt;

use time::Duration;

use crate::domain::tags::TagLimit;
use crate::domain::{ActionOutcome, BlockReason, WaitReason};
use crate::ports::{PortError, RefusalKind, SignIn, chain};

/// The reason why a pass or an action stopped, and what is known of its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The reason, for the status of the secret.
    pub reason: BlockReason,
    /// Details that the reason alone does not give.
    detail: Option<String>,
    cause: Cause,
    /// True if a write may have happened, whatever the reason is.
    is_effect_unknown: bool,
}

/// The cause, as far as callers treat causes differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Something that has to change before the same can succeed.
    Obstacle,
    /// A service that may answer a little later, after this pause if it asked for one.
    Service { retry_after: Option<Duration> },
    /// The daemon is stopping.
    Stopping,
    /// As many rotations have begun as may.
    RolloutLimit,
}

impl Blocked {
    /// Blocks for a reason that needs no details.
    pub(super) const fn because(reason: BlockReason) -> Self {
        Self { reason, detail: None, cause: Cause::Obstacle, is_effect_unknown: false }
    }

    /// Blocks for a reason, with details.
    #[must_use]
    pub fn detailed(reason: BlockReason, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::because(reason) }
    }

    /// Blocks because a read failed. Nothing has changed, whatever became of the read.
    pub(super) fn of_read(error: PortError) -> Self {
        Self { is_effect_unknown: false, ..Self::from(error) }
    }

    /// Blocks because the daemon is stopping, at a point where that does no harm.
    pub(super) fn stopping() -> Self {
        let detail = "stopped at a safe point because the daemon is shutting down";
        Self { cause: Cause::Stopping, ..Self::detailed(BlockReason::ServiceUnavailable, detail) }
    }

    /// Blocks a rotation that was not tried, because as many have begun as may.
    pub(super) fn by_rollout_limit() -> Self {
        let detail = WaitReason::RolloutLimit.text();
        Self { cause: Cause::RolloutLimit, ..Self::detailed(BlockReason::ServiceUnavailable, detail) }
    }

    /// Blocks because a new credential was not accepted in time. `last` is the last answer to a sign-in.
    pub(super) fn never_verified(last: &SignIn) -> Self {
        let detail = format!("last sign-in: {last}");
        Self::detailed(BlockReason::NeverVerified, detail)
    }

    /// Blocks because another writer changed the secret meanwhile.
    pub(super) const fn conflict() -> Self {
        Self::because(BlockReason::Conflict)
    }

    /// Blocks because a rotation took longer than its deadline.
    pub(super) const fn deadline_exceeded() -> Self {
        Self::because(BlockReason::DeadlineExceeded)
    }

    /// Returns the same, after an earlier write whose effect `is_unknown`.
    pub(super) fn after(self, is_unknown: bool) -> Self {
        Self { is_effect_unknown: self.is_effect_unknown || is_unknown, ..self }
    }

    /// Returns true if it is certain that no write that matters has happened.
    pub(super) const fn had_no_effect(&self) -> bool {
        !self.is_effect_unknown
    }

    /// Returns true if the daemon stopped it.
    pub(super) const fn is_stop(&self) -> bool {
        matches!(self.cause, Cause::Stopping)
    }

    /// Returns true if a rollout limit kept it from being tried.
    pub(super) const fn is_rollout_limit(&self) -> bool {
        matches!(self.cause, Cause::RolloutLimit)
    }

    /// Returns true if the same may succeed a little later.
    pub(super) const fn is_passing(&self) -> bool {
        matches!(self.cause, Cause::Service { .. })
    }

    /// Returns how long the service asks to wait.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self.cause {
            Cause::Service { retry_after } => retry_after,
            Cause::Obstacle | Cause::Stopping | Cause::RolloutLimit => None,
        }
    }

    /// Returns what the reason means and, where a person has to act, what to do; with the details.
    #[must_use]
    pub fn message(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} ({detail})", self.reason.text()),
            None => self.reason.text().to_owned(),
        }
    }

    /// Returns its outcome in metrics and the API.
    pub(super) const fn outcome(&self) -> ActionOutcome {
        match (self.cause, self.is_effect_unknown) {
            (Cause::Stopping, _) => ActionOutcome::Stopped,
            (_, true) => ActionOutcome::Unknown,
            (_, false) => ActionOutcome::Failed,
        }
    }
}

impl From<PortError> for Blocked {
    fn from(error: PortError) -> Self {
        let cause = if error.is_passing() {
            Cause::Service { retry_after: error.retry_after() }
        } else {
            Cause::Obstacle
        };
        Self {
            reason: reason_of(&error),
            detail: Some(chain(&error)),
            cause,
            is_effect_unknown: !error.had_no_effect(),
        }
    }
}

impl From<TagLimit> for Blocked {
    fn from(limit: TagLimit) -> Self {
        Self::detailed(BlockReason::TagLimit, limit.to_string())
    }
}

/// The details or, without any, the reason: for logs and the audit trail, which show the reason's label beside it.
impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.detail.as_deref().unwrap_or_else(|| self.reason.text()))
    }
}

/// Returns what a service's refusal means for the secret.
const fn reason_of(error: &PortError) -> BlockReason {
    let Some(kind) = error.refusal() else { return BlockReason::ServiceUnavailable };
    match kind {
        RefusalKind::SecretDeleted => BlockReason::SecretDeleted,
        RefusalKind::LifetimePolicy => BlockReason::LifetimePolicy,
        RefusalKind::PasswordsForbidden => BlockReason::PasswordsForbidden,
        RefusalKind::ApplicationMissing => BlockReason::ApplicationMissing,
        RefusalKind::PasswordLimitReached => BlockReason::PasswordLimitReached,
        RefusalKind::Throttled => BlockReason::Throttled,
        RefusalKind::Unauthenticated
        | RefusalKind::Forbidden
        | RefusalKind::AccessPolicyMissing
        | RefusalKind::FirewallBlocked
        | RefusalKind::PublicAccessDisabled => BlockReason::Forbidden,
        RefusalKind::SecretInTransition | RefusalKind::MessageLost | RefusalKind::Other => {
            BlockReason::ServiceUnavailable
        }
    }
}
