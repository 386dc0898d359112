//! The loop in this very process, for as long as a command needs it.

use std::path::Path;

use uuid::Uuid;

use crate::app::Engine;
use crate::cli::run::{AnyError, clock};
use crate::cli::sweep::HORIZON;
use crate::config::{Config, InvalidConfig};
use crate::domain::{CommandKind, SecretId, VaultName};
use crate::shutdown::Shutdown;
use crate::telemetry;

use super::Unseen;
use super::follow::FollowedOperation;

/// An engine that runs without a listener.
pub(super) struct InProcess {
    engine: Engine,
    polling: Shutdown,
    gaps: Vec<VaultName>,
}

impl InProcess {
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

    pub(super) fn submit(&self, secret: &SecretId, kind: CommandKind) -> Result<FollowedOperation, String> {
        let submitted = self.engine.commands.submit(secret, kind, "cli");
        submitted.map(FollowedOperation::from).map_err(|error| error.to_string())
    }

    pub(super) fn operation(&self, id: Uuid) -> Result<FollowedOperation, Unseen> {
        let operation = self.engine.commands.operation(id).map(FollowedOperation::from);
        operation.ok_or_else(|| Unseen::Lasting(format!("no operation {id} is known")))
    }

    pub(super) fn operations(&self) -> Vec<FollowedOperation> {
        self.engine.commands.operations().into_iter().map(FollowedOperation::from).collect()
    }

    pub(super) fn secrets(&self) -> Vec<SecretId> {
        self.engine.board.list().into_iter().map(|status| status.secret).collect()
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
