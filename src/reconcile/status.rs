//! The status board: what is known of each managed secret, for people, the API and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::domain::{KeyId, Origin, ReplicaFacts, ReplicaState, SecretId};
use crate::metrics::{Metrics, unix_seconds};

/// What is known of one managed secret. Made anew by each look; nothing is decided from it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SecretStatus {
    /// `vault/name`.
    #[schema(value_type = String)]
    pub secret: SecretId,
    /// `unknown` (not looked at yet), `waiting`, `rotating` or `blocked`.
    pub state: &'static str,
    /// The reason's short name.
    pub reason: &'static str,
    /// What it means and, if somebody has to act, what to do.
    pub message: String,
    /// Whether only a person can end this state.
    pub needs_person: bool,
    /// The published credential.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub credential_id: Option<KeyId>,
    /// When the published credential ends.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires: Option<OffsetDateTime>,
    /// When its successor is due.
    #[serde(with = "time::serde::rfc3339::option")]
    pub due: Option<OffsetDateTime>,
    /// When it was last looked at.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_reconciled: Option<OffsetDateTime>,
    /// When a look last found nothing wrong.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_success: Option<OffsetDateTime>,
    /// When it will be looked at next, if nothing wakes it earlier.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_reconcile: Option<OffsetDateTime>,
    /// The last action and how it ended.
    pub last_outcome: Option<LastOutcome>,
    /// Who says that it is managed: `configured` or `discovered`.
    pub origin: &'static str,
    /// Who looks after it, by its `Owner` tag.
    pub owner: Option<String>,
    /// When the version that consumers read was published.
    #[serde(with = "time::serde::rfc3339::option")]
    pub published: Option<OffsetDateTime>,
    /// Whether a rotation of ours made that version.
    pub is_rotated: bool,
    /// Credentials that were published before and are not retired yet.
    pub superseded: usize,
    /// Expired credentials of the application that others made.
    pub foreign_expired: usize,
    /// The other vault secrets that hold the same credential.
    pub replicas: Vec<ReplicaStatus>,
    /// The last command of a person that ended.
    pub last_command: Option<LastCommand>,
    /// A credential that this secret is known to hold, by its text or its marker; not by a tag alone.
    #[serde(skip)]
    pub held: Option<KeyId>,
    /// Whether the application may not be rotated into it, so that what it holds protects nothing.
    #[serde(skip)]
    pub is_denied: bool,
    /// Credentials of ours that were never published.
    pub orphans: usize,
    /// What is odd and not followed, for example unusable tags.
    pub warnings: Vec<String>,
}

/// A command that ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastCommand {
    /// What was asked for.
    pub kind: &'static str,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `completed` or `rejected`.
    pub outcome: &'static str,
    /// Why it was dropped, or what has come about.
    pub reason: String,
}

/// What is known of one replica.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplicaStatus {
    /// `vault/name`.
    #[schema(value_type = String)]
    pub secret: SecretId,
    /// `in_sync`, `out_of_sync`, `disabled` or `unreadable`.
    pub state: &'static str,
    /// Why it can't be read, if it can't.
    pub error: Option<String>,
}

/// An action and how it ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LastOutcome {
    /// Its label.
    pub action: &'static str,
    /// `success`, `failed`, `unknown` or `stopped`.
    pub outcome: &'static str,
    /// What went wrong, if anything did.
    pub error: Option<String>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// The status of every managed secret. The only writer of their states and of the metrics of them.
#[derive(Debug)]
pub struct StatusBoard {
    metrics: Arc<Metrics>,
    statuses: Mutex<BTreeMap<SecretId, SecretStatus>>,
    /// Counts changes, for those who follow them.
    changes: watch::Sender<u64>,
}

