//! The checked-in corpus of the fuzz target, `tests/fuzz`, read
//! without a fuzzer. Add every input that made a parser panic to it.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[path = "../fuzz/inputs.rs"]
mod inputs;

/// Every input of the corpus is read without a panic, and every parser has at least one input.
#[test]
fn corpus_covers_every_parser() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/inputs");
    let mut picked = BTreeSet::new();
    for entry in fs::read_dir(&corpus).unwrap() {
        let file = entry.unwrap().path();
        let input = fs::read(&file).unwrap();
        let read = catch_unwind(|| inputs::read(&input));
        assert!(matches!(read, Ok(true)), "{}: {read:?}", file.display());
        picked.extend(input.first().copied());
    }
    let parsers: BTreeSet<_> = inputs::PARSERS.iter().map(|(byte, _)| *byte).collect();
    assert_eq!(picked, parsers, "each parser has an input of its own in {}", corpus.display());
}
