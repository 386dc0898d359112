//! The tiers of the tests: a test that needs more than Rust and a C compiler is ignored, and its attribute names the
//! program that it needs. `.ci/test` runs these tests as well, and counts them by the same attributes.

use crate::sources;

/// Returns the name of the program behind `#[ignore = "needs …"]`.
fn needed(line: &str) -> Option<&str> {
    let name = line.strip_prefix("#[ignore = \"needs ")?.strip_suffix("\"]")?;
    let is_name = |part: char| part.is_ascii_alphanumeric() || part == '-';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// Every ignored test names the program that it needs.
#[test]
fn ignored_tests_name_their_needs() {
    let sources: Vec<_> = ["src", "tests"].into_iter().flat_map(sources).collect();
    let lines =
        sources.iter().flat_map(|source| source.text.lines().map(move |line| (&source.path, line.trim())));
    let ignored: Vec<_> = lines.filter(|(_, line)| line.starts_with("#[ignore")).collect();
    let wrong: Vec<_> = ignored.iter().filter(|(_, line)| needed(line).is_none()).collect();
    assert!(ignored.len() > 10 && wrong.is_empty(), "{} ignored, not by a need: {wrong:?}", ignored.len());
}

/// An attribute without a reason, with another reason or without a program is not a need.
#[test]
fn other_reasons_are_not_needs() {
    assert_eq!(needed("#[ignore = \"needs promtool\"]"), Some("promtool"));
    for other in
        ["#[ignore]", "#[ignore = \"slow\"]", "#[ignore = \"needs \"]", "#[ignore = \"needs a break\"]"]
    {
        assert_eq!(needed(other), None, "{other}");
    }
}
