//! A person's wish: told to the loop, whichever way it came. It decides nothing and waits for nothing.

use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;

use crate::domain::{SecretId, Wish, WishKind};
use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::reconcile::{Catalogue, SecretStatus, StatusBoard, WorkQueue};
use crate::telemetry::audit::{self, Asker};

/// Where wishes go, and where is seen what became of them.
#[derive(Debug)]
pub struct Wishes {
    /// Where they go.
    pub queue: Arc<WorkQueue>,
    /// What can be wished for.
    pub catalogue: Arc<Catalogue>,
    /// What is known of it.
    pub board: Arc<StatusBoard>,
    /// Where they are counted.
    pub metrics: Arc<Metrics>,
    /// When they were made.
    pub clock: Arc<dyn Clock>,
}

/// What is known of a secret, with the wish that is not met yet.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// What the last looks found.
    #[serde(flatten)]
    pub status: SecretStatus,
    /// What a person asked for, until it is met.
    pub wish: Option<StandingWish>,
}

/// A wish that is not met yet.
#[derive(Debug, Serialize)]
pub struct StandingWish {
    /// Its label.
    pub kind: &'static str,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether it was tried already, and will be again: the secret's state says what it waits for.
    pub tried: bool,
}

/// Nobody manages this secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not managed")]
pub struct NotManaged(pub SecretId);

impl Wishes {
    /// Asks for `kind`, now. Where every credential of the application is meant, the same is asked of every other secret
    /// that holds one of them: those are returned.
    ///
    /// # Errors
    /// Nobody manages the secret.
    pub fn ask<'a>(
        &self,
        secret: &SecretId,
        kind: WishKind,
        asker: impl Into<Asker<'a>>,
    ) -> Result<Vec<SecretId>, NotManaged> {
        let asker = asker.into();
        let Some(managed) = self.catalogue.find(secret) else {
            audit::wish_refused(secret, kind, asker, "not_managed");
            return Err(NotManaged(secret.clone()));
        };
        let mut others = Vec::new();
        if kind == (WishKind::Compromised { all_credentials: true }) {
            let holders = self.catalogue.of_application(managed.application);
            others.extend(holders.iter().map(|holder| holder.id.clone()).filter(|other| other != secret));
        }
        let wish = Wish { kind, at: self.clock.now() };
        for wanted in [secret].into_iter().chain(&others) {
            audit::wish(wanted, kind, asker);
            self.metrics.wishes.with_label_values(&[kind.label()]).inc();
            self.metrics.triggers.with_label_values(&[asker.by]).inc();
            self.queue.enqueue(wanted, Some(wish));
        }
        Ok(others)
    }

    /// What is known of one secret, if it is managed.
    #[must_use]
    pub fn show(&self, secret: &SecretId) -> Option<Standing> {
        self.board.show(secret).map(|status| self.standing(status))
    }

    /// What is known of every managed secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Standing> {
        self.board.list().into_iter().map(|status| self.standing(status)).collect()
    }

    fn standing(&self, status: SecretStatus) -> Standing {
        let pending = self.queue.pending_wish(&status.secret);
        let wish = pending.map(|pending| StandingWish {
            kind: pending.wish.kind.label(),
            at: pending.wish.at,
            tried: pending.tried,
        });
        Standing { status, wish }
    }
}

/// Everything that can be asked for, in the order of [`WishKind::LABELS`].
pub const WISHES: [WishKind; 6] = [
    WishKind::Rotate,
    WishKind::Rollback,
    WishKind::Compromised { all_credentials: false },
    WishKind::Retire,
    WishKind::Pause,
    WishKind::Resume,
];
