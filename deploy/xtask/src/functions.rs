//! The package for Azure Functions: a custom handler with its functions. `deploy/functions/README.md` describes its layout.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::binary::Binary;
use crate::checkout::{Checkout, output};
use crate::notices;

/// Checks the configuration with the binary that is packed, packs both, and prints the path of the package.
pub fn pack(checkout: &Checkout, binary: &Binary, config: &Path) -> Result<PathBuf> {
    // As under a host, which chooses the address itself.
    let mut check = binary.command();
    check.env("FUNCTIONS_CUSTOMHANDLER_PORT", "1").args(["check-config", "--config"]).arg(config);
    output(&mut check)?;
    let mut files = handler_files(&checkout.root().join("deploy/functions"))?;
    files.push(("rekeyd".to_owned(), fs::read(binary.path())?));
    files.push(("rekeyd.toml".to_owned(), fs::read(config)?));
    files.extend(notices::files(checkout, &[])?);
    files.sort();
    fs::create_dir_all(checkout.packages_directory())?;
    let name = format!("rekeyd-functions-{}-{}.zip", checkout.version()?, checkout.target());
    let path = checkout.packages_directory().join(name);
    zip(&path, &files)?;
    Ok(path)
}

/// Lists `host.json`, and each folder that has a `function.json`: other files are documentation.
fn handler_files(folder: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = vec![("host.json".to_owned(), fs::read(folder.join("host.json"))?)];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let function = entry.path().join("function.json");
        if function.is_file() {
            files.push((
                format!("{}/function.json", entry.file_name().to_string_lossy()),
                fs::read(function)?,
            ));
        }
    }
    Ok(files)
}

/// Every file has the same time (zip's first), so that the same files give the same bytes.
fn zip(path: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    let mut archive = ZipWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    for (name, bytes) in files {
        let mode = if name == "rekeyd" { 0o755 } else { 0o644 };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(mode);
        archive.start_file(name.as_str(), options)?;
        archive.write_all(bytes)?;
    }
    archive.finish()?;
    Ok(())
}
