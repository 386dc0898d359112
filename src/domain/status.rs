//! The vocabulary of a secret's status: its state, the reason for it, and the outcome of an action.

use super::decision::ActionKind;
use super::reasons::{BlockReason, WaitReason};

/// The states of a managed secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretState {
    /// Not reconciled yet.
    Unknown,
    /// Nothing is to be done now.
    Waiting,
    /// An action is being executed.
    Rotating,
    /// Something is in the way.
    Blocked,
}

impl SecretState {
    /// Returns the state of this label; none if a newer daemon has labels that are not known here.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }

    /// Every state, for metrics that show a zero as a zero.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Waiting, Self::Rotating, Self::Blocked];

    /// Returns the name in metrics and the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Rotating => "rotating",
            Self::Blocked => "blocked",
        }
    }
}

/// The reason for a secret's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusReason {
    /// No pass over the secret has ended yet.
    NotReconciledYet,
    /// This action is being executed.
    Acting(ActionKind),
    /// It waits for this.
    Waiting(WaitReason),
    /// This is in the way.
    Blocked(BlockReason),
}

impl StatusReason {
    /// Returns the name in logs and the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotReconciledYet => "not_reconciled_yet",
            Self::Acting(action) => action.label(),
            Self::Waiting(reason) => reason.label(),
            Self::Blocked(reason) => reason.label(),
        }
    }

    /// Returns the reason of this label; none if a newer daemon has labels that are not known here.
    #[must_use]
    pub fn from_label(label: &str) -> Option<Self> {
        Self::all().find(|reason| reason.label() == label)
    }

    /// Returns every reason.
    pub fn all() -> impl Iterator<Item = Self> {
        let waiting = WaitReason::ALL.iter().copied().map(Self::Waiting);
        let blocked = BlockReason::ALL.iter().copied().map(Self::Blocked);
        let acting = ActionKind::ALL.into_iter().map(Self::Acting);
        waiting.chain(blocked).chain(acting).chain([Self::NotReconciledYet])
    }

    /// Returns true if the state passes within minutes: a command is followed through it.
    #[must_use]
    pub const fn is_short(self) -> bool {
        match self {
            Self::NotReconciledYet | Self::Acting(_) => false,
            Self::Waiting(reason) => reason.is_short(),
            Self::Blocked(reason) => reason.is_short(),
        }
    }

    /// Returns true if a sweep has to stay until the state is over.
    #[must_use]
    pub const fn keeps_sweep_running(self) -> bool {
        match self {
            Self::NotReconciledYet | Self::Acting(_) => false,
            Self::Waiting(reason) => reason.keeps_sweep_running(),
            Self::Blocked(reason) => reason.keeps_sweep_running(),
        }
    }

    /// Returns true if a rotation is due and the rollout configuration holds it back.
    #[must_use]
    pub const fn is_of_rollout(self) -> bool {
        matches!(self, Self::Waiting(reason) if reason.is_of_rollout())
    }
}

/// The outcome of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionOutcome {
    /// It was done.
    Success,
    /// It was not done.
    Failed,
    /// It failed after a write that may have been done.
    Unknown,
    /// The daemon is being stopped.
    Stopped,
}

impl ActionOutcome {
    /// Every outcome, for metrics that show a zero as a zero.
    pub const ALL: [Self; 4] = [Self::Success, Self::Failed, Self::Unknown, Self::Stopped];

    /// Returns the name in logs, metrics and the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Stopped => "stopped",
        }
    }
}
