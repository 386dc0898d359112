//! The order of the layers: each uses only those listed before it.

use std::fs;

use crate::source::Source;
use crate::{root, sources};

/// The layers, from the bottom up; a layer may use those before it. `main` and `lib` may use all.
const LAYERS: [&str; 17] = [
    "domain",
    "ports",
    "clock",
    "config",
    "metrics",
    "telemetry",
    "shutdown",
    "reconcile",
    "commands",
    "diagnostics",
    "azure",
    "triggers",
    "http",
    "sandbox",
    "app",
    "manual",
    "cli",
];

/// Returns the names that follow `crate::` in code, each with its line. A group (`crate::{…}`) gives an empty name.
fn used(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with("//")) {
        for (at, word) in line.match_indices("crate::") {
            let (before, rest) = line.split_at(at);
            if before.ends_with(is_part) {
                continue;
            }
            let name = rest.trim_start_matches(word).split(|part| !is_part(part)).next();
            found.push((number, name.unwrap_or_default().to_owned()));
        }
    }
    found
}

fn is_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn position(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

/// Returns the layer of a source, or nothing for the files of the crate itself.
fn layer(source: &Source) -> Option<&str> {
    source.path.strip_prefix("src/")?.split_once('/').map(|(folder, _)| folder)
}

/// Lists the uses in `text`, a file of `layer`, that break the order.
fn breaches(layer: &str, text: &str) -> Vec<String> {
    let Some(layer) = position(layer) else { return vec!["is in no known layer".to_owned()] };
    used(text)
        .into_iter()
        .filter_map(|(line, name)| match position(&name) {
            Some(other) => (other > layer).then(|| format!("line {line} uses {name}, a later layer")),
            None => name.is_empty().then(|| format!("line {line}: name one layer in a `use`")),
        })
        .collect()
}

#[test]
fn a_layer_uses_only_those_before_it() {
    let mut wrong = Vec::new();
    for source in sources("src") {
        let Some(layer) = layer(&source) else { continue };
        wrong.extend(breaches(layer, &source.text).iter().map(|breach| format!("{}: {breach}", source.path)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The check finds a layer that uses a later layer, also in tests and in grouped imports, but not in comments.
#[test]
fn layer_using_a_later_one_is_found() {
    assert!(breaches("ports", "use crate::domain::Action;\nuse crate::ports::Clock;").is_empty());
    assert!(breaches("ports", "//! [`crate::http`] is named in a comment").is_empty());
    assert_eq!(breaches("ports", "\nfn f() { crate::http::router() }").len(), 1);
    assert_eq!(breaches("ports", "#[cfg(test)]\nuse crate::sandbox::Sandbox;").len(), 1);
    assert_eq!(breaches("ports", "use crate::{http, domain};").len(), 1);
    assert_eq!(breaches("unknown", "").len(), 1);
}

/// Every layer of the list has a module in `src`, and `src/lib.rs` has no module that is not a layer.
#[test]
fn layers_are_exactly_the_crate_modules() {
    let library = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs can be read");
    for layer in LAYERS {
        assert!(root().join("src").join(layer).join("mod.rs").is_file(), "src/{layer}/mod.rs is missing");
        assert!(library.contains(&format!("pub mod {layer};")), "src/lib.rs lacks {layer}");
    }
    assert_eq!(library.matches("mod ").count(), LAYERS.len(), "src/lib.rs has a module that is not a layer");
}
