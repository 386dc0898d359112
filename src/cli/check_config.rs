//! `rekeyd check-config`: lists every error in a configuration, without opening a port.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{ConfigFile, Output, USAGE, print_error, print_line};

/// The arguments of `rekeyd check-config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd check-config --config rekeyd.toml\n  \
    rekeyd check-config --config rekeyd.toml --output json\n\n\
    Environment variables override the file, as for `rekeyd run`:\n\
    REKEYD_POLICY__OVERLAP=3d sets overlap in [policy].\n\n\
    Exit codes: 0 the configuration is valid; 64 invalid arguments or an invalid\n\
    configuration")]
pub(super) struct CheckConfig {
    #[command(flatten)]
    config: ConfigFile,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

impl CheckConfig {
    pub(super) fn execute(self) -> ExitCode {
        let file = self.config.path().display().to_string();
        match (self.config.load(), self.output) {
            (Ok(config), Output::Text) => {
                let (vaults, secrets) = (config.vaults.len(), config.secrets.len());
                print_line(format_args!("{file}: ok (vaults: {vaults}, secrets: {secrets})"));
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
