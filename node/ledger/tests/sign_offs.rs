//! Sign-offs of reconciliations: what is accepted, why others aren't, and that every byte counts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::Value;
use sudare_crypto::derive::Seed;
use sudare_crypto::{Hash, NodeId, Text};
use sudare_disclosure::threshold::{Officer, OfficerKey};
use sudare_ledger::bundle::sign_off::{SignOff, SignOffError, Subject};
use sudare_ledger::bundle::{Bundle, FileHash};

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

fn officer(name: &str, seed: u8) -> (OfficerKey, Officer) {
    let key = OfficerKey::new(Seed([seed; 32]));
    let card = Officer { name: text(name), id: key.id() };
    (key, card)
}

fn file(name: &str) -> FileHash {
    FileHash { name: text(name), bytes: 3, sha256: Hash([3; 32]) }
}

fn report() -> Subject {
    let files = vec![file("breaks.csv"), file("report.json")].try_into().unwrap();
    Subject::Report { as_of: text("2031-05-02"), files }
}

#[test]
fn sign_offs_are_those_of_the_specification() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/sign_off.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bytes = |value: &Value| -> Vec<u8> {
        let digits = value.as_str().unwrap();
        let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(pair).collect()
    };
    let officers: Vec<Officer> = vectors["officers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|officer| Officer {
            name: text(officer["name"].as_str().unwrap()),
            id: NodeId(bytes(&officer["id"]).try_into().unwrap()),
        })
        .collect();
    let read = |value: &Value| match Bundle::parse(&bytes(value)) {
        Ok(Bundle::SignOff(sign_off)) => Some(*sign_off),
        _ => None,
    };
    for case in vectors["accepted"].as_array().unwrap() {
        let sign_off = read(&case["file"]).unwrap();
        let (maker, checker) = sign_off.verify(&officers).unwrap();
        assert_eq!(vectors["maker"], maker.name.as_str(), "{}", case["why"]);
        assert_eq!(vectors["checker"], checker.name.as_str(), "{}", case["why"]);
        assert_eq!(Bundle::SignOff(Box::new(sign_off)).to_bytes(), bytes(&case["file"]));
    }
    let first = read(&vectors["accepted"][0]["file"]).unwrap();
    let Subject::Report { files, .. } = first.subject else {
        unreachable!("the first is a report")
    };
    let listed = vectors["files"].as_array().unwrap();
    assert_eq!(files.len(), listed.len());
    for (place, file) in files.iter().enumerate() {
        let data = bytes(&listed[place]["data"]);
        assert_eq!(listed[place]["name"], file.name.as_str());
        assert_eq!(file.bytes, u64::try_from(data.len()).unwrap());
        assert_eq!(file.sha256, sudare_ledger::access::sha256(&data));
    }
    let refused = vectors["refused"].as_array().unwrap();
    assert!(refused.len() > 30);
    for case in refused {
        let taken = read(&case["file"]).is_some_and(|sign_off| sign_off.verify(&officers).is_ok());
        assert!(!taken, "{}", case["why"]);
    }
}

/// [REC-4]
#[test]
fn a_report_is_signed_by_two_officers_and_the_second_signs_what_the_first_signed() {
    let ((aoki, first), (baba, second)) = (officer("aoki", 1), officer("baba", 2));
    let cards = [first.clone(), second.clone()];
    let half = SignOff::make(report(), &aoki, 7).unwrap();
    assert_eq!(half.verify(&cards), Err(SignOffError::Unchecked(aoki.id())));
    let same = half.clone().check(&aoki, 8).unwrap_err();
    assert_eq!(same, SignOffError::Same(aoki.id().to_string()));
    let both = half.clone().check(&baba, 8).unwrap();
    assert_eq!(both.verify(&cards), Ok((&first, &second)));
    assert_eq!(both.clone().check(&baba, 9).unwrap_err(), SignOffError::Checked);

    // A key whose card wasn't given, in either place.
    let unknown = |who, key: &OfficerKey| Err(SignOffError::Unknown(who, key.id()));
    assert_eq!(both.verify(&cards[1..]), unknown("maker", &aoki));
    assert_eq!(both.verify(&cards[..1]), unknown("checker", &baba));
    // Two keys of one person.
    let namesake = Officer { name: text("aoki"), id: baba.id() };
    assert_eq!(both.verify(&[first, namesake]), Err(SignOffError::Same("aoki".into())));

    // The two swapped, a checker's signature under another maker's, a time changed, and a checker who takes a broken half.
    let mut swapped = both.clone();
    swapped.made = both.checked.clone().unwrap();
    swapped.checked = Some(both.made.clone());
    assert_eq!(swapped.verify(&cards), Err(SignOffError::Signature("maker")));
    let mut later = SignOff::make(report(), &aoki, 9).unwrap();
    later.checked.clone_from(&both.checked);
    assert_eq!(later.verify(&cards), Err(SignOffError::Signature("checker")));
    let mut earlier = half;
    earlier.made.at = 6;
    assert_eq!(earlier.check(&baba, 8).unwrap_err(), SignOffError::Signature("maker"));
}

/// [REC-6]
#[test]
fn nobody_signs_or_takes_a_list_of_files_that_is_none() {
    let (aoki, _) = officer("aoki", 1);
    let day = "2031-05-02";
    let make = |as_of: &str, names: &[&str]| {
        let files: Vec<FileHash> = names.iter().map(|name| file(name)).collect();
        let subject = Subject::Report { as_of: text(as_of), files: files.try_into().unwrap() };
        SignOff::make(subject, &aoki, 7)
    };
    assert!(make(day, &["a.xml", "report.json", "report.pdf"]).is_ok());
    let lists: [&[&str]; 6] = [
        &[],
        &["report.pdf"],
        &["report.pdf", "report.json"],
        &["report.json", "report.json"],
        &["../report.json", "report.json"],
        &[".report", "report.json"],
    ];
    for names in lists {
        assert!(matches!(make(day, names), Err(SignOffError::Content(_))), "{names:?}");
    }
    for as_of in ["", "2031-5-2", "2031/05/02", "20310502--"] {
        assert!(matches!(make(as_of, &["report.json"]), Err(SignOffError::Content(_))), "{as_of}");
    }
}

#[test]
fn every_byte_of_a_sign_off_counts() {
    let ((aoki, first), (baba, second)) = (officer("aoki", 1), officer("baba", 2));
    let accept = Subject::Accept {
        id: text("0123456789abcdef0123456789abcdef"),
        difference: text("-12"),
        reason: text("端数"),
    };
    for subject in [report(), accept] {
        let both = SignOff::make(subject, &aoki, 7).unwrap().check(&baba, 8).unwrap();
        let whole = Bundle::SignOff(Box::new(both)).to_bytes();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let taken = match Bundle::parse(&changed) {
                Ok(Bundle::SignOff(changed)) => {
                    changed.verify(&[first.clone(), second.clone()]).is_ok()
                }
                _ => false,
            };
            assert!(!taken, "byte {at}");
        }
    }
}
