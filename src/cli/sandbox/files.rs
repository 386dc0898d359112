//! The files of a sandbox run: its CA, its tokens and a configuration for a daemon.

use std::io;
use std::path::{Path, PathBuf};

/// The directory of a run: one that the user chose and that stays, or a temporary one.
pub(super) struct Files {
    directory: PathBuf,
    is_kept: bool,
}

impl Files {
    /// Creates the directory: `chosen`, or a temporary one of this process.
    pub(super) fn create(chosen: Option<&Path>) -> io::Result<Self> {
        let name = format!("rekeyd-sandbox-{}", std::process::id());
        let directory = chosen.map_or_else(|| std::env::temp_dir().join(name), Path::to_owned);
        std::fs::create_dir_all(&directory)?;
        Ok(Self { directory: directory.canonicalize()?, is_kept: chosen.is_some() })
    }

    /// Returns the path of a file.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns what becomes of the files when the run ends, in one or two lines.
    pub(super) fn fate(&self) -> String {
        let directory = self.directory.display();
        if self.is_kept {
            format!("The files in {directory} stay when it ends.")
        } else {
            format!(
                "The files in {directory} are removed when it ends.\n\
                 Start it with --dir DIR to keep them, and rekeyd.toml as an example."
            )
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.is_kept {
            // A temporary directory that can't be removed is left to the system.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}
