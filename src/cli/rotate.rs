//! `rekeyd rotate`: a successor now, whatever the schedule says.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, SecretsOrAll};
use crate::domain::CommandKind;

/// What `rekeyd rotate` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\x20 rekeyd rotate vault-1/app-01 --config rekeyd.toml\n\
    \x20 rekeyd rotate vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd rotate vault-1/app-01 --server https://rekeyd.example.org --audience api://rekeyd\n\
    \x20 rekeyd rotate --all --yes --server http://localhost:8080 --token-file token\n\n\
    Asking twice within ten minutes rotates once. What is asked for waits for no limit, window or canary of [rollout],\n\
    also with --all: only a hard freeze holds it back.\n\n\
    Exits with 0 when done (or, without --wait, when the daemon has accepted the command), 1 if it failed or is blocked,\n\
    2 if the daemon still waits for the moment to do it (only with --wait), 64 for wrong arguments.")]
pub(super) struct Rotate {
    #[command(flatten)]
    secrets: SecretsOrAll,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl Rotate {
    pub(super) fn execute(self) -> ExitCode {
        daemon::execute(CommandKind::Rotate, self.secrets.into(), &self.connect)
    }
}
