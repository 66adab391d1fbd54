//! Runs `gatepost_fuzz::classic` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gatepost_fuzz::classic(data));
