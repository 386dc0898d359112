//! Every metric, in one struct with its own registry. The help texts here are the documentation.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use time::OffsetDateTime;

use crate::domain::{
    ActionKind, ActionOutcome, BlockReason, CommandKind, ReplicaState, SecretId, SecretState,
};

/// All metrics of one daemon. Labels are bounded: configured names and the labels of enums.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// By `action` and `outcome`.
    pub actions: IntCounterVec,
    /// By `secret`: Entra's end of the published credential.
    pub credential_expiry: GaugeVec,
    /// By `secret`: the last look that found nothing wrong.
    pub last_success: GaugeVec,
    /// By `secret` and `state`: 1 for the state that the secret is in.
    pub secret_state: IntGaugeVec,
    /// By `secret`: credentials of ours that were never published.
    pub orphans: IntGaugeVec,
    /// By `secret`: tags that say nothing usable.
    pub secret_warnings: IntGaugeVec,
    /// One observation a pass.
    pub reconcile_duration: Histogram,
    /// Secrets that wait for a pass now.
    pub workqueue_depth: IntGauge,
    /// By `service` and `status`.
    pub azure_requests: IntCounterVec,
    /// By `service`.
    pub remote_duration: HistogramVec,
    /// By `path` and `outcome`: events that came in.
    pub events: IntCounterVec,
    /// By `endpoint` and `reason`: requests of those who may not.
    pub refusals: IntCounterVec,
    /// Messages of the queue that were received and are not deleted yet.
    pub storage_queue_messages_in_flight: IntGauge,
    /// Messages of the queue that were moved to the poison queue, since nobody can use them.
    pub storage_queue_poison_messages: IntCounter,
    /// By `trigger`: what woke the loop.
    pub triggers: IntCounterVec,
    /// By `command`: what people asked for.
    pub commands: IntCounterVec,
    /// When the last sweep began.
    pub last_sweep: Gauge,
    /// When the next sweep begins.
    pub next_sweep: Gauge,
    /// By `secret`: credentials that were published before and are not retired yet.
    pub superseded: IntGaugeVec,
    /// By `secret`: expired credentials that others made.
    pub foreign_expired: IntGaugeVec,
    /// By `replica` and `state`: 1 for the state that the replica is in.
    pub replica_state: IntGaugeVec,
    /// By `reason`: how often something was in the way.
    pub blocked: IntCounterVec,
    /// Vaults that the last sweep could not search for tagged secrets.
    pub unsearched_vaults: IntGauge,
    /// Distance between Azure's clock and ours.
    pub clock_skew: Gauge,
}

impl Metrics {
    /// All metrics, registered; those without a secret's name start at zero.
    ///
    /// # Errors
    /// Two metrics of one name: a mistake in this file.
    #[expect(clippy::too_many_lines, reason = "a list, in one place")]
    pub fn new() -> Result<Self, prometheus::Error> {
        let own = Registry::new_custom(Some(PREFIX.to_owned()), None)?;
        let metrics = Self {
            actions: own.counters(
                "actions_total",
                "Steps executed, by action and outcome.",
                &["action", "outcome"],
            )?,
            credential_expiry: own.gauges(
                "credential_expiry_timestamp_seconds",
                "When the published credential ends, in Unix seconds.",
            )?,
            last_success: own.gauges(
                "last_success_timestamp_seconds",
                "When a look at this secret last found nothing wrong, in Unix seconds.",
            )?,
            secret_state: own.int_gauges(
                "secret_state",
                "1 for the state that the secret is in: unknown, waiting, rotating or blocked.",
                &["secret", "state"],
            )?,
            orphans: own.int_gauges(
                "orphaned_credentials",
                "Credentials of ours that were never published.",
                &["secret"],
            )?,
            secret_warnings: own.int_gauges(
                "secret_warnings",
                "Tags of the current version that say nothing usable; see the secret's warnings.",
                &["secret"],
            )?,
            reconcile_duration: own.add(Histogram::with_opts(
                HistogramOpts::new("reconcile_duration_seconds", "How long one pass over one secret took.")
                    .buckets(vec![0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0]),
            )?)?,
            workqueue_depth: own
                .add(IntGauge::new("workqueue_depth", "Secrets that wait for a pass now.")?)?,
            azure_requests: own.counters(
                "azure_requests_total",
                "Requests to Azure, by service and HTTP status (none: no answer came).",
                &["service", "status"],
            )?,
            remote_duration: own.add(HistogramVec::new(
                HistogramOpts::new("azure_request_duration_seconds", "How long requests to Azure took."),
                &["service"],
            )?)?,
            events: own.counters(
                "events_total",
                "Event Grid events received, by the path they took and what became of them.",
                &["path", "outcome"],
            )?,
            refusals: own.counters(
                "refused_requests_total",
                "Requests that were refused, by endpoint (api or webhook) and reason.",
                &["endpoint", "reason"],
            )?,
            storage_queue_messages_in_flight: own.add(IntGauge::new(
                "storage_queue_messages_in_flight",
                "Messages of the Storage Queue that are worked on and not deleted yet.",
            )?)?,
            storage_queue_poison_messages: own.add(IntCounter::new(
                "storage_queue_poison_messages_total",
                "Messages of the Storage Queue that were put into the poison queue.",
            )?)?,
            triggers: own.counters(
                "triggers_total",
                "Secrets put into the queue, by trigger.",
                &["trigger"],
            )?,
            commands: own.counters("commands_total", "What people asked for, by command.", &["command"])?,
            last_sweep: own.add(Gauge::new(
                "last_sweep_timestamp_seconds",
                "When the last sweep over all secrets began, in Unix seconds.",
            )?)?,
            next_sweep: own.add(Gauge::new(
                "next_sweep_timestamp_seconds",
                "When the next sweep over all secrets begins, in Unix seconds.",
            )?)?,
            superseded: own.int_gauges(
                "superseded_credentials",
                "Credentials that were published before and are not retired yet.",
                &["secret"],
            )?,
            foreign_expired: own.int_gauges(
                "foreign_expired_credentials",
                "Expired credentials of the secret's application that somebody else made.",
                &["secret"],
            )?,
            replica_state: own.int_gauges(
                "replica_state",
                "1 for the state that the replica is in: in_sync, out_of_sync, disabled or unreadable.",
                &["replica", "state"],
            )?,
            blocked: own.counters(
                "blocked_total",
                "How often a secret was found blocked, by reason.",
                &["reason"],
            )?,
            unsearched_vaults: own.add(IntGauge::new(
                "unsearched_vaults",
                "Vaults that the last sweep could not search for tagged secrets.",
            )?)?,
            clock_skew: own.add(Gauge::new(
                "clock_skew_seconds",
                "Distance between Azure's clock and this machine's; beyond 300 nothing is changed.",
            )?)?,
            registry: own,
        };
        metrics.start_at_zero()?;
        Ok(metrics)
    }

