//! Runs a script of `tests/oracle/` in its Python environment, which the first run makes.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What the script prints when it is given a text.
pub(crate) fn run(script: &str, input: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/oracle");
    let prepared = Command::new(folder.join("prepare")).stderr(Stdio::inherit()).output().unwrap();
    assert!(
        prepared.status.success(),
        "tests/oracle/prepare failed; it needs python3-venv and, once, the network"
    );
    let python = String::from_utf8(prepared.stdout).unwrap();
    let mut child = Command::new(python.trim())
        .arg(folder.join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{script} failed");
    String::from_utf8(output.stdout).unwrap()
}
