//! A person's wish: told to the loop, whichever way it came. It decides nothing and waits for nothing.

use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::config::ManagedSecret;
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
#[derive(Debug, Serialize, ToSchema)]
pub struct Standing {
    /// What the last looks found.
    #[serde(flatten)]
    pub status: SecretStatus,
    /// What a person asked for, until it is met.
    pub wish: Option<StandingWish>,
}

/// A wish that is not met yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingWish {
    /// Its label.
    pub kind: &'static str,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether it was tried already, and will be again: the secret's state says what it waits for.
    pub tried: bool,
}

/// A wish that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// When it was made, as [`StandingWish::at`] and the wish that ended at last say it.
    pub at: OffsetDateTime,
    /// The other secrets that the same is asked of.
    pub also: Vec<SecretId>,
}

/// Why nothing can be asked of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotManaged {
    /// Nobody manages it.
    #[error("{0} is not managed")]
    Unknown(SecretId),
    /// It follows another one.
    #[error("{replica} is a replica of {primary}: ask for that")]
    Replica {
        /// The one that was named.
        replica: SecretId,
        /// The one that it follows.
        primary: SecretId,
    },
}

impl NotManaged {
    /// Its name in the audit log.
    const fn label(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "not_managed",
            Self::Replica { .. } => "replica",
        }
    }
}

impl Wishes {
    /// Asks for `kind`, now. Where every credential of the application is meant, the same is asked of every other secret
    /// that holds one of them.
    ///
    /// # Errors
    /// Nobody manages the secret, or it is a replica.
    pub fn ask<'a>(
        &self,
        secret: &SecretId,
        kind: WishKind,
        asker: impl Into<Asker<'a>>,
    ) -> Result<Taken, NotManaged> {
        let asker = asker.into();
        let managed = self.find(secret).inspect_err(|refused| {
            audit::wish_refused(secret, kind, asker, refused.label());
        })?;
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
        Ok(Taken { at: wish.at, also: others })
    }

    fn find(&self, secret: &SecretId) -> Result<Arc<ManagedSecret>, NotManaged> {
        self.catalogue.find(secret).ok_or_else(|| match self.catalogue.managing(secret) {
            Some(primary) => NotManaged::Replica { replica: secret.clone(), primary: primary.id.clone() },
            None => NotManaged::Unknown(secret.clone()),
        })
    }

    /// What is known of one secret.
    ///
    /// # Errors
    /// Nobody manages the secret, or it is a replica.
    pub fn show(&self, secret: &SecretId) -> Result<Standing, NotManaged> {
        self.find(secret)?;
        self.standing(secret).ok_or_else(|| NotManaged::Unknown(secret.clone()))
    }

    /// What is known of every managed secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Standing> {
        let known = self.board.list();
        known.iter().filter_map(|status| self.standing(&status.secret)).collect()
    }

    /// A wish that ends is told on the board first and leaves the queue then: read the other way round, it is always seen.
    fn standing(&self, secret: &SecretId) -> Option<Standing> {
        let pending = self.queue.pending_wish(secret);
        let wish = pending.map(|pending| StandingWish {
            kind: pending.wish.kind.label(),
            at: pending.wish.at,
            tried: pending.tried,
        });
        Some(Standing { status: self.board.show(secret)?, wish })
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
