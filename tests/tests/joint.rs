//! `sudare statement offer`, `answer`, `close` and `finish` as two custodians run them, and an authority that verifies what comes of it
//! on a machine with nothing but files.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;

use sudare_tests::system::network::{SOLD, sold};
use sudare_tests::system::{Place, Ran};

const NONCE: &str = "0909090909090909090909090909090909090909090909090909090909090909";

/// The seller, at custodian-a, offers to state how much more it holds.
fn offer(place: &Place, by: u64, name: &str) -> Ran {
    let of =
        format!("--registrar registrar --asset {SOLD} --snapshot 0 --investor INV-1 --by {by}");
    let to = format!("--recipient Authority --nonce {NONCE}");
    let files = format!("--state {name}.a --out {name}");
    place.says(&format!("statement offer -c net/custodian-a/node.toml {of} {to} {files}"))
}

/// The buyer, at custodian-b, answers.
fn answer(place: &Place, offer: &str, name: &str) -> Ran {
    let files = format!("--investor INV-2 --state {name}.b --out {name}");
    place.says(&format!("statement answer -c net/custodian-b/node.toml {offer} {files}"))
}

fn close(place: &Place, offer: &str, answer: &str, out: &str) -> Ran {
    let files = format!("{answer} --state {offer}.a --out {out}");
    place.says(&format!("statement close -c net/custodian-a/node.toml {files}"))
}

fn finish(place: &Place, answer: &str, closing: &str, out: &str) -> Ran {
    let files = format!("{closing} --state {answer}.b --out {out}");
    place.says(&format!("statement finish -c net/custodian-b/node.toml {files}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_custodians_state_a_difference_without_the_registrar_and_an_authority_verifies_it() {
    let (network, _desk) = sold("J-1").await;
    let place = &network.place;
    let _ = offer(place, 980, "early").badly(1, &["register snapshot"]);
    let fix = format!("register snapshot -c net/registrar/node.toml --asset {SOLD}");
    let _ = place.says(&fix).well();
    // The seller has 990, the buyer 10.
    let said = offer(place, 980, "offer").well().out;
    assert!(said.contains("980 more") && said.contains("access log"), "{said}");
    let said = answer(place, "offer", "answer").well().out;
    assert!(said.contains("980 more") && said.contains("access log"), "{said}");
    let _ = close(place, "offer", "offer", "no").badly(1, &["not an answer"]);
    let _ = close(place, "offer", "answer", "closing").well();
    // The closing may get lost, and is made again as it was; another answer gets none.
    let _ = close(place, "offer", "answer", "again").well();
    assert_eq!(fs::read(place.join("closing")).unwrap(), fs::read(place.join("again")).unwrap());
    let _ = answer(place, "offer", "second").well();
    let _ = close(place, "offer", "second", "no").badly(1, &["[JNT-3]", "make a new offer"]);
    let _ = finish(place, "second", "closing", "no").badly(1, &["does not belong"]);
    let _ = finish(place, "answer", "closing", "stated").well();

    // Of what isn't so nothing is stated, and nobody's total is shown.
    let _ = offer(place, 981, "false").well();
    let _ = answer(place, "false", "denied").well();
    let _ = close(place, "false", "denied", "no").badly(1, &["do not differ by 981"]);
    assert!(!place.join("no").exists());
    recorded(place);

    let authority = Place::default();
    fs::copy(place.join("stated"), authority.join("stated")).unwrap();
    let witness = "checkpoint witness -c net/custodian-b/node.toml --registrar registrar";
    let _ = place.says(&format!("{witness} --asset {SOLD} --out seen")).well();
    fs::copy(place.join("seen"), authority.join("seen")).unwrap();
    drop(network);
    verified(&authority);
}

/// Every file that left a custodian stands in its access log.
fn recorded(place: &Place) {
    for (node, files) in [("custodian-a", 4), ("custodian-b", 4)] {
        let log = place.says(&format!("access log -c net/{node}/node.toml -o json")).well().json();
        // Offers and closings, the one made again too; answers and the statement.
        assert_eq!(log.as_array().unwrap().len(), files, "{node}: {log}");
    }
}

fn verified(authority: &Place) {
    let verify = |file: &str, to: &str, nonce: &str| {
        let known = format!("--recipient {to} --nonce {nonce} --checkpoint seen -o json");
        authority.says(&format!("verify {file} {known}"))
    };
    let view = verify("stated", "Authority", NONCE).well().json();
    let statement = view["statement"].as_str().unwrap();
    assert!(statement.contains("held in snapshot 0") && statement.ends_with("exactly 980"));
    assert_eq!(view["joint"]["left"].as_array().unwrap().len(), 1);
    assert!(view["not_shown"].as_str().unwrap().contains("replay"), "{view}");
    let _ = verify("stated", "Another", NONCE).badly(1, &["[STM-6]"]);
    let _ = verify("stated", "Authority", &NONCE.replace('9', "8")).badly(1, &["[STM-6]"]);
    let whole = fs::read(authority.join("stated")).unwrap();
    for at in (100..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(authority.join("changed"), changed).unwrap();
        assert_eq!(verify("changed", "Authority", NONCE).code, Some(1), "byte {at}");
    }
}
