//! `sudare verify` as an auditor runs it, on a machine with nothing but files: every kind of file, and what happens to each that was
//! changed.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;

use sudare_crypto::Hash;
use sudare_ledger::tree::{Checkpoint, SignedCheckpoint};
use sudare_tests::system::network::{Network, SOLD, sold};
use sudare_tests::system::{Place, Ran};

const B: &str = "-c net/custodian-b/node.toml";
const AT: &str = "--registrar registrar --asset";

/// A file of each kind, and what its reader must say to verify it.
struct Kinds {
    place: Place,
    files: Vec<(&'static str, String)>,
}

/// Makes a file of every kind, and takes them to a machine that knows nothing else.
fn kinds(network: &Network) -> Kinds {
    let from = &network.place;
    let run = |line: String| from.says(&line).well();
    let _ = run(format!("checkpoint fetch {B} {AT} {SOLD} --core core --out held"));
    let _ = run(format!("register snapshot -c net/registrar/node.toml --asset {SOLD}"));
    let _ = run(format!("checkpoint witness {B} {AT} {SOLD} --out seen"));
    let who = "--recipient Audit --nonce n-1";
    let _ = run(format!("packet transfer {B} --trade-id S-1 {who} --out transfer"));
    let _ = run(format!("packet account {B} --asset {SOLD} --investor INV-2 {who} --out account"));
    let least = "--investor INV-2 --at-least 10 --recipient Audit";
    let _ = run(format!("statement make {B} {AT} {SOLD} {least} --out statement"));
    let least = format!("--snapshot 0 {least}");
    let _ = run(format!("statement make {B} {AT} {SOLD} {least} --out held-then"));
    let _ = run(format!("tx receipt {B} S-1 --out receipt"));
    let told = run(format!("access log {B} -o json")).json();
    let events: Vec<_> = told.as_array().unwrap().iter().map(|entry| &entry["what"]).collect();
    for (event, words) in events.iter().zip(["a transfer", "an account", "statement", "statement"])
    {
        assert!(event.as_str().unwrap().contains(words), "{told}");
    }
    let _ = run(format!("access prove {B} --entry 1 --out told"));
    entry(from);
    let forged = {
        let seen = SignedCheckpoint::parse(&fs::read(from.join("seen")).unwrap()).unwrap();
        let other = Checkpoint { root: Hash([7; 32]), ..seen.unverified().clone() };
        let key = network.loaded("registrar").identity.key().clone();
        other.sign(&key.id(), |text| key.sign_raw(text)).unwrap()
    };
    fs::write(from.join("forged"), forged.to_text()).unwrap();
    let _ = run("checkpoint evidence --core core --one seen --other forged --out fork".to_owned());
    audit(from);

    let place = Place::default();
    for file in ["core", "held", "seen", "transfer", "account", "statement", "receipt", "fork"] {
        fs::copy(from.join(file), place.join(file)).unwrap();
    }
    for file in ["entry", "desk", "watched", "told", "held-then"] {
        fs::copy(from.join(file), place.join(file)).unwrap();
    }
    for entry in fs::read_dir(from.join("found")).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), place.join(entry.file_name().to_str().unwrap())).unwrap();
    }
    let id = |name: &str| network.member(name).id.to_string();
    let under = format!("{who} --checkpoint seen");
    let files = vec![
        ("transfer", under.clone()),
        ("account", under),
        ("statement", "--recipient Audit --checkpoint seen".to_owned()),
        ("held-then", "--recipient Audit --checkpoint seen".to_owned()),
        ("receipt", "--core core".to_owned()),
        ("receipt", format!("--node {}", id("notary"))),
        ("seen", format!("--core core --witness {}", id("custodian-b"))),
        ("entry", "--desk desk".to_owned()),
        ("told", format!("--node {}", id("custodian-b"))),
        ("watched", format!("--node {}", id("regulator"))),
        ("fork", String::new()),
        ("audit.sudare", format!("--node {} --core core", id("regulator"))),
    ];
    Kinds { place, files }
}

/// What the regulator's replay found: all of its files, which the audit names, go where it goes.
fn audit(from: &Place) {
    let replay = "audit replay -c net/regulator/node.toml --registrar registrar";
    let _ = from.says(&format!("{replay} --asset {SOLD} --out found")).well();
}

/// The entry of a regulator's access log in which its first officer stands, and the log's checkpoint.
fn entry(from: &Place) {
    let at = "-c net/regulator/node.toml";
    let _ = from.says("ceremony officer --name aoki --key aoki.key --card aoki.card").well();
    let _ = from.says(&format!("grant desk {at} --needed 1 --officer aoki.card --out desk")).well();
    let _ = from.says(&format!("grant add {at} desk")).well();
    let _ = from.says(&format!("access prove {at} --entry 0 --out entry")).well();
    let _ = from.says(&format!("access checkpoint {B} --of regulator --out watched")).well();
}

