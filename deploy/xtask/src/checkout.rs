//! The checkout that is packed, with its facts from Cargo and Git.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand, Package};

/// A checkout of rekeyd.
pub struct Checkout {
    metadata: Metadata,
    target: String,
}

impl Checkout {
    /// The one that this program was built from.
    pub fn here() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let target = host()?;
        let metadata = MetadataCommand::new()
            .manifest_path(manifest)
            .other_options(["--locked".to_owned(), format!("--filter-platform={target}")])
            .exec()?;
        Ok(Self { metadata, target })
    }

    pub fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    pub fn target_directory(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// Returns the folder for archives.
    pub fn packages_directory(&self) -> PathBuf {
        self.target_directory().join("packages")
    }

    /// The platform that is built for: this one.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The version of rekeyd, whose one place is Cargo.toml.
    pub fn version(&self) -> Result<String> {
        let package = self.metadata.root_package().context("Cargo.toml has no package")?;
        Ok(package.version.to_string())
    }

    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub fn package(&self, name: &str, version: &str) -> Result<&Package> {
        let is_it = |package: &&Package| *package.name == name && package.version.to_string() == version;
        let package = self.metadata.packages.iter().find(is_it);
        package.with_context(|| format!("Cargo knows no package {name} {version}"))
    }

    /// Seconds since 1970 that files are dated with, so that the same commit gives the same archive: `SOURCE_DATE_EPOCH`
    /// (<https://reproducible-builds.org/specs/source-date-epoch/>), or the time of the commit.
    #[expect(clippy::disallowed_methods, reason = "the daemon's configuration has no part in this")]
    pub fn epoch(&self) -> Result<u64> {
        let text = match env::var("SOURCE_DATE_EPOCH") {
            Ok(text) => text,
            Err(_) => self.git(&["log", "-1", "--format=%ct"]).context("set SOURCE_DATE_EPOCH")?,
        };
        text.trim().parse().with_context(|| format!("{text:?} is not a number of seconds"))
    }

    pub fn commit(&self) -> Result<String> {
        self.git(&["rev-parse", "HEAD"])
    }

    fn git(&self, arguments: &[&str]) -> Result<String> {
        output(Command::new("git").arg("-C").arg(self.root()).args(arguments))
    }
}

/// The Cargo that runs this program.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Returns the standard output of a command, without the line's end.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    if !output.status.success() {
        bail!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Runs a command whose output is for people.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} does not start"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

/// The platform of this compiler. Only Linux with glibc was tried.
fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    if !host.ends_with("-linux-gnu") {
        bail!("this is {host}: images and archives are built on Linux with glibc only");
    }
    Ok(host.to_owned())
}
