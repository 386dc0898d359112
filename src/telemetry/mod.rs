//! Logs: one line an event on standard error, as text or JSON. Never the text of a secret.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Why logging can't begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter can't be read.
    #[error("the log filter {0:?} can't be read")]
    Filter(String, #[source] tracing_subscriber::filter::ParseError),
    /// Somebody else in this process logs already.
    #[error("logging is already set up")]
    AlreadySet(#[source] tracing_subscriber::util::TryInitError),
}

/// Begins to log, with a filter in the syntax of `RUST_LOG` (for example `info` or `info,rekeyd=debug`).
///
/// # Errors
/// The filter can't be read, or logging has already begun.
pub fn init(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    let parsed =
        EnvFilter::try_new(filter).map_err(|error| TelemetryError::Filter(filter.to_owned(), error))?;
    let colours = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr).with_ansi(colours);
    match format {
        LogFormat::Text => lines.finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    }
    .map_err(TelemetryError::AlreadySet)
}