impl StatusBoard {
    /// A board on which no secret was looked at yet.
    #[must_use]
    pub fn new<'a>(metrics: Arc<Metrics>, secrets: impl IntoIterator<Item = &'a SecretId>) -> Self {
        let statuses: BTreeMap<_, _> =
            secrets.into_iter().map(|secret| (secret.clone(), SecretStatus::unknown(secret))).collect();
        metrics.declare_secrets(statuses.keys());
        Self { metrics, statuses: Mutex::new(statuses), changes: watch::Sender::new(0) }
    }

    /// Keeps what is known of `secrets`, begins with those that are new, and forgets all others.
    pub fn keep<'a>(&self, secrets: impl IntoIterator<Item = &'a SecretId>) {
        let mut statuses = self.lock();
        let mut kept = BTreeMap::new();
        for secret in secrets {
            let status = statuses.remove(secret).unwrap_or_else(|| SecretStatus::unknown(secret));
            kept.insert(secret.clone(), status);
        }
        for gone in statuses.keys() {
            self.metrics.forget_secret(gone);
        }
        self.metrics.declare_secrets(
            kept.iter().filter(|(_, status)| status.last_reconciled.is_none()).map(|(secret, _)| secret),
        );
        *statuses = kept;
    }

    /// The status of one secret, if it is managed.
    #[must_use]
    pub fn show(&self, secret: &SecretId) -> Option<SecretStatus> {
        self.lock().get(secret).cloned()
    }

    /// Tells when anything has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// When the versions that consumers read were published, as far as rotations made them.
    pub(super) fn rotations_published(&self) -> Vec<OffsetDateTime> {
        let statuses = self.lock();
        let rotated = statuses.values().filter(|status| status.is_rotated);
        rotated.filter_map(|status| status.published).collect()
    }

    /// The status of every secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<SecretStatus> {
        self.lock().values().cloned().collect()
    }

    /// Changes what is known of `secret`, and the metrics with it.
    pub fn update(&self, secret: &SecretId, change: impl FnOnce(&mut SecretStatus)) {
        let mut statuses = self.lock();
        let Some(status) = statuses.get_mut(secret) else { return };
        change(status);
        let name = secret.to_string();
        self.metrics.set_state(secret, status.state);
        let seconds = |moment: Option<OffsetDateTime>| moment.map_or(0.0, unix_seconds);
        self.metrics.credential_expiry.with_label_values(&[&name]).set(seconds(status.expires));
        self.metrics.last_success.with_label_values(&[&name]).set(seconds(status.last_success));
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.orphans.with_label_values(&[&name]).set(count(status.orphans));
        self.metrics.secret_warnings.with_label_values(&[&name]).set(count(status.warnings.len()));
        self.metrics.superseded.with_label_values(&[&name]).set(count(status.superseded));
        self.metrics.foreign_expired.with_label_values(&[&name]).set(count(status.foreign_expired));
        for replica in &status.replicas {
            self.metrics.set_replica(&replica.secret, replica.state);
        }
        drop(statuses);
        self.changes.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SecretId, SecretStatus>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&ReplicaFacts> for ReplicaStatus {
    fn from(facts: &ReplicaFacts) -> Self {
        let error = match &facts.state {
            ReplicaState::Unreadable(why) => Some(why.clone()),
            ReplicaState::InSync(_) | ReplicaState::OutOfSync | ReplicaState::Disabled => None,
        };
        Self { secret: facts.secret.clone(), state: facts.state.label(), error }
    }
}

impl SecretStatus {
    /// Whether a successor is due at `now`, as far as is known.
    #[must_use]
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    fn unknown(secret: &SecretId) -> Self {
        Self {
            secret: secret.clone(),
            state: "unknown",
            reason: "not_reconciled_yet",
            message: "not reconciled yet".to_owned(),
            needs_person: false,
            credential_id: None,
            expires: None,
            due: None,
            last_reconciled: None,
            last_success: None,
            next_reconcile: None,
            last_outcome: None,
            origin: Origin::Configured.label(),
            owner: None,
            published: None,
            is_rotated: false,
            superseded: 0,
            foreign_expired: 0,
            replicas: Vec::new(),
            last_command: None,
            held: None,
            is_denied: false,
            orphans: 0,
            warnings: Vec::new(),
        }
    }
}
