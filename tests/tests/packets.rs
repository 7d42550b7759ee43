//! `sudare packet`, `verify` and `checkpoint` as people run them: a custodian discloses a transfer to an auditor who has no key, no node
//! and no network.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;
use std::path::PathBuf;

use sudare_crypto::Hash;
use sudare_ledger::tree::{Checkpoint, SignedCheckpoint};
use sudare_tests::system::network::{Holder, Leg, Network, SOLD, deal, sold};
use sudare_tests::system::{Place, Ran};

const SECURITY: &str = SOLD;
const SELLER: Holder<'static> = Holder { custodian: "custodian-a", investor: "INV-1" };
const BUYER: Holder<'static> = Holder { custodian: "custodian-b", investor: "INV-2" };

fn packet(network: &Network, node: &str, trade: &str, more: &[&str]) -> Ran {
    let config = network.config(node);
    let config = config.to_str().unwrap();
    let mut args = vec!["packet", "transfer", "--config", config, "--trade-id", trade];
    args.extend(["--recipient", "Example Audit", "--nonce", "n-1", "--purpose", "yearly audit"]);
    args.extend(more);
    network.place.sudare(args)
}

fn fetch(network: &Network, out: &str, more: &[&str]) -> Ran {
    let config = network.config("custodian-a");
    let mut args = vec!["checkpoint", "fetch", "--config", config.to_str().unwrap()];
    args.extend(["--registrar", "registrar", "--asset", SECURITY, "--out", out]);
    args.extend(more);
    network.place.sudare(args)
}

/// The auditor's machine: files, and nothing of the network.
fn auditor(network: &Network, files: &[&str]) -> Place {
    let place = Place::default();
    for file in files {
        fs::copy(network.place.join(file), place.join(file)).unwrap();
    }
    place
}

