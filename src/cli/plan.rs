//! `rekeyd plan`: what would happen to each managed secret, when, and why. Nothing happens.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::looking::look;
use super::table::{Listing, table};
use super::{ConfigFile, complain, print_line};
use crate::app::ports;
use crate::diagnostics::plan::{Looked, Planner};
use crate::domain::{Decision, Outlook, SecretId};
use crate::reconcile::Preview;

/// What `rekeyd plan` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd plan --config rekeyd.toml\n  \
    rekeyd plan --config rekeyd.toml --output json\n  \
    rekeyd plan --config rekeyd.toml || [ $? -eq 2 ]        fail only if something is wrong\n\n\
    It looks at every managed secret as the daemon would, and changes nothing. Each is seen by itself: that those in\n\
    front of it use up rollout.max_per_sweep or rollout.max_per_hour is not foreseen.\n\n\
    Exit codes: 0 nothing is due; 2 something is due; 1 something is in the way, or could not be looked at;\n\
    64 wrong arguments or a wrong configuration")]
pub(super) struct PlanCommand {
    #[command(flatten)]
    config: ConfigFile,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "table")]
    output: Listing,
}

/// What would happen to one secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Line {
    secret: SecretId,
    /// `due`, `held`, `blocked` or `nothing`.
    outlook: &'static str,
    /// What would be done now.
    action: Option<&'static str>,
    reason: &'static str,
    message: String,
    needs_person: bool,
    /// When this changes by itself, at the earliest.
    #[serde(with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    /// When the current credential's successor is due.
    #[serde(with = "time::serde::rfc3339::option")]
    due: Option<OffsetDateTime>,
    /// When the current credential ends.
    #[serde(with = "time::serde::rfc3339::option")]
    expires: Option<OffsetDateTime>,
    warnings: Vec<String>,
}

impl PlanCommand {
    pub(super) fn execute(self) -> ExitCode {
        look(&self.config, async |looking| {
            let planner = Planner {
                config: &looking.config,
                ports: &ports(&looking.azure, &looking.clock),
                skew: &looking.skew,
                metrics: &looking.metrics,
            };
            let plan = planner.plan(tell).await;
            let lines: Vec<_> =
                plan.previews.into_iter().map(|(secret, preview)| Line::of(secret, preview)).collect();
            plan.gaps.iter().for_each(complain);
            match self.output {
                Listing::Table => print_line(shown(&lines)),
                Listing::Json => print_line(json!({"secrets": lines, "gaps": plan.gaps})),
            }
            ExitCode::from(if plan.gaps.is_empty() { exit_code(&lines) } else { FAILED })
        })
    }
}

/// Tells of a long fleet how far it is.
fn tell(looked: usize, all: usize) {
    if looked > 0 && looked.is_multiple_of(TOLD_EVERY) {
        complain(format_args!("looked at {looked} of {all} secrets"));
    }
}

const TOLD_EVERY: usize = 50;

impl Line {
    fn of(secret: SecretId, looked: Looked) -> Self {
        match looked {
            Ok(Preview { decision, status }) => Self {
                secret,
                outlook: decision.outlook().label(),
                action: match &decision {
                    Decision::Act(action) => Some(action.label()),
                    Decision::Wait { .. } | Decision::Blocked { .. } => None,
                },
                reason: status.reason,
                message: status.message,
                needs_person: status.needs_person,
                until: decision.until(),
                due: status.due,
                expires: status.expires,
                warnings: status.warnings,
            },
            Err((reason, message)) => Self {
                secret,
                outlook: Outlook::Blocked.label(),
                action: None,
                reason,
                message,
                needs_person: false,
                until: None,
                due: None,
                expires: None,
                warnings: Vec::new(),
            },
        }
    }

    fn what(&self) -> String {
        self.action.map_or_else(|| self.outlook.to_owned(), |action| format!("{} ({action})", self.outlook))
    }

    fn when(&self) -> String {
        let moment = |at: OffsetDateTime| format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute());
        match (self.action, self.until) {
            (Some(_), _) => "now".to_owned(),
            (None, Some(until)) => moment(until),
            (None, None) => "-".to_owned(),
        }
    }

    fn why(&self) -> String {
        let warnings = self.warnings.iter().map(|warning| format!("\n  warning: {warning}"));
        std::iter::once(self.message.clone()).chain(warnings).collect()
    }
}

/// The worst decides: something in the way before something due.
fn exit_code(lines: &[Line]) -> u8 {
    let is_any = |outlook: Outlook| lines.iter().any(|line| line.outlook == outlook.label());
    if is_any(Outlook::Blocked) {
        FAILED
    } else if is_any(Outlook::Due) || is_any(Outlook::Held) {
        DUE
    } else {
        0
    }
}

fn shown(lines: &[Line]) -> String {
    let day = |moment: Option<OffsetDateTime>| {
        moment.map_or_else(|| "-".to_owned(), |moment| moment.date().to_string())
    };
    let row = |line: &Line| {
        [line.secret.to_string(), line.what(), line.when(), day(line.due), day(line.expires), line.why()]
    };
    let all = [Outlook::Due, Outlook::Held, Outlook::Blocked, Outlook::Nothing];
    let counted = all.map(|outlook| {
        let count = lines.iter().filter(|line| line.outlook == outlook.label()).count();
        format!("{}: {count}", outlook.label())
    });
    let table = table(["SECRET", "OUTLOOK", "WHEN", "DUE", "ENDS", "WHY"], lines.iter().map(row));
    format!("{table}\n\n{}", counted.join(", "))
}

const DUE: u8 = 2;
const FAILED: u8 = 1;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    fn line(outlook: Outlook) -> Line {
        let unseen =
            Line::of("kv-1/app-foo".parse().unwrap(), Err(("forbidden", "a right is missing".to_owned())));
        Line { outlook: outlook.label(), ..unseen }
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst_secret() {
        use Outlook::{Blocked, Due, Held, Nothing};
        for (outlooks, code) in
            [(&[][..], 0), (&[Nothing], 0), (&[Nothing, Due], 2), (&[Held, Nothing], 2), (&[Blocked, Due], 1)]
        {
            let lines: Vec<_> = outlooks.iter().map(|outlook| line(*outlook)).collect();
            assert_eq!(exit_code(&lines), code, "{outlooks:?}");
        }
    }

    #[test]
    fn what_could_not_be_looked_at_is_shown_as_being_in_the_way() {
        let shown = shown(&[line(Outlook::Blocked)]);
        assert!(shown.contains("blocked") && shown.contains("a right is missing"), "{shown}");
        assert!(shown.ends_with("due: 0, held: 0, blocked: 1, nothing: 0"), "{shown}");
    }
}
