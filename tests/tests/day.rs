//! `sudare demo day` as a user runs it: a made-up trading day, the same under kills, and files of the same form.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use sudare_tests::system::{Place, eventually};

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
    assert!(page.matches("<svg").count() == 4 && page.contains("架空"), "{page}");
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
