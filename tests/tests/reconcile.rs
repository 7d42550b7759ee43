//! `sudare reconcile` as registrar, maker and checker run it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::fs;

use sudare_tests::system::Place;
use sudare_tests::system::network::{SOLD, sold};

const REGISTER: &str = "asset,account,custodian,partner,quantity
ZZ0000DEMO11,INV-1,custodian-a,,100
ZZ0000DEMO11,INV-2,custodian-a,broker-x,200
DJPY,INV-2,custodian-a,broker-x,5000
ZZ0000DEMO11,INV-3,custodian-b,,300
";
const VIEW: &str = "asset,account,quantity
ZZ0000DEMO11,INV-1,100
ZZ0000DEMO11,INV-2,201
DJPY,INV-2,5003
";

fn place() -> Place {
    let place = Place::default();
    fs::write(place.join("register.csv"), REGISTER).unwrap();
    fs::write(place.join("a.csv"), VIEW).unwrap();
    fs::write(place.join("x.csv"), VIEW.replace("ZZ0000DEMO11,INV-1,100\n", "")).unwrap();
    for name in ["maker", "checker", "stranger"] {
        let files = format!("--key {name}.key --card {name}.card");
        let _ = place.says(&format!("ceremony officer --name {name} {files}")).well();
    }
    place
}

/// [REC-3], [REC-4]
#[test]
fn breaks_are_reported_accepted_by_two_and_the_report_is_signed_by_two() {
    let place = place();
    let sides = "--register register.csv --view custodian-a=a.csv --partner broker-x=x.csv";
    let rules = "--proven ZZ0000DEMO11=600 --tolerance DJPY=3 --as-of 2026-11-27";
    let first = place.says(&format!("reconcile run {sides} {rules} --out one -o json"));
    let summary = first.badly(1, &["2 open breaks"]).json();
    assert_eq!((&summary["compared"], &summary["within_tolerance"]), (&5.into(), &2.into()));
    for file in ["report.json", "report.html", "report.pdf", "report.xlsx", "breaks.csv"] {
        assert!(place.join("one").join(file).exists(), "{file}");
    }

    // One officer is not two, and a stranger is none.
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(place.join("one/report.json")).unwrap()).unwrap();
    let ids: Vec<&str> = report["breaks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 2);
    let officers = "--officer maker.card --officer checker.card";
    for (number, id) in ids.iter().enumerate() {
        let accept =
            format!("reconcile accept --report one/report.json --id {id} --reason rounding");
        let _ = place.says(&format!("{accept} --key maker.key --out half-{number}")).well();
        let approve = format!("reconcile approve half-{number}");
        let _ = place.says(&format!("{approve} --key maker.key --out no")).badly(1, &["REC-4"]);
        let _ = place.says(&format!("{approve} --key checker.key --out both-{number}")).well();
    }
    let again = format!("reconcile run {sides} {rules} --earlier one/report.json {officers}");
    let half = place.says(&format!("{again} --accepted half-0 --out two"));
    let _ = half.badly(1, &["REC-4", "second one"]);
    let accepted = "--accepted both-0 --accepted both-1";
    let summary = place.says(&format!("{again} {accepted} --out two -o json")).well().json();
    assert_eq!((&summary["open"], &summary["accepted"]), (&0.into(), &2.into()));

    let _ = place.says("reconcile sign --report two/report.json --key maker.key --out made").well();
    let verify = |report: &str, word: &str, officers: &str| {
        let line = format!("reconcile verify --report {report} --sign-off {word} {officers}");
        place.says(&line)
    };
    let _ = verify("two/report.json", "made", officers).badly(1, &["REC-4", "one officer"]);
    let _ = place.says("reconcile approve made --key checker.key --out checked").well();
    let holds = verify("two/report.json", "checked", officers).well();
    assert!(holds.out.contains("made by maker, checked by checker"), "{holds}");
    let _ = verify("one/report.json", "checked", officers).badly(1, &["another report"]);
    let _ = verify("two/report.json", "both-0", officers).badly(1, &["accepts a difference"]);
    let strangers = "--officer maker.card --officer stranger.card";
    let _ = verify("two/report.json", "checked", strangers).badly(1, &["REC-4", "card"]);
    let report = fs::read_to_string(place.join("two/report.json")).unwrap();
    fs::write(place.join("changed.json"), report.replacen("rounding", "Rounding", 1)).unwrap();
    let _ = verify("changed.json", "checked", officers).badly(1, &["REC-4", "another report"]);
}

