//! `sudare message`: what nodes keep as ISO 20022 messages, checked by `sudare message check` and by a package that others made.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sudare_tests::system::Place;
use sudare_tests::system::network::{SOLD, sold};

const A: &str = "-c net/custodian-a/node.toml";
const B: &str = "-c net/custodian-b/node.toml";
const REGISTRAR: &str = "-c net/registrar/node.toml";

/// The value of an element, as `message check` says it.
fn value<'a>(check: &'a Value, element: &str) -> &'a str {
    let values = check["values"].as_array().unwrap();
    let found = values.iter().find(|one| one["element"] == element);
    found.and_then(|one| one["value"].as_str()).unwrap_or_else(|| panic!("{element}: {check:#}"))
}

fn check(place: &Place, file: &str) -> Value {
    let all = place.says(&format!("message check {file} -o json")).well().json();
    assert_eq!(all.as_array().unwrap().len(), 1, "{all}");
    assert_eq!(all[0]["unread"], json!([]), "{all}");
    all[0].clone()
}

/// What the package `python-iso20022` finds wrong, by the standard's schemas.
fn oracle(texts: &[String]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    let prepared = Command::new(folder.join("prepare")).stderr(Stdio::inherit()).output().unwrap();
    assert!(
        prepared.status.success(),
        "tests/oracle/prepare needs python3-venv and, once, the network"
    );
    let python = String::from_utf8(prepared.stdout).unwrap();
    let mut child = Command::new(python.trim())
        .arg(folder.join("iso20022_messages.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = texts.iter().map(|text| format!("{}\n", json!({ "xml": text }))).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> =
        answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), texts.len());
    for (place, text) in texts.iter().enumerate() {
        assert_eq!(answers[place]["faults"], json!([]), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nodes_keep_is_written_as_messages_that_others_read() {
    let (network, _desk) = sold("S-1").await;
    let place = &network.place;
    let write = |line: &str, file: &str| {
        let _ = place.says(&format!("message write {line} --out {file}")).well();
        check(place, file)
    };
    let dated = "--trade-id S-9 --delivery-date 2026-11-27";
    let open =
        format!("receive {B} --from-node custodian-a --asset {SOLD} --to INV-2 --quantity 7");
    let _ = place.says(&format!("{open} {dated}")).well();
    let _ = place.says(&format!("register snapshot {REGISTRAR} --asset {SOLD}")).well();

    let held = write(&format!("holdings {A}"), "a.xml");
    assert_eq!(held["message"], "semt.002.001.11");
    assert!(rows(&held).contains(&vec!["INV-1", SOLD, "990", "", ""]), "{held}");
    let register = write(&format!("holdings {REGISTRAR} --asset {SOLD}"), "all.xml");
    for row in [["INV-1", SOLD, "990", "", ""], ["INV-2", SOLD, "10", "", ""]] {
        assert!(rows(&register).contains(&row.to_vec()), "{register}");
    }
    let of_b = write(&format!("holdings {REGISTRAR} --custodian custodian-b"), "b.xml");
    assert!(!rows(&of_b).iter().any(|row| row[0] == "INV-1"), "{of_b}");
    // A custodian's statement is its view in a reconciliation.
    let _ = place.says(&format!("reconcile fetch {REGISTRAR} --out r")).well();
    let views = "--register r/register.csv --view custodian-a=a.xml --view custodian-b=b.xml";
    let run = format!("reconcile run {views} --as-of 2026-11-27 --out report -o json");
    assert_eq!(place.says(&run).well().json()["compared"], 2);

    let period = "--from 2000-01-01 --until 2099-12-31";
    let booked = write(&format!("transactions {A} {period} --investor INV-1"), "booked.xml");
    let moves: Vec<_> = rows(&booked).iter().map(|row| [row[3], row[4], row[5]]).collect();
    assert_eq!(moves, [["RECE", "1000", "FREE"], ["DELI", "10", "FREE"]], "{booked}");
    let before = "--from 2000-01-01 --until 2000-01-02";
    let none = write(&format!("transactions {A} {before}"), "none.xml");
    assert_eq!((rows(&none).len(), value(&none, "StmtGnlDtls/ActvtyInd")), (0, "false"));
    let pending = write(&format!("pending {B}"), "pending.xml");
    assert_eq!(rows(&pending), [["S-9", SOLD, "RECE", "7", "FREE", "2026-11-27"]]);

    let status = write(&format!("status {B} S-9"), "status.xml");
    assert_eq!(value(&status, "TxDtls/SfkpgAcct/Id"), "INV-2");
    assert_eq!(value(&status, "MtchgSts/Umtchd/Rsn/Cd/Cd"), "CMIS");
    let settled = write(&format!("confirmation {A} S-1"), "settled.xml");
    assert_eq!(value(&settled, "RcvgSttlmPties/Pty1/Id/PrtryId/Id"), "custodian-b");
    assert_eq!(value(&settled, "QtyAndAcctDtls/SttldQty/Qty/Unit"), "10");
    let shown = place.says(&format!("tx show {A} S-1 -o json")).well().json();
    let tx = shown["trades"][0]["tx"].as_str().unwrap();
    assert_eq!(value(&settled, "SplmtryData/Envlp/Evidence/Value"), format!("{tx} tx"));
    let fixed = format!("record-date {REGISTRAR} --asset {SOLD} --snapshot 0 --event interest");
    let fixed = write(&format!("{fixed} --day 2026-11-30 --payment 2026-12-15"), "date.xml");
    assert_eq!(value(&fixed, "CorpActnGnlInf/EvtTp/Cd"), "INTR");
    assert_eq!(value(&fixed, "CorpActnDtls/DtDtls/RcrdDt/Dt"), "2026-11-30");

    let files = ["a", "all", "b", "booked", "none", "pending", "status", "settled", "date"];
    let text = |name: &str| fs::read_to_string(place.join(&format!("{name}.xml"))).unwrap();
    let texts: Vec<String> = files.map(text).to_vec();
    oracle(&texts);
    // Without --out it is the message and nothing else.
    let printed = place.says(&format!("message write confirmation {A} S-1")).well().out;
    assert_eq!(printed, texts[7]);
    what_cannot_be_written(place);
}

fn rows(check: &Value) -> Vec<Vec<&str>> {
    let rows = check["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect())
        .collect()
}

fn what_cannot_be_written(place: &Place) {
    let refused = |line: &str, code: i32, words: &[&str]| {
        let ran = place.says(&format!("message write {line} --out no.xml"));
        let _ = ran.badly(code, words);
        assert!(!place.join("no.xml").exists(), "{line}");
    };
    let undated = format!("receive {B} --from-node custodian-a --asset {SOLD} --to INV-2");
    let _ = place.says(&format!("{undated} --quantity 7 --trade-id S-0")).well();
    refused(&format!("status {B} S-0"), 1, &["S-0", "--delivery-date"]);
    refused(&format!("confirmation {B} S-9"), 1, &["S-9", "has not settled"]);
    refused(&format!("cancellation {A} S-1"), 1, &["S-1", "has not asked"]);
    refused(&format!("confirmation {A} NONE"), 2, &["NONE"]);
    refused(&format!("confirmation {A} S-1 --counterparty registrar"), 2, &["S-1"]);
    refused(&format!("status {REGISTRAR} S-1"), 2, &["custodian's node"]);
    refused(&format!("holdings {A} --investor INV-2"), 2, &["INV-2", "no account"]);
    refused(&format!("holdings {A} --custodian custodian-b"), 2, &["--custodian"]);
    refused(&format!("holdings {A} --asset NONE"), 2, &["NONE"]);
    let turned = "--from 2026-11-28 --until 2026-11-27";
    refused(&format!("transactions {A} {turned}"), 2, &["--until is before"]);
    refused(&format!("transactions {A} --from today --until 2026-11-27"), 2, &["--from"]);
    let none = format!("record-date {REGISTRAR} --asset {SOLD} --snapshot 7");
    refused(&none, 2, &["no register snapshot 7"]);
    let early = format!("record-date {REGISTRAR} --asset {SOLD} --snapshot 0 --day 2026-11-30");
    refused(&format!("{early} --payment 2026-11-29"), 2, &["--payment"]);
    let long = "X".repeat(36);
    refused(&format!("holdings {A} --id {long}"), 1, &["35 characters"]);
    let _ = place.says(&format!("message write holdings {A} --out a.xml")).badly(4, &["a.xml"]);
}

/// Every example of the specification is read, and what is wrong is said with its line and its place.
#[test]
fn a_message_is_checked_without_a_node_and_told_where_it_is_wrong() {
    let place = Place::default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut kinds = Vec::new();
    for entry in fs::read_dir(root.join("specs/vectors/iso20022")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        fs::copy(&path, place.join(&name)).unwrap();
        let said = check(&place, &name);
        assert!(name.starts_with(said["message"].as_str().unwrap()), "{name}");
        let people = place.says(&format!("message check {name}")).well().out;
        assert!(people.contains(said["name"].as_str().unwrap()), "{people}");
        kinds.push((name, fs::read_to_string(&path).unwrap()));
    }
    assert_eq!(kinds.len(), 11);
    let (_, good) = kinds.iter().find(|(name, _)| name.starts_with("sese.025")).unwrap();
    let wrong = |from: &str, to: &str, words: &[&str]| {
        let changed = good.replacen(from, to, 1);
        assert_ne!(&changed, good, "{from}");
        fs::write(place.join("wrong.xml"), &changed).unwrap();
        let _ = place.says("message check wrong.xml").badly(1, words);
        let line = good.split(from).next().unwrap().matches('\n').count() + 1;
        let _ =
            place.says("message check wrong.xml").badly(1, &[&format!("wrong.xml, line {line}: ")]);
    };
    let quantity = "/Document/SctiesSttlmTxConf/QtyAndAcctDtls/SttldQty/Qty/Unit";
    wrong("<Unit>100</Unit>", "<Unit>a hundred</Unit>", &[quantity, "decimal number"]);
    wrong("<ISIN>ZZ0000DEMO11", "<ISIN>ZZ0000DEMO12", &["FinInstrmId/ISIN", "check digit"]);
    wrong("<Pmt>APMT", "<Pmt>ALSO", &["TxIdDtls/Pmt", "code"]);
    wrong("<TxIdDtls>", "<TxIdDtls>text", &["TxIdDtls", "may not be there"]);
    wrong("<Dt>2026-11-27</Dt>", "<Dt>2026-11-31</Dt>", &["SttlmDt", "a date as"]);
    wrong("<Document ", "<!DOCTYPE a><Document ", &["document type"]);
    wrong("sese.025.001.11", "sese.025.001.10", &["doesn't handle"]);
    wrong("</FinInstrmId>", "</FinInstr>", &["not well-formed"]);
    fs::write(place.join("more.xml"), good.replacen("<TradDtls>", "<TradDtls><New>1</New>", 1))
        .unwrap();
    let more = place.says("message check more.xml").well().out;
    assert!(more.contains("doesn't read") && more.contains("TradDtls/New"), "{more}");
    fs::write(place.join("empty.xml"), "").unwrap();
    let _ = place.says("message check empty.xml").badly(1, &["not well-formed"]);
    let _ = place.says("message check nowhere.xml").badly(4, &["nowhere.xml"]);
}
