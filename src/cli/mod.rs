//! The command line: one file a command. Arguments in, an exit code out.

mod check_config;
mod completions;
mod compromised;
mod daemon;
mod doctor;
mod inventory;
mod man;
mod pause;
mod plan;
#[cfg(feature = "sandbox")]
mod progress;
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

/// Keeps the client secrets of Microsoft Entra applications fresh in Azure Key Vault, without an outage.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Runs the daemon until SIGTERM or Ctrl-C.
    Run(run::Run),
    /// Looks at every secret once, does what is due, and ends: for a scheduled job.
    Sweep(sweep::Sweep),
    /// Makes a successor now, whatever the schedule says.
    Rotate(rotate::Rotate),
    /// Publishes the previous version's text again, in the place of one that turned out to be bad.
    Rollback(rollback::Rollback),
    /// Replaces a credential that is compromised, revokes every older one, and proves that they are refused.
    Compromised(compromised::Compromised),
    /// Ends what is superseded, without waiting for the overlap.
    Retire(retire::Retire),
    /// Stops rotation until `rekeyd resume`.
    Pause(pause::Pause),
    /// Ends a pause.
    Resume(resume::Resume),
    /// Says everything that is wrong with a configuration, and does nothing else.
    CheckConfig(check_config::CheckConfig),
    /// Says what is missing for rotations to work, and what to do about it. Changes nothing.
    Doctor(doctor::DoctorCommand),
    /// Says what would happen to each managed secret, when, and why. Changes nothing.
    Plan(plan::PlanCommand),
    /// Lists every credential and every secret that can be seen, and what is odd about it.
    Inventory(inventory::InventoryCommand),
    /// Runs against a simulated Azure on this machine: nothing to set up, nothing to break.
    #[cfg(feature = "sandbox")]
    Sandbox(sandbox::SandboxCommand),
    /// Prints a completion script for a shell.
    Completions(completions::Completions),
    /// Writes the manual pages into a folder.
    Man(man::Man),
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// One JSON object, on the last line.
    Json,
}

impl Cli {
    /// Does what was asked for.
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
        }
    }
}

/// Which configuration to use.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file; see config/rekeyd.toml for every key.
    #[arg(long, value_name = "FILE", env = "REKEYD_CONFIG")]
    config: PathBuf,
}

impl ConfigFile {
    /// The configuration, or the exit code after everything that is wrong with it was told.
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

/// Prints one line on standard output. A reader that went away is no error of ours.
fn print_line(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// Prints one line on standard error.
fn print_error(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// A usage or configuration error, as `sysexits.h` numbers it.
pub const USAGE: u8 = 64;

const EXAMPLES: &str = "\
Examples:
  rekeyd sandbox --until-rotated          watch near-expiry secrets being rotated, on a simulated Azure
  rekeyd check-config --config FILE       say everything that is wrong with FILE
  rekeyd doctor --config FILE             run read-only checks of everything that a rotation needs
  rekeyd plan --config FILE               say what would happen, when and why
  rekeyd run --config FILE                keep the secrets that FILE names fresh
  rekeyd rotate VAULT/NAME --server URL --token-file TOKEN     ask a running daemon
  rekeyd compromised VAULT/NAME --config FILE                  do it here and now, without a daemon

Exit codes:
  0   done
  1   failed, or something is blocked, or (sandbox) a consumer could not sign in
  2   (plan) something is due, (commands) still under way
  64  wrong arguments or a wrong configuration";
