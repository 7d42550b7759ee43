//! `sudare audit replay` as a regulator runs it: kept in a folder, killed, and going on.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::time::Duration;

use rustix::process::Signal;
use sudare::demo::setup::Desk;
use sudare_tests::system::network::{Holder, Leg, SOLD, deal, sold};
use sudare_tests::system::{Place, Ran, eventually};

const AT: &str = "-c net/regulator/node.toml --registrar registrar";
const SELLER: Holder<'_> = Holder { custodian: "custodian-a", investor: "INV-1" };
const BUYER: Holder<'_> = Holder { custodian: "custodian-b", investor: "INV-2" };

fn line(more: &str) -> String {
    format!("audit replay {AT} --asset {SOLD} -o json {more}")
}

fn replay(place: &Place, more: &str) -> Ran {
    place.says(&line(more))
}

async fn deals(desk: &Desk, name: &str, count: u32) {
    for number in 0..count {
        let leg = Leg { code: SOLD, quantity: 3 };
        let id = format!("{name}-{number}");
        assert_eq!(deal(desk, &id, SELLER, BUYER, leg, None).await, Ok(()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_killed_goes_on_in_its_folder_and_states_the_same() {
    let (network, desk) = sold("K").await;
    deals(&desk, "K", 12).await;
    let place = &network.place;
    let whole = replay(place, "").well().json();
    assert_eq!(whole["holdings"].as_object().unwrap().len(), 2);
    // Each window is a leg or two: whatever moment it is killed at, some are kept and some are not.
    let kept = line("--folder kept --at-once 1");
    let mut killed = 0;
    for wait in 0..40 {
        let mut running = place.start(kept.split_whitespace());
        std::thread::sleep(Duration::from_millis(20 + 5 * wait));
        if !running.runs() {
            break;
        }
        running.signal(Signal::KILL);
        assert_eq!(running.ended().code, None, "killed, not ended");
        killed += 1;
    }
    assert!(killed > 2, "killed {killed} times");
    let end = place.says(&kept).well().json();
    for what in ["statement", "holdings", "root", "supply", "legs", "entries"] {
        assert_eq!(end[what], whole[what], "{what}");
    }
    // There is nothing left to fetch, until the log grows.
    let again = replay(place, "--folder kept").well().json();
    assert_eq!((&again["statement"], &again["bytes"]), (&whole["statement"], &0.into()));
    deals(&desk, "L", 1).await;
    let more = replay(place, "--folder kept").well().json();
    let fresh = replay(place, "").well().json();
    assert_eq!(more["statement"], fresh["statement"]);
    let (fetched, all) = (more["bytes"].as_u64().unwrap(), fresh["bytes"].as_u64().unwrap());
    assert!(0 < fetched && fetched * 8 < all, "{fetched} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_of_one_replay_and_of_nothing_else() {
    let (network, _desk) = sold("F").await;
    let place = &network.place;
    let _ = replay(place, "--folder kept").well();
    let _ = place.says("ceremony officer --name aoki --key aoki.key --card aoki.card").well();
    let desk = "grant desk -c net/regulator/node.toml --needed 1 --officer aoki.card --out desk";
    let _ = place.says(desk).well();
    let _ = place.says("grant add -c net/regulator/node.toml desk").well();
    // Without a grant no key is applied from now on: that is another replay.
    let _ = replay(place, "--folder kept").badly(1, &["with other keys", "a folder of its own"]);
    let _ = replay(place, "--folder nothing").well();
    let _ = replay(place, "--folder net/regulator").badly(1, &["other files", "empty"]);
    under_grants(place);
    let stated = replay(place, "--folder nothing").well().json();
    for entry in std::fs::read_dir(place.join("nothing/tables")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(mut bytes) = std::fs::read(&path) else { continue };
        let middle = bytes.len() / 2;
        let Some(byte) = bytes.get_mut(middle) else { continue };
        *byte ^= 8;
        std::fs::write(&path, bytes).unwrap();
    }
    // Damaged tables are said to be, or what is left of them is whole and the replay goes on from there.
    let ran = replay(place, "--folder nothing");
    if ran.code == Some(0) {
        assert_eq!(ran.json()["statement"], stated["statement"]);
    } else {
        let _ = ran.badly(1, &["in nothing can't be used", "delete the folder"]);
    }
}

/// A grant for these fields that the one officer of the desk signed.
fn give(place: &Place, name: &str, fields: &str) -> String {
    let at = "-c net/regulator/node.toml";
    let why = format!("--purpose case --legal-basis law --case {name}");
    let what = format!("--registrar registrar --asset {SOLD} --fields {fields}");
    let _ = place.says(&format!("grant make {at} {what} {why} --out {name}")).well();
    let _ = place.says(&format!("grant sign {name} --key aoki.key --out {name}-signed")).well();
    let id = place.says(&format!("grant add {at} {name}-signed -o json")).well().json();
    id.as_str().unwrap().to_owned()
}

/// A folder that was begun under one grant goes on under any for the same, and under no other.
fn under_grants(place: &Place) {
    let one = give(place, "one", "amounts,parties");
    let same = give(place, "same", "amounts,parties");
    let other = give(place, "other", "amounts");
    let in_folder = |more: &str| replay(place, &format!("--folder granted {more}"));
    let _ = in_folder(&format!("--grant {one}")).well();
    let refused = |ran: Ran| {
        let _ = ran.badly(1, &["under another scope", "a folder of its own"]);
    };
    refused(in_folder(&format!("--grant {other}")));
    refused(in_folder(&format!("--grant {one} --fields amounts")));
    refused(in_folder(&format!("--grant {one} --until-ms 1")));
    refused(in_folder(""));
    let _ = in_folder(&format!("--grant {same}")).well();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_replayed_while_trades_settle_and_none_fails_for_it() {
    let (network, desk) = sold("B").await;
    let place = &network.place;
    // Replays from the first entry, and one that goes on in its folder, until the log has grown under them three times.
    let read = || {
        let mut sizes: Vec<u64> = Vec::new();
        while sizes.len() < 4 {
            for more in ["", "--folder kept --at-once 1"] {
                let said = replay(place, more).well().json();
                let legs = said["legs"].as_u64().unwrap();
                let words = format!("legs 0..{legs} of {legs}, none missing, none unreadable");
                assert!(said["statement"].as_str().unwrap().contains(&words), "{said}");
                assert_eq!(said["supply"], "1000");
                if sizes.last().is_none_or(|last| *last < legs) {
                    sizes.push(legs);
                }
            }
        }
        sizes
    };
    let (settled, sizes) = std::thread::scope(|scope| {
        let reading = scope.spawn(read);
        let mut settled = 0_u64;
        let dealing = async {
            while !reading.is_finished() {
                deals(&desk, &format!("B{settled}"), 1).await;
                settled += 1;
            }
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(dealing));
        (settled, reading.join().unwrap())
    });
    assert!(sizes.windows(2).all(|pair| pair[0] < pair[1]), "{sizes:?}");
    // Nobody was in anybody's way: all trades settled, and the whole log is read at its end.
    let (whole, kept) = (replay(place, "").well().json(), replay(place, "--folder kept").well());
    assert_eq!((&whole["legs"], &whole["supply"]), (&(2 + settled).into(), &"1000".into()));
    assert_eq!(whole["statement"], kept.json()["statement"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_written_in_three_formats_and_followed_as_the_log_grows() {
    let (network, desk) = sold("W").await;
    let place = &network.place;
    let follow = format!("audit follow {AT} --asset {SOLD} --folder kept --out found --every 1");
    let mut following = place.start(follow.split_whitespace());
    let node = network.member("regulator").id.to_string();
    let legs = |place: &Place| -> Option<u64> {
        if !place.join("found/audit.sudare").exists() {
            return None;
        }
        // It may be between two audits.
        let ran = place.says(&format!("verify found/audit.sudare --node {node} -o json"));
        (ran.code == Some(0)).then(|| ran.json()["legs"].as_u64().unwrap())
    };
    eventually("the first audit", || legs(place).filter(|legs| *legs == 2));
    deals(&desk, "W", 3).await;
    eventually("an audit of all that came", || legs(place).filter(|legs| *legs == 5));
    assert!(following.runs());
    following.signal(Signal::INT);
    let said = following.ended().well();
    assert!(said.out.contains("legs 0..5 of 5") && said.err.contains("goes on from"), "{said}");

    // The same as in one go, file by file; the audit alone has a time.
    let once = replay(place, "--out once").well().json();
    assert_eq!(once["audit"], "once/audit.sudare");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(place.join("once")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "audit.sudare" {
            let read = |folder: &str| std::fs::read(place.join(folder).join(&name)).unwrap();
            assert_eq!(read("once"), read("found"), "{name}");
        }
        names.push(name);
    }
    assert_eq!(names.len(), 11, "{names:?}");
    rows(place);
    let later = replay(place, "--out later --out-from 5").well().json();
    assert_eq!(later["statement"], once["statement"]);
    let text = std::fs::read_to_string(place.join("later/movements.csv")).unwrap();
    assert_eq!(text.lines().count(), 4, "one leg of one input and two outputs: {text}");
}

/// The three formats hold the same rows, as an independent program reads them.
fn rows(place: &Place) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle");
    let prepared = std::process::Command::new(folder.join("prepare")).output().unwrap();
    assert!(
        prepared.status.success(),
        "tests/oracle/prepare needs python3-venv and, once, the network"
    );
    let python = String::from_utf8(prepared.stdout).unwrap();
    let mut command = std::process::Command::new(python.trim());
    command.arg(folder.join("tables.py")).arg(place.join("once"));
    let said = place.spawn(command).ended().well().json();
    assert_eq!(said["register"]["rows"], 2);
    assert_eq!(said["register"]["sum"], "1000");
    assert_eq!(said["movements"]["types"]["quantity"], "UBIGINT");
    assert_eq!(said["movements"]["types"]["account"], "VARCHAR");
    // Minted and spent are received and burned, in every leg.
    assert_eq!(said["movements"]["unbalanced"], 0);
    let moved = said["movements"]["rows"].as_u64().unwrap();
    assert!(moved >= 2 + 4 * 3, "{said}");
    // Trades of tests are due on a day of 2031 or on that of their instruction.
    assert_eq!(said["exceptions"]["rows"], 0, "{said}");
}
