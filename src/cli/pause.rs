//! `rekeyd pause`: pauses the rotation of secrets until `rekeyd resume`.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, SecretsOrAll};
use crate::domain::CommandKind;

/// The arguments of `rekeyd pause`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd pause vault-1/app-01 --server http://localhost:8080 --token-file token\n\
    \x20 rekeyd pause --all --config rekeyd.toml\n\n\
    Sets the tag RotationDisabled on the current version. A paused secret is not\n\
    rotated, even before it expires.\n\n\
    Exit codes: 0 completed (without --wait: accepted by the daemon); 1 failed,\n\
    rejected or blocked; 2 not completed yet (with --wait only); 64 invalid\n\
    arguments or an invalid configuration"
)]
pub(super) struct Pause {
    #[command(flatten)]
    secrets: SecretsOrAll,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl Pause {
    pub(super) fn execute(self) -> ExitCode {
        daemon::execute(CommandKind::Pause, self.secrets.into(), &self.connect)
    }
}
