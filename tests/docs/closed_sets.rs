//! The lists of labels that metrics, the API and its description are made from have every variant.

use std::collections::BTreeSet;

use crate::sources;

/// Returns the text between `start` and the first `end` after it.
fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
}

/// Returns the variants in the first match of a function: those before its arrows.
fn variants(function: &str) -> BTreeSet<&str> {
    let words = function.split("Self::").skip(1);
    words.filter_map(|rest| rest.split(|part: char| !part.is_alphanumeric()).next()).collect()
}

fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

/// Returns the differences between the list of a type and its function `label`, which the compiler keeps complete.
fn differences(block: &str) -> Vec<String> {
    let Some(function) = between(block, "fn label(", "\n    }") else { return Vec::new() };
    let all = between(block, "const ALL: [Self;", "];").map(|list| (variants(list), variants(function)));
    let labels =
        between(block, "const LABELS: [&'static str;", "];").map(|list| (quoted(list), quoted(function)));
    let lists = all.into_iter().chain(labels);
    lists
        .flat_map(|(list, known)| {
            list.symmetric_difference(&known).map(ToString::to_string).collect::<Vec<_>>()
        })
        .collect()
}

/// Each `ALL` and `LABELS` has what the function `label` of its type has.
#[test]
fn lists_of_variants_are_complete() {
    let mut lists = 0;
    for source in sources("src") {
        for block in source.text.split("\nimpl ").skip(1) {
            let block = block.split("\n}").next().unwrap_or_default();
            let is_list =
                block.contains("const ALL: [Self;") || block.contains("const LABELS: [&'static str;");
            lists += usize::from(is_list && block.contains("fn label("));
            assert_eq!(differences(block), Vec::<String>::new(), "{}", source.path);
        }
    }
    assert!(lists >= 9, "only {lists} lists were found");
}

/// A variant that a list lacks is found.
#[test]
fn missing_variant_is_found() {
    let function = "fn label(self) -> &str {\n        match self {\n            Self::A => \"a\",\n            Self::B { .. } => \"b\",\n        }\n    }\n";
    assert_eq!(differences(&format!("const ALL: [Self; 1] = [Self::A];\n    {function}")), ["B"]);
    assert_eq!(differences(&format!("const LABELS: [&'static str; 1] = [\"a\"];\n    {function}")), ["b"]);
    assert!(differences(&format!("const ALL: [Self; 2] = [Self::A, Self::B];\n    {function}")).is_empty());
}
