//! `rekeyd pause`: no rotation until `rekeyd resume`.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, SecretsOrAll};
use crate::domain::CommandKind;

/// What `rekeyd pause` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd pause vault-1/app-01 --server http://localhost:8080 --token-file token\n\
    \x20 rekeyd pause --all --config rekeyd.toml\n\n\
    Sets the tag RotationDisabled on the current version. A paused secret can run out.\n\n\
    Exits with 0 when done (or, without --wait, when the daemon has accepted the command), 1 if it failed or is blocked,\n\
    2 if the daemon still waits for the moment to do it (only with --wait), 64 for wrong arguments."
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
