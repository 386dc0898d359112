//! `rekeyd compromised`: the credential is compromised.

use std::process::ExitCode;

use clap::Args;

use super::daemon::{self, ConnectArgs, Secrets};
use crate::domain::CommandKind;

/// What `rekeyd compromised` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n\x20 rekeyd compromised vault-1/app-01 --server http://localhost:8080 --token-file token --wait\n\
    \x20 rekeyd compromised vault-1/app-01 --all-credentials --config rekeyd.toml\n\n\
    A successor is made and published, every older credential is revoked at once, and each old text is tried until\n\
    Entra refuses it. Consumers that don't read the secret again when they are refused stay refused.\n\n\
    Exits with 0 when done (or, without --wait, when the daemon has accepted the command), 1 if it failed or is blocked,\n\
    2 if the daemon still waits for the moment to do it (only with --wait), 64 for wrong arguments."
)]
pub(super) struct Compromised {
    #[command(flatten)]
    secrets: Secrets,
    /// Every credential of the application is meant: the same is asked of all managed secrets that hold one of them.
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
