//! `sudare audit solve` and `audit table` as an auditor runs them: killed, gone on with, and given files that are not theirs.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests: a panic is their report"
)]

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use sudare_crypto::point::{Encoded, times_b};
use sudare_crypto::{Kernel, Scalar};
use sudare_disclosure::dlog::{Search, TableBuilder};
use sudare_tests::system::{Place, eventually, program};

const AMOUNT: u64 = 3_141_592_653;

fn point(amount: u64) -> String {
    format!("{:?}", Encoded::of(&times_b(&Scalar::from(amount))))
}

#[test]
fn an_amount_is_found_with_a_table_and_without_and_a_table_that_is_none_is_refused_with_the_next_step()
 {
    let place = Place::default();
    let made = place.says("audit table --bits 32 --out table -o json").well().json();
    assert_eq!(made["bits"], 32);
    let bytes = fs::read(place.join("table")).unwrap();
    assert_eq!(made["bytes"], bytes.len());
    assert!(!place.join("table.part").exists());
    let point = point(AMOUNT);
    let solve = format!("audit solve --point {point} --bound 4294967295");
    let found = place.says(&format!("{solve} --table table -o json")).well().json();
    assert_eq!(found, AMOUNT.to_string());
    let found = place.says(&format!("{solve} --file search -o json")).well().json();
    assert_eq!(found, AMOUNT.to_string());

    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    fs::write(place.join("damaged"), damaged).unwrap();
    for file in ["damaged", "search"] {
        let ran = place.says(&format!("{solve} --table {file}"));
        let _ = ran.badly(1, &["no table, or damaged", "sudare audit table"]);
    }
    let wide = solve.replace("4294967295", "4294967296");
    let _ =
        place.says(&format!("{wide} --table table")).badly(2, &["below 2^32", "make a larger one"]);
    let _ = place.says("audit table --bits 32 --out table").badly(2, &["exists"]);
    let _ = place.says(&solve).badly(2, &["--file"]);
    let _ = place
        .says(&format!("{solve} --file table"))
        .badly(1, &["damaged", "start the search anew"]);
}

#[test]
fn arithmetic_that_the_processor_has_is_taken_by_name_and_any_other_is_refused() {
    let place = Place::default();
    let with = |kernel: &str| {
        let mut command = Command::new(program());
        let point = point(77);
        command.args(["audit", "solve", "--point", &point, "--bound", "100", "--file", "search"]);
        command.env("SUDARE_KERNEL", kernel);
        place.spawn(command).ended()
    };
    for kernel in Kernel::all() {
        let _ = with(kernel.name()).well();
    }
    for unknown in ["abacus", "", "Portable"] {
        let _ = with(unknown).badly(2, &["SUDARE_KERNEL", "portable", "name one or none"]);
    }
}

#[test]
fn a_search_that_is_interrupted_goes_on_from_its_file() {
    let place = Place::default();
    let args =
        format!("audit solve --point {} --bound {} --file search", point(u64::MAX / 3), u64::MAX);
    let mut done = 0;
    for _ in 0..2 {
        let started = place.start(args.split_whitespace());
        std::thread::sleep(Duration::from_secs(2));
        started.signal(Signal::INT);
        let _ = started.ended().badly(1, &["stopped", "goes on from search"]);
        let kept = Search::from_bytes(&fs::read(place.join("search")).unwrap()).unwrap();
        assert!(kept.progress().steps_done > done);
        done = kept.progress().steps_done;
    }
}

#[test]
fn a_table_under_way_survives_a_kill_and_goes_on_from_its_part() {
    let place = Place::default();
    let args = "audit table --bits 50 --out table";
    let part = place.join("table.part");
    let started = place.start(args.split_whitespace());
    eventually("a part is saved", || part.exists().then_some(()));
    started.signal(Signal::KILL);
    assert_eq!(started.ended().code, None);
    let steps = || TableBuilder::from_bytes(&fs::read(&part).unwrap(), 1).unwrap().steps_done();
    let before = steps();
    let started = place.start(args.split_whitespace());
    std::thread::sleep(Duration::from_secs(2));
    started.signal(Signal::INT);
    let _ = started.ended().badly(1, &["stopped", "table.part"]);
    assert!(steps() > before && before > 0);
    let _ = place.says("audit table --bits 51 --out table").badly(2, &["of other sizes"]);
}
