//! Every metric, in one struct: the names, help texts, labels and the labels' values are declared here and nowhere else.
//!
//! Metrics are only counted and rendered here. Prometheus and tests read them; rekeyd never decides by a metric.

mod declare;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests;

use std::time::Duration;

use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Registry, TextEncoder,
};
use time::OffsetDateTime;

use crate::domain::{
    ActionKind, ActionOutcome, BlockReason, CommandKind, CommandOutcome, ReplicaState, SecretId, SecretState,
    VaultName,
};
pub use declare::Declaration;
use declare::{Family, Label, metrics, register};

metrics! {
    /// All metrics of one daemon. Labels are bounded: configured names, and the labels of enums.
    pub struct Metrics("rekeyd_") {
        /// Actions executed, by action and outcome.
        actions_total: IntCounterVec[
            action = ActionKind::ALL.iter().map(|action| action.label()),
            outcome = ActionOutcome::ALL.iter().map(|outcome| outcome.label())
        ],
        /// Expiry of the published credential, in Unix seconds; 0 if not known yet.
        credential_expiry_timestamp_seconds: GaugeVec[secret],
        /// Time of the last reconcile without an error, in Unix seconds.
        last_success_timestamp_seconds: GaugeVec[secret],
        /// 1 for the current state of the secret: unknown, waiting, rotating or blocked.
        secret_state: IntGaugeVec[secret, state = SecretState::ALL.iter().map(|state| state.label())],
        /// Credentials issued by rekeyd that were never published.
        orphaned_credentials: IntGaugeVec[secret],
        /// Credentials that were published before and are not retired yet.
        superseded_credentials: IntGaugeVec[secret],
        /// Expired credentials of the secret's application that rekeyd did not issue.
        foreign_expired_credentials: IntGaugeVec[secret],
        /// Warnings about the secret, such as tags that can't be used; the API lists them.
        secret_warnings: IntGaugeVec[secret],
        /// 1 for the current state of the replica: in_sync, out_of_sync, disabled or unreadable.
        replica_state: IntGaugeVec[replica, state],
        /// Times that a secret was found blocked, by reason.
        blocked_total: IntCounterVec[reason = BlockReason::ALL.iter().map(|reason| reason.label())],
        /// Duration of one reconcile pass over one secret, in seconds.
        reconcile_duration_seconds: Histogram
            in [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0],
        /// Secrets that are ready for a reconcile pass.
        workqueue_depth: IntGauge,
        /// Requests to Azure, by service and HTTP status (none: no response).
        azure_requests_total: IntCounterVec[service, status],
        /// Duration of requests to Azure, in seconds.
        azure_request_duration_seconds: HistogramVec[service],
        /// Events received from Event Grid, by path and outcome.
        events_total: IntCounterVec[path = EVENT_PATHS, outcome = EVENT_OUTCOMES],
        /// Requests refused, by endpoint (api or webhook) and reason.
        refused_requests_total: IntCounterVec[endpoint, reason],
        /// Messages received from the Storage Queue and not deleted yet.
        storage_queue_messages_in_flight: IntGauge,
        /// Messages moved from the Storage Queue to the poison queue.
        storage_queue_poison_messages_total: IntCounter,
        /// Secrets added to the work queue, by trigger.
        triggers_total: IntCounterVec[trigger = TRIGGERS],
        /// Commands, by command and outcome: accepted, and later completed, rejected or replaced. One completed command
        /// can stand for several accepted ones.
        commands_total: IntCounterVec[
            command = CommandKind::LABELS,
            outcome = std::iter::once(COMMAND_ACCEPTED).chain(CommandOutcome::ALL.iter().map(|outcome| outcome.label()))
        ],
        /// Start of the last sweep over all secrets, in Unix seconds.
        last_sweep_timestamp_seconds: Gauge,
        /// Start of the next sweep over all secrets, in Unix seconds.
        next_sweep_timestamp_seconds: Gauge,
        /// 1 if the last sweep could not search the vault for tagged secrets, otherwise 0.
        vault_discovery_failed: IntGaugeVec[vault],
        /// Difference between Azure's clock and this machine's, in seconds; above 300 rekeyd changes nothing.
        clock_skew_seconds: Gauge,
        /// Always 1; the label is the version of rekeyd.
        build_info: IntGaugeVec[version = [env!("CARGO_PKG_VERSION")]],
    }
}

