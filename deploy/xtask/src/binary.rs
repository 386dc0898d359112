//! How the binary that is shipped is built.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::checkout::{Checkout, cargo, output, run};

/// A built binary.
pub struct Binary(PathBuf);

impl Binary {
    /// Builds the binary: statically linked, so that an image only adds certificates, and without the paths of the build.
    pub fn build(checkout: &Checkout, features: &[String]) -> Result<Self> {
        let target = checkout.target();
        let mut build = cargo();
        build
            .current_dir(checkout.root())
            .args(["build", "--locked", "--bin", "rekeyd", "--profile", PROFILE, "--target", target])
            .args(["--no-default-features", "--features", &features.join(",")])
            .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(checkout)?)
            .env("CFLAGS", c_flags(checkout)?);
        run(&mut build)?;
        Ok(Self(checkout.target_directory().join(target).join(PROFILE).join("rekeyd")))
    }

    /// A binary that was built before, by its file.
    pub fn at(path: &Path) -> Result<Self> {
        Ok(Self(path.canonicalize().with_context(|| path.display().to_string())?))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the standard output of the binary, run with these arguments.
    pub fn output(&self, arguments: &[&str]) -> Result<String> {
        output(self.command().args(arguments))
    }

    /// Returns the command that runs the binary, without configuration overrides from the caller's environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.0);
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REKEYD_")) {
            command.env_remove(name);
        }
        command
    }
}

/// Separated by the unit separator, as Cargo wants it, so that a folder's name may have spaces.
fn rust_flags(checkout: &Checkout) -> Result<OsString> {
    let mut flags = OsString::from("-Ctarget-feature=+crt-static");
    for (folder, name) in folders(checkout)? {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    Ok(flags)
}

/// The cryptography is in C, and its sources name their files too.
fn c_flags(checkout: &Checkout) -> Result<OsString> {
    let mut flags = env::var_os("CFLAGS").unwrap_or_default();
    for (folder, name) in folders(checkout)? {
        flags.push(" -ffile-prefix-map=");
        flags.push(folder);
        flags.push("=");
        flags.push(name);
    }
    Ok(flags)
}

/// Folders whose names get into a binary, and their replacements. The last one that fits counts.
fn folders(checkout: &Checkout) -> Result<[(PathBuf, &'static str); 3]> {
    let cargo_home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    Ok([
        (cargo_home.context("neither CARGO_HOME nor HOME is set")?, "/cargo"),
        (checkout.root().to_owned(), "/rekeyd"),
        (checkout.target_directory().to_owned(), "/rekeyd/target"),
    ])
}

/// The profile of Cargo.toml: one unit, a fat link.
const PROFILE: &str = "dist";
