//! `rekeyd rollback`: publishes the previous version of a secret again.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, Secrets};
use crate::domain::CommandKind;

/// The arguments of `rekeyd rollback`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd rollback vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd rollback vault-1/app-01 --config rekeyd.toml\n\n\
    Works as long as the previous credential is valid. The replaced version is\n\
    quarantined: it is never published again.\n\n\
    Exit codes: 0 completed (without --wait: accepted by the daemon); 1 failed,\n\
    rejected or blocked; 2 not completed yet (with --wait only); 64 invalid\n\
    arguments or an invalid configuration"
)]
pub(super) struct Rollback {
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl Rollback {
    pub(super) fn execute(self) -> ExitCode {
        daemon::execute(CommandKind::Rollback, self.secrets.into(), &self.connect)
    }
}
