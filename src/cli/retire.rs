//! `rekeyd retire`: revokes superseded credentials without waiting for the overlap to end.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, Secrets};
use crate::domain::CommandKind;

/// The arguments of `rekeyd retire`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd retire vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd retire vault-1/app-01 --config rekeyd.toml\n\n\
    Consumers that still use a superseded credential can no longer sign in with it.\n\n\
    Exit codes: 0 completed (without --wait: accepted by the daemon); 1 failed,\n\
    rejected or blocked; 2 not completed yet (with --wait only); 64 invalid\n\
    arguments or an invalid configuration"
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
