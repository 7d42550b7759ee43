//! Threshold keys as officers use them: every step a run of the program on files, from making a key to a leg opened by the officers to whom
//! it was moved.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::fs;

use sudare_ledger::role::Role;
use sudare_tests::system::network::Network;
use sudare_tests::system::{Place, Ran, eventually_async};

const OLD: [&str; 3] = ["aoki", "baba", "chiba"];
const NEW: [&str; 5] = ["doi", "endo", "fuji", "goto", "hara"];

/// Runs one step of a ceremony.
fn step(place: &Place, line: &str) -> Ran {
    place.says(&format!("ceremony {line}"))
}

fn make_officers(place: &Place, names: &[&str]) {
    for name in names {
        let line = format!("officer --name {name} --key {name}.key --card {name}.card");
        let _ = step(place, &line).well();
    }
}

/// The files of one step, one of each sender.
fn files(folder: &str, step: &str, names: &[&str], end: &str) -> String {
    let file = |name: &&str| format!("{folder}/{step}-{name}{end}.bin");
    names.iter().map(file).collect::<Vec<_>>().join(" ")
}

/// What an officer names in every step of the ceremony in `folder`.
fn actor(folder: &str, name: &str, shares: &str) -> String {
    let actor = format!("--plan {folder}.plan --key {name}.key --state {name}-{folder}.state");
    if shares.is_empty() { actor } else { format!("{actor} --shares {name}-{shares}.shares") }
}

/// A whole ceremony, as its officers carry it out; `shares` is the ceremony that gave the dealers the shares that they have.
fn hold(place: &Place, folder: &str, dealers: &[&str], receivers: &[&str], shares: &str) {
    let mut everybody = dealers.to_vec();
    everybody.extend(receivers.iter().filter(|name| !dealers.contains(name)));
    let of = |name: &str| actor(folder, name, if dealers.contains(&name) { shares } else { "" });
    for name in &everybody {
        let _ = step(place, &format!("commit {} --out {folder}", of(name))).well();
    }
    let commits = files(folder, "commit", &everybody, "");
    for name in dealers {
        let line = format!("deal {} --commits {commits} --out {folder}", of(name));
        let _ = step(place, &line).well();
    }
    for name in receivers {
        let others: Vec<&str> = dealers.iter().copied().filter(|one| one != name).collect();
        let deals = files(folder, "deal", &others, &format!("-to-{name}"));
        let line = format!(
            "finish {} --commits {commits} --deals {deals} --new-shares {name}-{folder}.shares --out {folder}",
            of(name)
        );
        let _ = step(place, &line).well();
    }
    let confirms = files(folder, "confirm", receivers, "");
    let keys = if shares.is_empty() { format!("--keys {folder}.keys") } else { String::new() };
    let delete: Vec<String> =
        everybody.iter().map(|name| format!("--delete {name}-{folder}.state")).collect();
    let line = format!(
        "conclude --plan {folder}.plan --commits {commits} --confirms {confirms} --group {folder}.group {keys} {}",
        delete.join(" ")
    );
    let _ = step(place, &line).well();
    let left = everybody.iter().find(|name| place.join(&format!("{name}-{folder}.state")).exists());
    assert_eq!(left, None, "the states are deleted");
}

/// An asset whose regulator's key is the officers', with one issue in its log.
async fn issue(network: &mut Network, more: &str) {
    let place = &network.place;
    let open = "asset open -c net/registrar/node.toml --core core --keys first.keys --epochs 2";
    let _ = place.says(&format!("{open} {more}")).well();
    let custodian = "-c net/custodian/node.toml";
    let add = format!("account add {custodian} --asset ZZ1 --registrar registrar --investor ANN");
    let _ = place.says(&add).well();
    eventually_async("the account is there", || async {
        let shown = place.says(&format!("account list {custodian} -o json"));
        shown.out.contains("ANN").then_some(())
    })
    .await;
    let receive = format!(
        "receive {custodian} --trade-id T1 --asset ZZ1 --quantity 4711 --to ANN --from-node registrar"
    );
    let _ = place.says(&receive).well();
    let issue = "asset issue -c net/registrar/node.toml --asset ZZ1 --reference R1 --allot custodian:4711:T1";
    eventually_async("the issue is taken", || async {
        (place.says(issue).code == Some(0)).then_some(())
    })
    .await;
    eventually_async("the leg is in the log", || async {
        let _ = fs::remove_file(place.join("log"));
        let log = "ceremony log -c net/regulator/node.toml --registrar registrar --asset ZZ1 --out log -o json";
        (place.says(log).well().json() == 2).then_some(())
    })
    .await;
}

