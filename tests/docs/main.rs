//! The documents agree with the code: README.md, the manual, CHANGELOG.md, the doc comments of actions, the order of
//! the layers, names, the shape of the code, and the tiers of the tests.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod boundaries;
mod closed_sets;
mod contracts;
mod english;
mod generated;
mod layers;
mod manual;
mod names;
mod sandbox_modules;
mod shape;
#[path = "../../deploy/xtask/src/source/mod.rs"]
mod source;
mod tiers;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use rekeyd::metrics::Metrics;

use crate::source::Source;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Reads a file of this package.
fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

/// Reads the Rust sources under a folder of this package.
fn sources(folder: &str) -> Vec<Source> {
    Source::read_all(&root(), folder).expect("sources can be read")
}

/// Returns true if `text` has `word`, not as a part of a longer word.
fn names(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, rest) = text.split_at(at);
        let after = rest.strip_prefix(word).unwrap_or_default();
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// The manual, the alert rules and the dashboard name only metrics that exist.
#[test]
fn documents_name_only_existing_metrics() {
    for path in ["src/manual/metrics.md", "deploy/prometheus/rules.yml", "deploy/grafana/rekeyd.json"] {
        let text = read(path);
        let unknown: Vec<_> = text
            .split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
            .filter(|word| word.starts_with("rekeyd_") && !is_metric(word))
            .collect();
        assert!(unknown.is_empty(), "{path} has no metrics of src/metrics: {unknown:?}");
    }
}

/// Returns true for a metric of rekeyd, and for the series that a histogram has.
fn is_metric(name: &str) -> bool {
    ["", "_bucket", "_sum", "_count"]
        .iter()
        .filter_map(|suffix| name.strip_suffix(suffix))
        .any(|name| Metrics::NAMES.contains(&name))
}

/// Every relative link in the documents leads to an existing file.
#[test]
fn links_of_documents_lead_to_files() {
    for document in DOCUMENTS {
        let text = read(document);
        let links: Vec<_> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        let folder = root().join(document);
        let folder = folder.parent().expect("a document is in a folder");
        for link in links.iter().filter(|link| !link.starts_with("http") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(folder.join(file).exists(), "{document} links to {link}");
        }
    }
    assert!(read("README.md").contains("](deploy/"));
}

const DOCUMENTS: [&str; 6] = [
    "README.md",
    "deploy/azure/README.md",
    "deploy/azure/permissions.md",
    "deploy/functions/README.md",
    "deploy/kubernetes/README.md",
    "deploy/systemd/README.md",
];

/// The changelog begins with `[Unreleased]` and has an entry for this version.
#[test]
fn changelog_has_unreleased_and_this_version() {
    let changelog = read("CHANGELOG.md");
    let mut heads = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(heads.next(), Some("[Unreleased]"));
    let version = format!("[{}]", env!("CARGO_PKG_VERSION"));
    assert!(heads.any(|head| head.starts_with(&version)), "CHANGELOG.md lacks {version}");
}

/// The doc comment of every `Action` variant has the section `If it stops half-way`.
#[test]
fn every_action_documents_stopping_half_way() {
    let source = read("src/domain/decision.rs");
    let body = source.split("pub enum Action {").nth(1).and_then(|rest| rest.split("\n}\n").next());
    let body = body.expect("src/domain/decision.rs has `pub enum Action`");
    // The variants stand one level in, their doc comments in front of them.
    let (mut doc, mut variants) = (String::new(), Vec::new());
    for line in body.lines().filter_map(|line| line.strip_prefix("    ")) {
        if line.starts_with("///") {
            doc.push_str(line);
        } else if line.starts_with(|first: char| first.is_ascii_uppercase()) {
            variants.push((line.to_owned(), std::mem::take(&mut doc)));
        }
    }
    assert_eq!(variants.len(), rekeyd::domain::ActionKind::ALL.len(), "{variants:?}");
    for (variant, doc) in variants {
        assert!(doc.contains("# If it stops half-way"), "Action::{variant} lacks `# If it stops half-way`");
    }
}
