//! Child processes of the binary under test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

/// Returns a command for the binary under test, without the variables of our environment that it would read.
pub(crate) fn rekeyd() -> Command {
    let binary =
        variable("REKEYD_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_rekeyd")), PathBuf::from);
    program(&binary)
}

/// Returns a command for another binary of ours, in the same way.
pub(crate) fn program(binary: &Path) -> Command {
    let mut command = Command::new(binary);
    let followed = |name: &str| name.starts_with("REKEYD_") || name.to_ascii_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars_os().filter(|(name, _)| followed(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// Returns a variable of the tests' own environment.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.into_string().unwrap())
}

/// Runs `rekeyd` with `arguments` to its end.
pub(crate) fn finish(arguments: &[&str]) -> Output {
    rekeyd().args(arguments).output().unwrap()
}

/// A child that is killed when it is dropped. Its output goes to files.
pub(crate) struct Process {
    child: Child,
    files: [PathBuf; 2],
}

impl Process {
    /// Starts `command`; its output is appended to files of this name in `directory`.
    pub(crate) fn start(mut command: Command, directory: &Path, name: &str) -> Self {
        let files = ["out", "err"].map(|stream| directory.join(format!("{name}.{stream}")));
        let [out, err] = files.each_ref().map(|file| File::options().append(true).create(true).open(file));
        let child = command.stdout(out.unwrap()).stderr(err.unwrap()).spawn().unwrap();
        Self { child, files }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns everything that was printed so far, by this and by earlier processes of its name.
    pub(crate) fn printed(&self) -> String {
        let read = |file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        self.files.iter().map(read).collect()
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Asks the process to stop.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.id())]).status().unwrap();
        assert!(sent.success(), "no SIGTERM could be sent");
    }

    /// Kills the process (`kill -9`).
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
