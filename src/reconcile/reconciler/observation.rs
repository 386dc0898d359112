//! The observation of a pass: what was read, what is remembered, and what limits the fleet. Changes nothing in Azure.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::{Reconciler, Trouble};
use crate::domain::{
    BlockReason, ClientId, Command, CommandKind, Decision, KeyId, ManagedSecret, Observed, ReplicaState,
    SecretId, StatusReason, UsageFacts, decide,
};
use crate::ports::Application;
use crate::reconcile::observe::{Observation, Subject, observe};
use crate::reconcile::status::SecretStatus;

/// What would be done about a secret.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The decision, as of now.
    pub decision: Decision,
    /// What is known of the secret.
    pub status: SecretStatus,
}

impl Reconciler {
    /// Everything that a decision about `managed` rests on, as it is now. Nothing of it has an effect on Azure.
    pub(super) async fn observe(
        &self,
        managed: &ManagedSecret,
        command: Option<Command>,
        may_try: bool,
        now: OffsetDateTime,
    ) -> Result<Observation, Trouble> {
        let own = self.own().await?;
        let subject = Subject { ports: &self.ports, managed, rules: &self.rules, own, command, may_try };
        let observation = observe(subject, now).await?;
        let mut observation = observation.ok_or_else(|| Trouble::of(BlockReason::ApplicationMissing))?;
        let (application, listed) =
            (observation.application.object_id, observation.application.credentials.len());
        if self.rollout.is_canary(&managed.id) {
            observation.policy = observation.policy.ahead();
        }
        let limits = self.rollout.limits(&managed.id, &self.board, now);
        let mut volatile = self.lock();
        let usage = std::mem::replace(&mut observation.seen.usage, UsageFacts::NotAsked);
        observation.seen.usage = volatile.settled(application, usage, now);
        observation.seen.lost_since = volatile.note_loss(&observation.seen, now);
        observation.seen.rollout_limits = limits;
        observation.seen.preflight_failure = volatile.preflight_failure(&managed.id);
        let learned = volatile.limit(application).filter(|limit| *limit <= listed);
        observation.seen.max_credentials = observation.seen.max_credentials.into_iter().chain(learned).min();
        let siblings = self.siblings(&managed.id, &observation.application);
        observation.seen.held_elsewhere = self.held_elsewhere(&siblings);
        let is_told = |command: &Command| matches!(command.kind, CommandKind::Compromised { .. });
        if let Some(command) =
            command.filter(|command| observation.seen.denied_reason.is_none() && is_told(command))
        {
            self.pass_on(command, &self.concerned(&observation.seen, siblings));
        }
        for replica in &mut observation.seen.replicas {
            if replica.state == ReplicaState::OutOfSync
                && let Some(why) = volatile.unwritable(&replica.secret, now)
            {
                replica.state = ReplicaState::Unreadable(why);
            }
        }
        Ok(observation)
    }

    /// The credentials that other managed secrets of this application were last seen to hold; `None` if one of them was
    /// not looked at yet.
    fn held_elsewhere(&self, siblings: &[SecretId]) -> Option<BTreeSet<KeyId>> {
        let mut held = BTreeSet::new();
        for status in siblings.iter().map(|sibling| self.board.show(sibling)) {
            let status = status.filter(|status| status.last_reconciled.is_some())?;
            held.extend(status.held.filter(|_| !status.is_denied));
        }
        Some(held)
    }

    /// Of the other secrets of the application, those that a compromise concerns as well: all of them if every
    /// credential is meant, else those that hold what is compromised.
    fn concerned(&self, seen: &Observed, siblings: Vec<SecretId>) -> Vec<SecretId> {
        let held = |sibling: &SecretId| self.board.show(sibling).and_then(|status| status.held);
        let compromised = seen.compromised_credentials();
        let shares = |sibling: &SecretId| {
            compromised.iter().any(|credential| held(sibling) == Some(credential.key_id))
        };
        let all = seen.wants_all_credentials_gone();
        siblings.into_iter().filter(|sibling| all || shares(sibling)).collect()
    }

    /// The other managed secrets of this application, by whichever of its GUIDs they name it.
    fn siblings(&self, secret: &SecretId, application: &Application) -> Vec<SecretId> {
        let Application { object_id, client_id, .. } = *application;
        let shares = |other: &ManagedSecret| other.application.is_of(object_id, client_id);
        let managed = self.catalogue.list();
        let others = managed.iter().filter(|other| other.id != *secret && shares(other));
        others.filter(|other| !self.lacks_consent(&other.id)).map(|sibling| sibling.id.clone()).collect()
    }

    /// Whether only a tag says that a secret belongs to its application: then it has no part in what becomes of that.
    fn lacks_consent(&self, secret: &SecretId) -> bool {
        self.board
            .show(secret)
            .is_some_and(|status| status.reason == StatusReason::Blocked(BlockReason::NoConsent))
    }

    /// Every credential of the application is compromised: so are those of its other secrets, which are asked once.
    fn pass_on(&self, command: Command, siblings: &[SecretId]) {
        for sibling in siblings {
            if self.reported_once.is_news(sibling, &format!("compromised at {}", command.at)) {
                self.queue.enqueue(sibling, Some(command));
            }
        }
    }

    /// The application that the daemon itself signs in with.
    async fn own(&self) -> Result<Option<ClientId>, Trouble> {
        let known = self.lock().caller().cloned();
        let caller = match known {
            Some(caller) => caller,
            None => self.ports.issuer.read_own_identity().await?,
        };
        let own = caller.client_id.or(self.own);
        self.lock().note_caller(caller);
        Ok(own)
    }

    /// What would be done about a secret now, and why, without doing it.
    ///
    /// # Errors
    /// Why that can't be said: the reason's label, and what it means.
    pub async fn preview(&self, secret: &SecretId) -> Result<Preview, (&'static str, String)> {
        let now = self.ports.clock.now();
        let managed =
            self.catalogue.find(secret).ok_or(("not_managed", format!("{secret} is not managed")))?;
        let told = |trouble: Trouble| (trouble.reason.label(), trouble.text());
        let observation = self.observe(&managed, None, false, now).await.map_err(told)?;
        let decision = decide(&observation.seen, &observation.policy, now);
        self.show(&managed, &observation, &decision, now);
        let status = self.board.show(secret).ok_or(("not_managed", format!("{secret} is not managed")))?;
        Ok(Preview { decision, status })
    }
}
