//! `rekeyd resume`: resumes the rotation of paused secrets.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, SecretsOrAll};
use crate::domain::CommandKind;

/// The arguments of `rekeyd resume`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd resume vault-1/app-01 --server http://localhost:8080 --token-file token\n\
    \x20 rekeyd resume --all --config rekeyd.toml\n\n\
    Removes the tag RotationDisabled from the current version.\n\n\
    Exit codes: 0 completed (without --wait: accepted by the daemon); 1 failed,\n\
    rejected or blocked; 2 not completed yet (with --wait only); 64 invalid\n\
    arguments or an invalid configuration"
)]
pub(super) struct Resume {
    #[command(flatten)]
    secrets: SecretsOrAll,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl Resume {
    pub(super) fn execute(self) -> ExitCode {
        daemon::execute(CommandKind::Resume, self.secrets.into(), &self.connect)
    }
}
