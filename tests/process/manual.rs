//! The shell snippets of the manual, run as they are written.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use futures::future::join_all;
use rekeyd::manual::TOPICS;
use tempfile::TempDir;

use crate::support::{PATIENCE, Process, eventually, program, rekeyd};

/// The snippets of each page run in one shell, in their order, with `rekeyd` on the path; the pages run side by side.
#[tokio::test]
#[ignore = "needs curl"]
async fn snippets_run_as_written() {
    let pages = TOPICS.iter().map(|topic| (topic.name, script(topic.text)));
    let pages: Vec<_> = pages.filter(|(_, script)| !script.is_empty()).collect();
    assert!(pages.len() >= 3, "{pages:?}");
    join_all(pages.iter().map(|(name, script)| run(name, script))).await;
}

async fn run(name: &str, script: &str) {
    let mut shell = Shell::start(script);
    let status = shell.end().await;
    assert!(status.success(), "{name}: {status}\n{}", shell.process.printed());
}

/// Returns the blocks of a page that are marked as `sh`, without those that are ignored.
fn script(page: &str) -> String {
    page.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A shell in a folder of its own. All that it started is killed with it.
struct Shell {
    process: Process,
    _directory: TempDir,
}

impl Shell {
    fn start(script: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let binary = std::fs::canonicalize(rekeyd().get_program()).unwrap();
        symlink(binary, directory.path().join("rekeyd")).unwrap();
        let mut command = program(Path::new("sh"));
        command.args(["-euc", script]).env("PATH", path_with(directory.path()));
        command.current_dir(directory.path()).process_group(0);
        Self { process: Process::start(command, directory.path(), "shell"), _directory: directory }
    }

    async fn end(&mut self) -> ExitStatus {
        let process = &mut self.process;
        eventually("the snippets end", PATIENCE * 3, async || process.ended()).await
    }
}

/// Returns the path of programs with a folder in front.
fn path_with(folder: &Path) -> OsString {
    let others = std::env::var_os("PATH").unwrap();
    std::env::join_paths(std::iter::once(folder.to_owned()).chain(std::env::split_paths(&others))).unwrap()
}

impl Drop for Shell {
    fn drop(&mut self) {
        let kill = format!("kill -KILL -{}", self.process.id());
        // Everything may have ended already.
        let _ = Command::new("sh").args(["-c", &kill]).status();
    }
}
