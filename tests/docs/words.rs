//! Words that the field does not use in this sense: they appear nowhere, neither in files nor in their names.

use std::fs;
use std::path::Path;

use crate::root;

/// Single words, or words that follow each other, in whatever way they are joined.
const FORBIDDEN: [&[&str]; 7] =
    [&["wish"], &["wishes"], &["wished"], &["face"], &["faces"], &["wrong", "hands"], &["put", "aside"]];

/// Forbidden beginnings of the names of limits: use `MAX_` and `MIN_`.
pub(crate) const FORBIDDEN_LIMITS: [&str; 5] = ["MOST_", "LONGEST_", "SHORTEST_", "LARGEST_", "LEAST_"];

pub(crate) const SCANNED: [&str; 5] = ["src", "config", "deploy", "README.md", "tests"];

/// The old names of configuration keys, with which a file is refused, and this list.
const EXCEPTIONS: [&str; 2] = ["src/config/renamed.rs", "tests/docs/words.rs"];

/// Files of tools, and the files that tools leave behind.
const NOT_OURS: [&str; 6] =
    ["node_modules", "target", "artifacts", "__pycache__", "package-lock.json", "Cargo.lock"];

/// Lists the files under a path of the checkout, each from its root.
pub(crate) fn files(path: &str) -> Vec<String> {
    if root().join(path).is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(root().join(path)).expect("a folder can be read");
    let names = entries.map(|entry| entry.expect("an entry can be read").file_name());
    let names = names.map(|name| name.into_string().expect("a name in UTF-8"));
    names
        .filter(|name| !NOT_OURS.contains(&name.as_str()) && !name.starts_with('.'))
        .flat_map(|name| files(&format!("{path}/{name}")))
        .collect()
}

/// Splits text into lower-case words: at what is neither letter nor digit, and in CamelCase.
fn words(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let (mut words, mut word) = (Vec::new(), String::new());
    for (index, letter) in letters.iter().enumerate() {
        let (before, after) = (index.checked_sub(1).and_then(|at| letters.get(at)), letters.get(index + 1));
        if !letter.is_alphanumeric() || begins_word(before, *letter, after) {
            words.push(std::mem::take(&mut word));
        }
        word.extend(letter.to_lowercase().filter(|letter| letter.is_alphanumeric()));
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Returns true for a capital after a small letter, and for the last of several capitals before a small one.
fn begins_word(before: Option<&char>, letter: char, after: Option<&char>) -> bool {
    let is_small = |letter: Option<&char>| letter.is_some_and(|letter| letter.is_lowercase());
    letter.is_uppercase() && (is_small(before) || before.is_some() && is_small(after))
}

/// Lists the forbidden words in a text.
fn forbidden(text: &str) -> Vec<String> {
    let words = words(text);
    let in_words =
        FORBIDDEN.iter().filter(|forbidden| words.windows(forbidden.len()).any(|run| run == **forbidden));
    let limits = FORBIDDEN_LIMITS.iter().filter(|limit| names_limit(text, limit));
    in_words.map(|words| words.join(" ")).chain(limits.map(ToString::to_string)).collect()
}

fn names_limit(text: &str, limit: &str) -> bool {
    text.match_indices(limit)
        .any(|(at, _)| !text.split_at(at).0.ends_with(|before: char| before.is_alphanumeric()))
}

/// Lists the lines of a file with a forbidden word; words that are joined over a line's end count for the first line.
fn breaches(path: &str) -> Vec<String> {
    let text = fs::read(root().join(path)).expect(path);
    let text = String::from_utf8_lossy(&text);
    let all = forbidden(&text);
    let lines = (1..).zip(text.lines()).flat_map(|(number, line)| {
        forbidden(line).into_iter().map(move |word| format!("{path}:{number}: {word}"))
    });
    let lines: Vec<_> = lines.collect();
    let over_lines =
        all.into_iter().filter(|word| !lines.iter().any(|line| line.ends_with(&format!(": {word}"))));
    let over_lines: Vec<_> =
        over_lines.map(|word| format!("{path}: {word}, over the end of a line")).collect();
    [lines, over_lines].concat()
}

#[test]
fn forbidden_words_stand_nowhere() {
    let files = SCANNED.into_iter().flat_map(files).filter(|path| !EXCEPTIONS.contains(&path.as_str()));
    let wrong: Vec<_> = files.flat_map(|path| breaches(&path)).collect();
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
}

/// No file has a forbidden word in its name or path.
#[test]
fn no_file_name_has_forbidden_words() {
    let files: Vec<_> = SCANNED.into_iter().flat_map(files).collect();
    assert!(files.len() > 400 && files.iter().any(|file| Path::new(file).ends_with("deploy/compose.yaml")));
    let wrong: Vec<_> = files.into_iter().filter(|file| !forbidden(file).is_empty()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn forbidden_words_are_found_in_every_spelling() {
    for (text, word) in [
        ("a Wish of a person", "wish"),
        ("pub struct WishKind {", "wish"),
        ("rekeyd_wishes_total", "wishes"),
        ("const WISHES: [u8; 2]", "wishes"),
        ("enum HTTPFace", "face"),
        ("label_face=\"api\"", "face"),
        ("configuration-faces", "faces"),
        ("left_in_wrong_hands", "wrong hands"),
        ("// is in wrong\n    // hands, and", "wrong hands"),
        ("messages_put_aside_total", "put aside"),
        ("    MOST_ATTEMPTS: u32", "MOST_"),
    ] {
        assert_eq!(forbidden(text), [word], "{text}");
    }
    let others =
        "interfaces surface typeface Interface wishful handsome AT_MOST at_most_one almost_all mostly";
    assert_eq!(forbidden(others), Vec::<String>::new());
}
