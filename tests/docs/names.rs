//! Names in code: a type's name is declared once in the product, and limits are called `MAX_` and `MIN_`.

use std::collections::BTreeMap;

use crate::sources;
use crate::words::FORBIDDEN_LIMITS;

const KEYWORDS: [&str; 5] = ["struct", "enum", "trait", "type", "union"];

/// Returns the name of the type that a line declares. Types inside of an `impl` or `trait` are its own, and a macro's
/// are declared where it is called.
fn declared_type(line: &str) -> Option<&str> {
    let mut words = words(line);
    let keyword = words.next().filter(|word| KEYWORDS.contains(word))?;
    let is_associated = keyword == "type" && line.starts_with(' ');
    words.next().filter(|name| !is_associated && name.starts_with(|first: char| first.is_ascii_uppercase()))
}

/// Returns the name of the constant or static that a line declares.
fn declared_constant(line: &str) -> Option<&str> {
    let mut words = words(line);
    words.next().filter(|word| ["const", "static"].contains(word))?;
    words.next()
}

/// Returns the words of a line of code, without visibility.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_start();
    let line = line.strip_prefix("pub").map_or(line, |rest| match rest.split_once(") ") {
        Some((_, rest)) if line.starts_with("pub(") => rest,
        Some(_) | None => rest,
    });
    let words = line.split(|part: char| !(part.is_ascii_alphanumeric() || part == '_'));
    words.filter(|word| !word.is_empty())
}

#[test]
fn a_type_name_is_declared_once() {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for source in sources("src").iter().filter(|source| source.is_product()) {
        for (number, line) in source.product_lines() {
            let Some(name) = declared_type(line) else { continue };
            places.entry(name.to_owned()).or_default().push(format!("{}:{number}", source.path));
        }
    }
    assert!(places.len() > 100, "{places:?}");
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "declared more than once: {places:#?}");
}

#[test]
fn limits_are_called_max_and_min() {
    let mut wrong = Vec::new();
    for source in ["src", "tests", "deploy"].into_iter().flat_map(sources) {
        let constants = (1..).zip(source.text.lines()).filter_map(|(number, line)| {
            let name = declared_constant(line)
                .filter(|name| FORBIDDEN_LIMITS.iter().any(|limit| name.starts_with(limit)))?;
            Some(format!("{}:{number}: {name}", source.path))
        });
        wrong.extend(constants);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn declarations_are_found() {
    for (line, name) in [
        ("struct Standing {", Some("Standing")),
        ("pub(crate) enum Kind {", Some("Kind")),
        ("    pub(in crate::sandbox) struct Known(u8);", Some("Known")),
        ("pub trait Clock: Send {", Some("Clock")),
        ("type Check = fn(&Observed) -> bool;", Some("Check")),
        ("    type Error = PortError;", None),
        ("/// struct in a comment", None),
        ("        pub struct $name(Uuid);", None),
        ("let kind = structure;", None),
    ] {
        assert_eq!(declared_type(line), name, "{line}");
    }
    assert_eq!(declared_constant("    pub(crate) const MAX_WAIT: Duration = HOUR;"), Some("MAX_WAIT"));
    assert_eq!(declared_constant("fn constant() {"), None);
}
