//! `rekeyd run`: runs the daemon.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::{ConfigFile, print_error};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::ports::{Clock, chain};
use crate::shutdown::{Shutdown, requested};
use crate::telemetry;

/// The arguments of `rekeyd run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd run --config /etc/rekeyd/rekeyd.toml\n  \
    REKEYD_LISTEN=0.0.0.0:8080 rekeyd run --config rekeyd.toml\n\n\
    SIGTERM or Ctrl-C stops the daemon: work in progress is completed or stopped at\n\
    a safe point, within reconcile.shutdown_grace. A second signal stops it at once.\n\n\
    Exit codes: 0 stopped within the grace period; 1 failed, or work was still in\n\
    progress; 64 invalid arguments or an invalid configuration")]
pub(super) struct Run {
    #[command(flatten)]
    config: ConfigFile,
}

impl Run {
    pub(super) fn execute(self) -> ExitCode {
        let config = match self.config.load_or_print_errors() {
            Ok(config) => config,
            Err(code) => return code,
        };
        match serve(&config) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                print_error(format_args!("the daemon can't run: {}", chain(&*error)));
                ExitCode::FAILURE
            }
        }
    }
}

pub(super) type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Runs the daemon until it is asked to stop. Returns true if all work ended within the grace period.
#[tokio::main]
async fn serve(config: &Config) -> Result<bool, AnyError> {
    telemetry::init(&config.log.filter, config.log.format, config.log.audit_file.as_deref())?;
    let polling = Shutdown::default();
    let clock = clock(config, &polling).await?;
    let app = App::start(config, &clock, fastrand::u64(..)).await?;
    requested().await?;
    tracing::info!("shutdown requested: completing work in progress");
    let drained = tokio::select! {
        drained = app.drain() => drained,
        again = requested() => {
            again?;
            tracing::warn!("shutdown requested again: stopping at once");
            false
        }
    };
    polling.stop().cancel();
    Ok(drained)
}

/// Returns the system's clock, or that of the sandbox that the configuration names.
#[cfg(feature = "sandbox")]
pub(super) async fn clock(config: &Config, polling: &Shutdown) -> Result<Arc<dyn Clock>, AnyError> {
    let Some(sandbox) = &config.sandbox else { return Ok(Arc::new(SystemClock)) };
    let ca = config.azure.ca_file.as_ref().map(std::fs::read).transpose()?;
    tracing::warn!(clock = %sandbox.clock_url, "following the clock of a sandbox");
    let url = sandbox.clock_url.clone();
    Ok(crate::sandbox::RemoteClock::connect(url, ca.as_deref(), &polling.tasks(), polling.stop()).await?)
}

#[cfg(not(feature = "sandbox"))]
pub(super) async fn clock(_: &Config, _: &Shutdown) -> Result<Arc<dyn Clock>, AnyError> {
    Ok(Arc::new(SystemClock))
}
