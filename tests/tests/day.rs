//! `sudare demo day` as a user runs it: a made-up trading day, the same under kills, and files of the same form.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use sudare_tests::system::{Place, eventually, pid_of, signal};

const REFUSALS: [&str; 8] = [
    "unknown-account",
    "overspend",
    "slot-expired",
    "spent",
    "lapsed",
    "cancelled",
    "frozen",
    "closed",
];

fn assert_all_held(report: &Value) {
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() > 10, "{checks:#?}");
    // How long the network takes to be ready is not this test's question.
    let others = checks.iter().filter(|check| check["name"] != "ready");
    assert!(others.into_iter().all(|check| check["held"] == true), "{checks:#?}");
    assert_eq!(report["deviations"], Value::Array(Vec::new()), "{report:#}");
    assert_eq!(report["mismatches"], Value::Array(Vec::new()), "{report:#}");
}

#[test]
fn a_made_up_day_ends_as_recomputed_with_every_refusal_and_leaves_what_it_was_asked_for() {
    let place = Place::default();
    let report = place
        .says("demo day --count 42 --seed 3 --date 2026-11-20 --out day -o json")
        .well()
        .json();
    assert_all_held(&report);
    let count = |outcome: &str| {
        let rows = report["outcomes"].as_array().unwrap();
        rows.iter().find(|row| row["outcome"] == outcome).and_then(|row| row["count"].as_u64())
    };
    for refusal in REFUSALS {
        assert!(count(refusal) >= Some(1), "{refusal} of {report:#}");
    }
    assert_eq!(count("settled"), report["pace"]["settled"].as_u64());
    for role in ["notary", "registrar", "custodian"] {
        assert!(report["pace"]["cpu_ms"][role].as_u64() > Some(0), "{report:#}");
    }
    let written: BTreeSet<String> = fs::read_dir(place.join("day"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let asked = [
        "end-positions.csv",
        "investors.csv",
        "names.csv",
        "positions.csv",
        "report.html",
        "report.json",
        "trades.csv",
    ];
    assert_eq!(written.iter().map(String::as_str).collect::<Vec<_>>(), asked);
    let page = fs::read_to_string(place.join("day/report.html")).unwrap();
    assert!(page.matches("<svg").count() == 6 && page.contains("架空"), "{page}");
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    place.assert_nothing_left();
}

#[test]
fn a_day_on_which_nodes_are_killed_all_the_time_ends_as_any_other() {
    let place = Place::default();
    let report = place.says("demo day --count 64 --seed 4 --chaos 9 -o json").well().json();
    assert_all_held(&report);
    assert!(report["pace"]["kills"].as_u64() >= Some(1), "{report:#}");
    place.assert_nothing_left();
}

/// What every account of a network holds, by custodian, investor and asset.
fn holdings(place: &Place) -> BTreeMap<(String, String, String), u64> {
    let mut all = BTreeMap::new();
    for custodian in ["custodian-a", "custodian-b", "custodian-c"] {
        let config = format!("net/{custodian}/node.toml");
        let accounts = place.says(&format!("account list -c {config} -o json")).well().json();
        for account in accounts.as_array().unwrap() {
            let text = |name: &str| account[name].as_str().unwrap().to_owned();
            let key = (custodian.to_owned(), text("investor"), text("asset"));
            all.insert(key, text("quantity").parse().unwrap());
        }
    }
    all
}

#[test]
fn days_on_a_running_network_begin_with_what_it_has_and_leave_it_running() {
    let place = Place::default();
    let _ = place.says("demo up --dir net").well();
    let before = holdings(&place);
    let nodes = place.processes().len();

    // Made up: its own investors and securities, and the network's cash.
    let report = place.says("demo day --on net --count 40 --out one -o json").well().json();
    assert_all_held(&report);
    let after = holdings(&place);
    assert!(after.len() > before.len() && before.iter().all(|(key, units)| after[key] == *units));
    // The ids of a second day are new, whatever is killed meanwhile.
    let report =
        place.says("demo day --on net --count 40 --chaos 5 --out two -o json").well().json();
    assert_all_held(&report);
    let first_id = |day: &str| {
        let trades = fs::read_to_string(place.join(day).join("trades.csv")).unwrap();
        trades.lines().nth(1).unwrap().split(',').next().unwrap().to_owned()
    };
    assert_eq!((first_id("one").as_str(), first_id("two").as_str()), ("D1-000001", "D2-000001"));
    assert_eq!(place.processes().len(), nodes);

    // The investors that are there, with what they hold and more.
    let write = |name: &str, text: &str| fs::write(place.join(name), text).unwrap();
    write("i.csv", "investor,custodian,asset\nINV-01,custodian-a,DJPY\nNEW-1,custodian-c,DJPY\n");
    write("p.csv", "investor,asset,quantity\nINV-01,DJPY,1000\n");
    let held = before[&("custodian-a".to_owned(), "INV-01".to_owned(), "DJPY".to_owned())];
    let trades = |id: &str, units: u64| {
        let header =
            "trade_id,kind,delivery_date,asset,quantity,from,to,cash_asset,cash_quantity,fault";
        write(
            "t.csv",
            &format!("{header}\n{id},transfer,2026-11-25,DJPY,{units},INV-01,NEW-1,,,\n"),
        );
    };
    let files = "--investors i.csv --positions p.csv --trades t.csv";
    trades("T-0001", 5);
    let words = ["had trades with these ids before: T-0001", "--seed"];
    let _ = place.says(&format!("demo day --on net {files}")).badly(2, &words);
    trades("MORE-1", held + 1_000);
    let report = place.says(&format!("demo day --on net {files} -o json")).well().json();
    assert_all_held(&report);
    let end = holdings(&place);
    let of = |custodian: &str, investor: &str| {
        end[&(custodian.to_owned(), investor.to_owned(), "DJPY".to_owned())]
    };
    assert_eq!((of("custodian-a", "INV-01"), of("custodian-c", "NEW-1")), (0, held + 1_000));

    write("i.csv", "investor,custodian,asset\nINV-01,custodian-b,DJPY\nNEW-1,custodian-c,DJPY\n");
    let words = ["INV-01 is a customer of custodian-a in this network"];
    let _ = place.says(&format!("demo day --on net {files}")).badly(2, &words);
    let _ = place.says("demo day --on nowhere").badly(2, &["nowhere holds no network", "demo up"]);
    signal(pid_of(&place.join("net"), "notary").unwrap(), Signal::KILL);
    eventually("it ends", || (place.processes().len() < nodes).then_some(()));
    let _ = place.says("demo day --on net --count 40").badly(1, &["notary does not run"]);
    assert_eq!(place.processes().len(), nodes - 1);
    let _ = place.says("demo down --dir net").well();
    place.assert_nothing_left();
}

#[test]
fn the_view_of_a_running_network_says_what_has_ended_who_waits_for_whom_and_who_is_silent() {
    let place = Place::default();
    let _ = place.says("demo up --dir net").well();
    let _ = place
        .says(
            "transfer -c net/custodian-a/node.toml --trade-id WAITS-1 --asset DJPY --quantity 5 \
             --from INV-01 --to-custodian custodian-b",
        )
        .well();
    let view = place.says("top --dir net --once -o json").well().json();
    // As the demo's own files have it.
    assert_eq!((&view["settled"], &view["settled_a_second"]), (&json!(19), &json!("0.0")));
    assert_eq!(view["under_way"], json!({ "matching": 1 }));
    let waits = view["waits"].as_array().unwrap();
    let own = |wait: &&Value| wait["who"] == "custodian-a" && wait["whom"] == "custodian-b";
    let wait = waits.iter().find(own).unwrap();
    assert_eq!((&wait["trades"], &wait["trade_id"]), (&json!(1), &json!("WAITS-1")));
    assert!(wait["longest_ms"].as_u64() >= Some(1_000), "{view:#}");
    let nodes = view["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 7);
    for node in nodes {
        assert!(node["cpu_percent"].is_u64(), "{node:#}");
        assert!(node["status"]["memory"].as_u64() > Some(1 << 20), "{node:#}");
        assert!(node["status"]["cpu_ms"].as_u64() > Some(0), "{node:#}");
    }

    signal(pid_of(&place.join("net"), "notary").unwrap(), Signal::KILL);
    let configs = "-c net/notary/node.toml -c net/custodian-a/node.toml";
    let view = place.says(&format!("top {configs} -o json")).well().json();
    let [custodian, notary] = view["nodes"].as_array().unwrap().as_slice() else {
        panic!("{view:#}")
    };
    assert_eq!((&notary["name"], &notary["status"]), (&json!("notary"), &Value::Null));
    assert_eq!(custodian["status"]["name"], "custodian-a");
    // No terminal: the same as a text, once.
    let text = place.says("top --dir net").well().out;
    for words in ["19 settled, 0.0 a second", "1 matching", "1 at custodian-a wait for custodian-b"]
    {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(text.contains("does not answer") && !text.contains('\x1b'), "{text}");
    let _ = place.says("top --dir nowhere").badly(2, &["nowhere holds no nodes", "--dir"]);
    let _ = place.says("demo down --dir net").well();
    place.assert_nothing_left();
}

#[test]
fn files_of_the_same_form_are_refused_with_every_bad_row_and_nothing_is_started() {
    let place = Place::default();
    let _ = place.says("demo day --count 30 --date 2026-11-20 --out day --files-only").well();
    let edit = |name: &str, change: &dyn Fn(Vec<String>) -> Vec<String>| {
        let path = place.join("day").join(name);
        let lines = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        // With a byte-order mark and CRLF, as spreadsheets write it.
        fs::write(&path, format!("\u{feff}{}\r\n", change(lines).join("\r\n"))).unwrap();
    };
    edit("trades.csv", &|mut lines| {
        let fields = |line: &str| -> Vec<String> { line.split(',').map(str::to_owned).collect() };
        let mut negative = fields(&lines[1]);
        negative[4] = "-5".into();
        let mut wide = fields(&lines[2]);
        wide[4] = "１２".into();
        let mut above = fields(&lines[3]);
        above[4] = "18446744073709551616".into();
        let twice = lines[5].clone();
        lines[1] = negative.join(",");
        lines[2] = wide.join(",");
        lines[3] = above.join(",");
        lines.push(twice);
        lines
    });
    edit("names.csv", &|mut lines| {
        lines[1] = lines[1].rsplit_once(',').unwrap().0.to_owned() + ",0000000000001";
        lines
    });
    let files = ["investors", "positions", "trades", "names"];
    let args = files.map(|name| format!("--{name} day/{name}.csv")).join(" ");
    let words = [
        "trades.csv line 2, column quantity: \"-5\" is not a whole number",
        "trades.csv line 3, column quantity: \"１２\" has full-width digits",
        "trades.csv line 4, column quantity: \"18446744073709551616\" is more than",
        "trades.csv line 32, column trade_id",
        "is already on line 6",
        "names.csv line 2, column corporate_number: \"0000000000001\" has a wrong check digit",
    ];
    let _ = place.says(&format!("demo day {args}")).badly(2, &words);
    eventually("nothing runs", || place.processes().is_empty().then_some(()));
    place.assert_nothing_left();
}
