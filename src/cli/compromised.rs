//! `rekeyd compromised`: replaces a compromised credential and revokes all older ones.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, Secrets};
use crate::domain::CommandKind;

/// The arguments of `rekeyd compromised`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd compromised vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd compromised vault-1/app-01 --all-credentials --config rekeyd.toml\n\n\
    Issues and publishes a new credential, revokes every older one at once, and\n\
    tries each old client secret until Entra refuses it. Consumers must read the\n\
    secret again when their sign-in is refused; otherwise they stay locked out.\n\n\
    Exit codes: 0 completed (without --wait: accepted by the daemon); 1 failed,\n\
    rejected or blocked; 2 not completed yet (with --wait only); 64 invalid\n\
    arguments or an invalid configuration"
)]
pub(super) struct Compromised {
    #[command(flatten)]
    secrets: Secrets,
    /// Treat every credential of the application as compromised: run the command for each managed secret that holds one.
    #[arg(long)]
    all_credentials: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

impl Compromised {
    pub(super) fn execute(self) -> ExitCode {
        let kind = CommandKind::Compromised { all_credentials: self.all_credentials };
        daemon::execute(kind, self.secrets.into(), &self.connect)
    }
}