/// The outcomes of an event: enqueued; about a secret, or a vault, that is not managed; of a kind that needs no pass;
/// the end of a subscription; unreadable.
pub const EVENT_OUTCOMES: [&str; 6] =
    ["enqueued", "not_managed", "foreign_vault", "ignored", "subscription_deleted", "malformed"];

/// The outcome of a command that was accepted; one of [`CommandOutcome`] follows.
pub const COMMAND_ACCEPTED: &str = "accepted";

/// The paths by which events arrive.
pub const EVENT_PATHS: [&str; 3] = ["webhook", "queue", "functions"];

/// The triggers that add a secret to the work queue.
pub const TRIGGERS: [&str; 6] = ["schedule", "webhook", "queue", "functions", "api", "cli"];

impl Metrics {
    /// Registers all metrics, including those of the process. Starts every series whose labels are known at zero.
    ///
    /// # Errors
    /// If two metrics have the same name, which is a bug in this file.
    pub fn new() -> Result<Self, prometheus::Error> {
        let metrics = Self::registered_with(Registry::new())?;
        metrics.registry.register(Box::new(ProcessCollector::for_self()))?;
        for family in metrics.families() {
            family.start();
        }
        metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(metrics)
    }

    /// Starts the metrics of each managed secret, so that one that is not reconciled yet shows up as unknown.
    pub fn declare_secrets<'a>(&self, secrets: impl IntoIterator<Item = &'a SecretId>) {
        for secret in secrets {
            self.start_for("secret", &secret.to_string());
            self.set_state(secret, SecretState::Unknown);
        }
    }

    /// Removes the metrics of a secret that is no longer managed.
    pub fn forget_secret(&self, secret: &SecretId) {
        for family in self.families_by("secret") {
            family.remove_for("secret", &secret.to_string());
        }
    }

    /// Starts the metrics of each vault that is searched for secrets.
    pub fn declare_vaults<'a>(&self, vaults: impl IntoIterator<Item = &'a VaultName>) {
        for vault in vaults {
            self.start_for("vault", vault.as_str());
        }
    }

    /// Shows whether the last sweep could search `vault`.
    pub fn set_discovery_failed(&self, vault: &VaultName, failed: bool) {
        self.vault_discovery_failed.with_label_values(&[vault.as_str()]).set(i64::from(failed));
    }

    /// Shows `replica` in `state` and in no other.
    pub fn set_replica(&self, replica: &SecretId, state: &ReplicaState) {
        let name = replica.to_string();
        for other in ReplicaState::LABELS {
            self.replica_state
                .with_label_values(&[name.as_str(), other])
                .set(i64::from(other == state.label()));
        }
    }

    /// Shows `secret` in `state` and in no other.
    pub fn set_state(&self, secret: &SecretId, state: SecretState) {
        let name = secret.to_string();
        for other in SecretState::ALL {
            self.secret_state
                .with_label_values(&[name.as_str(), other.label()])
                .set(i64::from(other == state));
        }
    }

    /// Counts one request to Azure. `status` is `None` if there was no response.
    pub fn azure_request(&self, service: &str, status: Option<u16>, took: Duration) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.azure_requests_total.with_label_values(&[service, status.as_str()]).inc();
        self.azure_request_duration_seconds.with_label_values(&[service]).observe(took.as_secs_f64());
    }

    /// Returns all metrics in Prometheus' text format.
    ///
    /// # Errors
    /// If a metric can't be written as text, which is a bug in this file.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }

    fn start_for(&self, label: &str, value: &str) {
        for family in self.families_by(label) {
            family.start_for(label, value);
        }
    }

    fn families_by(&self, label: &str) -> impl Iterator<Item = Family<'_>> {
        self.families().into_iter().filter(move |family| family.has_label(label))
    }
}

/// Converts a moment to what Prometheus counts in.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
pub fn unix_seconds(moment: OffsetDateTime) -> f64 {
    moment.unix_timestamp() as f64
}
