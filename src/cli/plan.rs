//! `rekeyd plan`: shows what would happen to each managed secret, when and why, and changes nothing.

use std::cell::Cell;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::read_only::run_read_only;
use super::table::{Listing, table};
use super::{ConfigFile, print_error, print_line};
use crate::diagnostics::plan::Planner;
use crate::domain::{Decision, PlanStatus, SecretId};
use crate::reconcile::{Blocked, Preview};

/// The arguments of `rekeyd plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd plan --config rekeyd.toml\n  \
    rekeyd plan --config rekeyd.toml --output json\n  \
    rekeyd plan --config rekeyd.toml || [ $? -eq 2 ]        fail only if a secret is blocked\n\n\
    Evaluates every managed secret as the daemon would, and changes nothing. Each\n\
    secret is evaluated by itself: the plan does not foresee that others use up\n\
    rollout.max_per_sweep or rollout.max_per_hour.\n\n\
    Exit codes: 0 every secret is up_to_date; 2 one is due or deferred; 1 one is\n\
    blocked, or a vault could not be searched; 64 invalid arguments or an invalid\n\
    configuration")]
pub(super) struct PlanCommand {
    #[command(flatten)]
    config: ConfigFile,
    /// Output format.
    #[arg(long, value_enum, default_value = "table")]
    output: Listing,
}

/// The plan of one secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    secret: SecretId,
    /// The status after a pass.
    status: PlanStatus,
    /// The action that would be taken now.
    action: Option<&'static str>,
    reason: &'static str,
    message: String,
    needs_person: bool,
    /// The earliest time at which the status changes by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    /// The time at which the next rotation is due.
    #[serde(with = "time::serde::rfc3339::option")]
    due: Option<OffsetDateTime>,
    /// The time at which the current credential expires.
    #[serde(with = "time::serde::rfc3339::option")]
    expires: Option<OffsetDateTime>,
    warnings: Vec<String>,
}

impl PlanCommand {
    pub(super) fn execute(self) -> ExitCode {
        run_read_only(&self.config, async |services| {
            let planner = Planner {
                config: &services.config,
                ports: &services.ports.reconcile,
                skew: &services.skew,
                metrics: &services.metrics,
            };
            let progress = Progress::new();
            let plan = planner.plan(|inspected, all| progress.print(inspected, all)).await;
            let lines: Vec<_> =
                plan.previews.into_iter().map(|(secret, preview)| Line::of(secret, preview)).collect();
            plan.gaps.iter().for_each(print_error);
            match self.output {
                Listing::Table => print_line(shown(&lines)),
                Listing::Json => print_line(json!({"secrets": lines, "gaps": plan.gaps})),
            }
            ExitCode::from(if plan.gaps.is_empty() { exit_code(&lines) } else { FAILED })
        })
    }
}

/// Prints the progress of a plan that takes longer than a few seconds, at intervals.
struct Progress {
    next: Cell<Instant>,
}

impl Progress {
    fn new() -> Self {
        Self { next: Cell::new(Instant::now() + PROGRESS_INTERVAL) }
    }

    fn print(&self, inspected: usize, all: usize) {
        let now = Instant::now();
        if now >= self.next.get() {
            self.next.set(now + PROGRESS_INTERVAL);
            print_error(format_args!("checked {inspected} of {all} secrets"));
        }
    }
}

const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

impl Line {
    fn of(secret: SecretId, previewed: Result<Preview, Blocked>) -> Self {
        match previewed {
            Ok(Preview { decision, status }) => Self {
                secret,
                status: decision.plan_status(),
                action: match &decision {
                    Decision::Act(action) => Some(action.label()),
                    Decision::Wait { .. } | Decision::Blocked { .. } => None,
                },
                reason: status.reason.label(),
                message: status.message,
                needs_person: status.needs_person,
                until: decision.until(),
                due: status.due,
                expires: status.expires,
                warnings: status.warnings,
            },
            Err(blocked) => Self {
                secret,
                status: PlanStatus::Blocked,
                action: None,
                reason: blocked.reason.label(),
                message: blocked.message(),
                needs_person: false,
                until: None,
                due: None,
                expires: None,
                warnings: Vec::new(),
            },
        }
    }

    fn cells(&self) -> [String; HEAD.len()] {
        [
            self.secret.to_string(),
            self.status_text(),
            self.when(),
            day(self.due),
            day(self.expires),
            self.why(),
        ]
    }

    fn status_text(&self) -> String {
        let status = self.status.label();
        self.action.map_or_else(|| status.to_owned(), |action| format!("{status} ({action})"))
    }

    fn when(&self) -> String {
        match (self.action, self.until) {
            (Some(_), _) => "now".to_owned(),
            (None, Some(at)) => format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute()),
            (None, None) => "-".to_owned(),
        }
    }

    fn why(&self) -> String {
        let warnings = self.warnings.iter().map(|warning| format!("\n  warning: {warning}"));
        std::iter::once(self.message.clone()).chain(warnings).collect()
    }
}

/// Returns the exit code of the worst status: blocked before due or deferred.
fn exit_code(lines: &[Line]) -> u8 {
    match lines.iter().map(|line| line.status).max() {
        Some(PlanStatus::Blocked) => FAILED,
        Some(PlanStatus::Due | PlanStatus::Deferred) => DUE,
        Some(PlanStatus::UpToDate) | None => 0,
    }
}

fn shown(lines: &[Line]) -> String {
    let counted = PlanStatus::ALL.map(|status| {
        let count = lines.iter().filter(|line| line.status == status).count();
        format!("{}: {count}", status.label())
    });
    let table = table(HEAD, lines.iter().map(Line::cells));
    format!("{table}\n\n{}", counted.join(", "))
}

fn day(moment: Option<OffsetDateTime>) -> String {
    moment.map_or_else(|| "-".to_owned(), |moment| moment.date().to_string())
}

const HEAD: [&str; 6] = ["SECRET", "STATUS", "WHEN", "DUE", "ENDS", "WHY"];

const DUE: u8 = 2;
const FAILED: u8 = 1;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::domain::BlockReason;

    fn line(status: PlanStatus) -> Line {
        let blocked = Err(Blocked::detailed(BlockReason::Forbidden, "a right is missing"));
        let unseen = Line::of("kv-1/app-foo".parse().unwrap(), blocked);
        Line { status, ..unseen }
    }

    /// The exit code of `plan` is that of the worst secret: 1 for blocked, 2 for due or deferred, otherwise 0.
    #[test]
    fn exit_code_is_that_of_worst_secret() {
        use PlanStatus::{Blocked, Deferred, Due, UpToDate};
        for (statuses, code) in [
            (&[][..], 0),
            (&[UpToDate], 0),
            (&[UpToDate, Due], 2),
            (&[Deferred, UpToDate], 2),
            (&[Blocked, Due], 1),
        ] {
            let lines: Vec<_> = statuses.iter().map(|status| line(*status)).collect();
            assert_eq!(exit_code(&lines), code, "{statuses:?}");
        }
    }

    /// A secret that `plan` could not read is shown and counted as blocked, with its reason.
    #[test]
    fn unreadable_secret_is_shown_as_blocked() {
        let shown = shown(&[line(PlanStatus::Blocked)]);
        assert!(shown.contains("blocked") && shown.contains("a right is missing"), "{shown}");
        assert!(shown.ends_with("due: 0, deferred: 0, blocked: 1, up_to_date: 0"), "{shown}");
    }
}
