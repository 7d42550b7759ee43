//! `sudare statement` as people run it: custodians and the registrar state something of a register snapshot, and an authority verifies
//! it on a machine with nothing but files.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;

use serde_json::Value;
use sudare_tests::system::network::{Holder, Leg, Network, SOLD, deal, open, sold};
use sudare_tests::system::{Place, Ran};

const SELLER: Holder<'static> = Holder { custodian: "custodian-a", investor: "INV-1" };
const BUYER: Holder<'static> = Holder { custodian: "custodian-b", investor: "INV-2" };
const NONCE: &str = "0909090909090909090909090909090909090909090909090909090909090909";

/// Has a node state something for the authority.
fn state(network: &Network, node: &str, what: &str, out: &str) -> Ran {
    let to = format!("--recipient Authority --nonce {NONCE}");
    network.place.says(&format!(
        "statement make -c net/{node}/node.toml --registrar registrar --asset {SOLD} {what} {to} --out {out}"
    ))
}

fn snapshot(network: &Network) -> Ran {
    let at = "-c net/registrar/node.toml";
    network.place.says(&format!("register snapshot {at} --asset {SOLD}"))
}

/// The account of an investor as the registrar lists it.
fn account(network: &Network, investor: &str) -> String {
    let at = "-c net/registrar/node.toml";
    let listed = network.place.says(&format!("register show {at} --asset {SOLD} -o json"));
    let listed = listed.well().json();
    let row = listed.as_array().unwrap().iter().find(|row| row["investor"] == investor).unwrap();
    row["account"].as_str().unwrap().to_owned()
}

/// The authority's machine: a checkpoint from a witness, and the statements.
struct Authority(Place);

impl Authority {
    fn new(network: &Network, files: &[&str]) -> Self {
        let place = Place::default();
        for file in files.iter().chain(&["seen"]) {
            fs::copy(network.place.join(file), place.join(file)).unwrap();
        }
        Self(place)
    }

    fn verify(&self, file: &str) -> Ran {
        let known = format!("--recipient Authority --nonce {NONCE} --checkpoint seen");
        self.0.says(&format!("verify {file} {known} -o json"))
    }