/// Each officer's partial of entry 1.
fn partials(place: &Place, group: &str, names: &[&str]) {
    for name in names {
        let line = format!(
            "partial --group {group}.group --log log --entry 1 --key {name}.key --shares {name}-{group}.shares --out {name}-{group}.partial --without-grant"
        );
        let _ = step(place, &line).well();
    }
}

fn open(place: &Place, group: &str, partials: &str) -> Ran {
    step(
        place,
        &format!("open --group {group}.group --log log --entry 1 -o json --partials {partials}"),
    )
}

fn shares_touch_only_legs_of_a_log_that_holds(place: &Place) {
    let partial = |log: &str, entry: u32| {
        let officer =
            "--key aoki.key --shares aoki-first.shares --out refused.partial --without-grant";
        step(place, &format!("partial --group first.group --log {log} --entry {entry} {officer}"))
    };
    let _ = partial("log", 0).badly(2, &["entry 0 of the log is not a leg or a snapshot"]);
    let _ = partial("log", 2).badly(2, &["entry 2 of the log is not a leg or a snapshot"]);
    let whole = fs::read(place.join("log")).unwrap();
    for from_end in [1, 40, 200, 4_000] {
        let mut changed = whole.clone();
        let at = changed.len() - from_end;
        changed[at] ^= 1;
        fs::write(place.join("changed"), changed).unwrap();
        assert_ne!(partial("changed", 1).code, Some(0), "{from_end} from the end");
    }
    assert!(!place.join("refused.partial").exists());
}

fn shares_touch_only_what_a_permit_says(place: &Place) {
    let at = "-c net/regulator/node.toml";
    let says = |line: &str| place.says(line);
    let _ = says(&format!("grant desk {at} --needed 1 --officer aoki.card --out desk")).well();
    let _ = says(&format!("grant add {at} desk")).well();
    let give = |name: &str, fields: &str| {
        let why = "--purpose case --legal-basis law --case 7";
        let what = format!("--registrar registrar --asset ZZ1 --fields {fields}");
        let _ = says(&format!("grant make {at} {what} {why} --out {name}")).well();
        let _ = says(&format!("grant sign {name} --key aoki.key --out {name}-signed")).well();
        let id = says(&format!("grant add {at} {name}-signed -o json")).well().json();
        id.as_str().unwrap().to_owned()
    };
    let (wide, narrow) = (give("wide", "amounts,parties,trade,links"), give("narrow", "amounts"));
    let opening = |grant: &str, out: &str| {
        let leg = "--group first.group --log log --entry 1";
        says(&format!("access opening {at} --grant {grant} {leg} --out {out}"))
    };
    let _ = opening(&narrow, "x").badly(1, &["the fields asked for are not within the grant"]);
    let _ = opening(&wide, "permit").well();
    let partial = |more: &str| {
        let officer = "--key baba.key --shares baba-first.shares --out permitted";
        step(place, &format!("partial --group first.group --log log --entry 1 {officer} {more}"))
    };
    let _ = partial("").badly(2, &["--permit"]);
    // Another desk's officers did not sign the grant.
    let _ = says(&format!("grant desk {at} --needed 1 --officer baba.card --out other")).well();
    let _ = partial("--permit permit --desk other").badly(1, &["not that of another officer"]);
    // The log's other entries permit nothing.
    let _ = says(&format!("access prove {at} --entry 1 --out granted")).well();
    let _ = partial("--permit granted --desk desk").badly(1, &["another use"]);
    assert!(!place.join("permitted").exists());
    let _ = partial("--permit permit --desk desk").well();
    let read = open(place, "first", "permitted chiba-first.partial").well().json();
    assert_eq!(read["amounts"][0], "4711");
}

