//! `rekeyd resume`: the end of a pause.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, SecretsOrAll};
use crate::domain::CommandKind;

/// What `rekeyd resume` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd resume vault-1/app-01 --server http://localhost:8080 --token-file token\n\
    \x20 rekeyd resume --all --config rekeyd.toml\n\n\
    Takes the tag RotationDisabled off the current version.\n\n\
    Exits with 0 when done (or, without --wait, when the daemon has accepted the command), 1 if it failed or is blocked,\n\
    2 if the daemon still waits for the moment to do it (only with --wait), 64 for wrong arguments."
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
