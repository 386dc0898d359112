//! The loop in this very process, for as long as a wish needs it.

use std::path::Path;

use crate::app::Works;
use crate::cli::run::{AnyError, clock};
use crate::config::{Config, InvalidConfig};
use crate::domain::{SecretId, WishKind};
use crate::shutdown::Shutdown;
use crate::telemetry;

use super::following::Standing;

/// Works that run, without a listener.
pub(super) struct Here {
    works: Works,
    polling: Shutdown,
}

impl Here {
    /// Starts the works of the configuration `file`; the inner error is what is wrong with that.
    pub(super) async fn start(file: &Path) -> Result<Result<Self, InvalidConfig>, AnyError> {
        let config = match Config::load(file) {
            Ok(config) => config,
            Err(invalid) => return Ok(Err(invalid)),
        };
        telemetry::init(&config.log.filter, config.log.format, config.log.audit_file.as_deref())?;
        let polling = Shutdown::default();
        let clock = clock(&config, &polling).await?;
        let works = Works::start(&config, &clock, fastrand::u64(..))?;
        works.sweeper(&config).discover().await;
        Ok(Ok(Self { works, polling }))
    }

    pub(super) fn ask(&self, secret: &SecretId, kind: WishKind) -> Result<(), String> {
        self.works.wishes.ask(secret, kind, "cli").map(|_| ()).map_err(|error| error.to_string())
    }

    /// What is known of every secret, in the form that the API has.
    pub(super) fn standings(&self) -> Result<Vec<Standing>, AnyError> {
        Ok(serde_json::from_value(serde_json::to_value(self.works.wishes.list())?)?)
    }

    pub(super) async fn end(self) {
        self.works.drain().await;
        self.polling.stop().cancel();
    }
}
