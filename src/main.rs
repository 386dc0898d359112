//! The `rekeyd` program: arguments in, an exit code out.

use std::process::ExitCode;

use clap::Parser;
use rekeyd::cli::{Cli, USAGE};

fn main() -> ExitCode {
    // Every TLS connection of this process uses the same cryptography; a second call would be the only failure.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match Cli::try_parse() {
        Ok(cli) => cli.execute(),
        Err(error) => {
            let wrong = error.use_stderr();
            let _ = error.print();
            if wrong { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    }
}
