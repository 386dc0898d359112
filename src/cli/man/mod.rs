//! `rekeyd man`: the man pages, one for each command and one for the configuration file.

mod command_page;
mod config_page;
mod roff;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use super::{Cli, print_error};

/// Arguments of `rekeyd man`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  rekeyd man ~/.local/share/man\n  \
    rekeyd man target/man && man -l target/man/man5/rekeyd.toml.5\n\n\
    Exit codes: 0 the pages are written; 1 they could not be written; 64 invalid arguments")]
pub(super) struct Man {
    /// Directory to write to: the commands' pages go into DIRECTORY/man1, rekeyd.toml(5) into DIRECTORY/man5. Created if
    /// missing.
    directory: PathBuf,
}

impl Man {
    pub(super) fn execute(self) -> ExitCode {
        match write_pages(&self.directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let directory = self.directory.display();
                print_error(format_args!("can't write man pages to {directory}: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}

fn write_pages(directory: &Path) -> io::Result<()> {
    let [commands, files] = ["man1", "man5"].map(|section| directory.join(section));
    std::fs::create_dir_all(&commands)?;
    std::fs::create_dir_all(&files)?;
    let mut root = Cli::command();
    root.build();
    let pages = root.get_subcommands().filter(|command| !command.is_hide_set());
    for command in pages.chain([&root]) {
        let name = format!("{}.1", command_page::name(command));
        std::fs::write(commands.join(name), command_page::page(&root, command)?)?;
    }
    std::fs::write(files.join("rekeyd.toml.5"), config_page::page())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    const SECTIONS: [&str; 8] =
        ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"];

    fn pages() -> Vec<(String, String)> {
        let directory = tempfile::tempdir().unwrap();
        write_pages(directory.path()).unwrap();
        let folders = ["man1", "man5"].map(|folder| directory.path().join(folder));
        let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .map(|path| {
                (
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    std::fs::read_to_string(path).unwrap(),
                )
            })
            .collect()
    }

    /// Each page has its sections in the standard order, with SEE ALSO at the end.
    #[test]
    fn pages_have_the_standard_sections() {
        for (name, page) in pages() {
            let sections: Vec<_> = page
                .lines()
                .filter_map(|line| line.strip_prefix(".SH "))
                .map(|name| name.trim_matches('"'))
                .collect();
            let known = SECTIONS.iter().filter(|section| sections.contains(section));
            let expected: Vec<_> = known.copied().chain(["SEE ALSO"]).collect();
            let without_commands: Vec<_> =
                sections.into_iter().filter(|section| *section != "COMMANDS").collect();
            assert_eq!(without_commands, expected, "{name}");
            let required = if name.ends_with(".1") {
                &["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES"][..]
            } else {
                &["NAME", "DESCRIPTION", "ENVIRONMENT", "FILES", "EXAMPLES"]
            };
            assert!(required.iter().all(|section| expected.contains(section)), "{name}: {expected:?}");
        }
    }

    /// The lines of an example are kept as they are, between `.nf` and `.fi`.
    #[test]
    fn examples_are_not_filled() {
        let pages = pages();
        let (_, page) = pages.iter().find(|(name, _)| name == "rekeyd-rotate.1").unwrap();
        let (_, examples) = page.split_once(".SH EXAMPLES\n").unwrap();
        let (examples, _) = examples.split_once(".fi\n").unwrap();
        assert!(examples.starts_with(".nf\n") && examples.lines().count() > 3, "{examples}");
        assert!(
            examples.lines().any(|line| line == "rekeyd rotate vault\\-1/app\\-01 \\-\\-config rekeyd.toml"),
            "{examples}"
        );
    }

    /// rekeyd.toml(5) has every table and every key with its default.
    #[test]
    fn config_page_has_every_key() {
        let page = config_page::page();
        for key in crate::config::KEYS.iter() {
            let name = key.path.rsplit(['.', ']']).next().unwrap();
            assert!(page.contains(&format!("\\fB{}\\fR", roff::escaped(name))), "{name}");
        }
        assert!(page.contains("\\fBvalidity\\fR = \"90d\""), "{page}");
    }
}
