//! The shape of the code: lengths of files and functions, and closures bound to a name.

use crate::source::{Figures, Source};
use crate::sources;

/// The limit of a file's length: a longer file does two things.
const MAX_FILE_LINES: usize = 400;

const MAX_CLOSURES_PER_1000_LINES: f64 = 1.0;

const MAX_MEDIAN_LINES: usize = 7;
const MAX_LINES_OF_90_PERCENT: usize = 20;
const MAX_PERCENT_OVER_60_LINES: f64 = 0.2;

/// Returns the figures that `cargo xtask measure` prints.
fn figures() -> Figures {
    Figures::of(sources("src").iter().filter(|source| source.is_product()))
}

fn figures_of(text: &str) -> Figures {
    Figures::of([&Source { path: "src/domain/x.rs".to_owned(), text: text.to_owned() }])
}

#[test]
fn no_file_is_too_long() {
    let sources = ["src", "tests", "deploy/xtask/src"].into_iter().flat_map(sources);
    let lengths = sources.map(|source| (source.text.lines().count(), source.path));
    let long: Vec<_> = lengths.filter(|(lines, _)| *lines > MAX_FILE_LINES).collect();
    assert!(long.is_empty(), "more than {MAX_FILE_LINES} lines: {long:?}");
}

#[test]
fn closures_are_seldom_bound_to_a_name() {
    let figures = figures();
    assert!(figures.closures_per_1000_lines() < MAX_CLOSURES_PER_1000_LINES, "{figures}");
}

#[test]
fn functions_are_short() {
    let figures = figures();
    assert!(figures.functions.len() > 1_000, "{figures}");
    assert!(figures.length_of(50) <= MAX_MEDIAN_LINES, "{figures}");
    assert!(figures.length_of(90) <= MAX_LINES_OF_90_PERCENT, "{figures}");
    assert!(figures.percent_longer_than(60) <= MAX_PERCENT_OVER_60_LINES, "{figures}");
}

#[test]
fn what_is_measured_holds_no_tests() {
    for source in sources("src").iter().filter(|source| source.is_product()) {
        let left = source.product_lines().into_iter().find(|(_, line)| line.contains("#[test]"));
        assert_eq!(left, None, "{}", source.path);
    }
}

/// A function's length counts from the first word of its signature to its closing brace.
#[test]
fn function_length_includes_signature_and_brace() {
    let figures = figures_of(METHODS);
    let lengths: Vec<_> = figures.functions.iter().map(|function| function.lines).collect();
    assert_eq!(lengths, [1, 3, 6], "{figures}");
    assert_eq!((figures.length_of(50), figures.length_of(100)), (3, 6));
    assert_eq!(figures.longer_than(3).len(), 1);
}

const METHODS: &str = "\
pub(in crate::domain) async fn long(
    one: u8,
) -> u8 {
    let two = { one };
    two
}

trait Named {
    fn name(&self) -> String;
    fn nothing(&self) {}
    fn default(&self) -> u8 {
        3
    }
}
";

#[test]
fn closures_bound_to_a_name_are_counted() {
    for bound in [
        "let is_due = |at| at > now;",
        "    let mut next = move || 1;",
        "let read = async |id| id;",
        "let read: Box<dyn Read> = async move |id| id;",
    ] {
        assert_eq!(figures_of(bound).closures.len(), 1, "{bound}");
    }
    for other in ["let a = b.map(|c| c);", "let (a, b) = |c| c;", "let a = b || c;", "// let a = |b| b;"] {
        assert_eq!(figures_of(other).closures.len(), 0, "{other}");
    }
}

#[test]
fn items_of_tests_are_not_measured() {
    let source = Source { path: "src/domain/x.rs".to_owned(), text: TESTS.to_owned() };
    let kept: Vec<_> = source.product_lines().into_iter().map(|(number, _)| number).collect();
    assert_eq!(kept, [3, 4, 13], "{TESTS}");
    for (path, is_product) in [
        ("src/domain/tags.rs", true),
        ("src/domain/decide/tests.rs", false),
        ("src/domain/decide/proof_tests.rs", false),
        ("src/domain/tests/tags.rs", false),
        ("src/sandbox/clock.rs", false),
        ("tests/docs/main.rs", false),
    ] {
        let source = Source { path: path.to_owned(), text: String::new() };
        assert_eq!(source.is_product(), is_product, "{path}");
    }
}

const TESTS: &str = "\
#[cfg(test)]
mod more_tests;
fn one() {
}
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    reason = \"\"
)]
mod tests {
    fn two() {}
}
fn three() {}
";
