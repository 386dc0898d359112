//! `rekeyd help`: the help of a command, or a page of the manual.

use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::{Cli, USAGE, print_error, print_line};
use crate::manual::{TOPICS, topic};

/// Arguments of `rekeyd help`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd help rotate            print the help of a command\n  \
    rekeyd help configuration     print a page of the manual")]
pub(super) struct HelpCommand {
    /// Name of a command or of a page. Default: list all commands and pages.
    #[arg(value_name = "COMMAND|TOPIC")]
    name: Option<String>,
}

impl HelpCommand {
    pub(super) fn execute(self) -> ExitCode {
        match self.name.as_deref().map(|name| (name, text(name))) {
            None => print_line(with_names(Cli::command()).render_help().ansi()),
            Some((_, Some(text))) => print_line(text.trim_end()),
            Some((name, None)) => {
                print_error(format_args!("there is no command or page named {name}: run `rekeyd help`"));
                return ExitCode::from(USAGE);
            }
        }
        ExitCode::SUCCESS
    }
}

/// Returns the help of a command, or the text of a page.
fn text(name: &str) -> Option<String> {
    let mut command = with_names(Cli::command());
    let of_command =
        command.find_subcommand_mut(name).map(|found| found.render_long_help().ansi().to_string());
    of_command.or_else(|| topic(name).map(|topic| without_markers(topic.text)))
}

/// Gives each subcommand its full name.
fn with_names(mut command: clap::Command) -> clap::Command {
    command.build();
    command
}

/// Leaves out the markers of generated sections.
fn without_markers(page: &str) -> String {
    page.lines().filter(|line| !line.starts_with("<!--")).flat_map(|line| [line, "\n"]).collect()
}

/// Returns the list of pages, for the help of `rekeyd`.
pub(super) fn topics() -> String {
    let lines = TOPICS.iter().map(|topic| format!("\n  {:<14} {}", topic.name, topic.summary));
    format!("Topics (rekeyd help TOPIC):{}", lines.collect::<String>())
}
