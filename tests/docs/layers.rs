//! The order of the layers: each uses only what stands above it.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top; a layer may use those in front of it. `main` and `lib` may use all.
const LAYERS: [&str; 14] = [
    "domain",
    "ports",
    "clock",
    "config",
    "metrics",
    "telemetry",
    "shutdown",
    "reconcile",
    "azure",
    "triggers",
    "http",
    "sandbox",
    "app",
    "cli",
];

/// No file is longer: a longer one does two things.
const LONGEST_FILE: usize = 450;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file under `src`, with its path from there and its text.
fn sources() -> Vec<(PathBuf, String)> {
    let (mut open, mut found) = (vec![root()], Vec::new());
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("a directory can be read") {
            let path = entry.expect("an entry can be read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source can be read");
                found.push((path.strip_prefix(root()).expect("it is under src").to_owned(), text));
            }
        }
    }
    found
}

/// What follows `crate::` in code, with its line's number. A group (`crate::{…}`) comes out as an empty name.
fn used(text: &str) -> Vec<(usize, String)> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for (index, line) in code {
        for (at, word) in line.match_indices("crate::") {
            let (before, rest) = line.split_at(at);
            let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
            if before.ends_with(is_part) {
                continue;
            }
            let name = rest.trim_start_matches(word).split(|character| !is_part(character)).next();
            found.push((index + 1, name.unwrap_or_default().to_owned()));
        }
    }
    found
}

/// What of `text`, a file of `layer`, breaks the order.
fn breaches(layer: usize, text: &str) -> Vec<String> {
    let breach = |(line, name): (usize, String)| {
        if name.is_empty() {
            return Some(format!("line {line}: name one layer in a `use`"));
        }
        let other = LAYERS.iter().position(|layer| *layer == name)?;
        (other > layer).then(|| format!("line {line}: uses {name}, which stands below"))
    };
    used(text).into_iter().filter_map(breach).collect()
}

#[test]
fn a_layer_uses_only_what_stands_above_it() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(first) = path.components().next() else { continue };
        let first = first.as_os_str().to_string_lossy();
        if ["main.rs", "lib.rs"].contains(&&*first) {
            continue;
        }
        let layer = LAYERS.iter().position(|layer| *layer == first);
        let Some(layer) = layer else {
            wrong.push(format!("{}: no known layer", path.display()));
            continue;
        };
        wrong
            .extend(breaches(layer, &text).into_iter().map(|breach| format!("{}: {breach}", path.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_layer_that_uses_a_lower_one_is_found() {
    let ports = 1;
    assert!(breaches(ports, "use crate::domain::Action;\nuse crate::ports::Clock;").is_empty());
    assert!(breaches(ports, "//! [`crate::http`] is told in a comment").is_empty());
    assert_eq!(breaches(ports, "\nfn f() { crate::http::router() }").len(), 1);
    assert_eq!(breaches(ports, "#[cfg(test)]\nuse crate::sandbox::Sandbox;").len(), 1);
    assert_eq!(breaches(ports, "use crate::{http, domain};").len(), 1);
}

#[test]
fn every_layer_exists_and_stands_in_the_crate() {
    let library = fs::read_to_string(root().join("lib.rs")).expect("src/lib.rs can be read");
    for layer in LAYERS {
        assert!(root().join(layer).join("mod.rs").is_file(), "src/{layer}/mod.rs is missing");
        assert!(library.contains(&format!("pub mod {layer};")), "src/lib.rs lacks {layer}");
    }
    assert_eq!(library.matches("mod ").count(), LAYERS.len(), "src/lib.rs has a module that is no layer");
}

#[test]
fn no_source_is_too_long() {
    let lengths = sources().into_iter().map(|(path, text)| (path, text.lines().count()));
    let long: Vec<_> = lengths.filter(|(_, lines)| *lines > LONGEST_FILE).collect();
    assert!(long.is_empty(), "more than {LONGEST_FILE} lines: {long:?}");
}