fn verify(place: &Place, file: &str, more: &[&str]) -> Ran {
    let mut args = vec!["verify", file, "--recipient", "Example Audit", "--nonce", "n-1"];
    args.extend(more);
    place.sudare(args)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_without_key_and_network_verifies_what_a_custodian_discloses() {
    let (network, _) = sold("P-1").await;
    let _ = fetch(&network, "held.txt", &["--core", "core"]).well();
    let _ = packet(&network, "custodian-b", "P-1", &["--out", "p1"]).well();
    let place = auditor(&network, &["held.txt", "core", "p1"]);

    let view = verify(&place, "p1", &["--checkpoint", "held.txt", "-o", "json"]).well().json();
    assert_eq!(view["output"]["quantity"], "10");
    assert_eq!(view["output"]["trade"]["trade_id"], "P-1");
    assert_eq!(view["output"]["trade"]["delivery_date"], "2031-07-19");
    assert_eq!(view["code"], SECURITY);
    assert_eq!(view["purpose"], "yearly audit");
    assert_eq!(view["custodian"], network.member("custodian-b").id.to_string());
    let id = view["asset"].as_str().unwrap();
    let said = verify(&place, "p1", &["--asset", id]).well().out;
    for words in ["received: 10 atomic units", "trade P-1", "not shown"] {
        assert!(said.contains(words), "{said}");
    }
    let said = place.says("verify held.txt --core core").well().out;
    assert!(said.contains(SECURITY), "{said}");

    wrong_input(&place, id);
    histories(&network, &place);
    disclosures(&network);
}

/// Every wrong use and every bad file has its own answer.
fn wrong_input(place: &Place, id: &str) {
    let _ = place.says("verify p1 --nonce n-1").badly(2, &["--recipient"]);
    let _ = verify(place, "p1", &[]).badly(2, &["--checkpoint"]);
    let _ = verify(place, "p1", &["--asset", "rubbish"]).badly(2, &["64 hexadecimal digits"]);
    let args = ["verify", "p1", "--asset", id, "--nonce", "n-1", "--recipient", "Other"];
    let _ = place.sudare(args).badly(1, &["[PKT-1]", "made for \"Example Audit\""]);
    let args = ["verify", "p1", "--asset", id, "--nonce", "n-2", "--recipient", "Example Audit"];
    let _ = place.sudare(args).badly(1, &["[PKT-1]", "a new nonce"]);
    let other = "0".repeat(64);
    let _ = verify(place, "p1", &["--asset", &other]).badly(1, &["[PKT-2]", "another asset"]);
    let _ = verify(place, "missing", &["--asset", id]).badly(4, &["missing"]);

    let bytes = fs::read(place.join("p1")).unwrap();
    fs::write(place.join("short"), &bytes[..bytes.len() / 2]).unwrap();
    let _ = verify(place, "short", &["--asset", id]).badly(1, &["cut short"]);
    let mut changed = bytes;
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(place.join("changed"), &changed).unwrap();
    let ran = verify(place, "changed", &["--asset", id]);
    assert_eq!(ran.code, Some(1), "{ran}");
    let text = fs::read_to_string(place.join("held.txt")).unwrap();
    fs::write(place.join("other.txt"), text.replace("sudare/", "sudare/0")).unwrap();
    let _ = verify(place, "p1", &["--checkpoint", "other.txt"]).badly(1, &["[PKT-2]"]);
    let _ = place.says("verify held.txt").badly(2, &["--core"]);
}

/// A checkpoint of a registrar that shows another history catches it, and convicts it with the packet's own or another.
fn histories(network: &Network, place: &Place) {
    let held = fs::read(place.join("held.txt")).unwrap();
    let held = SignedCheckpoint::parse(&held).unwrap();
    let Checkpoint { origin, size, mut root } = held.unverified().clone();
    root.0[0] ^= 1;
    let key = network.loaded("registrar").identity.key().clone();
    let forged = Checkpoint { origin, size, root };
    let forged = forged.sign(&key.id(), |text| key.sign_raw(text)).unwrap();
    fs::write(place.join("forged.txt"), forged.to_text()).unwrap();
    let _ = verify(place, "p1", &["--checkpoint", "forged.txt"])
        .badly(1, &["[LOG-5]", "two histories"]);
    let evidence = "checkpoint evidence --core core --one held.txt --other forged.txt --out fork";
    let _ = place.says(evidence).well();
    let said = place.says("verify fork").well().out;
    assert!(said.contains("forked the log") && said.contains(&key.id().to_string()), "{said}");
    let same = "checkpoint evidence --core core --one held.txt --other held.txt --out no-fork";
    let _ = place.says(same).badly(1, &["there is no fork"]);
    assert!(!place.join("no-fork").exists());
}

/// What a custodian can disclose and what not.
fn disclosures(network: &Network) {
    let place = &network.place;
    let _ = packet(network, "custodian-b", "P-1", &["--without-trade", "--out", "p2"]).well();
    let held: PathBuf = place.join("held.txt");
    let held = held.to_str().unwrap();
    let said = verify(place, "p2", &["--checkpoint", held]).well().out;
    assert!(said.contains("trade data: not disclosed"), "{said}");
    // Who delivered has nothing to show, and nobody shows what is not there.
    let _ = packet(network, "custodian-a", "P-1", &["--out", "p3"]).badly(1, &["who received it"]);
    let _ = packet(network, "custodian-b", "P-9", &["--out", "p3"]).badly(1, &["sudare tx list"]);
    assert!(!place.join("p3").exists());
    // An existing file is never written over.
    let _ = packet(network, "custodian-b", "P-1", &["--out", "p2"]).badly(4, &["p2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_made_later_extends_the_checkpoint_that_its_recipient_sent() {
    let (network, desk) = sold("P-1").await;
    let _ = fetch(&network, "old.txt", &[]).well();
    let _ = packet(&network, "custodian-b", "P-1", &["--out", "before"]).well();
    let leg = Leg { code: SECURITY, quantity: 20 };
    assert_eq!(deal(&desk, "P-2", SELLER, BUYER, leg, None).await, Ok(()));
    let _ = fetch(&network, "new.txt", &[]).well();
    let _ = packet(&network, "custodian-b", "P-2", &["--out", "loose"]).well();
    let _ =
        packet(&network, "custodian-b", "P-2", &["--since", "old.txt", "--out", "joined"]).well();
    let place = auditor(&network, &["old.txt", "new.txt", "before", "loose", "joined"]);
    let _ =
        verify(&place, "before", &["--checkpoint", "new.txt"]).badly(1, &["[PKT-2]", "made since"]);
    let _ = verify(&place, "loose", &["--checkpoint", "old.txt"]).badly(1, &["your checkpoint"]);
    let said = verify(&place, "joined", &["--checkpoint", "old.txt"]).well().out;
    assert!(said.contains("received: 20 atomic units"), "{said}");
    let _ = verify(&place, "joined", &["--checkpoint", "new.txt"]).well();
}

fn witness(network: &Network, node: &str, out: &str, more: &[&str]) -> Ran {
    let config = network.config(node);
    let mut args = vec!["checkpoint", "witness", "--config", config.to_str().unwrap()];
    args.extend(["--registrar", "registrar", "--asset", SECURITY, "--out", out]);
    args.extend(more);
    network.place.sudare(args)
}

#[tokio::test(flavor = "multi_thread")]
async fn witnesses_co_sign_one_history_and_a_second_one_convicts_the_registrar() {
    let (network, desk) = sold("P-1").await;
    let _ = fetch(&network, "held.txt", &["--core", "core"]).well();
    let _ = witness(&network, "custodian-a", "one.txt", &[]).well();
    let _ = witness(&network, "custodian-b", "both.txt", &["--checkpoint", "one.txt"]).well();
    let place = auditor(&network, &["held.txt", "both.txt", "core"]);
    let [a, b] = ["custodian-a", "custodian-b"].map(|node| network.member(node).id.to_string());
    let signed = format!("verify both.txt --core core --witness {a} --witness {b}");
    assert!(place.says(&signed).well().out.contains("2 of them asked for"));
    let unsigned = format!("verify held.txt --core core --witness {a}");
    let _ = place.says(&unsigned).badly(1, &["[WIT-1]", &a]);

    // The log grows, and is co-signed again; the same checkpoint may be co-signed twice, and an older one of the same history.
    let leg = Leg { code: SECURITY, quantity: 5 };
    assert_eq!(deal(&desk, "P-3", SELLER, BUYER, leg, None).await, Ok(()));
    let _ = witness(&network, "custodian-a", "later.txt", &[]).well();
    let _ = witness(&network, "custodian-a", "again.txt", &[]).well();
    let _ = witness(&network, "custodian-a", "old.txt", &["--checkpoint", "held.txt"]).well();

    // Another history of the same size, then of a greater one, which the registrar can't join.
    let registrar = network.loaded("registrar");
    let key = registrar.identity.key();
    let forge = |name: &str, more: u64| {
        let text = fs::read(network.place.join("later.txt")).unwrap();
        let real = SignedCheckpoint::parse(&text).unwrap().unverified().clone();
        let forged = Checkpoint { size: real.size + more, root: Hash([7; 32]), ..real };
        let signed = forged.sign(&key.id(), |text| key.sign_raw(text)).unwrap();
        fs::write(network.place.join(name), signed.to_text()).unwrap();
    };
    forge("forked.txt", 0);
    let refused = witness(&network, "custodian-a", "no.txt", &["--checkpoint", "forked.txt"]);
    let _ = refused.badly(1, &["[LOG-5]", "no.txt.fork"]);
    let said = auditor(&network, &["no.txt.fork"]).says("verify no.txt.fork").well().out;
    assert!(said.contains("forked the log"), "{said}");
    forge("longer.txt", 3);
    let _ =
        witness(&network, "custodian-a", "no.txt", &["--checkpoint", "longer.txt"]).badly(1, &[]);
    assert!(!network.place.join("no.txt").exists());
    // What was refused is not what the next one has to extend.
    let _ = witness(&network, "custodian-a", "last.txt", &[]).well();
}

fn snapshot(network: &Network) -> Ran {
    let config = network.config("registrar");
    let config = config.to_str().unwrap();
    let args = ["register", "snapshot", "--config", config, "--asset", SECURITY, "-o", "json"];
    network.place.sudare(args)
}

fn account(network: &Network, holder: Holder<'_>, more: &[&str]) -> Ran {
    let config = network.config(holder.custodian);
    let config = config.to_str().unwrap();
    let mut args = vec!["packet", "account", "--config", config, "--asset", SECURITY];
    args.extend(["--investor", holder.investor, "--recipient", "Example Audit", "--nonce", "n-1"]);
    args.extend(more);
    network.place.sudare(args)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custodian_discloses_a_whole_account_and_an_auditor_sees_that_nothing_is_missing() {
    let (network, desk) = sold("P-1").await;
    let _ = fetch(&network, "held.txt", &[]).well();
    let _ = account(&network, SELLER, &["--out", "early"]).badly(1, &["register snapshot"]);
    let first = snapshot(&network).well().json();
    assert_eq!((&first[0]["number"], &first[0]["supply"]), (&0.into(), &"1000".into()));
    let leg = Leg { code: SECURITY, quantity: 25 };
    assert_eq!(deal(&desk, "P-2", SELLER, BUYER, leg, None).await, Ok(()));
    let taken = snapshot(&network).well().json();
    assert_eq!(taken.as_array().unwrap().len(), 2);

    let _ = account(&network, SELLER, &["--out", "whole", "--since", "held.txt"]).well();
    let _ = account(&network, SELLER, &["--out", "part", "--from", "0", "--until", "1"]).well();
    let _ = account(&network, BUYER, &["--out", "buyer", "--without-trade"]).well();
    let _ = account(&network, SELLER, &["--out", "none", "--until", "2"]).badly(1, &["snapshot"]);
    let stranger = Holder { custodian: "custodian-b", ..SELLER };
    let _ = account(&network, stranger, &["--out", "foreign"]).badly(1, &["wrong-role"]);

    let place = auditor(&network, &["held.txt", "whole", "part", "buyer"]);
    let under = ["--checkpoint", "held.txt", "-o", "json"];
    let whole = verify(&place, "whole", &under).well().json();
    let id = whole["asset"].as_str().unwrap().to_owned();
    let whole = &whole["account"];
    assert_eq!((&whole["opening"], &whole["closing"]), (&"0".into(), &"965".into()));
    assert_eq!(whole["events"].as_array().unwrap().len(), 5);
    assert_eq!(whole["until"]["number"], 1);
    let part = verify(&place, "part", &["--asset", &id, "-o", "json"]).well().json();
    let part = &part["account"];
    assert_eq!((&part["opening"], &part["closing"]), (&"990".into(), &"965".into()));
    let events = part["events"].as_array().unwrap();
    assert_eq!(events[0]["spent"]["quantity"], "990");
    assert_eq!(events[1]["received"]["quantity"], "965");
    assert_eq!(events.len(), 2);
    let said = verify(&place, "buyer", &["--asset", &id, "--until", "1"]).well().out;
    for words in ["held at the end: 35 atomic units", "2 events, none missing", "not shown"] {
        assert!(said.contains(words), "{said}");
    }
    // Who asked for more than it got is told so.
    let asked = ["--asset", &id, "--until", "2"];
    let _ = verify(&place, "part", &asked).badly(1, &["[PKT-8]", "shorter period"]);
    let bytes = fs::read(place.join("part")).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(place.join("changed"), &changed).unwrap();
        let _ = verify(&place, "changed", &["--asset", &id]).badly(1, &[]);
    }

    // The regulator, who reads everything, computes both snapshots again.
    let config = network.config("regulator");
    let mut args = vec!["audit", "replay", "--config", config.to_str().unwrap()];
    args.extend(["--registrar", "registrar", "--asset", SECURITY]);
    let said = network.place.sudare(args).well().out;
    assert!(said.contains("register snapshot 1, entry 5: recomputed"), "{said}");
}
