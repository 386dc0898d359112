//! Logs: one line an event on standard error, as text or JSON; and the audit trail. Never the text of a secret.

pub mod audit;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;

/// The reason why logging can't begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("the log filter {0:?} is not valid")]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    /// The audit trail has nowhere to go.
    #[error("can't append to the audit file {0}")]
    AuditFile(PathBuf, #[source] std::io::Error),
    /// Something else in this process logs already.
    #[error("logging is already set up")]
    AlreadySet(#[source] tracing_subscriber::util::TryInitError),
}

/// Begins to log, with a filter in the syntax of `RUST_LOG` (for example `info` or `info,rekeyd=debug`). Lines of the
/// [`audit`] trail are shown whatever the filter is, and are appended to `audit_file` as JSON lines as well.
///
/// # Errors
/// The filter can't be read, the file can't be appended to, or logging has already begun.
pub fn init(filter: &str, format: LogFormat, audit_file: Option<&Path>) -> Result<(), TelemetryError> {
    subscriber(filter, format, audit_file)?.try_init().map_err(TelemetryError::AlreadySet)
}

/// Begins to log as text in a rehearsal, where no one is answerable: the filter decides about the audit trail too.
///
/// # Errors
/// The filter can't be read, or logging has already begun.
pub fn init_rehearsal(filter: &str) -> Result<(), TelemetryError> {
    let lines = lines(LogFormat::Text).with_filter(parse(filter)?);
    tracing_subscriber::registry().with(lines).try_init().map_err(TelemetryError::AlreadySet)
}

fn subscriber(
    filter: &str,
    format: LogFormat,
    audit_file: Option<&Path>,
) -> Result<impl Subscriber + Send + Sync, TelemetryError> {
    let shown = is_audit().or(parse(filter)?);
    let file = audit_file.map(appended).transpose()?;
    Ok(tracing_subscriber::registry().with(lines(format).with_filter(shown)).with(file))
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|error| TelemetryError::Filter(filter.to_owned(), error))
}

fn is_audit() -> Targets {
    Targets::new().with_target(audit::TARGET, LevelFilter::INFO)
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let colours = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

/// Returns a layer that appends the audit trail to a file. Each line is one write: nothing is held back that an end of
/// the process would lose.
fn appended<S: Subscriber + for<'a> LookupSpan<'a>>(
    path: &Path,
) -> Result<impl Layer<S> + use<S>, TelemetryError> {
    let file = std::fs::File::options().append(true).create(true).open(path);
    let file = file.map_err(|source| TelemetryError::AuditFile(path.to_owned(), source))?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::sync::Arc::new(file)).with_ansi(false);
    Ok(lines.json().flatten_event(true).with_filter(is_audit()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::{CommandKind, SecretId};

    /// The audit file gets every line of the audit trail regardless of the log filter, and nothing else.
    #[test]
    fn audit_file_gets_exactly_the_trail() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("audit.jsonl");
        let secret: SecretId = "kv-1/app-foo".parse().unwrap();
        for _ in 0..2 {
            let logging = subscriber("off,audit[{secret}]=off", LogFormat::Json, Some(&file)).unwrap();
            tracing::subscriber::with_default(logging, || {
                tracing::error!("not of the trail");
                let key = audit::Asker { by: "api", caller: Some("entra:1"), key: Some("key-1") };
                audit::command(&secret, CommandKind::Rotate, key);
                audit::command_rejected(&secret, CommandKind::Pause, "cli", "stopping");
                audit::action(&secret, "revoke", "success", "1 credential");
                audit::blocked(&secret, "no_consent", "the application does not consent");
                audit::proven(&secret, 2);
            });
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let events: Vec<_> = told.iter().filter_map(|line| line.pointer("/event")?.as_str()).collect();
        let once = ["command", "command_rejected", "action", "blocked", "compromised_proven"];
        assert_eq!(events, [once, once].concat(), "{text}");
        let first = told.first().unwrap();
        for (pointer, said) in [
            ("/secret", "kv-1/app-foo"),
            ("/command", "rotate"),
            ("/by", "api"),
            ("/caller", "entra:1"),
            ("/idempotency_key", "key-1"),
        ] {
            assert_eq!(first.pointer(pointer), Some(&said.into()), "{first}");
        }
    }

    /// An audit file that cannot be opened is named in the error.
    #[test]
    fn unopenable_audit_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = init("info", LogFormat::Text, Some(&directory.path().join("none/audit"))).unwrap_err();
        assert!(error.to_string().contains("none/audit"), "{error}");
    }
}
