//! What is done when a disclosure key is stolen or lost, as the authority and the registrar run it (specs/policy.md).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;

use serde_json::Value;
use sudare::demo::setup::Desk;
use sudare_tests::system::Place;
use sudare_tests::system::network::{Holder, Leg, SOLD, deal, sold};

const AT: &str = "--registrar registrar --asset";
const REGULATOR: &str = "-c net/regulator/node.toml";
const REGISTRAR: &str = "-c net/registrar/node.toml";

/// A configuration of the regulator with these seeds, under a name beside its own.
fn with_seeds(place: &Place, name: &str, seed: &str, former: &[&str]) -> String {
    let own = fs::read_to_string(place.join("net/regulator/node.toml")).unwrap();
    let former: Vec<String> = former.iter().map(|file| format!("{file:?}")).collect();
    let seeds = format!("seed = {seed:?}\nformer_seeds = [{}]", former.join(", "));
    let lines = own.lines().map(|line| if line.starts_with("seed =") { &seeds } else { line });
    let text: Vec<&str> = lines.collect();
    fs::write(place.join(&format!("net/regulator/{name}")), text.join("\n")).unwrap();
    format!("-c net/regulator/{name}")
}

fn replay(place: &Place, config: &str) -> Value {
    place.says(&format!("audit replay {config} {AT} {SOLD} -o json")).well().json()
}

async fn trade(desk: &Desk, id: &str) {
    let seller = Holder { custodian: "custodian-a", investor: "INV-1" };
    let buyer = Holder { custodian: "custodian-b", investor: "INV-2" };
    let leg = Leg { code: SOLD, quantity: 5 };
    assert_eq!(deal(desk, id, seller, buyer, leg, None).await, Ok(()));
}

/// A fresh seed and its keys for as many epochs as the asset has.
fn fresh(place: &Place, seed: &str, config: &str, label: &str) {
    let _ = place.says(&format!("audit seed --out net/regulator/{seed}")).well();
    let keys = format!("audit keys {config} --core core --label {label} --epochs 12");
    let _ = place.says(&format!("{keys} --out {label}.keys")).well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_reads_nothing_once_its_holder_retired_it_and_a_lost_one_is_made_up_for() {
    let (network, desk) = sold("R-1").await;
    let place = &network.place;
    let _ =
        place.says(&format!("checkpoint fetch {REGULATOR} {AT} {SOLD} --core core --out c")).well();
    let before = replay(place, REGULATOR);
    assert_eq!(before["holdings"].as_object().unwrap().len(), 2);

    // Stolen: the thief has the seed. The holder makes another, and retires the old keys with themselves.
    let thief = with_seeds(place, "thief.toml", "seed.key", &[]);
    let now = with_seeds(place, "now.toml", "seed2.key", &["seed.key"]);
    fresh(place, "seed2.key", &now, "regulator-2");
    let marked = format!("audit keys {now} --core core --label !regulator --out marked");
    let _ = place.says(&marked).badly(2, &["mark retired keys"]);
    let retire = format!("audit retire {now} {AT} {SOLD} --from-epoch 0 --reason compromised");
    let _ = place.says(&format!("{retire} --out gone")).well();
    let _ = place.says(&format!("{retire} --label nobody --out none")).badly(2, &["asset list"]);
    let amend = format!("asset amend {REGISTRAR} --asset {SOLD}");
    let _ = place.says(&amend).badly(2, &["nothing changes"]);
    let amended =
        place.says(&format!("{amend} --keys regulator-2.keys --retire gone -o json")).well().json();
    assert_eq!((&amended["terms"], &amended["keys_added"]), (&1.into(), &amended["keys_retired"]));
    let again = place.says(&format!("{amend} --retire gone"));
    let _ = again.badly(2, &["has it been retired already?"]);
    let listed = place.says(&format!("asset list {REGISTRAR} -o json")).well().out;
    assert!(listed.contains("regulator: nothing any more (compromised)"), "{listed}");

    trade(&desk, "R-2").await;
    let all = replay(place, &now);
    assert_eq!(all["holdings"].as_object().unwrap().len(), 2, "old keys and new read it all");
    let stolen = replay(place, &thief);
    assert_eq!((&stolen["root"], &stolen["holdings"]), (&all["root"], &Value::Null));
    assert!(stolen["statement"].as_str().unwrap().contains("not in scope"), "{stolen}");

    // Lost: no key can sign. Others are added beside it; they read from then on, and the registrar reads all as before.
    let lost = with_seeds(place, "lost.toml", "seed3.key", &[]);
    fresh(place, "seed3.key", &lost, "regulator-3");
    let _ = place.says(&format!("{amend} --keys regulator-3.keys")).well();
    let nothing = replay(place, &lost);
    assert_eq!(nothing["holdings"], Value::Null);
    trade(&desk, "R-3").await;
    let legs = all["legs"].as_u64().unwrap() + 1;
    assert_eq!(replay(place, &lost)["legs"], legs);
    assert_eq!(replay(place, &now)["holdings"].as_object().unwrap().len(), 2);

    // More epochs are published ahead with everybody's keys or not at all.
    let more = place.says(&format!("{amend} --epochs 13"));
    let _ = more.badly(2, &["would be closed to", "--epochs 13"]);
}
