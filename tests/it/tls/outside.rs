//! Clients that are not ours: OpenSSL's and Python's, in both versions, the latter also as one who cuts
//! the stream off.

use super::{made, served};
use crate::support::{PROGRAM, frame, uploads};
use serde_json::json;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Speaks frames inside TLS as a stranger would: a message, a file, and a question about it.
const PYTHON: &str = r#"
import json, socket, ssl, struct, sys
port, certificate, version = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=certificate)
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
raw = socket.create_connection(("127.0.0.1", port), timeout=20)
tls = context.wrap_socket(raw, server_hostname="localhost")
def frame(payload):
    tls.sendall(struct.pack("<i", len(payload)) + payload)
def read(n):
    data = b""
    while len(data) < n:
        piece = tls.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
def answer():
    return json.loads(read(struct.unpack("<i", read(4))[0]))
body = bytes(range(256)) * 4096
name = "python-" + version
frame(json.dumps({"msg_type": "msg", "id": 1}).encode()); frame("你好".encode())
assert answer()["ok"]
frame(json.dumps({"msg_type": "file", "id": 2, "file_name": name, "size": len(body)}).encode())
frame(body)
assert answer()["ok"]
frame(json.dumps({"msg_type": "get", "id": 3, "file_name": name}).encode())
assert answer()["ok"]
back = b""
while len(back) < len(body):
    back += read(struct.unpack("<i", read(4))[0])
assert back == body
tls.unwrap().close()
print(tls.version() or "done")
"#;

/// Sends and leaves, without a word and without having read anything.
const RUDE: &str = r#"
import json, socket, ssl, struct, sys
port, certificate = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=certificate)
raw = socket.create_connection(("127.0.0.1", port), timeout=20)
tls = context.wrap_socket(raw, server_hostname="localhost")
for n in range(200):
    for payload in (json.dumps({"msg_type": "msg"}).encode(), f"message {n}".encode()):
        tls.sendall(struct.pack("<i", len(payload)) + payload)
tls.close()
"#;

/// Runs a program on a terminal of its own, and answers when it asks to type yes.
const TERMINAL: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
said, asked = b"", False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    said += piece
    if not asked and b"type yes" in said:
        asked = True
        os.write(terminal, sys.argv[1].encode() + b"\n")
sys.stdout.buffer.write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
#[ignore = "needs python3"]
fn a_person_is_asked_about_an_unknown_server_once() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let server = format!("framed+tls://{}", served.address());
    let state = tempfile::tempdir().unwrap();
    let ping = |answer: &str| {
        let output = Command::new("timeout")
            .args([
                "20", "python3", "-c", TERMINAL, answer, PROGRAM, "ping", "--server", &server,
            ])
            .env("XDG_STATE_HOME", state.path())
            .output()
            .expect("python3 is there");
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let fingerprint = made.fingerprint.to_string();
    for answer in ["no", "", "y"] {
        let (code, said) = ping(answer);
        assert_eq!(code, Some(74), "{said}");
        assert!(said.lines().any(|line| line == fingerprint), "{said}");
        assert!(!said.contains("answered in"), "{said}");
    }
    let (code, said) = ping("yes");
    assert!(code == Some(0) && said.contains("answered in"), "{said}");
    let (code, said) = ping("no");
    assert!(
        code == Some(0) && !said.contains("type yes"),
        "it is known: {said}"
    );
}

#[track_caller]
fn python(script: &str, address: SocketAddr, certificate: &Path, version: &str) {
    let port = address.port().to_string();
    let output = Command::new("python3")
        .args(["-c", script, &port, certificate.to_str().unwrap(), version])
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .expect("python3 is there");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
}

#[test]
#[ignore = "needs python3"]
fn python_speaks_in_both_versions_and_may_leave_without_a_word() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let certificate = served.home().join("c.pem");
    std::fs::write(&certificate, &made.certificate).unwrap();
    for version in ["TLSv1_2", "TLSv1_3"] {
        python(PYTHON, served.address(), &certificate, version);
    }
    assert_eq!(uploads(served.home()), ["python-TLSv1_2", "python-TLSv1_3"]);
    for _ in 0..5 {
        python(RUDE, served.address(), &certificate, "");
    }
    let (summary, _home) = served.drain();
    assert_eq!(summary.messages, 2 + 5 * 200, "what was sent is there");
    assert_eq!((summary.cut_off, summary.stuck), (0, 0));
}

#[test]
#[ignore = "needs openssl"]
fn openssl_speaks_in_both_versions() {
    let made = made();
    let served = served(&made, &["framed+tls://127.0.0.1:0"], |_| {});
    let certificate = served.home().join("c.pem");
    std::fs::write(&certificate, &made.certificate).unwrap();
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                "-verify_return_error",
                version,
                "-CAfile",
            ])
            .arg(&certificate)
            .args(["-servername", "localhost", "-connect"])
            .arg(served.address().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is there");
        let mut input = client.stdin.take().unwrap();
        let ping = json!({"msg_type": "ping", "id": 7}).to_string();
        // The server closes after the second, and the client ends with it.
        let said = [frame(ping.as_bytes()), frame(b"close")].concat();
        input.write_all(&said).unwrap();
        let output = client.wait_with_output().unwrap();
        drop(input);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.stdout, frame(br#"{"id":7,"ok":true}"#), "{told}");
    }
}
