//! A reconcile loop in this process, which runs until a command has ended.

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
    /// Starts an engine with the configuration in `file`. The inner error lists the problems of the configuration.
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
        operation.ok_or_else(|| Unseen::Lasting(format!("operation {id} is not known any more")))
    }

    pub(super) fn operations(&self) -> Vec<FollowedOperation> {
        self.engine.commands.operations().into_iter().map(FollowedOperation::from).collect()
    }

    pub(super) fn secrets(&self) -> Vec<SecretId> {
        self.engine.board.list().into_iter().map(|status| status.secret).collect()
    }

    /// Returns the vaults that could not be searched for tagged secrets.
    pub(super) fn gaps(&self) -> &[VaultName] {
        &self.gaps
    }

    /// Returns once no pass is due soon: a command may be completed before the copies to replicas are.
    pub(super) async fn rest(&self) {
        self.engine.queue.settled(HORIZON).await;
    }

    /// Stops the engine. Commands that are not done end as rejected.
    pub(super) async fn end(self) {
        self.engine.drain().await;
        self.polling.stop().cancel();
    }
}
