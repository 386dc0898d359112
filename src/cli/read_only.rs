//! The setup of the read-only commands: the configuration, its clock and the ports. These commands log nothing.

use std::process::ExitCode;
use std::sync::Arc;

use super::run::{AnyError, clock};
use super::{ConfigFile, print_error};
use crate::app::diagnostic_ports;
use crate::azure;
use crate::clock::ClockSkew;
use crate::config::Config;
use crate::diagnostics::DiagnosticPorts;
use crate::metrics::Metrics;
use crate::ports::{Clock, chain};
use crate::shutdown::Shutdown;

/// The services, connected as a daemon with this configuration would connect them.
pub(super) struct ReadOnly {
    pub(super) config: Config,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) skew: Arc<ClockSkew>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ports: DiagnosticPorts,
}

/// Loads the configuration and runs `command`. Prints the error if the configuration or the setup fails.
pub(super) fn run_read_only(file: &ConfigFile, command: impl AsyncFnOnce(&ReadOnly) -> ExitCode) -> ExitCode {
    let config = match file.load_or_print_errors() {
        Ok(config) => config,
        Err(code) => return code,
    };
    run_with(config, command).unwrap_or_else(|error| {
        print_error(format_args!("can't set up the services: {}", chain(&*error)));
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn run_with(
    config: Config,
    command: impl AsyncFnOnce(&ReadOnly) -> ExitCode,
) -> Result<ExitCode, AnyError> {
    let polling = Shutdown::default();
    let clock = clock(&config, &polling).await?;
    let (skew, metrics) = (Arc::new(ClockSkew::default()), Arc::new(Metrics::new()?));
    let ports = diagnostic_ports(&azure::connect(&config, &clock, &skew, &metrics)?, &clock);
    let code = command(&ReadOnly { config, clock, skew, metrics, ports }).await;
    polling.stop().cancel();
    Ok(code)
}
