//! Plain English in comments and messages: how comments open, and words that the field does not use.

use std::fs;

use crate::source::Source;
use crate::words::{SCANNED, files};
use crate::{root, sources};

/// A comment that opens with one of these has no verb and no subject of its own.
const OPENERS: [&str; 6] = ["What", "Whether", "Who", "Whose", "Whom", "Where"];

/// Words that stand nowhere, not even in code.
const FORBIDDEN: [&[&str]; 6] =
    [&["whoever"], &["whom"], &["somebody"], &["nobody"], &["anew"], &["for", "ever"]];

/// Talk about talk: "the log tells", "is said to be". Rare in technical English.
const TALK: [&str; 6] = ["told", "tell", "tells", "said", "say", "says"];

const MAX_TALK_PER_10_000_WORDS: usize = 10;

/// The rules themselves, here and in the files that state them.
const EXCEPTIONS: [&str; 1] = ["tests/docs/english.rs"];

/// Returns the text of a line comment or doc comment.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim_start())
}

fn opens_badly(line: &str) -> bool {
    let first = comment(line).and_then(|text| text.split(|letter: char| !letter.is_alphabetic()).next());
    first.is_some_and(|word| OPENERS.contains(&word))
}

/// Splits text into lower-case words.
fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase)
}

fn forbidden(line: &str) -> Option<String> {
    let words: Vec<_> = words(line).collect();
    let found =
        FORBIDDEN.iter().find(|forbidden| words.windows(forbidden.len()).any(|run| run == **forbidden));
    found.map(|words| words.join(" "))
}

/// Returns the prose of a source: its comments, and what stands between quotes.
fn prose(source: &Source) -> String {
    let mut prose = String::new();
    for line in source.text.lines() {
        let (code, comment) = line.split_once("//").unwrap_or((line, ""));
        prose.extend(code.split('"').skip(1).step_by(2).flat_map(|quoted| [quoted, "\n"]));
        prose.extend([comment, "\n"]);
    }
    prose
}

#[test]
fn no_comment_opens_without_verb() {
    let all = ["src", "tests", "deploy/xtask/src"].into_iter().flat_map(sources);
    let wrong: Vec<_> = all.flat_map(|source| places(&source.path, &source.text, opens_badly)).collect();
    assert!(wrong.is_empty(), "{} comments:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn antiquated_words_stand_nowhere() {
    let paths = SCANNED.into_iter().flat_map(files).filter(|path| !EXCEPTIONS.contains(&path.as_str()));
    let wrong: Vec<_> = paths.flat_map(|path| antiquated(&path)).collect();
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
}

fn antiquated(path: &str) -> Vec<String> {
    let text = fs::read(root().join(path)).expect(path);
    places(path, &String::from_utf8_lossy(&text), |line| forbidden(line).is_some())
}

/// Lists the lines of a file that `is_wrong` finds.
fn places(path: &str, text: &str, is_wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| is_wrong(line));
    lines.map(|(number, line)| format!("{path}:{number}: {}", line.trim())).collect()
}

/// In comments and messages of the product, and of its tests, hardly anything "tells" or "says".
#[test]
fn comments_and_messages_seldom_talk() {
    for folder in ["src", "tests"] {
        let sources = sources(folder);
        let sources = sources.iter().filter(|source| !EXCEPTIONS.contains(&source.path.as_str()));
        let prose: String = sources.map(prose).collect();
        let all = words(&prose).count();
        let talk = words(&prose).filter(|word| TALK.contains(&word.as_str())).count();
        assert!(all > 10_000, "{folder}: {all} words");
        assert!(talk * 10_000 < all * MAX_TALK_PER_10_000_WORDS, "{folder}: {talk} in {all} words");
    }
}

#[test]
fn each_rule_finds_its_breaches() {
    for line in
        ["    /// Whether it is due.", "//! What is simulated", "// Who asked", "    //! Where it listens"]
    {
        assert!(opens_badly(line), "{line}");
    }
    for line in ["/// Whatever is due is rotated.", "/// Returns what is due.", "let what = 1; // What"] {
        assert!(!opens_badly(line), "{line}");
    }
    for line in ["asks nobody", "for ever", "\"Somebody has to\"", "made anew"] {
        assert!(forbidden(line).is_some(), "{line}");
    }
    assert_eq!(forbidden("forever, renewal, whomsoever"), None);
    let text = "let said = f(\"is said\"); // and told".to_owned();
    let prose = prose(&Source { path: "src/x.rs".to_owned(), text });
    assert_eq!(words(&prose).filter(|word| TALK.contains(&word.as_str())).count(), 2, "{prose}");
}