    /// What a statement says, if it holds.
    fn says(&self, file: &str) -> (String, Value) {
        let view = self.verify(file).well().json();
        assert_eq!(view["kind"], "statement", "{view}");
        let not_shown = view["not_shown"].as_str().unwrap();
        assert!(not_shown.contains("replay"), "{view}");
        (view["statement"].as_str().unwrap().to_owned(), view["register"].clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_register_holds_is_stated_without_showing_it_and_verified_offline() {
    let (network, desk) = sold("S-1").await;
    let idle = Holder { custodian: "custodian-b", investor: "INV-9" };
    open(&desk, &[], &[(idle, SOLD)]).await;
    let _ = state(&network, "custodian-b", "--snapshot 0 --investor INV-2 --at-least 1", "no")
        .badly(1, &["register snapshot"]);
    let _ = snapshot(&network).well();
    let leg = Leg { code: SOLD, quantity: 25 };
    assert_eq!(deal(&desk, "S-2", SELLER, BUYER, leg, None).await, Ok(()));
    let _ = snapshot(&network).well();
    // Now the seller has 965 of 1000 and the buyer 35; in snapshot 0 it had 10.
    let (seller, buyer) = (account(&network, "INV-1"), account(&network, "INV-2"));
    let by_buyer = [
        ("share", "--snapshot 1 --investor INV-2 --share 7/200"),
        ("bounds", "--snapshot 1 --investor INV-2 --between 30,40"),
        ("change", "--snapshot 1 --since 0 --investor INV-2 --at-most 25"),
        ("set", "--snapshot 1 --investor INV-2 --investor INV-9 --exactly 35"),
        ("absent", "--snapshot 1 --investor INV-9 --absent"),
    ];
    for (out, what) in by_buyer {
        let _ = state(&network, "custodian-b", what, out).well();
    }
    let _ = state(
        &network,
        "custodian-a",
        "--snapshot 1 --since 0 --investor INV-1 --between -25,-25",
        "sold",
    )
    .well();
    let by_registrar = [
        ("supply", "--snapshot 1 --supply".to_owned()),
        ("apart", format!("--snapshot 1 --account {seller} --less-account {buyer} --exactly 930")),
        ("large", format!("--snapshot 1 --account {seller} --share 19/20")),
    ];
    for (out, what) in &by_registrar {
        let _ = state(&network, "registrar", what, out).well();
    }
    untrue(&network, &seller, &buyer);
    wrong_use(&network, &seller);

    let witness = "checkpoint witness -c net/custodian-a/node.toml --registrar registrar";
    let _ = network.place.says(&format!("{witness} --asset {SOLD} --out seen")).well();
    let log = network.place.says("access log -c net/custodian-b/node.toml -o json").well().json();
    // One entry for each account of each statement.
    assert_eq!(log.as_array().unwrap().len(), 6, "{log}");
    disclosed_by_the_registrar(&network, &seller, &buyer);
    let files = ["share", "bounds", "change", "set", "absent", "sold", "supply", "apart", "large"];
    let authority = Authority::new(&network, &files);
    drop(network);
    read(&authority, &seller, &buyer);
    changed(&authority);
}

/// The registrar's log has an entry for each account that a statement of its names, and others watch it.
fn disclosed_by_the_registrar(network: &Network, seller: &str, buyer: &str) {
    let place = &network.place;
    let log = place.says("access log -c net/registrar/node.toml -o json").well().json();
    let whose = |entry: &Value| {
        let what = entry["what"].as_str().unwrap();
        what.split(' ').find(|word| word.len() == 64).unwrap().to_owned()
    };
    let mut accounts: Vec<_> = log.as_array().unwrap().iter().map(whose).collect();
    accounts.sort();
    // Whole registers are nobody's account.
    let mut expected = [seller, seller, buyer].map(str::to_owned);
    expected.sort();
    assert_eq!(accounts, expected, "{log}");
    let prove = "access prove -c net/registrar/node.toml --entry 0 --out entry";
    let _ = place.says(prove).well();
    let id = network.member("registrar").id;
    let said = place.says(&format!("verify entry --node {id}")).well().out;
    assert!(said.contains("statement") && said.contains(&accounts[0][..8]), "{said}");
    let watch = place.says("access watch -c net/custodian-a/node.toml --of registrar");
    assert!(watch.well().out.contains("3 more than"));
}

/// What is not true is not stated, by anybody.
fn untrue(network: &Network, seller: &str, buyer: &str) {
    let by_buyer = [
        ("--snapshot 1 --investor INV-2 --share 36/1000", "not true"),
        ("--snapshot 1 --investor INV-2 --at-most 34", "not true"),
        ("--snapshot 1 --since 0 --investor INV-2 --at-least 26", "not true"),
        ("--snapshot 1 --investor INV-2 --absent", "has a leaf"),
    ];
    for (what, why) in by_buyer {
        let _ = state(network, "custodian-b", what, "no").badly(1, &[why]);
    }
    let equal = format!("--snapshot 1 --account {seller} --less-account {buyer} --exactly 0");
    let _ = state(network, "registrar", &equal, "no").badly(1, &["not true"]);
    assert!(!network.place.join("no").exists());
}

fn wrong_use(network: &Network, seller: &str) {
    let account = format!("--snapshot 1 --account {seller} --at-least 1");
    let cases = [
        ("custodian-b", account.as_str(), 2, "--investor"),
        ("custodian-b", "--snapshot 1 --investor INV-1 --at-least 1", 1, "wrong-role"),
        ("custodian-b", "--snapshot 1 --supply", 2, "by its registrar"),
        ("custodian-b", "--snapshot 0 --since 1 --investor INV-2 --at-least 1", 2, "not before"),
        ("custodian-b", "--investor INV-2 --absent", 2, "--snapshot"),
        ("custodian-b", "--investor INV-2 --share 1/2", 2, "--of"),
        ("registrar", "--snapshot 1 --investor INV-1 --at-least 1", 2, "--account"),
        ("registrar", "--snapshot 7 --supply", 1, "no register snapshot 7"),
    ];
    for (node, what, code, words) in cases {
        let _ = state(network, node, what, "no").badly(code, &[words]);
    }
}

/// What the authority reads, and that it reads no quantity.
fn read(authority: &Authority, seller: &str, buyer: &str) {
    let expected = [
        (
            "share",
            "what 1 account(s) held in snapshot 1 is at least 7/200 of the supply of snapshot 1",
        ),
        ("bounds", "what 1 account(s) held in snapshot 1 is from 30 to 40"),
        (
            "change",
            "what 1 account(s) held in snapshot 1, less what 1 account(s) held in snapshot 0, is at most 25",
        ),
        ("set", "what 2 account(s) held in snapshot 1 is exactly 35"),
        ("absent", "none of 1 account(s) is among the holders in snapshot 1"),
        (
            "sold",
            "what 1 account(s) held in snapshot 1, less what 1 account(s) held in snapshot 0, is from -25 to -25",
        ),
        ("supply", "what all held in snapshot 1, less the supply of snapshot 1, is exactly 0"),
        (
            "apart",
            "what 1 account(s) held in snapshot 1, less what 1 account(s) held in snapshot 1, is exactly 930",
        ),
        (
            "large",
            "what 1 account(s) held in snapshot 1 is at least 19/20 of the supply of snapshot 1",
        ),
    ];
    for (file, said) in expected {
        let (statement, register) = authority.says(file);
        assert_eq!(statement, said);
        let snapshots = register["snapshots"].as_array().unwrap();
        let last = snapshots.last().unwrap();
        assert_eq!((&last["number"], &last["supply"]), (&1.into(), &"1000".into()));
        assert_eq!((&last["minted"], &last["burned"]), (&"1000".into(), &"0".into()));
    }
    let (_, set) = authority.says("set");
    let there = |at: usize| set["left"][at]["account"]["has_leaf"].as_bool().unwrap();
    assert_eq!((there(0), there(1)), (true, false));
    let (_, apart) = authority.says("apart");
    assert_eq!(apart["left"][0]["account"]["account"], seller);
    assert_eq!(apart["right"][0]["account"]["account"], buyer);
    assert!(apart["made_by"].as_str().unwrap().contains("registrar"));
    let said = authority
        .0
        .says(&format!("verify absent --recipient Authority --nonce {NONCE} --checkpoint seen"));
    let said = said.well().out;
    for words in ["statement: holds", "not there, so it holds nothing", "not shown: "] {
        assert!(said.contains(words), "{said}");
    }
}

/// A changed statement, and one for somebody else.
fn changed(authority: &Authority) {
    for file in ["share", "absent", "supply"] {
        let whole = fs::read(authority.0.join(file)).unwrap();
        for sample in 0..16 {
            let at = whole.len() * sample / 16;
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (sample % 8);
            fs::write(authority.0.join("changed"), &bytes).unwrap();
            let ran = authority.verify("changed");
            assert_eq!(ran.code, Some(1), "{file}, byte {at}: {ran}");
            assert!(ran.out.is_empty() && !ran.err.is_empty(), "{ran}");
        }
    }
    let other = authority.0.says("verify share --recipient Other --checkpoint seen");
    let _ = other.badly(1, &["[STM-6]", "made for"]);
    let nonce = "0".repeat(64);
    let other = authority
        .0
        .says(&format!("verify share --recipient Authority --nonce {nonce} --checkpoint seen"));
    let _ = other.badly(1, &["[STM-6]", "another nonce"]);
}
