//! The admission of one rotation: asks the limits of a fleet at the moment when the rotation is about to begin.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Rollout;
use crate::domain::{IssueReason, RolloutLimits};
use crate::ports::Clock;
use crate::reconcile::status_board::StatusBoard;

/// The admission of the rotation that one pass may begin.
#[derive(Debug)]
pub(in crate::reconcile) struct Admission<'a> {
    pub(in crate::reconcile) rollout: &'a Rollout,
    pub(in crate::reconcile) board: &'a StatusBoard,
    pub(in crate::reconcile) clock: &'a dyn Clock,
    /// The reason of the rotation; `None`: the pass begins none.
    pub(in crate::reconcile) reason: Option<IssueReason>,
    /// The limits that the decision was made with.
    pub(in crate::reconcile) known: &'a RolloutLimits,
    /// True once the rotation was admitted.
    pub(in crate::reconcile) is_granted: AtomicBool,
}

impl Admission<'_> {
    /// Returns true if the rotation may begin now, and counts it then.
    pub(in crate::reconcile) fn request(&self) -> bool {
        let is_granted = self
            .reason
            .is_none_or(|reason| self.rollout.begins(reason, self.known, self.board, self.clock.now()));
        self.is_granted.store(is_granted, Ordering::Relaxed);
        is_granted
    }

    /// Returns true if the rotation was admitted.
    pub(in crate::reconcile) fn is_granted(&self) -> bool {
        self.is_granted.load(Ordering::Relaxed)
    }
}
