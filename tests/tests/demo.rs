//! `sudare demo` and the other commands as a user runs them: what they print, how they end, what they leave behind.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use sudare_tests::system::{Place, Ran, eventually, pid_of, program, signal};

const SECURITY: &str = "ZZ0000DEMO11";
const NODES: [&str; 7] = [
    "custodian-a",
    "custodian-b",
    "custodian-c",
    "notary",
    "registrar-cash",
    "registrar-securities",
    "regulator",
];

/// That a report says that everything is as it must be, within the limits of time and memory.
fn assert_all_held(report: &Value) {
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["held"] == true), "{checks:#?}");
    let names: BTreeSet<&str> =
        checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    for role in ["custodian-a", "custodian-b", "custodian-c", "registrar-cash"] {
        assert!(names.contains(format!("positions at {role}").as_str()), "{names:?}");
    }
    for code in [SECURITY, "DJPY"] {
        assert!(names.contains(format!("regulator's replay of {code}").as_str()), "{names:?}");
    }
    assert_eq!(report["deviations"], Value::Array(Vec::new()));
    assert_eq!(report["mismatches"], Value::Array(Vec::new()));
    assert!(report["positions_compared"].as_u64().unwrap() > 0);
    let number = |name: &str| -> u64 {
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        let mut words = check["detail"].as_str().unwrap().split(' ');
        words.find_map(|word| word.parse().ok()).unwrap()
    };
    assert!((1..=1024).contains(&number("memory")), "MiB: {}", number("memory"));
    assert!(number("ready") <= 20_000, "ms: {}", number("ready"));
}

#[test]
fn the_demo_settles_and_refuses_what_it_must_and_leaves_nothing() {
    let place = Place::default();
    let report = place.says("demo -o json").well().json();
    assert_all_held(&report);
    let count = |outcome: &str| {
        let rows = report["outcomes"].as_array().unwrap();
        rows.iter().find(|row| row["outcome"] == outcome).map(|row| row["count"].clone())
    };
    assert!(count("settled").unwrap().as_u64() >= Some(15));
    for refusal in ["unknown-account", "overspend", "slot-expired", "spent"] {
        assert!(count(refusal).unwrap().as_u64() >= Some(1), "{refusal}");
    }
    let parties: BTreeSet<&str> = report["parties"]
        .as_array()
        .unwrap()
        .iter()
        .map(|party| party["name"].as_str().unwrap())
        .collect();
    assert_eq!(parties, BTreeSet::from(NODES));
    place.assert_nothing_left();
}

#[test]
fn two_demos_at_once_do_not_disturb_each_other_and_people_get_tables() {
    let place = Place::default();
    let runs = [place.start(["demo"]), place.start(["demo"])];
    for run in runs {
        let ran = run.ended().well();
        assert!(ran.out.contains("All held."), "{ran}");
        assert!(ran.err.is_empty(), "progress is for terminals: {ran}");
    }
    place.assert_nothing_left();
}

#[test]
fn wrong_input_is_refused_with_all_errors_at_once_and_nothing_is_started() {
    let place = Place::default();
    let args = place.many_trades(3);
    let text = fs::read_to_string(place.join("trades.csv")).unwrap();
    let broken = text
        .replace("T-0,transfer,2026-11-25", "T-0,transfer,2026-02-30")
        .replace("T-1,transfer", "T-1,gift")
        .replace(
            "T-2,transfer,2026-11-25,ZZ0000DEMO11,3",
            "T-2,transfer,2026-11-25,ZZ0000DEMO11,-3",
        );
    assert_ne!(text, broken);
    fs::write(place.join("trades.csv"), broken).unwrap();
    let dir = ["--dir", "net"].map(str::to_owned);
    let demo = |more: &[String]| place.sudare([&["demo".to_owned()], more].concat());
    let all = ["trades.csv", "2026-02-30", "gift", "-3"];
    let _ = demo(&[args.clone(), dir.to_vec()].concat()).badly(2, &all);
    let ran = demo(&[args.clone(), vec!["-o".into(), "json".into()]].concat()).badly(2, &all);
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert!(error["error"].as_str().unwrap().contains("gift"));

    fs::write(place.join("trades.csv"), [0xff, 0xfe, 0x00]).unwrap();
    let _ = demo(&[args.clone(), dir.to_vec()].concat()).badly(2, &["trades.csv"]);
    fs::remove_file(place.join("trades.csv")).unwrap();
    let _ = demo(&[args.clone(), dir.to_vec()].concat()).badly(4, &["trades.csv"]);
    let _ = demo(&args[..2]).badly(2, &["--positions", "--trades"]);
    let _ = place.says("demo --no-such-thing").badly(2, &["--no-such-thing"]);
    assert!(!place.join("net").exists());
    place.assert_nothing_left();
}

