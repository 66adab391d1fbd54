//! What some trials need of the machine beyond Rust: without it they have shown nothing, and fail
//! with a sentence that says what is missing.

use std::process::{Command, Stdio};

/// Fails where there is no strace, or where it may not trace.
#[track_caller]
pub(crate) fn need_strace() {
    let probe = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .output();
    let probe = probe.expect("this test needs strace (apt-get install strace)");
    assert!(
        probe.status.success(),
        "this test needs strace, and here it may not trace (ptrace is forbidden?): {}",
        String::from_utf8_lossy(&probe.stderr)
    );
}
