//! The notary is blind: whatever reaches it, and whatever it keeps, can be made by somebody who knows only the padded number of
//! tags of each part, who sends it, and the window (guarantee 2).
//!
//! The notary runs in the test's own process, with a recorder of every frame after decryption; the other nodes are processes.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sudare::clock::now_ms;
use sudare::demo::input::AssetKind;
use sudare::demo::setup::Desk;
use sudare::net::{Direction, Endpoint, Options, Part, Seen};
use sudare::operator::{PeerAnswer, PeerQuery};
use sudare::runtime::{NoQueries, Running, Setup};
use sudare::store::{self, Seq, Store};
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Encoded, Hash, NodeId};
use sudare_ledger::kv::Kv;
use sudare_ledger::log::{Entry, FinalLeg};
use sudare_ledger::messages::{Message, NotaryPart, TagOpening};
use sudare_ledger::notary::Notary;
use sudare_ledger::role::Role;
use sudare_ledger::transaction::{Window, commit_id, tag_hash, tags_root, tx_id};
use sudare_tests::system::eventually_async;
use sudare_tests::system::haystack::Needles;
use sudare_tests::system::network::{Holder, Leg, Network, asset, deal, open, redeem};

const CUSTODIANS: [&str; 2] = ["custodian-a", "custodian-b"];
const REGISTRARS: [&str; 2] = ["registrar-securities", "registrar-cash"];
const SECURITY: &str = "ZZ0000BLND17";
const CASH: &str = "CASH-BLIND-9";
const DATE: &str = "2031-07-19";
/// Amounts and what is left of them stay so large that no bytes of theirs occur by chance.
const AMOUNT_MIN: u64 = 1 << 48;

/// A frame after decryption or before encryption.
#[derive(Clone, Debug)]
struct Frame {
    direction: Direction,
    part: Part,
    peer: String,
    kind: u8,
    payload: Vec<u8>,
    wire: usize,
}

/// All that an observer of sizes knows of a frame.
#[derive(Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
struct Outline {
    direction: Direction,
    response: bool,
    kind: u8,
    wire: usize,
}

impl Frame {
    fn of(seen: &Seen<'_>) -> Self {
        Self {
            direction: seen.direction,
            part: seen.part,
            peer: seen.peer.name.to_string(),
            kind: seen.kind,
            payload: seen.payload.to_vec(),
            wire: seen.wire,
        }
    }

    fn outline(&self) -> Outline {
        let (direction, kind, wire) = (self.direction, self.kind, self.wire);
        Outline { direction, response: self.part == Part::Response, kind, wire }
    }
}

/// Everything that crosses the notary's network interface.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Frame>>>);

impl Recorder {
    fn frames(&self) -> Vec<Frame> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until the frames after the first `from` are all that a commit of so many parts causes, and gives them.
    async fn commit(&self, from: usize, parts: usize) -> Vec<Frame> {
        // Each part, its acknowledgement, the receipt for its sender, and the acknowledgement of that.
        eventually_async("the notary's frames are there", || async {
            (self.frames().len() >= from + 4 * parts).then_some(())
        })
        .await;
        let frames = self.frames().split_off(from);
        assert_eq!(frames.len(), 4 * parts, "{frames:#?}");
        frames
    }
}

/// What guarantee 2 allows the notary to know of a commit: for each part its sender and its padded number of tags. (The windows
/// are taken from the clock.)
type Shape = Vec<(String, usize)>;

