//! Audits: what a regulator's replay showed, signed; and what each changed byte and each contradiction is answered with.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;

use common::chain::*;
use common::*;
use serde_json::Value;
use sudare_crypto::encoding::Version;
use sudare_crypto::{Hash, NodeId, NodeKey};
use sudare_disclosure::Fields;
use sudare_ledger::audit::Replay;
use sudare_ledger::bundle::{Audit, AuditFileError, Bundle, FileHash, KeyRead, SignedAudit};
use sudare_ledger::log::Entry;

fn reader() -> NodeKey {
    NodeKey::from_seed(&[77; 32])
}

/// An audit of a log of three entries.
fn audit(asset: &Asset) -> Audit {
    let mut rng = rng(3);
    let held = Holder::new(1).slot(asset, 0, &mut rng);
    let draft = Plan::issue(vec![(held, 9)]).draft(asset, &mut rng);
    let leg = finalise(draft.prove(&mut rng), &[], WINDOW, &mut rng);
    let entries = [Entry::Terms(asset.signed()), Entry::Leg(Box::new(leg))];
    let (bytes, checkpoint) = published(asset, &entries);
    let mut replay = Replay::new(asset_log(asset), vec![asset.key(0, 1).clone()], rng.clone());
    for (index, bytes) in bytes.iter().enumerate() {
        replay.push(index.try_into().unwrap(), bytes).unwrap();
    }
    let report = replay.finish(&checkpoint, &mut |_, _| None).unwrap();
    let keys: Vec<KeyRead> =
        replay.keys().map(|(point, epoch, fields)| KeyRead { point, epoch, fields }).collect();
    assert_eq!(keys.len(), 1, "the registrar's own was not used");
    let name = |name: &str| FileHash { name: text(name), bytes: 3, sha256: Hash([3; 32]) };
    Audit {
        version: Version,
        at: NOW,
        reader: reader().id(),
        log: report.log,
        checkpoint,
        keys: keys.try_into().unwrap(),
        scope: None,
        reads: Vec::new().try_into().unwrap(),
        figures: (&report).into(),
        program: text("a test"),
        files: vec![name("a.csv"), name("b.csv")].try_into().unwrap(),
    }
}

fn refused(audit: Audit) -> AuditFileError {
    audit.sign(&reader()).verify(reader().id()).unwrap_err()
}

#[test]
fn an_audit_states_what_its_replay_showed_under_the_reader_s_signature() {
    let asset = Asset::new("JP0000000001", &[&[Fields::ALL]], &mut rng(1));
    let signed = audit(&asset).sign(&reader());
    assert_eq!(signed.verify(reader().id()), Ok(()));
    assert_eq!(
        signed.audit.figures.to_string(),
        "legs 0..1 of 1, none missing, none unreadable, supply = minted - burned = 9 - 0 = 9"
    );
    assert_eq!(signed.is_of(&asset.terms.core), Ok(()));
    let other = Asset::new("JP0000000002", &[&[Fields::ALL]], &mut rng(1));
    assert_eq!(signed.is_of(&other.terms.core), Err(AuditFileError::OtherAsset));
    let stranger = NodeKey::from_seed(&[78; 32]);
    let by_another = AuditFileError::OtherReader(reader().id());
    assert_eq!(signed.verify(stranger.id()), Err(by_another));
    let forged = SignedAudit { audit: audit(&asset), ..audit(&asset).sign(&stranger) };
    assert_eq!(forged.verify(reader().id()), Err(AuditFileError::Signature));
}

#[test]
fn an_audit_that_contradicts_itself_or_its_checkpoint_is_refused_whoever_signed_it() {
    let asset = Asset::new("JP0000000001", &[&[Fields::ALL]], &mut rng(1));
    let mut said = BTreeSet::new();
    let mut wrong = |change: &dyn Fn(&mut Audit)| {
        let mut changed = audit(&asset);
        change(&mut changed);
        let error = refused(changed).to_string();
        assert!(error.contains("[AUD-") && error.contains("refuse it"), "{error}");
        said.insert(error);
    };
    wrong(&|one| one.figures.supply += 1);
    wrong(&|one| one.figures.entries += 1);
    wrong(&|one| one.figures.legs = one.figures.entries);
    wrong(&|one| one.figures.holders = None);
    wrong(&|one| one.figures.false_memos = 1);
    wrong(&|one| one.log.registrar = reader().id());
    wrong(&|one| one.keys = vec![one.keys[0]; 2].try_into().unwrap());
    wrong(&|one| {
        one.files = one.files.iter().rev().cloned().collect::<Vec<_>>().try_into().unwrap()
    });
    assert_eq!(said.len(), 8, "each in its own words: {said:#?}");
    for name in ["..", "../a", "a/b", ".a", "", "a b"] {
        let mut changed = audit(&asset);
        let file = FileHash { name: text(name), bytes: 0, sha256: Hash([0; 32]) };
        changed.files = vec![file].try_into().unwrap();
        assert_eq!(refused(changed), AuditFileError::Lists("files"), "{name:?}");
    }
}

#[test]
fn every_byte_of_an_audit_counts() {
    let asset = Asset::new("JP0000000001", &[&[Fields::ALL]], &mut rng(1));
    let file = Bundle::Audit(Box::new(audit(&asset).sign(&reader()))).to_bytes();
    assert_every_byte_counts(
        &file,
        |bytes| matches!(Bundle::parse(bytes), Ok(Bundle::Audit(one)) if one.verify(reader().id()).is_ok()),
    );
}

#[test]
fn audits_are_those_of_the_specification() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/audit.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes = |value: &Value| -> Vec<u8> {
        let digits = value.as_str().unwrap();
        let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(pair).collect()
    };
    let reader = NodeId(bytes(&vectors["reader"]).try_into().unwrap());
    let read = |value: &Value| match Bundle::parse(&bytes(value)) {
        Ok(Bundle::Audit(signed)) => Some(*signed),
        _ => None,
    };
    let mut statements = Vec::new();
    for case in vectors["accepted"].as_array().unwrap() {
        let signed = read(&case["file"]).unwrap();
        assert_eq!(signed.verify(reader), Ok(()), "{}", case["why"]);
        statements.push(signed.audit.figures.to_string());
        assert_eq!(Bundle::Audit(Box::new(signed)).to_bytes(), bytes(&case["file"]));
    }
    assert_eq!(statements.first().map(String::as_str), vectors["statement"].as_str());
    let refused = vectors["refused"].as_array().unwrap();
    assert!(refused.len() > 30);
    for case in refused {
        let taken = read(&case["file"]).is_some_and(|signed| signed.verify(reader).is_ok());
        assert!(!taken, "{}", case["why"]);
    }
}
