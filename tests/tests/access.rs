//! `sudare grant`, `access` and `audit replay` as a regulator, its officers and a watching custodian run them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;

use serde_json::Value;
use sudare_ledger::tree::{Checkpoint, SignedCheckpoint};
use sudare_tests::system::network::{Network, SOLD, sold};
use sudare_tests::system::{Place, Ran};

const SECURITY: &str = SOLD;

const AT: &str = "-c net/regulator/node.toml";

fn replay(place: &Place, more: &str) -> Ran {
    place.says(&format!("audit replay {AT} --registrar registrar --asset {SECURITY} {more}"))
}

fn make(place: &Place, file: &str, more: &str) {
    let why = "--purpose holdings --legal-basis article-26 --case 2031-7";
    let asset = format!("--registrar registrar --asset {SECURITY}");
    let _ = place.says(&format!("grant make {AT} {asset} {why} {more} --out {file}")).well();
}

fn sign(place: &Place, file: &str, officers: &[&str]) -> String {
    let mut last = file.to_owned();
    for officer in officers {
        let next = format!("{last}-{officer}");
        let _ = place.says(&format!("grant sign {last} --key {officer}.key --out {next}")).well();
        last = next;
    }
    last
}

fn add(place: &Place, file: &str) -> Ran {
    place.says(&format!("grant add {AT} {file}"))
}

fn log(place: &Place) -> Vec<Value> {
    let shown = place.says(&format!("access log {AT} -o json")).well().json();
    shown.as_array().unwrap().clone()
}

fn events(place: &Place) -> Vec<String> {
    log(place).iter().map(|entry| entry["event"].as_str().unwrap().to_owned()).collect()
}

