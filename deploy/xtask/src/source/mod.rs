//! The Rust sources of a checkout, and figures about them. `tests/docs` includes this module, so that what
//! `cargo xtask measure` prints is what the tests hold: it uses the standard library alone and knows no other module.

mod figures;

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Error};
use std::path::Path;

pub(crate) use self::figures::Figures;

/// A Rust source.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the root of the checkout, with `/` between folders.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Reads every Rust source under a folder of the checkout, in the order of their paths.
    ///
    /// # Errors
    ///
    /// A file or folder can't be read, or is not UTF-8.
    pub(crate) fn read_all(root: &Path, folder: &str) -> io::Result<Vec<Self>> {
        let (mut sources, mut folders) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(folder) = folders.pop() {
            for path in entries(root, &folder)? {
                if root.join(&path).is_dir() {
                    folders.push(path);
                } else if Path::new(&path).extension() == Some(OsStr::new("rs")) {
                    sources.push(Self { text: fs::read_to_string(root.join(&path))?, path });
                }
            }
        }
        sources.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(sources)
    }

    /// Returns true for a source of the daemon: the sandbox and files of tests are not shipped.
    pub(crate) fn is_product(&self) -> bool {
        self.path.starts_with("src/") && !self.path.starts_with("src/sandbox/") && !self.is_test()
    }

    /// Returns true for a file that only tests use, by its name or its folder's.
    pub(crate) fn is_test(&self) -> bool {
        self.path.trim_end_matches(".rs").split('/').any(|part| {
            part == "tests" || part == "properties" || part.starts_with("tests_") || part.ends_with("_tests")
        })
    }

    /// Returns the lines of code that is shipped, each with its number from 1: items under `#[cfg(test)]` are left out.
    pub(crate) fn product_lines(&self) -> Vec<(usize, &str)> {
        let mut lines = (1..).zip(self.text.lines());
        let mut kept = Vec::new();
        while let Some((number, line)) = lines.next() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                skip_item(&mut lines, indent(line));
            } else {
                kept.push((number, line));
            }
        }
        kept
    }
}

/// Lists the paths in a folder of the checkout, each from its root.
fn entries(root: &Path, folder: &str) -> io::Result<Vec<String>> {
    fs::read_dir(root.join(folder))?
        .map(|entry| {
            let name = entry?.file_name();
            let name =
                name.to_str().ok_or_else(|| Error::other(format!("{} is not UTF-8", name.display())))?;
            Ok(format!("{folder}/{name}"))
        })
        .collect()
}

/// Takes the lines of the item that follows an attribute: further attributes, then up to the line that ends it.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>, indent: usize) {
    while let Some((_, line)) = lines.next() {
        if line.trim_start().starts_with("#[") {
            skip_to_end(lines, line, indent, &["]"]);
        } else {
            return skip_to_end(lines, line, indent, &[";", "}", "},"]);
        }
    }
}

/// Takes lines until one stands at `indent` and ends in one of `ends`, as `first` may already do.
fn skip_to_end<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a str)>,
    first: &'a str,
    indent: usize,
    ends: &[&str],
) {
    let has_ended = |line: &str| self::indent(line) == indent && ends.iter().any(|end| line.ends_with(end));
    if !has_ended(first) {
        lines.find(|(_, line)| has_ended(line));
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
