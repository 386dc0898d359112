//! `rekeyd completions`: prints a completion script for a shell.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;

/// The arguments of `rekeyd completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  rekeyd completions bash > /etc/bash_completion.d/rekeyd")]
pub(super) struct Completions {
    /// Shell to print the script for.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(super) fn execute(self) -> ExitCode {
        clap_complete::generate(self.shell, &mut Cli::command(), "rekeyd", &mut std::io::stdout());
        ExitCode::SUCCESS
    }
}