/// Makes the parts of a commit out of nothing but its shape: random hashes, fresh tags.
fn simulate(
    shape: &Shape,
    network: Hash,
    notary: NodeId,
    window: Window,
    rng: &mut ChaCha20Rng,
) -> Vec<(String, NotaryPart)> {
    let mut random = || {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    let (legs_root, approvals_root) = (Hash(random()), Hash(random()));
    let salts: Vec<Vec<[u8; 32]>> =
        shape.iter().map(|(_, count)| (0..*count).map(|_| random()).collect()).collect();
    let opened: Vec<Vec<([u8; 32], SpendKey)>> = salts
        .iter()
        .map(|salts| salts.iter().map(|salt| (*salt, SpendKey::random(rng))).collect())
        .collect();
    let hash = |(salt, key): &([u8; 32], SpendKey)| tag_hash(salt, &key.tag());
    let tags: BTreeSet<Hash> = opened.iter().flatten().map(hash).collect();
    let tags: Vec<Hash> = tags.into_iter().collect();
    let tx = tx_id(legs_root, tags_root(&tags).unwrap(), network, notary, window);
    let m = commit_id(tx, approvals_root).0;
    let mut parts = Vec::new();
    for (number, (asker, _)) in shape.iter().enumerate() {
        let mut openings = Vec::new();
        for (salt, key) in &opened[number] {
            let signature = tag::sign(key, m, rng).unwrap();
            openings.push(TagOpening { salt: *salt, tag: key.tag(), signature });
        }
        openings.sort_by_key(|opening| tag_hash(&opening.salt, &opening.tag));
        let (tags, openings) = (tags.clone().try_into().unwrap(), openings.try_into().unwrap());
        parts.push((
            asker.clone(),
            NotaryPart { window, legs_root, approvals_root, tags, openings },
        ));
    }
    parts
}

/// The parts that a recording holds, with their senders.
fn parts(frames: &[Frame]) -> Vec<(String, NotaryPart)> {
    let mut parts = Vec::new();
    for frame in frames {
        if frame.part == Part::Request && frame.direction == Direction::In {
            match decode(&frame.payload, "message").unwrap() {
                Message::Notarise(part) => parts.push((frame.peer.clone(), part)),
                other => panic!("the notary is told {other:?}"),
            }
        }
    }
    parts
}

/// All that the structure of a part says beside its bytes.
fn structure(part: &NotaryPart) -> (usize, Vec<(usize, usize)>, u64) {
    let proof =
        |opening: &TagOpening| (opening.signature.points(), encode(&opening.signature).len());
    (part.tags.len(), part.openings.iter().map(proof).collect(), part.window.length())
}

fn sorted(frames: &[Frame]) -> Vec<(String, Outline)> {
    let mut all: Vec<_> =
        frames.iter().map(|frame| (frame.peer.clone(), frame.outline())).collect();
    all.sort();
    all
}

/// What differs between two runs: amounts, and who the parties are.
struct Cast {
    seed: u64,
    /// The custodian of the first investors, and that of the others.
    homes: [&'static str; 2],
}

/// What a run leaves.
struct Recording {
    /// For each commit its shape and its frames.
    commits: Vec<(Shape, Vec<Frame>)>,
    /// All frames.
    frames: Vec<Frame>,
    /// What must be nowhere in them.
    secrets: Needles,
    /// What of it is in the notary's folder.
    found_at_notary: BTreeSet<String>,
    /// What of it is in the folder of a custodian.
    found_at_custodian: BTreeSet<String>,
    /// The amounts, in the form in which custodians keep them.
    amounts: BTreeSet<String>,
    /// Keys of nodes, which stand in no frame either.
    nodes: Needles,
}

/// A run of the network: issues, transfers, deliveries versus payment, a redemption; one after another, so that it is known
/// which frame belongs to which commit.
struct Play {
    network: Network,
    desk: Desk,
    recorder: Recorder,
    rng: ChaCha20Rng,
    secrets: Needles,
    amounts: BTreeSet<String>,
    commits: Vec<(Shape, Vec<Frame>)>,
    trades: u32,
}

impl Play {
    fn amount(&mut self) -> u64 {
        // Half of the bits are random at the top: sums of a few stay below 2^64.
        let amount = self.rng.next_u64() >> 4 | AMOUNT_MIN << 10;
        self.secret(amount);
        amount
    }

    fn secret(&mut self, amount: u64) {
        assert!(amount >= AMOUNT_MIN);
        self.secrets.amount("amount", amount);
        self.amounts.insert(format!("amount {amount}, little endian"));
    }

    fn trade_id(&mut self) -> String {
        self.trades += 1;
        let id = format!("TRADE-{:016x}-{}", self.rng.next_u64(), self.trades);
        self.secrets.text("trade id", &id);
        id
    }

    fn investor(&mut self) -> String {
        let investor = format!("INVESTOR-{:016x}", self.rng.next_u64());
        self.secrets.text("investor", &investor);
        investor
    }

    /// Takes down what the notary saw since the last commit.
    async fn seen(&mut self, shape: &[(&str, usize)]) {
        let before = self.commits.iter().map(|(_, frames)| frames.len()).sum();
        let frames = self.recorder.commit(before, shape.len()).await;
        let shape = shape.iter().map(|(asker, tags)| ((*asker).to_owned(), *tags)).collect();
        self.commits.push((shape, frames));
    }
}

/// Runs the play and stops the nodes.
async fn record(cast: &Cast) -> Recording {
    let mut members = vec![("notary", Role::Notary), ("regulator", Role::Regulator)];
    members.extend(REGISTRARS.map(|name| (name, Role::Registrar)));
    members.extend(CUSTODIANS.map(|name| (name, Role::Custodian)));
    let mut network = Network::make(&members);
    let recorder = Recorder::default();
    let notary = start_notary(&network, &recorder);
    network.run(&[REGISTRARS, CUSTODIANS].concat()).await;
    let desk = network.desk();
    let (rng, secrets) = (ChaCha20Rng::seed_from_u64(cast.seed), Needles::default());
    let mut play = Play {
        network,
        desk,
        recorder,
        rng,
        secrets,
        amounts: BTreeSet::new(),
        commits: Vec::new(),
        trades: 0,
    };
    act(&mut play, cast.homes).await;
    simulated(&mut play).await;
    learn_secrets(&mut play).await;
    let nodes = node_keys(&play.network);

    let frames = play.recorder.frames();
    notary.stop().await.unwrap();
    for name in [REGISTRARS, CUSTODIANS].concat() {
        play.network.stop(name);
    }
    Recording {
        found_at_notary: everything_kept(&play.network, "notary", &play.secrets),
        found_at_custodian: everything_kept(&play.network, CUSTODIANS[0], &play.secrets),
        commits: play.commits,
        secrets: play.secrets,
        amounts: play.amounts,
        frames,
        nodes,
    }
}

fn start_notary(network: &Network, recorder: &Recorder) -> Running {
    let own = network.loaded("notary");
    let record = recorder.clone();
    let observer = move |seen: &Seen<'_>| record.0.lock().unwrap().push(Frame::of(seen));
    let options = Options { observer: Some(Arc::new(observer)), ..Options::default() };
    let endpoint =
        Endpoint::bind(&own.identity, &own.membership, own.member.address, options).unwrap();
    let setup = Setup {
        folder: &network.data("notary"),
        store: store::Options::default(),
        own: own.member.id,
        membership: own.membership.clone(),
        endpoint,
        workers: Some(1),
        clock: Arc::new(now_ms),
    };
    Running::start(Notary::new(own.network, own.identity.key().clone()), NoQueries, setup).unwrap()
}

/// Trades in which parts have 1, 2 and 4 tags and commits have one or two parts.
async fn act(play: &mut Play, [here, there]: [&'static str; 2]) {
    for (code, kind, registrar) in
        [(SECURITY, AssetKind::Security, REGISTRARS[0]), (CASH, AssetKind::Cash, REGISTRARS[1])]
    {
        play.desk.open_asset(&asset(code, kind), registrar, "regulator").await.unwrap();
        for what in [code.to_owned(), format!("{code} by name"), format!("{code} u")] {
            play.secrets.text("asset", &what);
        }
    }
    let [seller, collector, buyer, payer] =
        [play.investor(), play.investor(), play.investor(), play.investor()];
    let seller = Holder { custodian: here, investor: &seller };
    let collector = Holder { custodian: here, investor: &collector };
    let buyer = Holder { custodian: there, investor: &buyer };
    let payer = Holder { custodian: there, investor: &payer };
    let security = |quantity| Leg { code: SECURITY, quantity };
    let cash = |quantity| Leg { code: CASH, quantity };

    let held = play.amount();
    let collected = [play.amount() >> 2, play.amount() >> 2, play.amount() >> 2];
    let paid = [play.amount() >> 2, play.amount() >> 2];
    collected.iter().chain(&paid).for_each(|amount| play.secret(*amount));
    let mut openings = vec![(seller, security(held))];
    openings.extend(collected.map(|amount| (collector, security(amount))));
    let accounts = [(buyer, SECURITY), (payer, SECURITY), (seller, CASH), (collector, CASH)];
    open(&play.desk, &openings, &accounts).await;
    play.seen(&[(REGISTRARS[0], 1)]).await;
    open(&play.desk, &paid.map(|amount| (payer, cash(amount))), &[]).await;
    play.seen(&[(REGISTRARS[1], 1)]).await;

    // One note, with change.
    let first = play.amount() >> 4;
    play.secret(first);
    play.secret(held - first);
    let id = play.trade_id();
    deal(&play.desk, &id, seller, buyer, security(first), None).await.unwrap();
    play.seen(&[(here, 1)]).await;

    // Three notes, padded to four tags.
    let all = collected.iter().sum();
    play.secret(all);
    let id = play.trade_id();
    deal(&play.desk, &id, collector, buyer, security(all), None).await.unwrap();
    play.seen(&[(here, 4)]).await;

    // Delivery versus payment, one note against two.
    let (units, price) = (play.amount() >> 5, paid.iter().sum::<u64>() - AMOUNT_MIN);
    [units, price, held - first - units].iter().for_each(|amount| play.secret(*amount));
    let id = play.trade_id();
    let payment = Some(cash(price));
    deal(&play.desk, &id, seller, payer, security(units), payment).await.unwrap();
    play.seen(&[(here, 1), (there, 2)]).await;

    // Within one custodian.
    let inside = play.amount() >> 6;
    play.secret(inside);
    let id = play.trade_id();
    deal(&play.desk, &id, seller, collector, cash(inside), None).await.unwrap();
    play.seen(&[(here, 1)]).await;

    // Out of the supply.
    let back = first - AMOUNT_MIN;
    play.secret(back);
    let id = play.trade_id();
    redeem(&play.desk, &id, buyer, security(back)).await.unwrap();
    // The larger note of the two is enough.
    play.seen(&[(there, 1)]).await;
    play.secrets.text("date", DATE);
}

/// Has each node send what the simulator makes of the shapes of its commits, and compares all that happens with the real ones.
async fn simulated(play: &mut Play) {
    let notary = play.network.loaded("notary");
    let mut sent = play.recorder.frames().len();
    for (shape, real) in &play.commits {
        let length = parts(real)[0].1.window.length();
        let window = Window::around(now_ms(), length - 2_000);
        let made = simulate(shape, notary.network, notary.member.id, window, &mut play.rng);
        for (asker, part) in &made {
            let operator = play.desk.node(asker).unwrap();
            let message = Message::Notarise(part.clone());
            operator.tell(&notary.member.id, &message).await.unwrap();
        }
        let frames = play.recorder.commit(sent, shape.len()).await;
        sent += frames.len();
        assert_eq!(sorted(&frames), sorted(real), "{shape:?}");

        let by_sender = |parts: &[(String, NotaryPart)]| -> BTreeMap<String, _> {
            let of = |(sender, part): &(String, NotaryPart)| {
                let (tags, openings, _) = structure(part);
                (sender.clone(), (tags, openings, encode(part).len()))
            };
            parts.iter().map(of).collect()
        };
        assert_eq!(by_sender(&parts(real)), by_sender(&made), "{shape:?}");
    }
}

/// Collects every secret that the registrars, the regulator and the terms know of.
async fn learn_secrets(play: &mut Play) {
    let regulator = play.desk.node("regulator").unwrap();
    for (code, signed) in play.desk.assets() {
        let (terms, secrets) = (&signed.terms, &mut play.secrets);
        let (asset, registrar) = (terms.asset(), terms.core.registrar);
        secrets.key("asset id", &asset.0.0);
        secrets.key("terms", &terms.hash().0);
        for key in terms.policy.epochs.iter().flat_map(|epoch| epoch.keys.iter()) {
            secrets.key("disclosure key", key.point.as_bytes());
        }
        let name = play.desk.name_of(&registrar).unwrap();
        for line in play.desk.node(&name).unwrap().register(asset).await.unwrap() {
            secrets.key("account key", line.account.as_bytes());
        }
        let query = PeerQuery::Log { asset, from: 0 };
        let answer = regulator.peer_query(&registrar, &query).await.unwrap();
        let PeerAnswer::Log { entries, .. } = answer else { panic!("no log of {code}") };
        for bytes in entries {
            if let Entry::Leg(leg) = decode(&bytes, "entry").unwrap() {
                learn_leg(secrets, &leg);
            }
        }
    }
}

/// Every point, hash and salt of a leg but its tags, with which it comes to the notary.
fn learn_leg(secrets: &mut Needles, done: &FinalLeg) {
    let leg = &done.leg;
    let mut point = |what: &str, one: &Encoded| secrets.key(what, one.as_bytes());
    for output in &leg.outputs {
        point("commitment C", &output.commitment);
        point("owner O", &output.slot.slot.owner);
        point("U", &output.slot.slot.ephemeral);
        point("memo key", &output.slot.slot.memo_key);
        point("R", &output.ephemeral);
        output.amounts.iter().for_each(|one| point("E", one));
        output.slot.slot.identities.iter().for_each(|one| point("F", one));
    }
    for input in &leg.inputs {
        point("commitment C'", &input.commitment);
        point("U'", &input.ephemeral);
        input.identities.iter().for_each(|one| point("F'", one));
    }
    for section in &leg.sections {
        point("W", &section.ephemeral);
        section.wraps.iter().for_each(|one| point("Z", one));
    }
    for output in &leg.outputs {
        let context = &output.slot.slot.context;
        secrets.key("slot nonce", &context.nonce);
        secrets.key("proposal", &context.proposal.0);
    }
    leg.notes().for_each(|note| secrets.key("note", &note.id().0.0));
    secrets.key("leg nonce", &leg.header.nonce);
    secrets.key("leg root", &leg.root(done.index, &done.salt).0);
    secrets.key("leg salt", &done.salt.0);
    secrets.key("transaction salt", &done.commit.transaction.salt);
    secrets.key("commit salt", &done.commit.salt);
    for approval in &done.commit.approvals {
        secrets.bytes("approval", &encode(approval));
    }
}

/// The keys of all nodes: a part does not say whose approvals it needs. (Who sends it, the connection says.)
fn node_keys(network: &Network) -> Needles {
    let mut keys = Needles::default();
    for member in network.members() {
        keys.key(&format!("key of {}", member.name), &member.id.0);
    }
    keys
}

/// What of `secrets` a node keeps: in any file, in any record of its log, in any row of its index.
fn everything_kept(network: &Network, node: &str, secrets: &Needles) -> BTreeSet<String> {
    let folder = network.data(node);
    let mut found = secrets.found_under(&folder);
    // Files may hold keys in parts.
    let (store, _) = Store::open(&folder, &store::Options::default()).unwrap();
    let (mut records, mut rows) = (0, 0);
    for record in store.read_from(Seq(1)) {
        found.extend(secrets.found_in(&record.unwrap().payload));
        records += 1;
    }
    for (key, value) in store.kv().scan(&[], None, usize::MAX).unwrap() {
        found.extend(secrets.found_in(&key));
        found.extend(secrets.found_in(&value));
        rows += 1;
    }
    assert!(records > 20 && rows > 20, "{records} records, {rows} rows");
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_notary_sees_and_keeps_nothing_but_what_a_simulator_makes_of_sizes_senders_and_windows()
{
    let first = record(&Cast { seed: 1, homes: ["custodian-a", "custodian-b"] }).await;
    let second = record(&Cast { seed: 2, homes: ["custodian-b", "custodian-a"] }).await;
    for run in [&first, &second] {
        assert!(run.secrets.count() > 500, "{}", run.secrets.count());
        for frame in &run.frames {
            let header = if frame.part == Part::Request { 6 } else { 5 };
            assert_eq!(frame.wire, frame.payload.len() + header);
            let found = run.secrets.found_in(&frame.payload);
            assert!(found.is_empty(), "{} {}: {found:?}", frame.peer, frame.kind);
            let found = run.nodes.found_in(&frame.payload);
            assert!(found.is_empty(), "{} {}: {found:?}", frame.peer, frame.kind);
        }
        assert_eq!(run.found_at_notary, BTreeSet::new());
        // The same search does find what is there.
        let kept: Vec<_> = run.amounts.intersection(&run.found_at_custodian).collect();
        assert!(kept.len() >= 6, "{kept:?} of {:?}", run.amounts);
        for what in ["trade id", "investor", "account key", "commitment C", "owner O", "asset id"] {
            let found = run.found_at_custodian.iter().any(|found| found.starts_with(what));
            assert!(found, "{what} is not found at a custodian");
        }
    }
    // Runs that differ only in amounts and parties look the same.
    let outlines = |run: &Recording| -> Vec<Vec<Outline>> {
        let of = |(_, frames): &(Shape, Vec<Frame>)| {
            let mut outlines: Vec<Outline> = frames.iter().map(Frame::outline).collect();
            outlines.sort();
            outlines
        };
        run.commits.iter().map(of).collect()
    };
    assert_eq!(outlines(&first), outlines(&second));
}
