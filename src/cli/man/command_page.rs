//! The man page of a command, from its definition and the paragraphs below its help.

use std::io;

use clap::Command;

use super::roff::{ManPage, bold, escaped};

/// Returns the name of a command's page: `rekeyd-rotate` for `rekeyd rotate`.
pub(super) fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Writes the page of `command`, which is `root` or one of its subcommands.
pub(super) fn page(root: &Command, command: &Command) -> io::Result<String> {
    let help = AfterHelp::of(command);
    let mut page = ManPage::new(name(command), 1);
    page.section("NAME");
    page.line(&format!("{} \\- {}", escaped(name(command)), escaped(&about(command))));
    synopsis(&mut page, command);
    page.section("DESCRIPTION");
    page.text(&described(command, &help));
    options(&mut page, command)?;
    commands(&mut page, command);
    exit_status(&mut page, &help.exit_codes);
    environment(&mut page, command);
    files(&mut page, command);
    page.section("EXAMPLES");
    page.example(&help.examples.iter().map(String::as_str).collect::<Vec<_>>());
    see_also(&mut page, root, command);
    Ok(page.finish())
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn synopsis(page: &mut ManPage, command: &Command) {
    let usage = command.clone().render_usage().to_string();
    page.section("SYNOPSIS");
    page.example(&[usage.trim_start_matches("Usage: ").trim()]);
}

fn described(command: &Command, help: &AfterHelp) -> String {
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
    let about = about.map(|about| format!("{}.", about.trim_end_matches('.')));
    about.into_iter().chain(help.notes.iter().cloned()).collect::<Vec<_>>().join("\n\n")
}

fn options(page: &mut ManPage, command: &Command) -> io::Result<()> {
    let mut section = Vec::new();
    clap_mangen::Man::new(command.clone()).render_options_section(&mut section)?;
    page.raw(&section);
    Ok(())
}

/// Lists the subcommands, each with its own page.
fn commands(page: &mut ManPage, command: &Command) {
    let mut commands = command.get_subcommands().filter(|command| !command.is_hide_set()).peekable();
    if commands.peek().is_some() {
        page.section("COMMANDS");
    }
    for command in commands {
        page.entry(&reference(name(command), 1), &about(command));
    }
}

fn exit_status(page: &mut ManPage, codes: &[(String, String)]) {
    page.section("EXIT STATUS");
    for (code, meaning) in codes {
        page.entry(&bold(code), meaning);
    }
}

/// Lists the variables that the command's options name, and those of the configuration if it reads one.
fn environment(page: &mut ManPage, command: &Command) {
    if !reads_config(command) {
        return;
    }
    page.section("ENVIRONMENT");
    page.entry(&bold("REKEYD_CONFIG"), "The configuration file, if --config is not given.");
    page.entry(
        &format!("{}\\fITABLE\\fR__\\fIKEY\\fR", bold("REKEYD_")),
        "Overrides a key of the configuration. See rekeyd.toml(5).",
    );
    page.entry(&bold("NO_COLOR"), "If set, the output has no colours.");
}

fn files(page: &mut ManPage, command: &Command) {
    if reads_config(command) {
        page.section("FILES");
        page.entry(
            "\\fI/etc/rekeyd/rekeyd.toml\\fR",
            "The configuration file of the systemd unit and of the container image. There is no default path.",
        );
    }
}

fn reads_config(command: &Command) -> bool {
    let has_config =
        |command: &Command| command.get_arguments().any(|argument| argument.get_id() == "config");
    has_config(command) || command.get_subcommands().any(has_config)
}

fn see_also(page: &mut ManPage, root: &Command, command: &Command) {
    let commands = root.get_subcommands().filter(|command| !command.is_hide_set()).chain([root]);
    let mut names: Vec<_> = commands.map(name).filter(|other| *other != name(command)).collect();
    names.sort_unstable();
    let pages = names.into_iter().map(|name| reference(name, 1)).chain([reference("rekeyd.toml", 5)]);
    page.section("SEE ALSO");
    page.line(&pages.collect::<Vec<_>>().join(",\n"));
    page.line(".PP");
    page.line(&format!("{} lists the pages of the manual.", bold("rekeyd help")));
}

fn reference(name: &str, section: u8) -> String {
    format!("{}({section})", bold(name))
}

/// The paragraphs below the help of a command, by kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct AfterHelp {
    examples: Vec<String>,
    exit_codes: Vec<(String, String)>,
    notes: Vec<String>,
}

impl AfterHelp {
    fn of(command: &Command) -> Self {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut help = Self::default();
        text.split("\n\n").for_each(|paragraph| help.add(paragraph));
        if help.exit_codes.is_empty() {
            help.exit_codes = exit_codes(" 0 success; 64 invalid arguments");
        }
        help
    }

    fn add(&mut self, paragraph: &str) {
        if let Some(codes) = paragraph.strip_prefix("Exit codes:") {
            self.exit_codes = exit_codes(codes);
        } else if let Some((_, examples)) =
            paragraph.split_once(":\n").filter(|(head, _)| head.starts_with("Example"))
        {
            let lines = examples.lines().map(|line| line.strip_prefix("  ").unwrap_or(line));
            self.examples.extend(lines.map(str::to_owned));
        } else if !paragraph.starts_with("Topics") {
            self.notes.push(paragraph.to_owned());
        }
    }
}

/// Reads `0 done; 1 failed`, or one code a line, over several lines each.
fn exit_codes(text: &str) -> Vec<(String, String)> {
    let mut codes: Vec<(String, String)> = Vec::new();
    for word in text.split_whitespace() {
        let ends = codes.last().is_none_or(|(_, meaning)| meaning.ends_with(';') || text.starts_with('\n'));
        if ends && CODES.contains(&word) {
            codes.push((word.to_owned(), String::new()));
        } else if let Some((_, meaning)) = codes.last_mut() {
            meaning.push_str(if meaning.is_empty() { "" } else { " " });
            meaning.push_str(word);
        }
    }
    for (_, meaning) in &mut codes {
        *meaning = format!("{}.", meaning.trim_end_matches([';', '.']));
    }
    codes
}

const CODES: [&str; 4] = ["0", "1", "2", "64"];

#[cfg(test)]
mod tests {
    use super::*;

    /// The paragraphs below a command's help become examples, exit codes and notes.
    #[test]
    fn paragraphs_are_told_apart() {
        let text = "Examples:\n  a --b\n  c      d\n\nA note\nof two lines.\n\nExit codes: 0 done (or 2\nthings); 64 wrong\narguments";
        let help = AfterHelp::of(&Command::new("x").after_help(text));
        assert_eq!(help.examples, ["a --b", "c      d"]);
        assert_eq!(help.notes, ["A note\nof two lines."]);
        let codes = [("0", "done (or 2 things)."), ("64", "wrong arguments.")];
        assert_eq!(help.exit_codes, codes.map(|(code, meaning)| (code.to_owned(), meaning.to_owned())));
        let lines = exit_codes("\n  0   done\n  2   (plan) due,\n      (sweep) held back");
        let codes = [("0", "done."), ("2", "(plan) due, (sweep) held back.")];
        assert_eq!(lines, codes.map(|(code, meaning)| (code.to_owned(), meaning.to_owned())));
    }
}
