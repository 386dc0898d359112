//! How the daemon itself runs: schedule, loop, log, and the sandbox's clock.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

use super::cron::Cron;
use super::reader::Section;
use super::values;

/// When all secrets are looked at.
#[derive(Debug, Clone)]
pub struct ScheduleConfig {
    /// Five fields, or six with the seconds in front.
    pub cron: Cron,
    /// The expression as written.
    pub expression: String,
    /// The zone in which the expression is meant; default UTC.
    pub time_zone: TimeZone,
    /// Whether all secrets are also looked at when the daemon starts; default true.
    pub at_start: bool,
    /// How far each run is put off, at random: 0 s to 12 h, default 0 s. Spreads daemons that share a quota.
    pub jitter: Duration,
}

/// How the loop runs and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconcileConfig {
    /// Passes at a time: 1 to 64, default 8.
    pub concurrency: usize,
    /// Time to finish what is in hand: 1 s to 10 min, default 25 s.
    pub shutdown_grace: Duration,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// As in `RUST_LOG`; default "info".
    pub filter: String,
    /// Default JSON.
    pub format: LogFormat,
    /// The file to which audit lines go too. `None`: they are in the log only.
    pub audit_file: Option<PathBuf>,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// The sandbox in whose time the daemon lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxConfig {
    /// Its clock.
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
        _ => Err("neither json nor text".to_owned()),
    });
    let audit_file = section.text("audit_file", values::path).map(|found| found.value);
    section.finish();
    Some(LogConfig { filter: filter?.value, format: format?.value, audit_file })
}

/// `None` without the table, or if a problem was told.
pub(super) fn sandbox(root: &mut Section<'_>) -> Option<SandboxConfig> {
    let is_there = root.has("sandbox");
    let mut section = root.table("sandbox");
    if !is_there {
        return None;
    }
    if !cfg!(feature = "sandbox") {
        section.report("[sandbox] is refused: this rekeyd is built without the cargo feature \"sandbox\"");
        return None;
    }
    let clock_url = section.required("clock_url", values::https_url);
    section.finish();
    Some(SandboxConfig { clock_url: clock_url?.value })
}
