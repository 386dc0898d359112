//! `rekeyd retire`: the end of what is superseded, without waiting for the overlap.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, Secrets};
use crate::domain::CommandKind;

/// What `rekeyd retire` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd retire vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd retire vault-1/app-01 --config rekeyd.toml\n\n\
    Consumers that still use a superseded credential are refused from then on.\n\n\
    Exits with 0 when done (or, without --wait, when the daemon has accepted the command), 1 if it failed or is blocked,\n\
    2 if the daemon still waits for the moment to do it (only with --wait), 64 for wrong arguments."
)]
pub(super) struct Retire {
    #[command(flatten)]
    secrets: Secrets,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl Retire {
    pub(super) fn execute(self) -> ExitCode {
        daemon::execute(CommandKind::Retire, self.secrets.into(), &self.connect)
    }
}
