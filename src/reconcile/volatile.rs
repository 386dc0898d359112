//! The volatile facts: what the loop knows between passes and a restart may forget. No decision depends on them alone.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::back_off;
use super::blocked::Blocked;
use crate::domain::{
    AppObjectId, ApplicationRef, BlockReason, CurrentSignIn, Observed, RotationId, SecretId, SignInProblem,
    UsageFacts, VersionId,
};
use crate::ports::OwnIdentity;

/// Facts that save requests, pace retries and explain a status. Every decision depends on what a pass observes.
#[derive(Debug)]
pub(super) struct Volatile {
    random: fastrand::Rng,
    /// Directory objects by how they are configured; that never changes.
    resolved: BTreeMap<ApplicationRef, AppObjectId>,
    /// Applications that a pass works on.
    busy: BTreeSet<AppObjectId>,
    /// The current version, and the time since which its credential is lost in every pass.
    lost: BTreeMap<SecretId, (VersionId, OffsetDateTime)>,
    /// Passes in a row that were blocked.
    blocked_passes: BTreeMap<SecretId, u32>,
    /// The failure of the last rotation, until one succeeds.
    rotation_failures: BTreeMap<SecretId, Blocked>,
    /// The daemon's own identity, once its token was read.
    caller: Option<OwnIdentity>,
    /// The reason why the last rotation failed, until a pass finds nothing else to do.
    preflight_failures: BTreeMap<SecretId, BlockReason>,
    /// The number of credentials that an application had when it had no room for another one.
    limits: BTreeMap<AppObjectId, usize>,
    /// When the report on sign-ins of an application was last available.
    reported: BTreeMap<AppObjectId, OffsetDateTime>,
    /// Replicas that could not be written, why, and when.
    unwritable: BTreeMap<SecretId, (String, OffsetDateTime)>,
    /// When a credential of a secret was last revoked.
    revoked: BTreeMap<SecretId, OffsetDateTime>,
}

