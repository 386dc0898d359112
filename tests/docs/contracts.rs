//! The table of contract facts in the sandbox's doc names tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every file below `directory` that may hold a test; installed packages don't count.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of this package");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_ours = |path: &PathBuf| path.file_name().is_none_or(|name| name != "node_modules");
    let (directories, files): (Vec<_>, Vec<_>) = paths.filter(is_ours).partition(|path| path.is_dir());
    let has_tests = |path: &PathBuf| {
        path.extension().is_some_and(|kind| ["rs", "mjs", "py"].iter().any(|known| kind == *known))
    };
    let below = directories.iter().flat_map(|directory| sources(directory));
    files.into_iter().filter(has_tests).chain(below).collect()
}

/// Returns the names between backticks in the last column of each row.
fn named_tests(table: &str) -> Vec<&str> {
    let rows = table.lines().filter_map(|line| line.trim().strip_prefix('|')?.strip_suffix('|'));
    let last = rows.filter_map(|row| row.rsplit('|').next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

/// Returns true if one of the languages runs a test by this name.
fn is_a_test(text: &str, name: &str) -> bool {
    let has_attribute = |at: usize| {
        let before = text.get(..at).unwrap_or_default().trim_end_matches("async ").trim_end();
        before.ends_with("#[test]") || before.ends_with("#[tokio::test]") || is_flavoured(before)
    };
    let in_rust = text.match_indices(&format!("fn {name}(")).any(|(at, _)| has_attribute(at));
    in_rust
        || (name.starts_with("test_") && text.contains(&format!("    def {name}(self)")))
        || text.contains(&format!("\ntest('{name}'"))
}

/// Returns true for `#[tokio::test(...)]`.
fn is_flavoured(before: &str) -> bool {
    before.lines().next_back().is_some_and(|line| line.trim().starts_with("#[tokio::test("))
}

/// Every test that the table of contract facts in `CONTRACTS.md` names exists.
#[test]
fn contract_facts_name_existing_tests() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = super::read("src/sandbox/CONTRACTS.md");
    let all = ["src", "tests"].iter().flat_map(|directory| sources(&package.join(directory)));
    let text: String = all.map(|path| fs::read_to_string(path).expect("a source file")).collect();
    let named = named_tests(&table);
    assert!(named.len() > 150, "the table has lost its tests: {named:?}");
    let missing: Vec<_> = named.into_iter().filter(|name| !is_a_test(&text, name)).collect();
    assert!(missing.is_empty(), "CONTRACTS.md names tests that don't exist: {missing:#?}");
}