#[test]
fn an_interrupted_demo_stops_every_process_and_removes_its_folder() {
    for (what, name) in [(Signal::INT, "Ctrl-C"), (Signal::TERM, "SIGTERM")] {
        let place = Place::default();
        let args = [vec!["demo".to_owned()], place.many_trades(400)].concat();
        let run = place.start(args);
        let folder = eventually("the demo makes a folder", || place.temporary().pop());
        eventually("trades settle", || {
            place.settled(&folder, "custodian-a").filter(|settled| *settled > 0)
        });
        let nodes: Vec<u32> = NODES.iter().map(|node| pid_of(&folder, node).unwrap()).collect();
        assert!(nodes.iter().all(|pid| place.processes().contains_key(pid)));
        run.signal(what);
        let _ = run.ended().badly(1, &[name, "nothing is left running"]);
        place.assert_nothing_left();
    }
}

#[test]
fn a_network_that_is_up_refuses_a_second_one_until_it_is_down() {
    let place = Place::default();
    let ran = place.says("demo up --dir net").well();
    assert!(ran.err.contains("sudare demo down --dir net"), "{ran}");
    assert_eq!(place.processes().len(), NODES.len());

    let running = place.processes();
    let _ = place
        .says("demo up --dir net")
        .badly(2, &["a demo is running in net", "demo down --dir net"]);
    assert_eq!(place.processes(), running);
    // A single demo does not touch it either.
    let _ = place.says("demo --dir net").badly(4, &["net", "exists"]);
    assert_eq!(place.processes(), running);

    let status = place.says("demo status --dir net -o json").well().json();
    let named: BTreeMap<String, u32> =
        serde_json::from_value::<Vec<(String, u32)>>(status).unwrap().into_iter().collect();
    assert_eq!(named.keys().map(String::as_str).collect::<Vec<_>>(), NODES);
    assert!(named.values().all(|pid| running.contains_key(pid)));
    let table = place.says("demo status --dir net").well().out;
    assert!(NODES.iter().all(|node| table.contains(node)), "{table}");

    let _ = place.says("demo down --dir net").well();
    assert!(!place.join("net").exists());
    place.assert_nothing_left();
    let _ = place.says("demo down --dir net").badly(2, &["net is no demo's folder"]);
    assert!(place.says("demo status --dir net").well().out.contains("nothing to show"));
}

#[test]
fn a_network_whose_nodes_were_killed_is_told_from_one_that_runs() {
    let place = Place::default();
    let _ = place.says("demo up --dir net").well();
    for pid in place.processes().keys() {
        signal(*pid, Signal::KILL);
    }
    eventually("they end", || place.processes().is_empty().then_some(()));
    let words = ["net is there from an earlier demo that no longer runs", "--dir"];
    let _ = place.says("demo up --dir net").badly(2, &words);
    assert_eq!(place.says("demo status --dir net -o json").well().json(), Value::Array(Vec::new()));
    let config = "net/custodian-a/node.toml";
    let _ = place.says(&format!("account list -c {config}")).badly(3, &["is the node running?"]);
    let _ = place.says("demo down --dir net").well();
    assert!(!place.join("net").exists());
}

