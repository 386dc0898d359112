//! The contents of the binary: the packages of Cargo that are linked into it, and two parts that Cargo does not list.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use cargo_metadata::Package;

use crate::checkout::{Checkout, cargo, output};

/// The packages, by name and version: without those that only build or test it, and without macros.
pub fn packages<'a>(checkout: &'a Checkout, features: &[String]) -> Result<Vec<&'a Package>> {
    let mut tree = cargo();
    tree.current_dir(checkout.root())
        .args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"])
        .args(["--target", checkout.target(), "--no-default-features", "--features", &features.join(",")]);
    let mut found = BTreeMap::new();
    for line in output(&mut tree)?.lines() {
        let (name, rest) = line.split_once(" v").with_context(|| format!("{line:?} is not a package"))?;
        let version = rest.split(' ').next().unwrap_or_default();
        found.insert((name.to_owned(), version.to_owned()), checkout.package(name, version)?);
    }
    Ok(found.into_values().collect())
}

/// A part of the binary that comes from the machine that built it.
pub struct SystemPart {
    pub name: &'static str,
    pub version: String,
    /// An SPDX expression.
    pub license: &'static str,
    pub notice: &'static str,
}

/// Rust's standard library and the C library, which is linked statically.
pub fn system_parts() -> Result<[SystemPart; 2]> {
    let rust = output(std::process::Command::new("rustc").arg("--version"))?;
    let glibc = output(std::process::Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
    let second = |text: &str| text.split(' ').nth(1).map(str::to_owned).context("a version");
    Ok([
        SystemPart {
            name: "rust-std",
            version: second(&rust)?,
            license: "MIT OR Apache-2.0",
            notice: "The Rust standard library, copyright The Rust Project contributors. Its licences and those of what\n\
                it contains: https://github.com/rust-lang/rust/blob/master/COPYRIGHT",
        },
        SystemPart {
            name: "glibc",
            version: second(&glibc)?,
            license: "LGPL-2.1-or-later",
            notice: "The GNU C Library, linked statically. It is free software under the GNU Lesser General Public License:\n\
                https://www.gnu.org/licenses/old-licenses/lgpl-2.1.html\n\
                To link rekeyd with a changed one, build it with that one installed: `cargo xtask build` in the source\n\
                of this version of rekeyd does all of it. The library's source: https://sourceware.org/glibc/",
        },
    ])
}