impl Volatile {
    /// Returns no facts yet. `seed` is for jitter and rotation ids.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            resolved: BTreeMap::new(),
            busy: BTreeSet::new(),
            lost: BTreeMap::new(),
            blocked_passes: BTreeMap::new(),
            rotation_failures: BTreeMap::new(),
            caller: None,
            preflight_failures: BTreeMap::new(),
            limits: BTreeMap::new(),
            reported: BTreeMap::new(),
            unwritable: BTreeMap::new(),
            revoked: BTreeMap::new(),
        }
    }

    /// Returns the directory object of an application, if it was found before.
    pub(super) fn resolved(&self, application: ApplicationRef) -> Option<AppObjectId> {
        self.resolved.get(&application).copied()
    }

    /// Takes an application for one pass, and returns true, if no other has it.
    pub(super) fn reserve(&mut self, application: ApplicationRef, object_id: AppObjectId) -> bool {
        self.resolved.insert(application, object_id);
        self.busy.insert(object_id)
    }

    /// Returns the daemon's own identity, if it was asked for.
    pub(super) const fn caller(&self) -> Option<&OwnIdentity> {
        self.caller.as_ref()
    }

    pub(super) fn note_caller(&mut self, caller: OwnIdentity) {
        self.caller = Some(caller);
    }

    /// Returns the facts of a report, if it can be relied on: one that was there a short while ago is not gone for
    /// good.
    pub(super) fn settled(
        &mut self,
        application: AppObjectId,
        usage: UsageFacts,
        now: OffsetDateTime,
    ) -> UsageFacts {
        match usage {
            UsageFacts::Seen(last) => {
                self.reported.insert(application, now);
                UsageFacts::Seen(last)
            }
            UsageFacts::Unavailable(why) => {
                let lately = self.reported.get(&application).is_some_and(|at| now < *at + REPORT_SETTLES);
                if lately { UsageFacts::NotAsked } else { UsageFacts::Unavailable(why) }
            }
            UsageFacts::NotAsked => UsageFacts::NotAsked,
        }
    }

    /// Notes that a credential of this secret was revoked.
    pub(super) fn note_revocation(&mut self, secret: &SecretId, now: OffsetDateTime) {
        self.revoked.insert(secret.clone(), now);
    }

    /// Returns true if a credential of this secret was revoked so recently that its text may still sign in.
    pub(super) fn is_revocation_fresh(&self, secret: &SecretId, now: OffsetDateTime) -> bool {
        self.revoked.get(secret).is_some_and(|at| now < *at + REVOCATION_SETTLES)
    }

    /// Notes that an application with this many credentials had no room for another one.
    pub(super) fn note_full(&mut self, application: AppObjectId, credentials: usize) {
        self.limits.insert(application, credentials);
    }

    /// Returns the number of credentials that an application can have, if it once had no room.
    pub(super) fn limit(&self, application: AppObjectId) -> Option<usize> {
        self.limits.get(&application).copied()
    }

    /// Notes whether a replica could be written.
    pub(super) fn note_copy(&mut self, replica: &SecretId, failure: Option<&Blocked>, now: OffsetDateTime) {
        match failure {
            Some(failure) => self.unwritable.insert(replica.clone(), (failure.to_string(), now)),
            None => self.unwritable.remove(replica),
        };
    }

    /// Returns the reason why a replica could not be written a short while ago: it is left alone for some time then.
    pub(super) fn unwritable(&self, replica: &SecretId, now: OffsetDateTime) -> Option<String> {
        let (why, at) = self.unwritable.get(replica)?;
        (now < *at + COPY_PAUSE).then(|| why.clone())
    }

    pub(super) fn release(&mut self, application: AppObjectId) {
        self.busy.remove(&application);
    }

    /// Returns the time since which the current credential is lost in every pass; it starts again for a credential in
    /// another version.
    pub(super) fn note_loss(&mut self, seen: &Observed, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let lost = seen.sign_in == CurrentSignIn::Refused && seen.current_credential().is_none();
        let version = seen.current_version().map(|version| version.version.clone());
        if let Some(version) = version.filter(|_| lost) {
            let known = self.lost.remove(&seen.secret).filter(|(lost, _)| *lost == version);
            let since = known.map_or(now, |(_, since)| since);
            self.lost.insert(seen.secret.clone(), (version, since));
            return Some(since);
        }
        if !matches!(seen.sign_in, CurrentSignIn::Unclear(SignInProblem::Other(_))) {
            self.lost.remove(&seen.secret);
        }
        None
    }

    /// Notes the end of a rotation. People see its failure, not only that the secret waits for the next attempt.
    pub(super) fn note_rotation(&mut self, secret: &SecretId, failure: Option<&Blocked>) {
        if let Some(failure) = failure.filter(|failure| !failure.is_stop()) {
            self.rotation_failures.insert(secret.clone(), failure.clone());
            self.preflight_failures.insert(secret.clone(), failure.reason);
        } else {
            self.rotation_failures.remove(secret);
        }
    }

    /// Returns the failure of the last rotation, and forgets it if the secret `is_well` now, whatever the cause.
    pub(super) fn rotation_failure(&mut self, secret: &SecretId, is_well: bool) -> Option<Blocked> {
        if is_well {
            self.rotation_failures.remove(secret);
        }
        self.rotation_failures.get(secret).cloned()
    }

    /// Returns the reason why the last rotation failed, until a pass finds nothing else to do.
    pub(super) fn preflight_failure(&self, secret: &SecretId) -> Option<BlockReason> {
        self.preflight_failures.get(secret).copied()
    }

    /// Lets the next pass try to rotate again.
    pub(super) fn clear_preflight_failure(&mut self, secret: &SecretId) {
        self.preflight_failures.remove(secret);
    }

    /// Notes that a pass was not blocked.
    pub(super) fn clear_blocked_passes(&mut self, secret: &SecretId) {
        self.blocked_passes.remove(secret);
    }

    /// Notes one more blocked pass in a row and returns the pause before the next pass.
    pub(super) fn blocked_pause(&mut self, secret: &SecretId, needs_person: bool) -> Duration {
        let passes = self.blocked_passes.entry(secret.clone()).or_insert(0);
        *passes = passes.saturating_add(1);
        back_off::pause(*passes, needs_person, &mut self.random)
    }

    /// Returns a name for the next rotation. `None` can't happen: 16 hexadecimal digits are one.
    pub(super) fn rotation_id(&mut self) -> Option<RotationId> {
        format!("{:016x}", self.random.u64(..)).parse().ok()
    }
}

/// The pause between two tries to write a replica that could not be written.
const COPY_PAUSE: Duration = Duration::minutes(10);

/// The time for which a revoked credential may still sign in somewhere.
const REVOCATION_SETTLES: Duration = Duration::minutes(10);

/// The time for which a report that was there has to be missing before it counts as gone.
const REPORT_SETTLES: Duration = Duration::DAY;