/// [REC-5]
#[tokio::test(flavor = "multi_thread")]
async fn what_nodes_keep_is_compared_with_what_the_ledger_proves() {
    let (network, _desk) = sold("S-1").await;
    let place = &network.place;
    let at = |node: &str| format!("-c net/{node}/node.toml");
    let registrar = at("registrar");
    let open = format!("receive {} --from-node custodian-a --asset {SOLD}", at("custodian-b"));
    let open = format!("{open} --to INV-2 --quantity 7 --trade-id S-9 --delivery-date 2026-11-27");
    let _ = place.says(&open).well();
    let _ = place.says(&format!("register snapshot {registrar} --asset {SOLD}")).well();
    let state = format!("statement make {registrar} --registrar registrar --asset {SOLD}");
    let listed =
        place.says(&format!("register show {registrar} --asset {SOLD} -o json")).well().json();
    let bound = format!("--account {} --at-least 1", listed[0]["account"].as_str().unwrap());
    for (out, what) in [("total", "--supply"), ("bound", &*bound)] {
        let of = format!("--snapshot 0 {what} --recipient Operations --out {out}");
        let _ = place.says(&format!("{state} {of}")).well();
    }
    let fetch = format!("checkpoint fetch {} --registrar registrar", at("custodian-a"));
    let _ = place.says(&format!("{fetch} --asset {SOLD} --out seen")).well();

    for node in ["registrar", "custodian-a", "custodian-b"] {
        let _ = place.says(&format!("reconcile fetch {} --out {node}", at(node))).well();
    }
    let nothing = place.says(&format!("reconcile fetch {} --out no", at("notary")));
    let _ = nothing.badly(2, &["keeps no holdings"]);
    let _ = place
        .says(&format!("reconcile fetch {registrar} --out no --asset NONE"))
        .badly(2, &["NONE"]);
    let _ = place
        .says(&format!("reconcile fetch {registrar} --out registrar"))
        .badly(2, &["new folder"]);
    let register = fs::read_to_string(place.join("registrar/register.csv")).unwrap();
    for row in ["INV-1,custodian-a,,990", "INV-2,custodian-b,,10"] {
        assert!(register.contains(&format!("{SOLD},{row}\n")), "{register}");
    }
    let under_way = fs::read_to_string(place.join("custodian-b/pending.csv")).unwrap();
    assert!(under_way.contains(&format!("S-9,{SOLD},INV-2,in,7,2026-11-27")), "{under_way}");

    let run = |proven: &str, view: &str, out: &str| {
        let views = format!("--view custodian-a=custodian-a/view.csv --view custodian-b={view}");
        let sides = format!("--register registrar/register.csv {views}");
        let rules = "--pending custodian-b/pending.csv --as-of 2026-11-27";
        place.says(&format!("reconcile run {sides} {rules} {proven} --out {out} -o json"))
    };
    let proven = "--proven-by total=seen --recipient Operations";
    let summary = run(proven, "custodian-b/view.csv", "clean").well().json();
    assert_eq!((&summary["compared"], &summary["open"]), (&2.into(), &0.into()), "{summary}");
    let report = fs::read_to_string(place.join("clean/report.json")).unwrap();
    assert!(report.contains("register snapshot 0"), "{report}");

    let view = fs::read_to_string(place.join("custodian-b/view.csv")).unwrap();
    fs::write(place.join("other.csv"), view.replace("INV-2,10", "INV-2,11")).unwrap();
    let _ = run(proven, "other.csv", "broken").badly(1, &["1 open break"]);
    // A total that is proven and isn't the register's is a break.
    fs::write(place.join("registrar/register.csv"), register.replace(",990", ",991")).unwrap();
    let _ = run(proven, "custodian-b/view.csv", "more").badly(1, &["open breaks"]);

    let bound = "--proven-by bound=seen --recipient Operations";
    let _ = run(bound, "custodian-b/view.csv", "no").badly(1, &["REC-5", "--supply"]);
    let _ = run("--proven-by total=seen --recipient Other", "custodian-b/view.csv", "no")
        .badly(1, &["STM-6"]);
    let _ = run("--proven-by seen=seen --recipient Other", "custodian-b/view.csv", "no")
        .badly(1, &["seen"]);
    let _ = run("--proven-by total=seen", "custodian-b/view.csv", "no").badly(2, &["--recipient"]);
    assert!(!place.join("no").exists());
}