    /// Declares the metrics of each managed secret, so that one that was never looked at can be seen.
    pub fn declare_secrets<'a>(&self, secrets: impl IntoIterator<Item = &'a SecretId>) {
        for secret in secrets {
            let name = secret.to_string();
            self.set_state(secret, SecretState::Unknown);
            self.credential_expiry.with_label_values(&[&name]);
            self.last_success.with_label_values(&[&name]);
            self.orphans.with_label_values(&[&name]);
            self.secret_warnings.with_label_values(&[&name]);
            self.superseded.with_label_values(&[&name]);
            self.foreign_expired.with_label_values(&[&name]);
        }
    }

    /// Shows nothing of `secret` any more. A metric that was never there is no error.
    pub fn forget_secret(&self, secret: &SecretId) {
        let name = secret.to_string();
        for state in SecretState::ALL {
            let _ = self.secret_state.remove_label_values(&[name.as_str(), state.label()]);
        }
        for gauges in [&self.credential_expiry, &self.last_success] {
            let _ = gauges.remove_label_values(&[&name]);
        }
        for gauges in [&self.orphans, &self.secret_warnings, &self.superseded, &self.foreign_expired] {
            let _ = gauges.remove_label_values(&[&name]);
        }
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

    /// Counts one request to Azure. `status` is `None` if no answer came.
    pub fn azure_request(&self, service: &str, status: Option<u16>, took: Duration) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.azure_requests.with_label_values(&[service, status.as_str()]).inc();
        self.remote_duration.with_label_values(&[service]).observe(took.as_secs_f64());
    }

    /// Everything, in Prometheus' text format.
    ///
    /// # Errors
    /// A metric that can't be written as text: a mistake in this file.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }

    fn start_at_zero(&self) -> Result<(), prometheus::Error> {
        let build = self.registry.int_gauges("build_info", "1; the version is a label.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        for action in ActionKind::ALL {
            for outcome in ActionOutcome::ALL {
                self.actions.with_label_values(&[action.label(), outcome.label()]);
            }
        }
        for path in EVENT_PATHS {
            for outcome in EVENT_OUTCOMES {
                self.events.with_label_values(&[path, outcome]);
            }
        }
        for reason in BlockReason::ALL {
            self.blocked.with_label_values(&[reason.label()]);
        }
        for trigger in TRIGGERS {
            self.triggers.with_label_values(&[trigger]);
        }
        for command in CommandKind::LABELS {
            self.commands.with_label_values(&[command]);
        }
        // The process' own metrics carry the product's prefix as well.
        self.registry.register(Box::new(ProcessCollector::for_self()))
    }
}

/// A moment as Prometheus counts it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit")]
pub fn unix_seconds(moment: OffsetDateTime) -> f64 {
    moment.unix_timestamp() as f64
}

/// What can become of an event: enqueued; about a secret, or a vault, that is not ours; of a kind that wakes nothing; the
/// end of a subscription; unreadable.
pub const EVENT_OUTCOMES: [&str; 6] =
    ["enqueued", "not_managed", "foreign_vault", "ignored", "subscription_deleted", "malformed"];

/// The paths that events take.
pub const EVENT_PATHS: [&str; 3] = ["webhook", "queue", "functions"];

/// What can put a secret into the queue.
pub const TRIGGERS: [&str; 6] = ["schedule", "webhook", "queue", "functions", "api", "cli"];

const PREFIX: &str = "rekeyd";

trait Register {
    fn add<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, prometheus::Error>;
    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error>;
    fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error>;
    fn gauges(&self, name: &str, help: &str) -> Result<GaugeVec, prometheus::Error>;
}

impl Register for Registry {
    fn add<M: Collector + Clone + 'static>(&self, metric: M) -> Result<M, prometheus::Error> {
        self.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    fn int_gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    fn gauges(&self, name: &str, help: &str) -> Result<GaugeVec, prometheus::Error> {
        self.add(GaugeVec::new(Opts::new(name, help), &["secret"])?)
    }
}
