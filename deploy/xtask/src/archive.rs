//! The release archive, for machines without a container.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use crate::binary::Binary;
use crate::checkout::Checkout;
use crate::notices;

/// Packs the archive, prints its path, and writes its checksum beside it.
pub fn pack(checkout: &Checkout, features: &[String], binary: &Binary) -> Result<PathBuf> {
    let name = format!("rekeyd-{}-{}", checkout.version()?, checkout.target());
    let mut files = vec![(String::from("rekeyd"), fs::read(binary.path())?)];
    files.extend(from_binary(checkout, binary)?);
    for (path, name) in COPIES {
        let bytes = fs::read(checkout.root().join(path)).with_context(|| path.to_owned())?;
        files.push(((*name).to_owned(), bytes));
    }
    files.extend(notices::files(checkout, features)?);
    files.sort();
    fs::create_dir_all(checkout.packages_directory())?;
    let path = checkout.packages_directory().join(format!("{name}.tar.gz"));
    fs::write(&path, tar(&name, &files, checkout.epoch()?)?)?;
    Ok(path)
}

/// The man pages and completions, which the binary itself writes: so they are of this very version.
fn from_binary(checkout: &Checkout, binary: &Binary) -> Result<Vec<(String, Vec<u8>)>> {
    let pages = checkout.target_directory().join("man");
    let _ = fs::remove_dir_all(&pages);
    binary.output(&["man", &pages.to_string_lossy()])?;
    let mut files = Vec::new();
    for section in MAN_SECTIONS {
        for page in fs::read_dir(pages.join(section))? {
            let page = page?;
            let name = format!("man/{section}/{}", page.file_name().to_string_lossy());
            files.push((name, fs::read(page.path())?));
        }
    }
    for (shell, name) in SHELLS {
        files.push((format!("completions/{name}"), binary.output(&["completions", shell])?.into_bytes()));
    }
    Ok(files)
}

/// Owned by root and dated alike, so that the same files give the same bytes.
fn tar(folder: &str, files: &[(String, Vec<u8>)], epoch: u64) -> Result<Vec<u8>> {
    let mut archive = Builder::new(GzBuilder::new().mtime(0).write(Vec::new(), Compression::best()));
    for (name, bytes) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len().try_into()?);
        header.set_mode(if name == "rekeyd" { 0o755 } else { 0o644 });
        header.set_mtime(epoch);
        archive.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
    }
    let mut compressed = archive.into_inner()?.finish()?;
    compressed.flush()?;
    Ok(compressed)
}

/// Files of the checkout, and their places in the archive.
const COPIES: &[(&str, &str)] = &[
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE", "LICENSE"),
    ("README.md", "README.md"),
    ("config/rekeyd.toml", "rekeyd.toml"),
    ("deploy/prometheus/rules.yml", "prometheus/rules.yml"),
    ("deploy/systemd/rekeyd.service", "systemd/rekeyd.service"),
];

/// The sections of the manual for which the binary writes pages.
const MAN_SECTIONS: &[&str] = &["man1", "man5"];

/// Shells, and the name that each gives to the file of a command's completions.
const SHELLS: &[(&str, &str)] = &[("bash", "rekeyd.bash"), ("fish", "rekeyd.fish"), ("zsh", "_rekeyd")];