/// A file system in memory, where the operating system lets the test make one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf, kib: u32) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]).arg(&path);
        mount.output().is_ok_and(|ran| ran.status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

fn ended_for_want_of_room(place: &Place, ran: &Ran) {
    assert!(matches!(ran.code, Some(code) if code != 0), "{ran}");
    let words = ["No space left on device", "File too large", "free space on the disk"];
    assert!(words.iter().any(|word| ran.err.contains(word)), "{ran}");
    assert!(!ran.err.contains("panicked"), "{ran}");
    eventually("processes end", || place.processes().is_empty().then_some(()));
}

#[test]
fn a_full_disk_ends_the_demo_with_clear_words() {
    // Room for nothing at all, for some of the keys, for the start of the nodes' logs.
    for kib in [4, 64, 512] {
        let place = Place::default();
        let Some(disk) = SmallDisk::mount(place.join("disk"), kib) else {
            return eprintln!("this system lets no test mount a file system");
        };
        let net = disk.0.join("net").display().to_string();
        let ran = place.sudare(["demo", "--dir", &net]);
        ended_for_want_of_room(&place, &ran);
    }
}

#[test]
fn files_that_may_not_grow_end_the_demo_with_clear_words() {
    let place = Place::default();
    let mut limited = Command::new("sh");
    // 64 blocks of 512 bytes; the signal would kill the nodes, and so is ignored to get the error instead.
    let script = "ulimit -f 64; trap '' XFSZ; exec \"$0\" demo --dir net";
    limited.args(["-c", script]).arg(program());
    let ran = place.spawn(limited).ended();
    ended_for_want_of_room(&place, &ran);
}

/// The commands of the operators of a network that is up.
struct Operators<'a> {
    place: &'a Place,
}

impl Operators<'_> {
    fn up(place: &Place) -> Operators<'_> {
        let _ = place.says("demo up --dir net").well();
        Operators { place }
    }

    fn command(&self, node: &str, line: &str) -> Ran {
        let config = format!("net/{node}/node.toml");
        self.place.sudare(line.split_whitespace().chain(["-c", &config]))
    }

    /// Runs a command, for programs and for people; of the table only that it is none.
    fn read(&self, node: &str, line: &str) -> Value {
        let json = self.command(node, &format!("{line} -o json")).well().json();
        let table = self.command(node, line).well();
        assert!(serde_json::from_str::<Value>(&table.out).is_err(), "{table}");
        json
    }

    fn quantity(&self, custodian: &str, investor: &str, asset: &str) -> u64 {
        let accounts = self.read(custodian, "account list");
        let of = |one: &&Value| one["investor"] == investor && one["asset"] == asset;
        number(&accounts.as_array().unwrap().iter().find(of).unwrap()["quantity"])
    }

    fn supply(&self) -> u64 {
        let assets = self.read("registrar-securities", "asset list");
        number(&assets[0]["supply"])
    }

    fn waits_until_settled(&self, custodian: &str, trade: &str) {
        eventually("the other side settles", || {
            let shown = self.command(custodian, &format!("tx show {trade} -o json")).well().json();
            (shown["trades"][0]["state"] == "settled").then_some(())
        });
    }
}

fn number(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn every_reading_command_shows_the_running_network_to_people_and_programs() {
    let place = Place::default();
    let net = Operators::up(&place);

    let assets = net.read("custodian-a", "asset list");
    let codes: BTreeSet<&str> =
        assets.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, BTreeSet::from([SECURITY, "DJPY"]));
    assert!(assets[0]["disclosure"].as_array().unwrap().len() == 2, "{assets}");

    let register = net.read("registrar-securities", &format!("register show --asset {SECURITY}"));
    let held: u64 = register.as_array().unwrap().iter().map(|row| number(&row["quantity"])).sum();
    assert_eq!(held, net.supply());
    for row in register.as_array().unwrap() {
        let (custodian, investor) = (row["custodian"].as_str(), row["investor"].as_str());
        let own = net.quantity(custodian.unwrap(), investor.unwrap(), SECURITY);
        assert_eq!(number(&row["quantity"]), own, "{row}");
    }

    let replay = net.read(
        "regulator",
        &format!("audit replay --registrar registrar-securities --asset {SECURITY}"),
    );
    assert_eq!(number(&replay["supply"]), held);
    let read: u64 = replay["holdings"].as_object().unwrap().values().map(number).sum();
    assert_eq!(read, held);

    let trades = net.read("custodian-a", "tx list");
    let settled = trades.as_array().unwrap().iter().filter(|one| one["state"] == "settled").count();
    assert!(settled > 5, "{trades}");
    let shown = net.read("custodian-a", "tx show T-0001");
    assert_eq!(shown["trades"][0]["state"], "settled");
    assert_eq!(shown["trades"][0]["deliver"]["asset"], SECURITY);
    let unknown = net.read("custodian-a", "tx show T-9999");
    assert_eq!(unknown["trades"], Value::Array(Vec::new()));

    let members = place.says("network show net -o json").well().json();
    let members = members.as_array().unwrap();
    assert_eq!(members.len(), NODES.len());
    for node in NODES {
        let status = net.read(node, "node status");
        assert_eq!(status["name"], node);
        let member = members.iter().find(|member| member["name"] == node).unwrap();
        assert_eq!(status["id"], member["key"], "{status}");
        assert_eq!(status["backlog"], Value::Array(Vec::new()), "{status}");
    }

    // What a node is not, it does not answer as.
    let _ = net.command("notary", "account list").badly(1, &["takes no request"]);
    let _ = net.command("custodian-a", "register show --asset DJPY").badly(1, &["wrong-role"]);
    let _ = net
        .command("custodian-a", "audit replay --registrar registrar-cash --asset DJPY")
        .badly(1, &["wrong-role"]);
    let unknown = "register show --asset NOSUCH";
    let _ = net.command("registrar-cash", unknown).badly(2, &["NOSUCH", "sudare asset list"]);
}

