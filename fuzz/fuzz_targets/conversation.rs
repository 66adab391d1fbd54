//! Runs `gatepost_fuzz::conversation` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatepost_fuzz::conversation(data));
