//! `rekeyd sweep`: reconciles every secret once and exits. For a scheduled job instead of a daemon.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::run::{AnyError, clock};
use super::{ConfigFile, Output, print_error, print_line};
use crate::app::Engine;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{ActionKind, ActionOutcome, SecretState, VaultName};
use crate::metrics::Metrics;
use crate::ports::{chain, sleep};
use crate::reconcile::SecretStatus;
use crate::shutdown::{Shutdown, requested};
use crate::telemetry;

/// The arguments of `rekeyd sweep`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd sweep --config /etc/rekeyd/rekeyd.toml\n  \
    rekeyd sweep --config rekeyd.toml --limit 30m --output json\n\n\
    Rotates and retires what is due, the canaries first, and continues until nothing\n\
    more is due within half a minute and no secret is in a state that lasts only\n\
    minutes. Longer waits (an overlap, a window) are left to the next sweep: run it\n\
    at least once a day.\n\n\
    Exit codes: 0 everything that was due is done; 1 a secret failed or is blocked,\n\
    the sweep did not finish in time, or a vault could not be searched; 2 a secret\n\
    is due and deferred by a freeze, a window, the canaries or a limit; 64 invalid\n\
    arguments or an invalid configuration")]
pub(super) struct Sweep {
    #[command(flatten)]
    config: ConfigFile,
    /// Maximum duration of the sweep, such as 30m.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = humantime::parse_duration)]
    limit: Duration,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// The result of a sweep.
struct Summary {
    secrets: Vec<SecretStatus>,
    /// The number of successes of each action that succeeded at least once.
    actions: BTreeMap<&'static str, u64>,
    /// The vaults that could not be searched and may hold more secrets.
    vault_discovery_failed: Vec<VaultName>,
    /// True if all work ended within the limit.
    finished: bool,
}

impl Sweep {
    pub(super) fn execute(self) -> ExitCode {
        let config = match self.config.load_or_print_errors() {
            Ok(config) => config,
            Err(code) => return code,
        };
        match sweep(&config, self.limit) {
            Ok(summary) => {
                summary.print(self.output);
                summary.exit_code()
            }
            Err(error) => {
                print_error(format_args!("rekeyd can't sweep: {}", chain(&*error)));
                ExitCode::FAILURE
            }
        }
    }
}

#[tokio::main]
async fn sweep(config: &Config, limit: Duration) -> Result<Summary, AnyError> {
    telemetry::init(&config.log.filter, config.log.format, config.log.audit_file.as_deref())?;
    let polling = Shutdown::default();
    let clock = clock(config, &polling).await?;
    let engine = Engine::start(config, &clock, fastrand::u64(..))?;
    let vault_discovery_failed = engine.sweeper(config).discover().await;
    print_error(format_args!("sweeping {} secrets", engine.catalogue.list().len()));
    let finished = tokio::select! {
        swept = tokio::time::timeout(limit, sweep_over(&engine, config)) => swept.is_ok(),
        asked = requested() => {
            asked?;
            false
        }
    };
    let drained = engine.drain().await;
    polling.stop().cancel();
    Ok(Summary {
        secrets: engine.board.list(),
        actions: successes(&engine.metrics),
        vault_discovery_failed,
        finished: finished && drained,
    })
}

/// Returns the number of successes of each action that had any.
fn successes(metrics: &Metrics) -> BTreeMap<&'static str, u64> {
    let counts = ActionKind::ALL.into_iter().map(|action| {
        let labels = [action.label(), ActionOutcome::Success.label()];
        (action.label(), metrics.actions_total.with_label_values(&labels).get())
    });
    counts.filter(|(_, count)| *count > 0).collect()
}

/// Sweeps over the canaries first, because the other secrets depend on their outcome.
async fn sweep_over(engine: &Engine, config: &Config) {
    let sweeper = engine.sweeper(config);
    for canaries in [true, false] {
        sweeper.sweep_over(|secret| engine.is_canary(secret) == canaries);
        come_to_rest(engine).await;
    }
}

/// Waits until nothing more is due within the horizon and no secret is in a state that keeps a sweep running: a loss
/// must be confirmed by several passes of one process. Leaves secrets of an unavailable service to the next sweep.
async fn come_to_rest(engine: &Engine) {
    loop {
        engine.queue.settled(HORIZON).await;
        if !engine.board.list().iter().any(|status| status.reason.keeps_sweep_running()) {
            return;
        }
        sleep(&SystemClock, BETWEEN_LOOKS).await;
    }
}

impl Summary {
    fn exit_code(&self) -> ExitCode {
        let failed =
            !self.finished || !self.vault_discovery_failed.is_empty() || self.failed().next().is_some();
        let is_deferred = self.deferred().next().is_some();
        if failed { ExitCode::FAILURE } else { ExitCode::from(if is_deferred { 2 } else { 0 }) }
    }

    /// Returns the secrets that are blocked, were not reconciled, or whose last action failed.
    fn failed(&self) -> impl Iterator<Item = &SecretStatus> {
        self.secrets.iter().filter(|status| {
            let failed =
                status.last_outcome.as_ref().is_some_and(|last| last.outcome != ActionOutcome::Success);
            failed || matches!(status.state, SecretState::Blocked | SecretState::Unknown)
        })
    }

    /// Returns the secrets that are due and deferred by the rollout configuration.
    fn deferred(&self) -> impl Iterator<Item = &SecretStatus> {
        self.secrets.iter().filter(|status| status.reason.is_of_rollout())
    }

    fn print(&self, output: Output) {
        match output {
            Output::Text => self.print_text(),
            Output::Json => self.print_json(),
        }
    }

    fn print_text(&self) {
        for status in self.failed().chain(self.deferred()) {
            print_line(format_args!("{}: {}: {}", status.secret, status.state.label(), status.message));
        }
        for vault in &self.vault_discovery_failed {
            print_line(format_args!("vault {vault} could not be searched for tagged secrets"));
        }
        let (count, failed, deferred) = (self.secrets.len(), self.failed().count(), self.deferred().count());
        let actions: Vec<_> =
            self.actions.iter().map(|(action, count)| format!("{action} {count}")).collect();
        let done = if actions.is_empty() { "nothing done".to_owned() } else { actions.join(", ") };
        let end = if self.finished { "" } else { "; not finished in time" };
        print_line(format_args!("secrets: {count}, failed: {failed}, deferred: {deferred}; {done}{end}"));
    }

    fn print_json(&self) {
        print_line(json!({
            "secrets": self.secrets.len(),
            "actions": self.actions,
            "failed": self.failed().map(view).collect::<Vec<_>>(),
            "deferred": self.deferred().map(view).collect::<Vec<_>>(),
            "vault_discovery_failed": self.vault_discovery_failed.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "finished": self.finished,
        }));
    }
}

fn view(status: &SecretStatus) -> Value {
    json!({"secret": status.secret, "state": status.state, "reason": status.reason, "message": status.message})
}

/// A sweep waits for work that is due within this time.
pub(super) const HORIZON: time::Duration = time::Duration::seconds(30);

const BETWEEN_LOOKS: time::Duration = time::Duration::milliseconds(500);
