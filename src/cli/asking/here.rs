//! The loop in this very process, for as long as a command needs it.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::Engine;
use crate::cli::run::{AnyError, clock};
use crate::cli::sweep::HORIZON;
use crate::config::{Config, InvalidConfig};
use crate::domain::{CommandKind, SecretId, VaultName};
use crate::http::SecretView;
use crate::shutdown::Shutdown;
use crate::telemetry;

use super::following::Standing;
use super::{Taken, Unseen};

/// An engine that runs without a listener.
pub(super) struct Here {
    engine: Engine,
    polling: Shutdown,
    gaps: Vec<VaultName>,
}

impl Here {
    /// Starts the engine of the configuration `file`; the inner error is what is wrong with that.
    pub(super) async fn start(file: &Path) -> Result<Result<Self, InvalidConfig>, AnyError> {
        let config = match Config::load(file) {
            Ok(config) => config,
            Err(invalid) => return Ok(Err(invalid)),
        };
        telemetry::init(&config.log.filter, config.log.format, config.log.audit_file.as_deref())?;
        let polling = Shutdown::default();
        let clock = clock(&config, &polling).await?;
        let engine = Engine::start(&config, &clock, fastrand::u64(..))?;
        let gaps = engine.sweeper(&config).discover().await;
        Ok(Ok(Self { engine, polling, gaps }))
    }

    pub(super) fn ask(&self, secret: &SecretId, kind: CommandKind) -> Result<Taken, String> {
        let taken = self.engine.commands.ask(secret, kind, "cli").map_err(|error| error.to_string())?;
        Ok(Taken { at: taken.at, also: taken.also })
    }

    /// What is known of a secret, in the form that the API has.
    pub(super) fn standing(&self, secret: &SecretId) -> Result<Standing, Unseen> {
        let standing =
            self.engine.commands.show(secret).map_err(|error| Unseen::Lasting(error.to_string()))?;
        as_shown(&SecretView::from(standing))
    }

    /// What is known of every secret, in the form that the API has.
    pub(super) fn standings(&self) -> Result<Vec<Standing>, Unseen> {
        let secrets = self.engine.commands.list().into_iter().map(SecretView::from);
        as_shown(&secrets.collect::<Vec<_>>())
    }

    /// The vaults that could not be searched for tagged secrets.
    pub(super) fn gaps(&self) -> &[VaultName] {
        &self.gaps
    }

    /// Waits until what was begun is brought to its end: a command may be completed before every replica has followed.
    pub(super) async fn rest(&self) {
        self.engine.queue.settled(HORIZON).await;
    }

    pub(super) async fn end(self) {
        self.engine.drain().await;
        self.polling.stop().cancel();
    }
}

fn as_shown<T: DeserializeOwned>(known: &impl Serialize) -> Result<T, Unseen> {
    let shown = serde_json::to_value(known).and_then(serde_json::from_value);
    shown.map_err(|error| Unseen::Lasting(error.to_string()))
}
