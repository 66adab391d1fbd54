//! Runs `gatepost_fuzz::incoming` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatepost_fuzz::incoming(data));
