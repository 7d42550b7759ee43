//! ISO 20022 messages against the package `python-iso20022`, made by others: see `tests/oracle/`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod oracle;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sudare_api::iso20022::{FaultKind, Message};

/// [ISO-1]
#[test]
fn what_we_write_is_read_and_written_back_by_an_independent_package() {
    let examples = examples();
    assert_eq!(examples.len(), Message::IDS.len(), "one example of each message");
    let mut requests = Vec::new();
    for (name, text) in &examples {
        let parsed = Message::parse(text.as_bytes()).unwrap();
        assert!(name.starts_with(parsed.message.id()), "{name}");
        assert_eq!(parsed.unread, [""; 0], "{name}");
        assert_eq!(&parsed.message.to_xml(), text, "{name} is as we write it");
        requests.push(json!({ "xml": text }));
    }
    let answers = ask(&requests);
    for (index, (name, text)) in examples.iter().enumerate() {
        let answer = &answers[index];
        assert_eq!(answer["faults"], json!([]), "{name}");
        let back = Message::parse(answer["xml"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(back, Message::parse(text.as_bytes()).unwrap(), "{name}");
    }
}

/// [ISO-2]
#[test]
fn of_what_an_independent_package_writes_nothing_is_lost_without_a_word() {
    let seeds = 0..25;
    let making = Message::IDS
        .iter()
        .flat_map(|id| seeds.clone().map(move |seed| json!({ "make": id, "seed": seed })));
    let made = ask(&making.collect::<Vec<_>>());
    let mut read = BTreeMap::new();
    let mut requests = Vec::new();
    for answer in &made {
        assert_eq!(answer["faults"], json!([]));
        let text = answer["xml"].as_str().unwrap();
        match Message::parse(text.as_bytes()) {
            Ok(parsed) => {
                *read.entry(parsed.message.id()).or_insert(0) += 1;
                let (xml, unread) = (parsed.message.to_xml(), parsed.unread);
                requests.push(json!({ "xml": xml, "of": text, "unread": unread }));
            }
            // It says more than we handle, and we say so.
            Err(fault) => {
                assert!(
                    matches!(fault.kind, FaultKind::NotHandled | FaultKind::Code),
                    "{fault}\n{text}"
                );
            }
        }
    }
    for answer in ask(&requests) {
        assert_eq!(answer["faults"], json!([]), "{answer}");
    }
    assert_eq!(read.len(), Message::IDS.len(), "{read:?}");
}

fn ask(requests: &[Value]) -> Vec<Value> {
    let lines: String = requests.iter().map(|request| format!("{request}\n")).collect();
    let answers = oracle::run("iso20022_messages.py", &lines);
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), requests.len());
    answers
}

/// Names and texts of `specs/vectors/iso20022/`.
fn examples() -> Vec<(String, String)> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("specs/vectors/iso20022");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}
