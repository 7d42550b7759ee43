//! Nodes that are killed while trades settle: the network goes on after their restart as if nothing had happened (FLOW-1).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rustix::process::Signal;
use sudare_tests::system::{Place, eventually, pid_of, signal};

const TRADES: u32 = 120;
const KILLS: u32 = 4;
/// Opening positions at each custodian.
const OPENINGS: u32 = 6;

/// Runs the demo on many trades, kills `node` several times while they settle, each time at a moment that `seed` chooses, and
/// demands that every trade ends as it must.
fn survives(node: &str, seed: u64) {
    let place = Place::default();
    let net = place.join("net");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    // Somebody who can be asked how far the trades are, also while the node is down.
    let witness = if node == "custodian-c" { "custodian-b" } else { "custodian-c" };
    let args = ["demo", "--dir", "net", "-o", "json"].map(str::to_owned).to_vec();
    let mut demo = place.start([args, place.many_trades(TRADES)].concat());
    let mut killed = BTreeSet::new();
    for kill in 0..KILLS {
        // The first kill comes while opening positions are issued. The witness takes part in two thirds of the trades: the last
        // kill comes well before the end.
        let settled = match kill {
            0 => 1 + rng.next_u32() % OPENINGS,
            _ => OPENINGS + kill * TRADES / 10 + rng.next_u32() % (TRADES / 12),
        };
        eventually("trades settle", || {
            assert!(demo.runs(), "the demo has ended before kill {kill}: {}", demo.said_so_far());
            let now = place.settled(&net, witness)?;
            (now >= usize::try_from(settled).unwrap()).then_some(())
        });
        sleep(Duration::from_micros((rng.next_u32() % 20_000).into()));
        // The demo has started it again since the last time.
        let pid = eventually("another process of the node", || {
            pid_of(&net, node).filter(|pid| !killed.contains(pid))
        });
        signal(pid, Signal::KILL);
        killed.insert(pid);
    }
    let report = demo.ended().well().json();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() > 5 && checks.iter().all(|check| check["held"] == true), "{checks:#?}");
    assert_eq!(report["outcomes"][0]["outcome"], "settled");
    assert_eq!(report["outcomes"][0]["count"], TRADES, "{report:#}");
    assert_eq!(report["mismatches"].as_array().unwrap().len(), 0);
    place.assert_nothing_left();
}

#[test]
fn a_killed_notary_costs_no_trade() {
    survives("notary", 1);
}

#[test]
fn a_killed_registrar_costs_no_trade() {
    survives("registrar-securities", 2);
}

#[test]
fn a_killed_custodian_costs_no_trade() {
    survives("custodian-a", 3);
}

#[test]
fn a_killed_regulator_costs_no_trade() {
    survives("regulator", 4);
}
