//! The licence notices of the packages in the binary, with their texts, and the SBOM beside them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use cargo_metadata::Package;

use crate::checkout::Checkout;
use crate::{sbom, shipped};

/// Returns both files, by the names under which they are shipped.
pub fn files(checkout: &Checkout, features: &[String]) -> Result<[(String, Vec<u8>); 2]> {
    let packages = shipped::packages(checkout, features)?;
    Ok([
        ("THIRD-PARTY-NOTICES.txt".to_owned(), notices(&packages)?.into_bytes()),
        ("rekeyd.cdx.json".to_owned(), sbom::sbom(checkout, &packages)?),
    ])
}

/// Writes both into a folder.
pub fn write(checkout: &Checkout, features: &[String], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for (name, bytes) in files(checkout, features)? {
        fs::write(directory.join(name), bytes)?;
    }
    Ok(())
}

/// All notices, one package after another.
fn notices(packages: &[&Package]) -> Result<String> {
    let mut text = String::from("rekeyd contains the following software of others.\n");
    for part in shipped::system_parts()? {
        heading(&mut text, part.name, &part.version, part.license);
        writeln!(text, "\n{}", part.notice)?;
    }
    let mut seen = HashMap::new();
    for package in packages {
        if *package.name != "rekeyd" {
            add(&mut text, &mut seen, package).with_context(|| format!("the licence of {}", package.name))?;
        }
    }
    Ok(text)
}

/// `seen` has each text so far, and where it stands: most packages bring the same ones.
fn add(text: &mut String, seen: &mut HashMap<String, String>, package: &Package) -> Result<()> {
    let Some(license) = &package.license else { bail!("{} names none", package.manifest_path) };
    heading(text, &package.name, &package.version.to_string(), license);
    if let Some(repository) = &package.repository {
        writeln!(text, "{repository}")?;
    }
    for file in license_files(package)? {
        let license = String::from_utf8_lossy(&fs::read(&file)?).trim_end().to_owned();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match seen.get(&license) {
            Some(place) => writeln!(text, "\n{name}: the same as {place}, above")?,
            None => writeln!(text, "\n{license}")?,
        }
        seen.entry(license).or_insert_with(|| format!("{name} of {} {}", package.name, package.version));
    }
    Ok(())
}

fn heading(text: &mut String, name: &str, version: &str, license: &str) {
    let line = "=".repeat(100);
    // Writing to a text can't fail.
    let _ = write!(text, "\n{line}\n{name} {version}   {license}\n{line}\n");
}

/// Those at a package's root, and those of the C code that it brings. Some packages have none: then the expression and
/// the address in the heading are what their authors left.
fn license_files(package: &Package) -> Result<Vec<PathBuf>> {
    let root = package.manifest_path.parent().context("a manifest is in a folder")?.as_std_path();
    let mut found = Vec::new();
    for folder in [root.to_owned(), root.join("aws-lc")] {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().to_ascii_uppercase();
            if entry.file_type()?.is_file() && KINDS.iter().any(|kind| name.starts_with(kind)) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

const KINDS: [&str; 5] = ["LICENSE", "LICENCE", "NOTICE", "COPYING", "UNLICENSE"];
