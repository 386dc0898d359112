//! The checks before a commit: format, lints, unit tests, and the tests that hold documents and code together.

use anyhow::Result;

use crate::checkout::{Checkout, cargo, run};

/// Runs every check, and stops at the first that fails.
pub fn all(checkout: &Checkout) -> Result<()> {
    for arguments in CHECKS {
        run(cargo().current_dir(checkout.root()).args(*arguments))?;
    }
    Ok(())
}

/// The arguments of Cargo, what is quick first.
const CHECKS: &[&[&str]] = &[
    &["fmt", "--check"],
    &["fmt", "--check", "--manifest-path", "deploy/xtask/Cargo.toml"],
    &["clippy", "--all-targets", "--locked", "--", "-D", "warnings"],
    &["test", "--locked", "--lib", "--test", "docs"],
];
