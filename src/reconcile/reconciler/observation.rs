//! The observation of a pass: what was read, what is remembered, and what limits the fleet. Changes nothing in Azure.

use time::OffsetDateTime;

use super::Reconciler;
use crate::domain::{
    BlockReason, ClientId, Command, ManagedSecret, ReplicaFacts, ReplicaState, SecretId, UsageFacts,
};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::observe::{Observation, Subject, observe};
use crate::reconcile::volatile::Volatile;

impl Reconciler {
    /// Returns everything that a decision about `managed` depends on, as it is now. `may_try`: old texts may be tried.
    pub(super) async fn observe(
        &self,
        managed: &ManagedSecret,
        command: Option<Command>,
        may_try: bool,
        now: OffsetDateTime,
    ) -> Result<Observation, Blocked> {
        let own = self.own().await?;
        let subject = Subject { ports: &self.ports, managed, rules: &self.rules, own, command, may_try };
        let observed = observe(subject, now).await?;
        let mut observation = observed.ok_or_else(|| Blocked::because(BlockReason::ApplicationMissing))?;
        if self.rollout.is_canary(&managed.id) {
            observation.policy = observation.policy.ahead();
        }
        self.add_remembered(&mut observation, now);
        let siblings = self.add_fleet(&mut observation, managed, now);
        if let Some(command) = command {
            self.pass_on_compromise(command, &observation.seen, &siblings);
        }
        Ok(observation)
    }

    /// Adds what is known of the other secrets now. Returns the siblings.
    pub(super) fn add_fleet(
        &self,
        observation: &mut Observation,
        managed: &ManagedSecret,
        now: OffsetDateTime,
    ) -> Vec<SecretId> {
        let siblings = self.siblings(&managed.id, &observation.application);
        observation.seen.rollout_limits = self.rollout.limits(&managed.id, &self.board, now);
        observation.seen.held_elsewhere = self.held_elsewhere(&siblings);
        siblings
    }

    /// Adds what earlier passes of this process learned.
    fn add_remembered(&self, observation: &mut Observation, now: OffsetDateTime) {
        let Observation { seen, application, .. } = observation;
        let mut volatile = self.lock();
        let usage = std::mem::replace(&mut seen.usage, UsageFacts::NotAsked);
        seen.usage = volatile.settled(application.object_id, usage, now);
        seen.lost_since = volatile.note_loss(seen, now);
        seen.preflight_failure = volatile.preflight_failure(&seen.secret);
        let learned = volatile.limit(application.object_id);
        let learned = learned.filter(|limit| *limit <= application.credentials.len());
        seen.max_credentials = seen.max_credentials.into_iter().chain(learned).min();
        mark_unwritable(&mut seen.replicas, &volatile, now);
    }

    /// Returns the application that the daemon itself signs in with.
    async fn own(&self) -> Result<Option<ClientId>, Blocked> {
        let known = self.lock().caller().cloned();
        let caller = match known {
            Some(caller) => caller,
            None => self.ports.issuer.read_own_identity().await?,
        };
        let own = caller.client_id.or(self.own);
        self.lock().note_caller(caller);
        Ok(own)
    }
}

/// Marks replicas that could not be written a short while ago as unreadable, so that they are left alone.
fn mark_unwritable(replicas: &mut [ReplicaFacts], volatile: &Volatile, now: OffsetDateTime) {
    for replica in replicas.iter_mut().filter(|replica| replica.state == ReplicaState::OutOfSync) {
        if let Some(why) = volatile.unwritable(&replica.secret, now) {
            replica.state = ReplicaState::Unreadable(why);
        }
    }
}
