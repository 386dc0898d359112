//! Why an action did not do what it was meant to, and what is known of its effect.

use std::fmt;

use crate::domain::tags::TagLimit;
use crate::domain::{ActionOutcome, BlockReason, WaitReason};
use crate::ports::{PortError, RefusalKind, SignIn, chain};

/// An action that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    cause: Cause,
    /// Whether a write of it may have happened, whatever the cause says.
    unknown: bool,
}

#[derive(Debug)]
enum Cause {
    /// A service did not do it.
    Port(PortError),
    /// Something is in the way.
    Blocked(BlockReason),
    /// Something is in the way, and more is known about it.
    Told(BlockReason, String),
    /// The new credential was not accepted in time; the last answer to a sign-in.
    NeverVerified(SignIn),
    /// The tags that are needed don't fit.
    Tags(TagLimit),
    /// The daemon is being stopped.
    Stopped,
    /// As many rotations have begun as may.
    Held,
    /// Somebody else wrote a version meanwhile.
    Conflict,
    /// It took longer than the deadline.
    DeadlineExceeded,
}

impl Failure {
    pub(super) const fn blocked(reason: BlockReason) -> Self {
        Self { cause: Cause::Blocked(reason), unknown: false }
    }

    /// Something is in the way, and `what` says more than its reason.
    pub(super) const fn told(reason: BlockReason, what: String) -> Self {
        Self { cause: Cause::Told(reason, what), unknown: false }
    }

    /// A read that failed: whatever came of it, nothing has changed.
    pub(super) const fn of_read(error: PortError) -> Self {
        Self { cause: Cause::Port(error), unknown: false }
    }

    pub(super) const fn held() -> Self {
        Self { cause: Cause::Held, unknown: false }
    }

    /// Whether it was not tried at all, since enough rotations have begun.
    pub(super) const fn is_held(&self) -> bool {
        matches!(self.cause, Cause::Held)
    }

    pub(super) const fn stopped() -> Self {
        Self { cause: Cause::Stopped, unknown: false }
    }

    pub(super) const fn never_verified(last: SignIn) -> Self {
        Self { cause: Cause::NeverVerified(last), unknown: false }
    }

    pub(super) const fn conflict() -> Self {
        Self { cause: Cause::Conflict, unknown: false }
    }

    pub(super) const fn deadline_exceeded() -> Self {
        Self { cause: Cause::DeadlineExceeded, unknown: false }
    }

    /// The same failure, after an earlier write whose outcome is `unknown`.
    pub(super) fn after(self, unknown: bool) -> Self {
        Self { unknown: self.unknown || unknown, ..self }
    }

    /// Whether it is certain that no write of the action that matters has happened.
    pub(super) const fn had_no_effect(&self) -> bool {
        !self.unknown
    }

    pub(super) const fn is_stop(&self) -> bool {
        matches!(self.cause, Cause::Stopped)
    }

    /// Whether the same may succeed a little later.
    pub(super) const fn is_passing(&self) -> bool {
        match &self.cause {
            Cause::Port(error) => error.is_passing(),
            Cause::Conflict => true,
            Cause::Blocked(_)
            | Cause::Told(..)
            | Cause::NeverVerified(_)
            | Cause::Tags(_)
            | Cause::Stopped
            | Cause::Held
            | Cause::DeadlineExceeded => false,
        }
    }

    /// What is in the way, for the status of the secret.
    pub(super) fn block_reason(&self) -> BlockReason {
        match &self.cause {
            Cause::Port(error) => reason_of(error),
            Cause::Blocked(reason) | Cause::Told(reason, _) => *reason,
            Cause::NeverVerified(_) => BlockReason::NeverVerified,
            Cause::Tags(_) => BlockReason::TagLimit,
            Cause::Conflict => BlockReason::Conflict,
            Cause::DeadlineExceeded => BlockReason::DeadlineExceeded,
            Cause::Stopped | Cause::Held => BlockReason::ServiceUnavailable,
        }
    }

    /// Its outcome in metrics and the API.
    pub(super) const fn outcome(&self) -> ActionOutcome {
        match (&self.cause, self.unknown) {
            (Cause::Stopped, _) => ActionOutcome::Stopped,
            (_, true) => ActionOutcome::Unknown,
            (_, false) => ActionOutcome::Failed,
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let unknown = !error.had_no_effect();
        Self { cause: Cause::Port(error), unknown }
    }
}

impl From<TagLimit> for Failure {
    fn from(limit: TagLimit) -> Self {
        Self { cause: Cause::Tags(limit), unknown: false }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Port(error) => f.write_str(&chain(error)),
            Cause::Blocked(reason) => f.write_str(reason.text()),
            Cause::Told(_, what) => f.write_str(what),
            Cause::NeverVerified(last) => write!(f, "not accepted in time; the last answer was {last:?}"),
            Cause::Tags(limit) => limit.fmt(f),
            Cause::Stopped => f.write_str("stopped at a safe point, since the daemon is being stopped"),
            Cause::Held => f.write_str(WaitReason::RolloutLimit.text()),
            Cause::Conflict => f.write_str("somebody else wrote a version meanwhile"),
            Cause::DeadlineExceeded => f.write_str("the rotation took longer than its deadline"),
        }
    }
}

/// Returns what a service's refusal means for the secret.
pub(super) const fn reason_of(error: &PortError) -> BlockReason {
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
