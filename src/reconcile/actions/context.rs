//! The context of an action: what it is executed with, and the checks before every effect. Knows no action.

use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

use crate::clock::ClockSkew;
use crate::domain::{BlockReason, Current, SecretId, VersionId};
use crate::ports::{CurrentVersion, ReadVersion};
use crate::reconcile::Ports;
use crate::reconcile::blocked::Blocked;
use crate::reconcile::observe::Observation;
use crate::reconcile::permits::Permit;
use crate::reconcile::reported_once::ReportedOnce;
use crate::reconcile::rollout::Admission;

/// Everything that an action is executed with.
pub(in crate::reconcile) struct Context<'a> {
    pub(in crate::reconcile) ports: &'a Ports,
    pub(in crate::reconcile) skew: &'a ClockSkew,
    /// The tenant that tokens must be of.
    pub(in crate::reconcile) tenant: &'a str,
    /// Asked once, when a rotation is about to begin.
    pub(in crate::reconcile) admission: &'a Admission<'a>,
    /// True if consumers are, or soon will be, locked out: then a sign-in is proof enough.
    pub(in crate::reconcile) emergency: bool,
    /// Reports that are not repeated.
    pub(in crate::reconcile) reported_once: &'a ReportedOnce,
    /// This pass's permit, released while the pass waits for Entra.
    pub(in crate::reconcile) permit: &'a Permit,
    pub(in crate::reconcile) secret: &'a SecretId,
    pub(in crate::reconcile) observation: &'a Observation,
    pub(in crate::reconcile) stop: CancellationToken,
}

impl Context<'_> {
    /// Reads the current version immediately before an effect. `now` is the time of the observation.
    ///
    /// # Errors
    /// It is not the observed version any more, or the observation is too old.
    pub(super) async fn unchanged_current(
        &self,
        now: OffsetDateTime,
    ) -> Result<Option<ReadVersion>, Blocked> {
        let current = match self.ports.store.read_current(self.secret).await.map_err(Blocked::of_read)? {
            CurrentVersion::Readable(read) => Some(read),
            CurrentVersion::Disabled if self.observation.seen.is_placeholder() => None,
            CurrentVersion::Missing if self.observation.seen.current == Current::Missing => None,
            CurrentVersion::Missing | CurrentVersion::Disabled => return Err(Blocked::conflict()),
        };
        if current.as_ref().map(|read| &read.properties.version) != self.observed_version() {
            return Err(Blocked::conflict());
        }
        self.check_fresh(now)?;
        Ok(current)
    }

    /// Checks the time, last of all before an effect: a stalled process must not act on an old observation.
    pub(super) fn check_fresh(&self, now: OffsetDateTime) -> Result<(), Blocked> {
        self.check_clock()?;
        if self.ports.clock.now() - now > MAX_OBSERVATION_AGE {
            Err(Blocked::deadline_exceeded())
        } else {
            Ok(())
        }
    }

    /// Returns the version that was current when it was observed; `None` if none could be read.
    pub(super) fn observed_version(&self) -> Option<&VersionId> {
        self.observation.seen.current_version().map(|version| &version.version)
    }

    /// Checks that our clock agrees with the services'.
    pub(super) fn check_clock(&self) -> Result<(), Blocked> {
        if self.skew.is_tolerable() { Ok(()) } else { Err(Blocked::because(BlockReason::ClockSkew)) }
    }
}

/// From an observation to the effect that depends on it. A process that stalls longer has to observe again.
const MAX_OBSERVATION_AGE: Duration = Duration::minutes(5);