#[test]
fn every_trading_command_moves_what_it_says() {
    let place = Place::default();
    let net = Operators::up(&place);
    let holdings = || {
        let of = |home: &str, who: &str| {
            (net.quantity(home, who, SECURITY), net.quantity(home, who, "DJPY"))
        };
        (of("custodian-a", "INV-01"), of("custodian-b", "INV-06"))
    };
    let ((a_units, a_cash), (b_units, b_cash)) = holdings();

    let line = format!(
        "receive --trade-id X-1 --asset {SECURITY} --quantity 7 --to INV-06 --from-node custodian-a"
    );
    let waiting = net.command("custodian-b", &format!("{line} -o json")).well().json();
    assert_eq!(waiting[0]["state"], "matching", "{waiting}");
    assert_eq!(waiting[0]["waiting_for"], "custodian-a");
    let line = format!(
        "transfer --trade-id X-1 --asset {SECURITY} --quantity 7 --from INV-01 --to-custodian custodian-b --wait"
    );
    let done = net.command("custodian-a", &format!("{line} -o json")).well().json();
    assert_eq!(done[0]["state"], "settled", "{done}");
    assert!(done[0]["notarised_ms"].as_u64() >= done[0]["begun_ms"].as_u64());
    net.waits_until_settled("custodian-b", "X-1");
    // The same command again is the same trade.
    assert_eq!(net.read("custodian-a", &line)[0]["tx"], done[0]["tx"]);
    assert_eq!(holdings(), ((a_units - 7, a_cash), (b_units + 7, b_cash)));

    let sides = [
        ("custodian-b", format!("--deliver DJPY:500:INV-06 --receive {SECURITY}:5:INV-01")),
        (
            "custodian-a",
            format!("--deliver {SECURITY}:5:INV-01 --receive DJPY:500:INV-01 --propose --wait"),
        ),
    ];
    let buyer =
        sides[0].1.replace(&format!("{SECURITY}:5:INV-01"), &format!("{SECURITY}:5:INV-06"));
    let _ = net
        .command("custodian-b", &format!("dvp --trade-id X-2 --with custodian-a {buyer}"))
        .well();
    let seller = format!("dvp --trade-id X-2 --with custodian-b {}", sides[1].1);
    let ran = net.command("custodian-a", &seller).well();
    assert!(ran.out.contains("settled"), "{ran}");
    net.waits_until_settled("custodian-b", "X-2");
    assert_eq!(holdings(), ((a_units - 12, a_cash + 500), (b_units + 12, b_cash - 500)));

    let supply = net.supply();
    let redeem =
        format!("redeem --trade-id X-3 --asset {SECURITY} --quantity 3 --from INV-06 --wait");
    let allow = format!(
        "asset allow-redemption --asset {SECURITY} --custodian custodian-b --quantity 3 --trade-id X-3"
    );
    let _ = net.command("registrar-securities", &allow).well();
    let done = net.command("custodian-b", &format!("{redeem} -o json")).well().json();
    assert_eq!(done[0]["state"], "settled", "{done}");
    assert_eq!(
        (net.supply(), net.quantity("custodian-b", "INV-06", SECURITY)),
        (supply - 3, b_units + 9)
    );

    // Refusals have a code for programs, a reason and a next step for people, and change nothing.
    let before = holdings();
    let unasked = redeem.replace("X-3", "X-4");
    let _ = net.command("custodian-b", &unasked).badly(1, &["not-instructed"]);
    let much = "transfer --trade-id X-5 --asset DJPY --quantity 99999999 --from INV-01 --to-custodian custodian-b";
    let ran = net.command("custodian-a", &format!("{much} -o json")).badly(1, &["overspend"]);
    assert!(serde_json::from_str::<Value>(&ran.err).unwrap()["error"].is_string());
    let _ = net
        .command("custodian-a", &much.replace("INV-01", "INV-77"))
        .badly(1, &["unknown-account"]);
    let _ =
        net.command("custodian-a", &much.replace("custodian-b", "nobody")).badly(2, &["nobody"]);
    let again = line.replace("--quantity 7", "--quantity 8");
    let _ = net.command("custodian-a", &again).badly(1, &["duplicate-trade"]);
    assert_eq!(holdings(), before);
    let replay = format!("audit replay --registrar registrar-securities --asset {SECURITY}");
    assert_eq!(number(&net.read("regulator", &replay)["supply"]), supply - 3);
}

