//! The files that two custodians send each other, as the reference makes them from the specification alone.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Hash, Malformed};
use sudare_disclosure::AssetId;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::statement::{Answer, Answered, Closing, Offered, Statement, StatementError};

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// What the left party keeps of its offer.
fn offered(case: &Value) -> Offered {
    let [offer, nonce, blinding] =
        ["offer", "left_nonce", "left_blinding"].map(|name| bytes(&case[name]));
    decode(&[&[1][..], &offer, &nonce, &blinding, &[0]].concat(), "what was offered").unwrap()
}

/// What the right party keeps of its answer.
fn answered(case: &Value) -> Answered {
    let parts = ["offer", "answer", "right_nonce", "right_blinding"];
    let parts = parts.map(|name| bytes(&case[name]));
    decode(&[&[1][..], &parts.concat()].concat(), "what was answered").unwrap()
}

fn answer(case: &Value) -> Result<Answer, Malformed> {
    decode(&bytes(&case["answer"]), "an answer")
}

#[test]
fn the_files_of_joint_statements_are_those_of_the_specification() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/statement.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let asset = AssetId(Hash(bytes(&vectors["asset"]).try_into().unwrap()));
    let run = &vectors["joint"];
    let mut left = offered(run);
    assert_eq!(left.offer().check(asset, &mut rng(1)), Ok(()));
    let closing = left.close(&answer(run).unwrap(), &mut rng(2)).unwrap();
    assert_eq!(encode(&closing), bytes(&run["closing"]));
    let finish = |closing: &Closing| answered(run).finish(closing, &mut rng(3));
    let file = |statement: Statement| Bundle::Statement(Box::new(statement)).to_bytes();
    assert_eq!(file(finish(&closing).unwrap()), bytes(&run["file"]));

    for case in run["answers"].as_array().unwrap() {
        let why = &case["why"];
        let Ok(answer) = answer(case) else {
            assert_eq!(case["becomes"], "ENC-1", "{why}");
            continue;
        };
        let error = offered(case).close(&answer, &mut rng(4)).err();
        let error = error.unwrap_or_else(|| panic!("closed: {why}"));
        let differ = matches!(error, StatementError::Differ(_));
        assert_eq!(differ, case["becomes"] == "differ", "{why}: {error}");
    }
    for case in run["closings"].as_array().unwrap() {
        let closing: Closing = decode(&bytes(&case["closing"]), "a closing").unwrap();
        let error = finish(&closing).err().unwrap_or_else(|| panic!("{}", case["why"]));
        let expected = match case["rule"].as_str().unwrap() {
            "JNT-3" => StatementError::Nonce,
            "STM-1" => StatementError::Share,
            _ => StatementError::OtherFile,
        };
        assert_eq!(error, expected, "{}", case["why"]);
    }
}