#[tokio::test(flavor = "multi_thread")]
async fn officers_make_a_key_open_a_leg_and_move_the_key_to_others() {
    let mut network = Network::make(&[
        ("notary", Role::Notary),
        ("registrar", Role::Registrar),
        ("custodian", Role::Custodian),
        ("regulator", Role::Regulator),
    ]);
    network.run(&["notary", "registrar", "custodian", "regulator"]).await;
    make_officers(&network.place, &OLD);
    make_officers(&network.place, &NEW);
    let define = "asset define -c net/registrar/node.toml --code ZZ1 --name ZZ1 --out core";
    let _ = network.place.says(define).well();
    let plan = "plan --core core --epochs 2 --threshold 2 --officer aoki.card baba.card chiba.card --out first.plan";
    let _ = step(&network.place, plan).well();
    hold(&network.place, "first", &OLD, &OLD, "");
    issue(&mut network, "").await;
    let place = &network.place;

    partials(place, "first", &OLD);
    for two in ["aoki-first.partial chiba-first.partial", "baba-first.partial chiba-first.partial"]
    {
        let read = open(place, "first", two).well().json();
        assert_eq!(read["amounts"][0], "4711");
        assert_eq!(read["trade_id"], "R1");
    }
    shares_touch_only_legs_of_a_log_that_holds(place);
    shares_touch_only_what_a_permit_says(place);
    let few = ["1 right partial(s) of 2 needed"];
    let _ = open(place, "first", "aoki-first.partial").badly(1, &few);
    let _ = open(place, "first", "aoki-first.partial aoki-first.partial").badly(1, &["(aoki)"]);

    let plan = "move --group first.group --dealer 1 3 --threshold 3 --officer doi.card endo.card fuji.card goto.card hara.card --out second.plan";
    let _ = step(place, plan).well();
    hold(place, "second", &["aoki", "chiba"], &NEW, "first");
    partials(place, "second", &NEW);
    let three = "hara-second.partial doi-second.partial fuji-second.partial";
    assert_eq!(open(place, "second", three).well().json()["amounts"][0], "4711");
    let _ = open(place, "second", "doi-second.partial fuji-second.partial").badly(1, &["2 right"]);
    let mixed = "doi-second.partial fuji-second.partial baba-first.partial aoki-first.partial";
    let _ = open(place, "second", mixed).badly(1, &["another generation"]);

    // A wrong partial is named, and the others open.
    let mut bytes = fs::read(place.join("goto-second.partial")).unwrap();
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    fs::write(place.join("wrong.partial"), bytes).unwrap();
    let read = open(place, "second", &format!("wrong.partial {three}")).well().json();
    assert!(read["wrong_partials"][0].as_str().unwrap().contains("officer 4 (goto)"));

    // The keys that are moved are those in the terms; and once more, among the same officers.
    let keys = |group: &str| step(place, &format!("show {group}.group -o json")).well().json();
    assert_eq!(keys("first")["keys"], keys("second")["keys"]);
    let _ = step(place, "refresh --group second.group --out third.plan").well();
    hold(place, "third", &NEW, &NEW, "second");
    partials(place, "third", &NEW[..3]);
    let three = "doi-third.partial endo-third.partial fuji-third.partial";
    assert_eq!(open(place, "third", three).well().json()["amounts"][0], "4711");
}

/// A network whose register stands in a snapshot (entry 2 of the asset log) that the first two officers open together.
async fn with_a_snapshot() -> Network {
    let mut network = Network::make(&[
        ("notary", Role::Notary),
        ("registrar", Role::Registrar),
        ("custodian", Role::Custodian),
        ("regulator", Role::Regulator),
    ]);
    network.run(&["notary", "registrar", "custodian", "regulator"]).await;
    let at = "-c net/regulator/node.toml";
    make_officers(&network.place, &OLD);
    let define = "asset define -c net/registrar/node.toml --code ZZ1 --name ZZ1 --out core";
    let _ = network.place.says(define).well();
    let plan = "plan --core core --epochs 2 --threshold 2 --fields parties,links --officer aoki.card baba.card chiba.card --out first.plan";
    let _ = step(&network.place, plan).well();
    hold(&network.place, "first", &OLD, &OLD, "");
    // The regulator's node reads legs, with a key for each field; the two that open snapshots together it has apart.
    for field in ["amounts", "parties", "links"] {
        let keys =
            format!("audit keys {at} --core core --label {field} --fields {field} --epochs 2");
        let _ = network.place.says(&format!("{keys} --out {field}.keys")).well();
    }
    issue(&mut network, "--keys amounts.keys --keys parties.keys --keys links.keys").await;
    let fix = "register snapshot -c net/registrar/node.toml --asset ZZ1";
    let _ = network.place.says(fix).well();
    network
}

