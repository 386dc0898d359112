//! The fuzz target: everything from outside that rekeyd parses. The handling of an input stands in `inputs.rs`.
#![no_main]

#[path = "../inputs.rs"]
mod inputs;

use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|input: &[u8]| -> Corpus { if inputs::read(input) { Corpus::Keep } else { Corpus::Reject } });
