//! Settings of the daemon itself: schedule, loop, log, and the sandbox's clock.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

use super::cron::Cron;
use super::reader::Section;
use super::values;

/// The times at which all secrets are reconciled.
#[derive(Debug, Clone)]
pub struct ScheduleConfig {
    /// The cron expression: five fields, or six with the seconds in front.
    pub cron: Cron,
    /// The expression as written.
    pub expression: String,
    /// The time zone of the expression; default UTC.
    pub time_zone: TimeZone,
    /// True if all secrets are also reconciled when the daemon starts; default true.
    pub at_start: bool,
    /// The maximum random delay of each run: 0 s to 12 h, default 0 s. Spreads daemons that share a quota.
    pub jitter: Duration,
}

/// The settings of the reconcile loop and its shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileConfig {
    /// Concurrent passes: 1 to 64, default 8.
    pub concurrency: usize,
    /// Time to finish work in progress: 1 s to 10 min, default 25 s.
    pub shutdown_grace: Duration,
}

/// The settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The filter, as in `RUST_LOG`; default "info".
    pub filter: String,
    /// The format; default JSON.
    pub format: LogFormat,
    /// The file that audit lines are also written to. `None`: they are in the log only.
    pub audit_file: Option<PathBuf>,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The sandbox whose time the daemon follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// The URL of its clock.
    pub clock_url: Url,
}

pub(super) fn schedule(mut section: Section<'_>) -> Option<ScheduleConfig> {
    let cron = section.text("cron", values::cron);
    let time_zone = section.text("time_zone", values::time_zone);
    let at_start = section.boolean("at_start");
    let jitter = values::duration_within(Duration::ZERO..=Duration::from_secs(12 * 3_600));
    let jitter = section.text("jitter", jitter);
    section.finish();
    let (cron, expression) = cron?.value;
    Some(ScheduleConfig {
        cron,
        expression,
        time_zone: time_zone?.value,
        at_start: at_start?.value,
        jitter: jitter?.value,
    })
}

pub(super) fn reconcile(mut section: Section<'_>) -> Option<ReconcileConfig> {
    let grace = values::duration_within(Duration::from_secs(1)..=Duration::from_secs(600));
    let concurrency = section.number("concurrency", values::number_within(1..=64_usize));
    let shutdown_grace = section.text("shutdown_grace", grace);
    section.finish();
    Some(ReconcileConfig { concurrency: concurrency?.value, shutdown_grace: shutdown_grace?.value })
}

pub(super) fn log(mut section: Section<'_>) -> Option<LogConfig> {
    let filter = section.text("filter", values::log_filter);
    let format = section.text("format", |text: &str| match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("neither \"json\" nor \"text\"".to_owned()),
    });
    let audit_file = section.text("audit_file", values::path).map(|found| found.value);
    section.finish();
    Some(LogConfig { filter: filter?.value, format: format?.value, audit_file })
}

/// Reads the table `[sandbox]`. Returns `None` without the table, or if a problem was reported.
pub(super) fn sandbox(root: &mut Section<'_>) -> Option<SandboxConfig> {
    let is_there = root.has("sandbox");
    let mut section = root.table("sandbox");
    if !is_there {
        return None;
    }
    if !cfg!(feature = "sandbox") {
        section
            .report("[sandbox] can't be used: this rekeyd was built without the cargo feature \"sandbox\"");
        return None;
    }
    let clock_url = section.required("clock_url", values::https_url);
    section.finish();
    Some(SandboxConfig { clock_url: clock_url?.value })
}
