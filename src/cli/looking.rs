//! What the commands that only look have in common: the configuration, its clock, and Azure. They log nothing.

use std::process::ExitCode;
use std::sync::Arc;

use super::run::{AnyError, clock};
use super::{ConfigFile, USAGE, complain};
use crate::azure::{self, Azure};
use crate::clock::ClockSkew;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::ports::{Clock, chain};
use crate::shutdown::Shutdown;

/// Azure, as a daemon with this configuration would see it.
pub(super) struct Looking {
    pub(super) config: Config,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) skew: Arc<ClockSkew>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) azure: Azure,
}

/// Loads the configuration and looks. What keeps it from looking at all is told here.
pub(super) fn look(file: &ConfigFile, looking: impl AsyncFnOnce(&Looking) -> ExitCode) -> ExitCode {
    let config = match file.load() {
        Ok(config) => config,
        Err(invalid) => {
            complain(invalid);
            return ExitCode::from(USAGE);
        }
    };
    look_with(config, looking).unwrap_or_else(|error| {
        complain(format_args!("rekeyd can't look: {}", chain(&*error)));
        ExitCode::FAILURE
    })
}

#[tokio::main]
async fn look_with(
    config: Config,
    looking: impl AsyncFnOnce(&Looking) -> ExitCode,
) -> Result<ExitCode, AnyError> {
    let polling = Shutdown::default();
    let clock = clock(&config, &polling).await?;
    let (skew, metrics) = (Arc::new(ClockSkew::default()), Arc::new(Metrics::new()?));
    let azure = azure::connect(&config, &clock, &skew, &metrics)?;
    let code = looking(&Looking { config, clock, skew, metrics, azure }).await;
    polling.stop().cancel();
    Ok(code)
}
