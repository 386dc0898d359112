//! `rekeyd sweep`: one pass over everything, then the end. For a scheduled job in the place of a daemon.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::run::{AnyError, clock};
use super::{ConfigFile, Output, USAGE, complain, print_line};
use crate::app::Works;
use crate::config::Config;
use crate::domain::Action;
use crate::ports::chain;
use crate::reconcile::SecretStatus;
use crate::shutdown::{Shutdown, requested};
use crate::telemetry;

/// What `rekeyd sweep` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd sweep --config /etc/rekeyd/rekeyd.toml\n  \
    rekeyd sweep --config rekeyd.toml --limit 30m --output json\n\n\
    Does what is due and follows it until nothing more is to be done within half a minute. What waits for longer\n\
    (an overlap, a window) is left to the next sweep: run it at least once a day.\n\n\
    Exits with 1 if anything failed, is blocked, or was not over at the limit.")]
pub(super) struct Sweep {
    #[command(flatten)]
    config: ConfigFile,
    /// How long it may take.
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = humantime::parse_duration)]
    limit: Duration,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// What a sweep has come to.
struct Summary {
    secrets: Vec<SecretStatus>,
    /// How often each action succeeded; those that did not are left out.
    actions: BTreeMap<&'static str, u64>,
    /// Whether everything came to rest in time.
    finished: bool,
}

impl Sweep {
    pub(super) fn execute(self) -> ExitCode {
        let config = match self.config.load() {
            Ok(config) => config,
            Err(invalid) => {
                complain(invalid);
                return ExitCode::from(USAGE);
            }
        };
        match sweep(&config, self.limit) {
            Ok(summary) => {
                summary.print(self.output);
                if summary.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => {
                complain(format_args!("rekeyd can't sweep: {}", chain(&*error)));
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
    let works = Works::start(config, &clock, fastrand::u64(..))?;
    works.sweeper(config).sweep().await;
    complain(format_args!("sweeping over {} secrets", works.catalogue.list().len()));
    let finished = tokio::select! {
        settled = tokio::time::timeout(limit, works.queue.settled(HORIZON)) => settled.is_ok(),
        asked = requested() => {
            asked?;
            false
        }
    };
    let drained = works.drain().await;
    polling.stop().cancel();
    let counted = |action: &'static str| {
        let count = works.metrics.actions.with_label_values(&[action, "success"]).get();
        (count > 0).then_some((action, count))
    };
    let actions = Action::LABELS.into_iter().filter_map(counted).collect();
    Ok(Summary { secrets: works.board.list(), actions, finished: finished && drained })
}

impl Summary {
    fn is_well(&self) -> bool {
        self.finished && self.troubled().next().is_none()
    }

    /// The secrets that are blocked, were not looked at, or whose last action failed.
    fn troubled(&self) -> impl Iterator<Item = &SecretStatus> {
        self.secrets.iter().filter(|status| {
            let failed = status.last_outcome.as_ref().is_some_and(|last| last.outcome != "success");
            failed || ["blocked", "unknown"].contains(&status.state)
        })
    }

    fn print(&self, output: Output) {
        let (count, troubled) = (self.secrets.len(), self.troubled().count());
        if output == Output::Json {
            let shown = |status: &SecretStatus| {
                json!({"secret": status.secret, "state": status.state, "reason": status.reason,
                       "message": status.message})
            };
            let troubled: Vec<_> = self.troubled().map(shown).collect();
            print_line(json!({
                "secrets": count, "actions": self.actions, "troubled": troubled, "finished": self.finished,
            }));
            return;
        }
        for status in self.troubled() {
            print_line(format_args!("{}: {}: {}", status.secret, status.state, status.message));
        }
        let actions: Vec<_> =
            self.actions.iter().map(|(action, count)| format!("{action} {count}")).collect();
        let done = if actions.is_empty() { "nothing to do".to_owned() } else { actions.join(", ") };
        let end = if self.finished { "" } else { "; it was not over in time" };
        print_line(format_args!("{count} secrets, {troubled} in trouble: {done}{end}"));
    }
}

/// What is due within this time belongs to the sweep.
const HORIZON: time::Duration = time::Duration::seconds(30);
