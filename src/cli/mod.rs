//! The command line: one file for each command. Parses arguments and returns an exit code.

mod check_config;
mod completions;
mod compromised;
mod daemon;
mod doctor;
mod help;
mod inventory;
mod man;
mod pause;
mod plan;
mod read_only;
mod resume;
mod retire;
mod rollback;
mod rotate;
mod run;
#[cfg(feature = "sandbox")]
mod sandbox;
mod sweep;
mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use crate::config::{Config, InvalidConfig};

/// Rotate the client secrets of Microsoft Entra app registrations in Azure Key Vault without an outage.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true, after_help = format!("{}\n\n{EXAMPLES}", help::topics()))]
pub struct Cli {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Run the daemon until SIGTERM or Ctrl-C.
    Run(run::Run),
    /// Reconcile every secret once and exit: for a scheduled job instead of a daemon.
    Sweep(sweep::Sweep),
    /// Rotate a secret now.
    Rotate(rotate::Rotate),
    /// Publish the previous version of a secret again and quarantine the current one.
    Rollback(rollback::Rollback),
    /// Replace a compromised credential, revoke all older ones, and verify that they no longer work.
    Compromised(compromised::Compromised),
    /// Revoke superseded credentials without waiting for the overlap to end.
    Retire(retire::Retire),
    /// Pause the rotation of a secret until `rekeyd resume`.
    Pause(pause::Pause),
    /// Resume the rotation of a paused secret.
    Resume(resume::Resume),
    /// Check a configuration file and list every error in it.
    CheckConfig(check_config::CheckConfig),
    /// Check everything that a rotation needs and show how to fix what is missing. Changes nothing.
    Doctor(doctor::DoctorCommand),
    /// Show what would happen to each managed secret, when and why. Changes nothing.
    Plan(plan::PlanCommand),
    /// List all credentials and secrets that rekeyd can read, by class. Changes nothing.
    Inventory(inventory::InventoryCommand),
    /// Run against a simulated Azure on this machine: there is nothing to set up.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxCommand),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
    /// Write the man pages to a directory.
    Man(man::Man),
    /// Print the help of a command, or a page of the manual.
    Help(help::HelpCommand),
}

/// Formats of a command's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Plain text.
    Text,
    /// One JSON object on the last line.
    Json,
}

impl Cli {
    /// Runs the command and returns the exit code of the process.
    #[must_use]
    pub fn execute(self) -> ExitCode {
        match self.command {
            Subcommand::Run(command) => command.execute(),
            Subcommand::Sweep(command) => command.execute(),
            Subcommand::Rotate(command) => command.execute(),
            Subcommand::Rollback(command) => command.execute(),
            Subcommand::Compromised(command) => command.execute(),
            Subcommand::Retire(command) => command.execute(),
            Subcommand::Pause(command) => command.execute(),
            Subcommand::Resume(command) => command.execute(),
            Subcommand::CheckConfig(command) => command.execute(),
            Subcommand::Doctor(command) => command.execute(),
            Subcommand::Plan(command) => command.execute(),
            Subcommand::Inventory(command) => command.execute(),
            #[cfg(feature = "sandbox")]
            Subcommand::Sandbox(command) => command.execute(),
            Subcommand::Completions(command) => command.execute(),
            Subcommand::Man(command) => command.execute(),
            Subcommand::Help(command) => command.execute(),
        }
    }
}

/// The option that selects the configuration.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// Path of the configuration file; config/rekeyd.toml documents every key.
    #[arg(long, value_name = "FILE", env = "REKEYD_CONFIG")]
    config: PathBuf,
}

impl ConfigFile {
    /// Loads the configuration. Prints every error in it and returns the exit code if it is invalid.
    fn load_or_print_errors(&self) -> Result<Config, ExitCode> {
        self.load().map_err(|invalid| {
            print_error(invalid);
            ExitCode::from(USAGE)
        })
    }

    fn load(&self) -> Result<Config, InvalidConfig> {
        Config::load(&self.config)
    }

    fn path(&self) -> &Path {
        &self.config
    }
}

/// Prints one line to standard output. Ignores a reader that has gone away.
fn print_line(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// Prints one line to standard error. Ignores a reader that has gone away.
fn print_error(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Exit code of a usage or configuration error: `EX_USAGE` of `sysexits.h`.
pub const USAGE: u8 = 64;

const EXAMPLES: &str = "\
Examples:
  rekeyd sandbox --until-rotated          watch secrets being rotated on a simulated Azure
  rekeyd check-config --config FILE       list every error in FILE
  rekeyd doctor --config FILE             check everything that a rotation needs
  rekeyd plan --config FILE               show what would happen, when and why
  rekeyd run --config FILE                rotate the secrets that FILE names
  rekeyd rotate VAULT/NAME --server URL --token-file TOKEN     rotate through a running daemon
  rekeyd compromised VAULT/NAME --config FILE                  run without a daemon

Exit codes:
  0   done
  1   failed, or a secret is blocked, or (sandbox) a consumer could not sign in
  2   (plan) a secret is due or deferred, (sweep) a due secret is held back,
      (commands) not completed yet
  64  invalid arguments or an invalid configuration";