#[test]
fn a_custodian_that_lost_its_data_recovers_its_notes_from_its_seeds_and_spends_them() {
    let place = Place::default();
    let net = Operators::up(&place);
    let investors = ["INV-01", "INV-02", "INV-03", "INV-04"];
    let balances = || {
        let accounts = net.read("custodian-a", "account list");
        let row = |one: &Value| {
            let text = |name: &str| one[name].as_str().unwrap().to_owned();
            ((text("asset"), text("investor")), (number(&one["quantity"]), number(&one["live"])))
        };
        accounts.as_array().unwrap().iter().map(row).collect::<BTreeMap<_, _>>()
    };
    let before = balances();
    let folder = place.join("net/custodian-a");
    let lost = pid_of(&place.join("net"), "custodian-a").unwrap();
    signal(lost, Signal::TERM);
    eventually("it stops", || (!place.processes().contains_key(&lost)).then_some(()));
    fs::remove_dir_all(folder.join("data")).unwrap();
    let _node = place.start([
        Path::new("node"),
        Path::new("run"),
        "-c".as_ref(),
        &folder.join("node.toml"),
    ]);
    eventually("it answers", || {
        (net.command("custodian-a", "node status").code == Some(0)).then_some(())
    });
    assert!(balances().is_empty());

    for (registrar, asset, investors) in [
        ("registrar-securities", SECURITY, &investors[..]),
        ("registrar-cash", "DJPY", &investors[..3]),
    ] {
        let all = investors.iter().map(|investor| format!(" --investor {investor}"));
        let line = format!(
            "keys recover --registrar {registrar} --asset {asset}{}",
            all.collect::<String>()
        );
        let _ = net.command("custodian-a", &line).well();
        // Once more does no harm.
        let found = net.command("custodian-a", &format!("{line} -o json")).well().json();
        assert!(found.as_u64() > Some(0), "{found}");
    }
    eventually("accounts are registered", || (balances() == before).then_some(()));

    let line = format!(
        "receive --trade-id X-1 --asset {SECURITY} --quantity 7 --to INV-06 --from-node custodian-a"
    );
    let _ = net.command("custodian-b", &line).well();
    let all = before[&(SECURITY.to_owned(), "INV-01".to_owned())].1;
    let units = net.quantity("custodian-b", "INV-06", SECURITY);
    let line = format!(
        "transfer --trade-id X-1 --asset {SECURITY} --quantity 7 --from INV-01 --to-custodian custodian-b --wait"
    );
    let _ = net.command("custodian-a", &line).well();
    net.waits_until_settled("custodian-b", "X-1");
    assert_eq!(net.quantity("custodian-b", "INV-06", SECURITY), units + 7);
    assert_eq!(net.quantity("custodian-a", "INV-01", SECURITY), all - 7);
}
