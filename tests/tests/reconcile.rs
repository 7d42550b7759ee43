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

/// [REC-3], [REC-4], [REC-6]
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
    let _ = half.badly(1, &["REC-4", "signature is missing"]);
    let accepted = "--accepted both-0 --accepted both-1";
    let summary = place.says(&format!("{again} {accepted} --out two -o json")).well().json();
    assert_eq!((&summary["open"], &summary["accepted"]), (&0.into(), &2.into()));

    signed_by_two(&place);
}

/// [REC-4], [REC-6]: what a receiver finds who has the files, the cards of two officers and nothing else.
fn signed_by_two(place: &Place) {
    let _ = place.says("reconcile sign two --key maker.key --out made").well();
    let _ = place.says("reconcile sign two --key maker.key --out two/made").well();
    let _ =
        place.says("reconcile sign two --key maker.key --out no").badly(2, &["made", "take it"]);
    fs::remove_file(place.join("two/made")).unwrap();
    let approve = "reconcile approve made --key checker.key --out checked";
    let _ = place.says(approve).badly(1, &["REC-6", "--files"]);
    let _ = place.says(&format!("{approve} --files one")).badly(1, &["REC-6", "one/"]);
    let own = approve.replace("checker.key", "maker.key");
    let _ = place.says(&format!("{own} --files two")).badly(1, &["REC-4", "one officer"]);
    let _ = place.says(&format!("{approve} --files two")).well();
    let again = approve.replace("made", "checked").replace("out checked", "out no");
    let _ = place.says(&format!("{again} --files two")).badly(1, &["REC-4", "nobody"]);

    let verify = |file: &str, known: &str| place.says(&format!("verify {file} {known} -o json"));
    let officers = "--officer maker.card --officer checker.card";
    let holds = verify("checked", &format!("--files two {officers}")).well().json();
    assert_eq!((&holds["kind"], &holds["maker"]), (&"sign-off".into(), &"maker".into()));
    let report = &holds["report"];
    assert_eq!(report["summary"]["counts"]["accepted"], 2, "{holds}");
    let by = report["summary"]["totals"][1]["proven_by"].as_str().unwrap();
    assert!(by.contains("nothing checked"), "{holds}");
    assert_eq!(report["files"].as_array().unwrap().len(), 6, "{holds}");
    let said = place.says(&format!("verify checked --files two {officers}")).well().out;
    assert!(said.contains("checked by checker at") && said.contains("600 proven by"), "{said}");

    let _ = verify("made", officers).badly(1, &["REC-4", "signature is missing"]);
    let strangers = "--officer maker.card --officer stranger.card";
    let _ = verify("checked", strangers).badly(1, &["REC-4", "the checker", "cards"]);
    let _ = verify("checked", "--files two").badly(2, &["--officer"]);
    let _ = verify("both-0", &format!("{officers} --files two")).badly(2, &["--files"]);
    let _ = verify("checked", &format!("{officers} --node 00")).badly(2, &["--node"]);
    let _ = verify("checked", &format!("{officers} --files one")).badly(1, &["REC-6", "one/"]);
    let _ = verify("checked", officers).badly(1, &["REC-6", "--files"]);
    let accepted = verify("both-0", officers).well().json();
    assert_eq!(accepted["accepted"]["reason"], "rounding", "{accepted}");
    changed_or_absent(place, officers);
}

/// [REC-6]
fn changed_or_absent(place: &Place, officers: &str) {
    let verify = |known: &str| place.says(&format!("verify two/checked {known} {officers}"));
    fs::copy(place.join("checked"), place.join("two/checked")).unwrap();
    let names: Vec<_> = fs::read_dir(place.join("two")).unwrap().map(|one| one.unwrap()).collect();
    for name in names.iter().filter(|name| name.file_name() != "checked") {
        let whole = fs::read(name.path()).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            fs::write(name.path(), changed).unwrap();
            let file = name.file_name();
            let _ = verify("").badly(1, &["REC-6", file.to_str().unwrap(), "ask for it"]);
        }
        fs::write(name.path(), whole).unwrap();
    }
    let _ = verify("").well();
    let whole = fs::read(place.join("checked")).unwrap();
    for at in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(place.join("two/checked"), changed).unwrap();
        let ran = verify("");
        assert_eq!(ran.code, Some(1), "byte {at}: {ran}");
    }
    fs::write(place.join("two/checked"), &whole).unwrap();
    // A custodian gets its own part of the register, and nothing of the others'.
    fs::create_dir(place.join("part")).unwrap();
    let part = "register-custodian-a-0001.xml";
    fs::copy(place.join("two").join(part), place.join("part").join(part)).unwrap();
    let said = verify("--files part").well().out;
    assert!(said.contains("1 of 6 files") && said.contains("report.json isn't there"), "{said}");
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
    for name in ["maker", "checker"] {
        let files = format!("--key {name}.key --card {name}.card");
        let _ = place.says(&format!("ceremony officer --name {name} {files}")).well();
    }
    let _ = place.says("reconcile sign clean --key maker.key --out clean/made").well();
    let _ = place.says("reconcile approve clean/made --key checker.key --out clean/both").well();
    let cards = "--officer maker.card --officer checker.card";
    let said = place.says(&format!("verify clean/both {cards}")).well().out;
    assert!(said.contains("1000 proven by register snapshot 0"), "{said}");

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
