//! Certificates of erasures: what is accepted, and that every byte counts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use sudare_crypto::NodeId;
use sudare_ledger::bundle::{Bundle, SignedErasure};

#[test]
fn certificates_are_those_of_the_specification() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/erasure.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes = |value: &Value| -> Vec<u8> {
        let digits = value.as_str().unwrap();
        let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(pair).collect()
    };
    let house = NodeId(bytes(&vectors["house"]).try_into().unwrap());
    let read = |value: &Value| -> Option<SignedErasure> {
        match Bundle::parse(&bytes(value)) {
            Ok(Bundle::Erasure(signed)) => Some(*signed),
            _ => None,
        }
    };
    for case in vectors["accepted"].as_array().unwrap() {
        let signed = read(&case["file"]).unwrap();
        assert_eq!(signed.verify(house), Ok(()), "{}", case["why"]);
        assert_eq!(vectors["row"], signed.erasure.row.as_str());
        assert_eq!(vectors["key"], signed.erasure.key.to_string());
        assert_eq!(Bundle::Erasure(Box::new(signed)).to_bytes(), bytes(&case["file"]));
    }
    let refused = vectors["refused"].as_array().unwrap();
    assert!(refused.len() > 20);
    for case in refused {
        let taken = read(&case["file"]).is_some_and(|signed| signed.verify(house).is_ok());
        assert!(!taken, "{}", case["why"]);
    }
}