impl Kinds {
    fn verify(&self, file: &str, known: &str) -> Ran {
        self.place.says(&format!("verify {file} {known} -o json"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_is_verified_offline_and_none_that_was_changed() {
    let (network, _desk) = sold("S-1").await;
    let kinds = kinds(&network);
    drop(network);
    let expected = [
        "disclosure packet",
        "disclosure packet",
        "statement",
        "statement",
        "receipt",
        "receipt",
        "checkpoint",
        "entry of an access log",
        "entry of an access log",
        "checkpoint",
        "evidence of a fork",
        "audit",
    ];
    let mut expected = expected.iter();
    for (file, known) in &kinds.files {
        let view = kinds.verify(file, known).well().json();
        assert_eq!(view["kind"].as_str(), expected.next().copied(), "{view}");
        for part in ["verified", "not_shown"] {
            assert!(!view[part].as_str().unwrap().is_empty(), "{view}");
        }
        let said = kinds.place.says(&format!("verify {file} {known}")).well().out;
        assert!(said.contains(": holds\n") && said.contains("\nnot shown: "), "{said}");
        changed(&kinds, file, known);
    }
    files_of_an_audit(&kinds);
    other_files(&kinds);
    useless_options(&kinds);
}

/// Every file beside an audit counts, each byte of it, and so does its being there.
fn files_of_an_audit(kinds: &Kinds) {
    let (_, known) = kinds.files.last().unwrap();
    let said = kinds.verify("audit.sudare", known).well().json();
    assert!(said["statement"].as_str().unwrap().starts_with("legs 0..2 of 2, none missing"));
    let listed = said["files"].as_array().unwrap();
    assert_eq!(listed.len(), 10, "{said}");
    for file in listed {
        let name = file["name"].as_str().unwrap();
        let whole = fs::read(kinds.place.join(name)).unwrap();
        for at in [0, whole.len() / 3, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            fs::write(kinds.place.join(name), changed).unwrap();
            let _ = kinds.verify("audit.sudare", known).badly(1, &["[AUD-3]", name, "ask for it"]);
        }
        fs::write(kinds.place.join(name), &whole[..whole.len() - 1]).unwrap();
        let _ = kinds.verify("audit.sudare", known).badly(1, &["[AUD-3]", name]);
        fs::remove_file(kinds.place.join(name)).unwrap();
        let _ = kinds.verify("audit.sudare", known).badly(1, &["[AUD-3]", name, "is missing"]);
        fs::write(kinds.place.join(name), whole).unwrap();
    }
    let _ = kinds.verify("audit.sudare", known).well();
    let _ = kinds.verify("audit.sudare", "").badly(2, &["--node ID"]);
    let _ = kinds.verify("audit.sudare", &format!("{known} --files /")).badly(1, &["[AUD-3]"]);
    let stranger = "--node 00";
    let _ = kinds.verify("audit.sudare", stranger).badly(2, &["64 hexadecimal digits"]);
}

/// A sample of changed bytes, a file cut short, and one with a byte more.
fn changed(kinds: &Kinds, file: &str, known: &str) {
    let whole = fs::read(kinds.place.join(file)).unwrap();
    let refused = |bytes: &[u8], what: &str| {
        fs::write(kinds.place.join("changed"), bytes).unwrap();
        let ran = kinds.verify("changed", known);
        assert_eq!(ran.code, Some(1), "{file}, {what}: {ran}");
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{ran}");
    };
    for sample in 0..12 {
        let at = whole.len() * sample / 12;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (sample % 8);
        refused(&bytes, &format!("byte {at}"));
    }
    refused(&whole[..whole.len() / 2], "the first half");
    refused(&whole[..whole.len() - 1], "without its last byte");
    refused(&[&whole[..], b"\n"].concat(), "with a byte more");
}

/// What is no file of ours says so, and so does one of another version or kind.
fn other_files(kinds: &Kinds) {
    let answers = [
        (&b""[..], "not a file that `sudare verify` knows"),
        (b"%PDF-1.7 and so on", "not a file that `sudare verify` knows"),
        (b"sudare bundle 2\n\0\0\0", "of another version"),
        (b"sudare bundle 1\n\xee\0\0", "of kind 238"),
        (b"sudare bundle 1\n", "cut short"),
        (b"sudare/but no checkpoint", "not a signed text"),
    ];
    for (bytes, words) in answers {
        fs::write(kinds.place.join("strange"), bytes).unwrap();
        let known = if bytes.starts_with(b"sudare/") { "--core core" } else { "" };
        let _ = kinds.verify("strange", known).badly(1, &[words, "strange"]);
    }
    let _ = kinds.verify("nowhere", "").badly(4, &["nowhere"]);
}

/// Whoever gives an option believes that it was checked.
fn useless_options(kinds: &Kinds) {
    let node = "0".repeat(64);
    let useless = [
        ("fork", "--recipient Audit", "--recipient says nothing about this file, evidence"),
        ("receipt", "--core core --nonce n-1", "--nonce says nothing about this file, receipt"),
        ("seen", "--core core --asset x", "--asset says nothing about this file, checkpoint"),
        ("statement", "--core core", "--core says nothing about this file, statement"),
    ];
    for (file, known, words) in useless {
        let _ = kinds.verify(file, known).badly(2, &[words]);
    }
    let _ = kinds.verify("receipt", "").badly(2, &["--node ID"]);
    let _ = kinds.verify("receipt", &format!("--node {node}")).badly(1, &["[FIN-2]"]);
    let _ = kinds.verify("statement", "--checkpoint seen").badly(2, &["--recipient"]);
    let _ = kinds.verify("statement", "--recipient Audit").badly(2, &["--checkpoint"]);
    let other = kinds.verify("statement", "--recipient Other --checkpoint seen");
    let _ = other.badly(1, &["the statement was made for"]);
    let stale = "--recipient Audit --checkpoint held";
    let _ = kinds.verify("statement", stale).badly(1, &["consistency proof"]);
}