#[tokio::test(flavor = "multi_thread")]
async fn officers_open_a_register_snapshot_that_a_replay_then_recomputes() {
    let network = with_a_snapshot().await;
    let place = &network.place;
    let at = "-c net/regulator/node.toml";
    let replay = format!("audit replay {at} --registrar registrar --asset ZZ1 -o json");
    let said = |more: &str| {
        let ran = place.says(&format!("{replay} {more}")).well().json();
        ran["statement"].as_str().unwrap().to_owned()
    };
    assert!(
        said("").contains("snapshot 0, entry 2: its holdings sum to the supply; not recomputed")
    );

    let _ = fs::remove_file(place.join("log"));
    let _ = place
        .says(&format!("ceremony log {at} --registrar registrar --asset ZZ1 --out log"))
        .well();
    let of = "--group first.group --log log --entry 2";
    let partial = |name: &str, more: &str| {
        let own = format!("--key {name}.key --shares {name}-first.shares --out {name}.partial");
        step(place, &format!("partial {of} {own} {more}"))
    };
    let _ = partial("aoki", "--without-grant").well();
    let _ =
        place.says(&format!("grant desk {at} --needed 1 --officer aoki.card --out desk")).well();
    // The other officer answers what the access log of a reader with officers permits, and nothing else.
    let _ = place.says(&format!("grant add {at} desk")).well();
    let give = |name: &str, fields: &str| {
        let why = "--purpose case --legal-basis law --case 7";
        let what = format!("--registrar registrar --asset ZZ1 --fields {fields}");
        let _ = place.says(&format!("grant make {at} {what} {why} --out {name}")).well();
        let _ = place.says(&format!("grant sign {name} --key aoki.key --out {name}-signed")).well();
        let id = place.says(&format!("grant add {at} {name}-signed -o json")).well().json();
        id.as_str().unwrap().to_owned()
    };
    let (wide, narrow) = (give("wide", "amounts,parties,links"), give("narrow", "parties"));
    let opening = format!("access opening {at} {of}");
    let refused = place.says(&format!("{opening} --grant {narrow} --out permit"));
    let _ = refused.badly(1, &["the fields asked for are not within the grant"]);
    let _ = place.says(&format!("{opening} --grant {wide} --out permit")).well();
    let _ = partial("chiba", "--permit permit --desk desk").well();
    let open = format!("open {of} --partials aoki.partial chiba.partial");
    let _ = step(place, &open).badly(2, &["--seed FILE"]);
    let few = step(place, &format!("open {of} --partials aoki.partial --seed seed"));
    let _ = few.badly(1, &["1 right partial(s) of 2 needed"]);
    let _ = step(place, &format!("{open} --seed seed")).well();
    let read = said(&format!("--grant {wide} --snapshot-seed seed"));
    assert!(read.contains("snapshot 0, entry 2: recomputed"), "{read}");
    // Officers can grant more than the node's keys read: nothing is recorded of what can't be read.
    let greedy = give("greedy", "amounts,trade");
    let wider = place.says(&format!("{replay} --grant {greedy}"));
    let _ = wider.badly(1, &["no key here reads trade in epoch 0", "ask for what the keys read"]);
    let log = place.says(&format!("access log {at} -o json")).well().json();
    assert!(
        log.as_array()
            .unwrap()
            .iter()
            .all(|one| one["event"] != "read" || one["grant"] == wide.as_str())
    );
    // Another seed does not pass for this one.
    let mut other = fs::read(place.join("seed")).unwrap();
    *other.last_mut().unwrap() ^= 1;
    fs::write(place.join("other"), other).unwrap();
    let wrong = place.says(&format!("{replay} --grant {wide} --snapshot-seed other"));
    let _ = wrong.badly(1, &["[SNP-3]"]);
    // A folder that has passed the snapshot without its seed doesn't take it any more.
    let _ = said(&format!("--grant {wide} --folder kept"));
    let late = place.says(&format!("{replay} --grant {wide} --folder kept --snapshot-seed seed"));
    let _ = late.badly(1, &["entry 2 was passed without its seed", "a new folder"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_three_officers_retire_a_key_that_was_stolen_from_them() {
    let network = with_a_snapshot().await;
    let place = &network.place;
    let what = "--group first.group --from-epoch 0 --reason compromised";
    let signer =
        |name: &str| format!("--key {name}.key --shares {name}-first.shares --state {name}.retire");
    for name in ["aoki", "chiba"] {
        let line = format!("retire-commit {what} {} --out {name}.r1", signer(name));
        let _ = step(place, &line).well();
    }
    let sign = |name: &str, commits: &str, out: &str| {
        let line = format!("retire-sign {what} {} --commits {commits} --out {out}", signer(name));
        step(place, &line)
    };
    let _ = sign("aoki", "aoki.r1", "few").badly(1, &["1 officer(s) committed of 2 needed"]);
    for name in ["aoki", "chiba"] {
        let _ = sign(name, "aoki.r1 chiba.r1", &format!("{name}.r2")).well();
    }
    let end = format!("retire {what} --commits aoki.r1 chiba.r1");
    let late = step(place, &format!("{end} --parts aoki.r2 --out gone"));
    let _ = late.badly(1, &["`retire-sign`", "chiba"]);
    let ended = end.replace("compromised", "ended");
    let other = step(place, &format!("{ended} --parts aoki.r2 chiba.r2 --out gone"));
    let _ = other.badly(1, &["agree on them"]);
    assert_eq!(
        step(place, &format!("{end} --parts aoki.r2 chiba.r2 --out gone -o json")).well().json(),
        2
    );
    let shown = step(place, "show chiba.r2").well().out;
    assert!(shown.contains("`retire-sign`") && shown.contains("compromised"), "{shown}");

    let amend = "asset amend -c net/registrar/node.toml --asset ZZ1 --retire gone -o json";
    assert_eq!(place.says(amend).well().json()["keys_retired"], 2);
    let listed = place.says("asset list -c net/registrar/node.toml -o json").well().out;
    assert!(listed.contains("regulator: nothing any more (compromised)"), "{listed}");
    // What was encrypted to it until then stays readable.
    let _ = fs::remove_file(place.join("log"));
    let log = "ceremony log -c net/regulator/node.toml --registrar registrar --asset ZZ1 --out log";
    let _ = place.says(log).well();
    partials(place, "first", &["aoki", "baba"]);
    let opened = open(place, "first", "aoki-first.partial baba-first.partial").well().json();
    assert_eq!(opened["receivers"].as_array().unwrap().len(), 1, "{opened}");
}

#[test]
fn files_out_of_place_are_refused_with_what_to_do_next() {
    let place = Network::make(&[("notary", Role::Notary), ("registrar", Role::Registrar)]).place;
    make_officers(&place, &OLD);
    let define = "asset define -c net/registrar/node.toml --code ZZ1 --name ZZ1 --out core";
    let _ = place.says(define).well();
    let cards = "--officer aoki.card baba.card chiba.card";
    let plan = format!("plan --core core --epochs 1 --threshold 4 {cards} --out a.plan");
    let _ = step(&place, &plan).badly(1, &["a threshold of 4 is not possible with 3 officers"]);
    for name in ["a", "b"] {
        let plan = format!("plan --core core --epochs 1 --threshold 2 {cards} --out {name}.plan");
        let _ = step(&place, &plan).well();
    }
    let aoki = actor("a", "aoki", "");
    let finish = format!("finish {aoki} --commits a.plan --deals a.plan --new-shares s --out a");
    let _ = step(&place, &finish).badly(2, &["aoki-a.state is missing: `commit` comes first"]);
    for name in OLD {
        let _ = step(&place, &format!("commit {} --out a", actor("a", name, ""))).well();
    }
    let commits = files("a", "commit", &OLD, "");
    let deal = |commits: &str| step(&place, &format!("deal {aoki} --commits {commits} --out a"));
    let two = files("a", "commit", &OLD[..2], "");
    let _ = deal(&two).badly(1, &["missing the `commit` message of: chiba"]);
    let _ = deal(&format!("{commits} {two}")).badly(1, &["given twice"]);
    let _ = deal("a.plan").badly(2, &["a.plan is not a message of a ceremony"]);
    let wrong_state = "--plan b.plan --key aoki.key --state aoki-a.state";
    let _ = step(&place, &format!("commit {wrong_state} --out b"))
        .badly(1, &["the state is of another ceremony"]);
    let wrong_key = "--plan a.plan --key baba.key --state aoki-a.state";
    let _ = step(&place, &format!("commit {wrong_key} --out b")).badly(1, &["not this officer's"]);
    let _ = deal(&commits).well();
    let _ = deal("a/deal-aoki-to-baba.bin").badly(1, &["is of the step `deal`"]);
    // A step done again writes what is there already.
    let _ = deal(&commits).well();
    // Nobody but the officer's own machine reads its state.
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(place.join("aoki-a.state")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