/// Two officers who must both sign.
fn set_desk(place: &Place) {
    for name in ["aoki", "baba", "chiba"] {
        let files = format!("--key {name}.key --card {name}.card");
        let _ = place.says(&format!("ceremony officer --name {name} {files}")).well();
    }
    let _ = add(place, "aoki.card").badly(2, &["not a file of `sudare grant`"]);
    let both = "--officer aoki.card baba.card";
    let _ = place.says(&format!("grant desk {AT} --needed 3 {both} --out too-many")).well();
    let _ = add(place, "too-many").badly(1, &["bad-desk"]);
    let _ = place.says(&format!("grant desk {AT} --needed 2 {both} --out desk")).well();
    let _ = add(place, "desk").well();
    // From now on an operator alone changes nothing.
    let alone = "--needed 1 --officer chiba.card --out alone";
    let _ = place.says(&format!("grant desk {AT} {alone}")).well();
    let _ = add(place, "alone").badly(1, &["too-few-officers"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_regulator_with_officers_reads_under_a_grant_or_not_at_all_and_what_it_reads_is_recorded_first()
 {
    let (mut network, _desk) = sold("G-1").await;
    let place = &network.place;
    let free = replay(place, "-o json").well().json();
    assert_eq!(free["holdings"].as_object().unwrap().len(), 2);
    set_desk(place);
    let nothing = replay(place, "-o json").well().json();
    assert_eq!((&nothing["root"], &nothing["holdings"]), (&free["root"], &Value::Null));
    assert!(nothing["statement"].as_str().unwrap().contains("no key was applied"));
    let _ = replay(place, "--grant 00").badly(1, &["sudare grant list"]);
    let _ = replay(place, "--fields trade").badly(2, &["give --grant ID"]);

    make(place, "g", "--fields amounts,parties");
    let _ = add(place, "g").badly(1, &["0 officer(s) signed, 2 must"]);
    let one = sign(place, "g", &["aoki"]);
    let _ = add(place, &one).badly(1, &["1 officer(s) signed, 2 must"]);
    let stranger = sign(place, &one, &["chiba"]);
    let _ = add(place, &stranger).badly(1, &["not that of another officer"]);
    let signed = sign(place, &one, &["baba"]);
    let _ = add(place, &signed).well();
    let grants = place.says(&format!("grant list {AT} -o json")).well().json();
    let id = grants[0]["id"].as_str().unwrap()[..12].to_owned();
    assert_eq!(
        (grants[0]["state"].as_str(), grants[0]["case"].as_str()),
        (Some("holds"), Some("2031-7"))
    );
    assert_eq!(events(place), ["desk", "granted"]);

    let read = replay(place, &format!("--grant {id} -o json")).well().json();
    assert_eq!((&read["root"], read["access"]["entry"].as_u64()), (&free["root"], Some(2)));
    let statement = read["statement"].as_str().unwrap();
    for words in [
        "read under grant",
        "case 2031-7",
        "entry 2 of this node",
        "not recorded anywhere",
        "not in scope: trade",
    ] {
        assert!(statement.contains(words), "no {words:?} in {statement}");
    }
    let wider = replay(place, &format!("--grant {id} --fields amounts,trade"));
    let _ = wider.badly(1, &["the fields asked for are not within the grant"]);
    let account = free["holdings"].as_object().unwrap().keys().next().unwrap().clone();
    let narrow = format!("--grant {id} --fields parties --account {account} --until-ms 1");
    let _ = replay(place, &narrow).well();
    assert_eq!(events(place), ["desk", "granted", "read", "read"]);
    assert_eq!(log(place)[3]["scope"]["accounts"][0], account.as_str());

    refused(place, &id, &signed);
    watched(&mut network).await;
}

/// Who watches keeps what it saw, and evidence of a log that doesn't begin with it.
fn kept_by_a_watcher(place: &Place, other: &str, reader: &str) {
    let watch = || place.says("access watch -c net/custodian-b/node.toml --of regulator");
    assert!(watch().well().out.contains("6 more than"));
    assert!(watch().well().out.contains("0 more than"));
    let kept = place.join(&format!("net/custodian-b/watch/{reader}.txt"));
    let seen = fs::read(&kept).unwrap();
    // The reader showed somebody else another history, of five entries: nothing joins it to the log.
    fs::write(&kept, other).unwrap();
    let _ = watch().badly(1, &["[ACC-5]", "had 5 entries"]);
    fs::write(&kept, seen).unwrap();
    let _ = watch().well();
    make(place, "later", "");
    let hand = format!("access hand-out {AT} --recipient Court later");
    let _ = place.says(&format!("{hand} --grant 00")).badly(1, &["sudare grant list"]);
    let _ = add(place, &sign(place, "later", &["baba", "aoki"])).well();
    let grants = place.says(&format!("grant list {AT} -o json")).well().json();
    let holds = |one: &&Value| one["state"] == "holds";
    let id = grants.as_array().unwrap().iter().find(holds).unwrap()["id"].as_str().unwrap();
    let _ = place.says(&format!("{hand} --grant {id}")).well();
    assert_eq!(events(place)[6..], ["granted", "handed out"]);
    assert!(watch().well().out.contains("2 more than"));
}

/// A grant that holds no more, in either way.
fn refused(place: &Place, id: &str, signed: &str) {
    make(place, "short", "--valid-ms 1");
    let short = sign(place, "short", &["aoki", "baba"]);
    let _ = add(place, &short).badly(1, &["grant-expired", "ask for a new one"]);
    let whole = fs::read(place.join(signed)).unwrap();
    fs::write(place.join("cut"), &whole[..whole.len() / 2]).unwrap();
    let _ = add(place, "cut").badly(2, &["cut short"]);
    let _ = place.says(&format!("grant revoke {signed} --key baba.key --out end")).well();
    let _ = add(place, "end").well();
    let _ = replay(place, &format!("--grant {id}")).badly(1, &["revoked", "ask for a new one"]);
    assert_eq!(events(place), ["desk", "granted", "read", "read", "revoked"]);
}

/// A custodian sees that nothing is taken out of the log, also over a restart, and anybody checks an entry that was handed on.
async fn watched(network: &mut Network) {
    let watch = |place: &Place, more: &str| {
        place.says(&format!("access checkpoint -c net/custodian-b/node.toml --of regulator {more}"))
    };
    let _ = watch(&network.place, "--out seen").well();
    network.stop("regulator");
    network.run(&["regulator"]).await;
    let place = &network.place;
    let again = watch(place, "--known seen --out again -o json").well().json();
    assert_eq!(again["entries"], 5);
    make(place, "h", "");
    let _ = add(place, &sign(place, "h", &["baba", "aoki"])).well();
    let grown = watch(place, "--known seen --out grown").well().out;
    assert!(grown.contains("6 entries, which begin with those known before"), "{grown}");

    let seen = SignedCheckpoint::parse(&fs::read(place.join("seen")).unwrap()).unwrap();
    let Checkpoint { origin, size, mut root } = seen.unverified().clone();
    root.0[0] ^= 1;
    let key = network.loaded("regulator").identity.key().clone();
    let other = Checkpoint { origin, size, root };
    let other = other.sign(&key.id(), |text| key.sign_raw(text)).unwrap();
    fs::write(place.join("other"), other.to_text()).unwrap();
    let _ = watch(place, "--known other --out x").badly(1, &["does not begin with them any more"]);
    let _ = place.says("access checkpoint -c net/custodian-b/node.toml --of notary --out x");
    assert!(!place.join("x").exists());

    kept_by_a_watcher(place, &other.to_text(), &network.member("regulator").id.to_string());
    let _ = place.says(&format!("access prove {AT} --entry 2 --out entry")).well();
    let _ =
        place.says(&format!("access prove {AT} --entry 9 --out none")).badly(2, &["no entry 9"]);
    let auditor = Place::default();
    for file in ["entry", "desk"] {
        fs::copy(place.join(file), auditor.join(file)).unwrap();
    }
    let said = auditor.says("access verify entry --desk desk").well().out;
    assert!(said.contains("entry 2") && said.contains("in the access log of node"), "{said}");
    let whole = fs::read(auditor.join("entry")).unwrap();
    fs::write(auditor.join("cut"), &whole[..whole.len() - 1]).unwrap();
    let _ = auditor.says("verify cut --desk desk").badly(1, &["[ENC-1]", "cut short"]);
    let _ = auditor.says("verify entry").badly(2, &["--desk"]);
    let known = format!("verify seen --node {}", network.member("regulator").id);
    fs::copy(place.join("seen"), auditor.join("seen")).unwrap();
    assert!(auditor.says(&known).well().out.contains("checkpoint: holds"));
    let stranger = format!("verify seen --node {}", network.member("notary").id);
    let _ = auditor.says(&stranger).badly(1, &["not of", "refuse it"]);
    let middle = whole.len() - 40;
    let mut changed = whole;
    changed[middle] ^= 1;
    fs::write(auditor.join("changed"), changed).unwrap();
    assert_ne!(auditor.says("verify changed --desk desk").code, Some(0));
}
