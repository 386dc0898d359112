//! `rekeyd rotate`: rotates secrets now, regardless of the schedule.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, SecretsOrAll};
use crate::domain::CommandKind;

/// The arguments of `rekeyd rotate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n\x20 rekeyd rotate vault-1/app-01 --config rekeyd.toml\n\
    \x20 rekeyd rotate vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd rotate vault-1/app-01 --server https://rekeyd.example.org --audience api://rekeyd\n\
    \x20 rekeyd rotate --all --yes --server http://localhost:8080 --token-file token\n\n\
    Rotates only once if repeated within ten minutes. Ignores the limits, windows\n\
    and canaries of [rollout], also with --all: only a hard freeze delays it.\n\n\
    Exit codes: 0 completed (without --wait: accepted by the daemon); 1 failed,\n\
    rejected or blocked; 2 not completed yet (with --wait only); 64 invalid\n\
    arguments or an invalid configuration")]
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
