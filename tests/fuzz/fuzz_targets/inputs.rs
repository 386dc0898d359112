//! The fuzz target: all external input that rekeyd parses. `inputs.rs` handles one input.
#![no_main]

#[path = "../inputs.rs"]
mod inputs;

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus { if inputs::read(input) { Corpus::Keep } else { Corpus::Reject } });
