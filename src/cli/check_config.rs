//! `rekeyd check-config`: everything that is wrong with a configuration, without opening a port.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{ConfigFile, Output, USAGE, print_error, print_line};

/// What `rekeyd check-config` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd check-config --config rekeyd.toml\n  \
    rekeyd check-config --config rekeyd.toml --output json\n\n\
    Environment variables (REKEYD_POLICY__OVERLAP=3d for [policy] overlap) count, as they do for `rekeyd run`.\n\
    Exits with 64 if anything is wrong.")]
pub(super) struct CheckConfig {
    #[command(flatten)]
    config: ConfigFile,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

impl CheckConfig {
    pub(super) fn execute(self) -> ExitCode {
        let file = self.config.path().display().to_string();
        match (self.config.load(), self.output) {
            (Ok(config), Output::Text) => {
                let (vaults, secrets) = (config.vaults.len(), config.secrets.len());
                print_line(format_args!("{file}: fine (vaults: {vaults}, secrets: {secrets})"));
                ExitCode::SUCCESS
            }
            (Ok(config), Output::Json) => {
                let (vaults, secrets) = (config.vaults.len(), config.secrets.len());
                print_line(json!({"valid": true, "vaults": vaults, "secrets": secrets, "problems": []}));
                ExitCode::SUCCESS
            }
            (Err(invalid), Output::Text) => {
                print_error(invalid);
                ExitCode::from(USAGE)
            }
            (Err(invalid), Output::Json) => {
                let problems: Vec<_> = invalid
                    .problems()
                    .iter()
                    .map(|problem| json!({"place": problem.location, "message": problem.message}))
                    .collect();
                print_line(json!({"valid": false, "problems": problems}));
                ExitCode::from(USAGE)
            }
        }
    }
}
