//! Runs `gatepost_fuzz::listen` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatepost_fuzz::listen(data));
