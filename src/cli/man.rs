//! `rekeyd man`: writes the manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::{Cli, print_error};

/// The arguments of `rekeyd man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  rekeyd man ~/.local/share/man/man1")]
pub(super) struct Man {
    /// Directory to write to: one page for rekeyd and one for each command. Created if missing.
    directory: PathBuf,
}

impl Man {
    pub(super) fn execute(self) -> ExitCode {
        let directory = &self.directory;
        let written = std::fs::create_dir_all(directory)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), directory));
        match written {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                print_error(format_args!("can't write manual pages into {}: {error}", directory.display()));
                ExitCode::FAILURE
            }
        }
    }
}
