//! The status board: the status of every managed secret. Written by passes, read by the API and the rollout.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

use super::command_ends::CommandEnds;
use super::status::SecretStatus;
use crate::domain::SecretId;
use crate::metrics::{Metrics, unix_seconds};

/// The status of every managed secret. The only writer of their states and of the metrics of them.
#[derive(Debug)]
pub struct StatusBoard {
    pub(super) metrics: Arc<Metrics>,
    ends: Mutex<CommandEnds>,
    statuses: Mutex<BTreeMap<SecretId, SecretStatus>>,
    /// Counts changes, for those who follow them.
    changes: watch::Sender<u64>,
}

impl StatusBoard {
    /// Returns a board on which no secret was reconciled yet.
    #[must_use]
    pub fn new<'a>(metrics: Arc<Metrics>, secrets: impl IntoIterator<Item = &'a SecretId>) -> Self {
        let statuses: BTreeMap<_, _> =
            secrets.into_iter().map(|secret| (secret.clone(), SecretStatus::unknown(secret))).collect();
        metrics.declare_secrets(statuses.keys());
        Self {
            metrics,
            ends: Mutex::default(),
            statuses: Mutex::new(statuses),
            changes: watch::Sender::new(0),
        }
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
        let mut ends = self.ends();
        let released = ends.secrets().filter(|secret| !statuses.contains_key(*secret)).cloned().collect();
        ends.release(released);
    }

    /// Returns the status of one secret, if it is managed.
    #[must_use]
    pub fn show(&self, secret: &SecretId) -> Option<SecretStatus> {
        self.lock().get(secret).cloned()
    }

    /// Returns a receiver that is notified when anything has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Returns the times at which rotations published the versions that consumers read.
    pub(super) fn rotations_published(&self) -> Vec<OffsetDateTime> {
        let statuses = self.lock();
        let rotated = statuses.values().filter(|status| status.is_rotated);
        rotated.filter_map(|status| status.published).collect()
    }

    /// Returns the status of every secret, by name.
    #[must_use]
    pub fn list(&self) -> Vec<SecretStatus> {
        self.lock().values().cloned().collect()
    }

    /// Changes what is known of `secret`, and the metrics with it. Those who follow changes are notified also if it is not
    /// managed: its commands end then.
    pub fn update(&self, secret: &SecretId, change: impl FnOnce(&mut SecretStatus)) {
        if let Some(status) = self.lock().get_mut(secret) {
            change(status);
            self.show_in_metrics(secret, status);
        }
        self.changes.send_modify(|count| *count += 1);
    }

    fn show_in_metrics(&self, secret: &SecretId, status: &SecretStatus) {
        let name = secret.to_string();
        self.metrics.set_state(secret, status.state);
        self.metrics
            .credential_expiry_timestamp_seconds
            .with_label_values(&[&name])
            .set(seconds(status.expires));
        self.metrics
            .last_success_timestamp_seconds
            .with_label_values(&[&name])
            .set(seconds(status.last_success));
        self.metrics.orphaned_credentials.with_label_values(&[&name]).set(count(status.orphans));
        self.metrics.secret_warnings.with_label_values(&[&name]).set(count(status.warnings.len()));
        self.metrics.superseded_credentials.with_label_values(&[&name]).set(count(status.superseded));
        self.metrics
            .foreign_expired_credentials
            .with_label_values(&[&name])
            .set(count(status.foreign_expired));
        for replica in &status.replicas {
            self.metrics.set_replica(&replica.secret, &replica.state);
        }
    }

    pub(super) fn ends(&self) -> std::sync::MutexGuard<'_, CommandEnds> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SecretId, SecretStatus>> {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the moment as Prometheus counts it; 0 if it is not known.
fn seconds(moment: Option<OffsetDateTime>) -> f64 {
    moment.map_or(0.0, unix_seconds)
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
