//! Names in code: limits are called `MAX_` and `MIN_`.

use crate::sources;
use crate::words::FORBIDDEN_LIMITS;

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
    assert_eq!(declared_constant("    pub(crate) const MAX_WAIT: Duration = HOUR;"), Some("MAX_WAIT"));
    assert_eq!(declared_constant("fn constant() {"), None);
}
