//! `rekeyd rollback`: the previous version's text again, in the place of one that turned out to be bad.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, Secrets};
use crate::domain::CommandKind;

/// What `rekeyd rollback` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd rollback vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd rollback vault-1/app-01 --config rekeyd.toml\n\n\
    Works as long as the previous credential lives. The bad version is quarantined: it is never published again.\n\n\
    Exits with 0 when done (or, without --wait, when the daemon has accepted the command), 1 if it failed or is blocked,\n\
    2 if the daemon still waits for the moment to do it (only with --wait), 64 for wrong arguments."
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
