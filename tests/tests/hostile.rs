//! Peers that don't keep to the protocol, over real connections: whatever they send, they are told why it is refused, nothing is
//! written, and everybody else is served as before (WIRE-1 to WIRE-5).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests: a panic is their report"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::{Connection, ConnectionError};
use rand_chacha::ChaCha20Rng;
use rand_core::{OsRng, RngCore, SeedableRng};
use sudare::clock::now_ms;
use sudare::demo::input::AssetKind;
use sudare::demo::setup::Desk;
use sudare::net::certificate::{self, Validity};
use sudare::net::{Endpoint, Handler, Options, Peer, Refusal, Response};
use sudare::operator::{OperatorQuery, PeerAnswer, PeerQuery, RegisterLine};
use sudare::runtime::reason_of;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::proof::possession;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Hash, NodeId, NodeKey, Secret, Text};
use sudare_disclosure::AssetId;
use sudare_ledger::log::{Entry, FinalLeg};
use sudare_ledger::messages::{
    ApprovalRequest, Finalisation, Message, NotaryPart, Reason, RegisterAccount, TagOpening,
    account_purpose,
};
use sudare_ledger::role::Role;
use sudare_ledger::transaction::{TxId, Window, commit_id, tag_hash, tags_root, tx_id};
use sudare_tests::system::eventually_async;
use sudare_tests::system::network::{Holder, Leg, Network, asset, deal, open};
use sudare_tests::system::raw::{Client, Proof, Said, exchange, request};

const SECURITY: &str = "ZZ0000DEMO11";
const PATIENCE: Duration = Duration::from_secs(60);
const SELLER: Holder<'_> = Holder { custodian: "custodian-a", investor: "SELLER" };
const BUYER: Holder<'_> = Holder { custodian: "custodian-b", investor: "BUYER" };

// Codes of refusals (specs/wire.md).
const NOT_ADMITTED: u16 = 2;
const MALFORMED: u16 = 3;
const VERSION: u16 = 0xff01;
const TOO_LONG: u16 = 0xff02;
const LENGTH: u16 = 0xff03;

const KI: u32 = 1024;

/// Who takes what from whom, and how long it may be: the table in specs/wire.md, by hand.
fn admitted(kind: u8, from: Role, to: Role) -> Option<u32> {
    use Role::{Custodian as C, Notary as N, Registrar as R};
    let of = |froms: &[Role], tos: &[Role]| froms.contains(&from) && tos.contains(&to);
    let (fits, limit) = match kind {
        0 => (of(&[C], &[R]), 8 * KI),
        1 => (of(&[R], &[C]), 8 * KI),
        2 => (of(&[C, R], &[C]), 64 * KI),
        3 => (of(&[C], &[C, R]), 64 * KI),
        4 => (of(&[C, R], &[C, R]), 8 * KI),
        5 | 8 | 9 => (of(&[C], &[C]), 64 * KI),
        6 => (of(&[C], &[R]), 512 * KI),
        7 => (of(&[R], &[C]), 8 * KI),
        10 | 13 => (of(&[C, R], &[N]), 64 * KI),
        11 | 12 => (of(&[N], &[C, R]), 8 * KI),
        14 => (of(&[N], &[C, R]) || of(&[C], &[R]), 8 * KI),
        15 => (of(&[C], &[R]), 64 * KI),
        16 | 17 | 19 => (of(&[R], &[C]), 512 * KI),
        18 => (of(&[C], &[R]), 8 * KI),
        20 => (of(&[R], &[N]), 8 * KI),
        21 => (of(&[N], &[R]), 8 * KI),
        22 => (of(&[C, R], &[C]) || of(&[C], &[R]), 8 * KI),
        _ => (false, 0),
    };
    fits.then_some(limit)
}

const NODES: [&str; 6] =
    ["notary", "registrar-securities", "registrar-cash", "custodian-a", "custodian-b", "regulator"];

/// All nodes run, but `mallory`, a custodian that the test plays. There is one asset, with one holder.
async fn start() -> (Network, Desk) {
    let mut network = Network::make(&[
        ("notary", Role::Notary),
        ("registrar-securities", Role::Registrar),
        ("registrar-cash", Role::Registrar),
        ("custodian-a", Role::Custodian),
        ("custodian-b", Role::Custodian),
        ("mallory", Role::Custodian),
        ("regulator", Role::Regulator),
    ]);
    network.run(&NODES).await;
    let mut desk = network.desk();
    let security = asset(SECURITY, AssetKind::Security);
    desk.open_asset(&security, "registrar-securities", "regulator").await.unwrap();
    let opening = (SELLER, Leg { code: SECURITY, quantity: 1_000 });
    open(&desk, &[opening], &[(BUYER, SECURITY)]).await;
    (network, desk)
}

/// That trading goes on.
async fn assert_serves(desk: &Desk, id: &str) {
    let leg = Leg { code: SECURITY, quantity: 1 };
    assert_eq!(deal(desk, id, SELLER, BUYER, leg, None).await, Ok(()));
}

fn root_key(network: &Network) -> NodeKey {
    certificate::read_key(&network.place.join("net/root/root.key")).unwrap()
}

fn root_certificate(network: &Network) -> rustls::pki_types::CertificateDer<'static> {
    certificate::read_certificate(&network.place.join("net/root/root.crt")).unwrap()
}

/// A client with the identity of a node.
fn client(network: &Network, name: &str) -> Client {
    let folder = network.place.join("net").join(name);
    let certificate = certificate::read_certificate(&folder.join("node.crt")).unwrap();
    let key = certificate::read_key(&folder.join("node.key")).unwrap();
    Client::new(root_certificate(network), Some(Proof { certificate, key }))
}

async fn connect(network: &Network, from: &str, to: &str) -> Connection {
    client(network, from).connect(network.member(to)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_a_member_is_turned_away_by_every_node() {
    let (network, desk) = start().await;
    let before = network.quiet().await;
    let (root, always) =
        (root_key(&network), Validity { from: 0, until: now_ms() + 1_000_000_000 });
    let stranger = NodeKey::from_seed(&[77; 32]);
    let issue = |issuer: &NodeKey, name: &str, validity: Validity| {
        let name = sudare::membership::MemberName::new(name).unwrap();
        let id = network.loaded("notary").network;
        certificate::issue(issuer, &id, &name, &stranger.id(), validity).unwrap()
    };
    let expired = Validity { from: 0, until: 1_000_000 };
    let impostors = [
        ("no certificate", None),
        ("a certificate of another root", Some(issue(&stranger, "custodian-a", always))),
        ("a certificate that has expired", Some(issue(&root, "custodian-a", expired))),
        ("a name that is not in the list", Some(issue(&root, "stranger", always))),
        ("a member's name with another key", Some(issue(&root, "custodian-a", always))),
    ];
    for (what, certificate) in impostors {
        let proof = certificate
            .map(|certificate| Proof { certificate, key: NodeKey::from_seed(&[77; 32]) });
        let client = Client::new(root_certificate(&network), proof);
        for node in NODES {
            let error = client.turned_away(network.member(node)).await;
            let refused = match &error {
                // One of the codes by which TLS alerts are carried, or ours for who is no member.
                ConnectionError::ConnectionClosed(_) | ConnectionError::TransportError(_) => true,
                ConnectionError::ApplicationClosed(close) => u64::from(close.error_code) == 1,
                _ => false,
            };
            assert!(refused, "{what} at {node}: {error}");
        }
    }
    assert_eq!(network.quiet().await, before);
    assert_serves(&desk, "AFTER").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_role_does_not_take_is_refused_before_anything_of_it_is_read() {
    let (network, desk) = start().await;
    let before = network.quiet().await;
    let mut refused = 0;
    for from in ["notary", "registrar-cash", "mallory", "regulator"] {
        for to in NODES.into_iter().filter(|to| *to != from) {
            let connection = connect(&network, from, to).await;
            let (sender, receiver) = (network.member(from).role, network.member(to).role);
            for kind in 0..=u8::MAX {
                // Reads have rules of their own: a notary has nothing to read of others, and is refused for the kind too.
                let reads = kind == 64 && sender != Role::Notary;
                if admitted(kind, sender, receiver).is_some() || reads {
                    continue;
                }
                // Neither a length nor a payload follows, and the stream stays open: the answer is given for the kind alone.
                let said = exchange(&connection, &[1, kind], false).await;
                assert_eq!(said, Said::Refused(NOT_ADMITTED), "kind {kind}, {from} to {to}");
                refused += 1;
            }
        }
    }
    assert!(refused > 4_000, "{refused}");
    assert_eq!(network.quiet().await, before);
    assert_serves(&desk, "AFTER").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_malformed_is_refused_and_changes_nothing() {
    let (network, desk) = start().await;
    let before = network.quiet().await;
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut covered: BTreeMap<u8, u32> = BTreeMap::new();
    for from in ["notary", "registrar-cash", "mallory"] {
        for to in NODES.into_iter().filter(|to| *to != from) {
            let connection = connect(&network, from, to).await;
            let (sender, receiver) = (network.member(from).role, network.member(to).role);
            for kind in 0..64 {
                let Some(limit) = admitted(kind, sender, receiver) else { continue };
                malformed(&connection, kind, limit, &mut rng).await;
                *covered.entry(kind).or_default() += 1;
            }
        }
    }
    assert_eq!(covered.keys().copied().collect::<Vec<_>>(), (0..=22).collect::<Vec<_>>());
    cut_short(&network, &desk).await;
    assert_eq!(network.quiet().await, before);
    assert_serves(&desk, "AFTER").await;
}

/// Garbage, wrong lengths, wrong versions under a kind that the receiver takes, `limit` bytes of it at most.
async fn malformed(connection: &Connection, kind: u8, limit: u32, rng: &mut ChaCha20Rng) {
    let mut garbage = vec![0; 300];
    rng.fill_bytes(&mut garbage);
    let own = [&[kind], garbage.as_slice()].concat();
    let other = [&[kind ^ 1], garbage.as_slice()].concat();
    let longest = vec![0xff; usize::try_from(limit).unwrap()];
    let header =
        |version: u8, length: u32| [&[version, kind], length.to_le_bytes().as_slice()].concat();
    let cases = [
        ("nothing", request(kind, &[]), MALFORMED),
        ("garbage", request(kind, &garbage), MALFORMED),
        ("garbage of the kind", request(kind, &own), MALFORMED),
        ("garbage of another kind", request(kind, &other), MALFORMED),
        ("the longest garbage", request(kind, &longest), MALFORMED),
        ("one byte too many, announced", header(1, limit + 1), TOO_LONG),
        ("4 GiB, announced", header(1, u32::MAX), TOO_LONG),
        ("less than announced", [header(1, 10), vec![kind; 5]].concat(), LENGTH),
        ("more than announced", [header(1, 10), vec![kind; 15]].concat(), LENGTH),
        ("half a header", vec![1, kind, 0, 0], LENGTH),
        ("another version", [header(2, 10), vec![kind; 10]].concat(), VERSION),
    ];
    for (what, bytes, code) in cases {
        let said = exchange(connection, &bytes, true).await;
        assert_eq!(said, Said::Refused(code), "{what}, kind {kind}");
    }
}

/// Good messages, cut at every length or lengthened, and under every other kind.
async fn cut_short(network: &Network, desk: &Desk) {
    let asset = desk.terms(SECURITY).unwrap().terms.asset();
    let about = TxId(Hash([5; 32]));
    let window = Window::around(now_ms(), 20_000);
    let part = fresh_part(network, &SpendKey::random(&mut ChaCha20Rng::seed_from_u64(3)), window).0;
    for (to, message) in [
        ("registrar-securities", Message::AskTerms(asset)),
        ("registrar-securities", Message::RegisterAccount(account(network, asset, "mallory"))),
        ("notary", Message::AskAbsence { tx: about, window }),
        ("notary", Message::Notarise(part)),
        ("custodian-b", Message::Abandon { proposal: about.0, reason: Reason::Lapsed }),
    ] {
        let (bytes, connection) = (encode(&message), connect(network, "mallory", to).await);
        let mut wrong: Vec<Vec<u8>> = (0..bytes.len()).map(|end| bytes[..end].to_vec()).collect();
        wrong.push([bytes.as_slice(), &[0]].concat());
        wrong.push([&[message.kind() ^ 1], &bytes[1..]].concat());
        for payload in wrong {
            let said = exchange(&connection, &request(message.kind(), &payload), true).await;
            assert_eq!(said, Said::Refused(MALFORMED), "{} bytes to {to}", payload.len());
        }
    }
}

/// A part for a commit of nothing with one tag, and its transaction.
fn fresh_part(network: &Network, key: &SpendKey, window: Window) -> (NotaryPart, TxId) {
    let (own, rng) = (network.loaded("notary"), &mut OsRng);
    let mut salt = [0; 32];
    rng.fill_bytes(&mut salt);
    let (legs_root, approvals_root) = (Hash(salt), Hash([8; 32]));
    let tags = vec![tag_hash(&salt, &key.tag())];
    let root = tags_root(&tags).unwrap();
    let tx = tx_id(legs_root, root, own.network, own.member.id, window);
    let signature = tag::sign(key, commit_id(tx, approvals_root).0, rng).unwrap();
    let openings = vec![TagOpening { salt, tag: key.tag(), signature }];
    let (tags, openings) = (tags.try_into().unwrap(), openings.try_into().unwrap());
    (NotaryPart { window, legs_root, approvals_root, tags, openings }, tx)
}

/// A well-formed request to register an account of `custodian`.
fn account(network: &Network, asset: AssetId, custodian: &str) -> RegisterAccount {
    let rng = &mut ChaCha20Rng::seed_from_u64(4);
    let (secret, investor) = (Secret::random(rng), Text::new("PSEUDONYM").unwrap());
    let (id, own) = (network.member(custodian).id, network.loaded("notary").network);
    let purpose = account_purpose(own, asset, id, &investor);
    let statement = possession::Statement { key: secret.public(), purpose };
    let possession = possession::prove(&statement, &secret, rng).unwrap();
    RegisterAccount { asset, account: statement.key, investor, possession }
}

/// A custodian's node that takes whatever it is sent, and does and sends what the test wants.
struct Mallory {
    endpoint: Endpoint,
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox(Mutex<Vec<(NodeId, Message)>>);

impl Handler for Inbox {
    fn admits(&self, _: &Peer, _: u8) -> Result<usize, Refusal> {
        Ok(1024 * 1024)
    }

    async fn handle(&self, peer: Peer, _: u8, payload: Vec<u8>) -> Response {
        self.0.lock().unwrap().push((peer.member.id, decode(&payload, "message").unwrap()));
        Response::Accepted
    }
}

impl Mallory {
    fn start(network: &Network) -> Self {
        let own = network.loaded("mallory");
        let address = own.member.address;
        let endpoint =
            Endpoint::bind(&own.identity, &own.membership, address, Options::default()).unwrap();
        let inbox = Arc::new(Inbox::default());
        endpoint.serve(Arc::clone(&inbox));
        Self { endpoint, inbox }
    }

    /// Sends a message.
    async fn tell(&self, to: NodeId, message: &Message) -> Result<(), Option<Reason>> {
        match self.ask(to, message.kind(), &encode(message)).await {
            Response::Accepted => Ok(()),
            Response::Refused(refusal) => Err(reason_of(&refusal)),
            Response::Answer(_) => panic!("an answer to a message"),
        }
    }

    async fn ask(&self, to: NodeId, kind: u8, payload: &[u8]) -> Response {
        self.endpoint.peers().request(&to, kind, payload, PATIENCE).await.unwrap()
    }

    /// Sends a part whose tags do not sign its commit: it is not recorded.
    async fn unsigned(&self, notary: NodeId, part: NotaryPart) {
        match self.answer(notary, &Message::Notarise(part)).await {
            Message::NotRecorded { reason, .. } => assert_eq!(reason, Reason::Signature),
            other => panic!("{other:?}"),
        }
    }

    /// Sends a message and waits for the message that answers it.
    async fn answer(&self, to: NodeId, message: &Message) -> Message {
        self.inbox.0.lock().unwrap().clear();
        assert_eq!(self.tell(to, message).await, Ok(()), "{message:?}");
        eventually_async("an answer comes", || async {
            let inbox = self.inbox.0.lock().unwrap();
            let found = inbox.iter().find(|(from, _)| *from == to)?;
            Some(found.1.clone())
        })
        .await
    }
}

/// The legs in the log of the asset.
async fn legs(desk: &Desk) -> Vec<FinalLeg> {
    let terms = &desk.terms(SECURITY).unwrap().terms;
    let query = PeerQuery::Log { asset: terms.asset(), from: 0 };
    let regulator = desk.node("regulator").unwrap();
    let answer = regulator.peer_query(&terms.core.registrar, &query).await.unwrap();
    let PeerAnswer::Log { entries, .. } = answer else { panic!("no log") };
    let entry = |bytes: &Vec<u8>| match decode(bytes, "entry").unwrap() {
        Entry::Leg(leg) => Some(*leg),
        Entry::Terms(_) | Entry::Snapshot(_) => None,
    };
    entries.iter().filter_map(entry).collect()
}

async fn register(desk: &Desk) -> Vec<RegisterLine> {
    let asset = desk.terms(SECURITY).unwrap().terms.asset();
    desk.node("registrar-securities").unwrap().register(asset).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custodian_gains_nothing_from_what_belongs_to_others() {
    let (network, desk) = start().await;
    assert_serves(&desk, "FIRST").await;
    let mallory = Mallory::start(&network);
    let (before, held) = (legs(&desk).await, register(&desk).await);
    let done = before.last().unwrap().clone();
    approvals_of_others(&network, &mallory, &done).await;
    spends_of_others(&network, &mallory, &done).await;
    accounts_of_others(&network, &desk, &mallory, &held).await;
    reads_of_others(&network, &desk, &mallory, &done).await;
    trades_of_others(&network, &mallory, &done).await;
    assert_eq!(legs(&desk).await, before);
    assert_eq!(register(&desk).await, held);
    assert_serves(&desk, "AFTER").await;
}

/// Another's leg, approved or final, brings its copyist nothing.
async fn approvals_of_others(network: &Network, mallory: &Mallory, done: &FinalLeg) {
    let registrar = network.member("registrar-securities").id;
    let commit = &done.commit;
    let again = ApprovalRequest {
        transaction: commit.transaction.clone(),
        index: done.index,
        leg: done.leg.clone(),
        salt: done.salt,
        tag_salts: done.tag_salts.clone(),
    };
    match mallory.answer(registrar, &Message::Approve(again.clone())).await {
        // Its slots are used; or by now its window is over.
        Message::Approved { outcome: Err(Reason::SlotUsed | Reason::Window), .. } => (),
        other => panic!("{other:?}"),
    }
    // The same leg in a transaction of its own is another leg: its root is salted with its place.
    let mut moved = again.clone();
    moved.transaction.salt = [1; 32];
    moved.transaction.window = Window::around(now_ms(), 20_000);
    match mallory.answer(registrar, &Message::Approve(moved)).await {
        Message::Approved { outcome: Err(Reason::SlotUsed), .. } => (),
        other => panic!("{other:?}"),
    }
    let mut other = again;
    other.salt.0[0] ^= 1;
    let refused = mallory.tell(registrar, &Message::Approve(other)).await;
    assert_eq!(refused, Err(Some(Reason::LegMismatch)));

    let finalisation = Finalisation {
        commit: commit.clone(),
        index: done.index,
        receipt: done.receipt,
        signatures: done.signatures.clone(),
    };
    match mallory.answer(registrar, &Message::Finalise(finalisation)).await {
        Message::NotFinal { .. } => (),
        // That it is final anybody may know who has the commit; none of its outputs is told.
        Message::Settled(settlement) => assert!(settlement.components.is_empty()),
        other => panic!("{other:?}"),
    }
}

/// Who knows a tag, or a whole part, can't spend it again nor otherwise.
async fn spends_of_others(network: &Network, mallory: &Mallory, done: &FinalLeg) {
    let notary = network.member("notary").id;
    let commit = &done.commit;
    let (input, signature) = (&done.leg.inputs[0], &done.signatures[0]);
    let opening =
        TagOpening { salt: done.tag_salts[0], tag: input.tag, signature: signature.clone() };
    let part = NotaryPart {
        window: commit.transaction.window,
        legs_root: commit.transaction.legs_root(),
        approvals_root: commit.approvals_root(),
        tags: commit.transaction.tags.clone(),
        openings: vec![opening.clone()].try_into().unwrap(),
    };
    // The same commit again is the same receipt.
    match mallory.answer(notary, &Message::Notarise(part.clone())).await {
        Message::Notarised(receipt) => assert_eq!(receipt, done.receipt),
        other => panic!("{other:?}"),
    }
    // Under another commit the signature is none, whoever made it.
    let mut other = part;
    other.approvals_root = Hash([1; 32]);
    other.window = Window::around(now_ms(), 20_000);
    mallory.unsigned(notary, other).await;
    let window = Window::around(now_ms(), 20_000);
    let key = SpendKey::random(&mut ChaCha20Rng::seed_from_u64(5));
    let (fresh, _) = fresh_part(network, &key, window);
    let mut stolen = fresh.clone();
    let forged = TagOpening { tag: input.tag, ..fresh.openings[0].clone() };
    stolen.tags = vec![tag_hash(&forged.salt, &forged.tag)].try_into().unwrap();
    stolen.openings = vec![forged].try_into().unwrap();
    mallory.unsigned(notary, stolen).await;

    // What is its own it can spend, once.
    match mallory.answer(notary, &Message::Notarise(fresh)).await {
        Message::Notarised(_) => (),
        other => panic!("{other:?}"),
    }
    let (second, about) = fresh_part(network, &key, window);
    match mallory.answer(notary, &Message::Notarise(second)).await {
        Message::NotRecorded { tx, reason: Reason::Spent } => assert_eq!(tx, about),
        other => panic!("{other:?}"),
    }
}

/// Nobody registers an account without its key, or for another custodian.
async fn accounts_of_others(
    network: &Network,
    desk: &Desk,
    mallory: &Mallory,
    held: &[RegisterLine],
) {
    let registrar = network.member("registrar-securities").id;
    let asset = desk.terms(SECURITY).unwrap().terms.asset();
    let own = account(network, asset, "mallory");
    let theirs = RegisterAccount { account: held[0].account, ..own.clone() };
    let elsewhere = account(network, asset, "custodian-a");
    let renamed = RegisterAccount { investor: Text::new("ANOTHER").unwrap(), ..own };
    for request in [theirs, elsewhere, renamed] {
        match mallory.answer(registrar, &Message::RegisterAccount(request)).await {
            Message::AccountRegistered { refused: Some(Reason::Proof), .. } => (),
            other => panic!("{other:?}"),
        }
    }
}

/// A custodian reads no log, no register, and no outputs of others; and it is nobody's operator.
async fn reads_of_others(network: &Network, desk: &Desk, mallory: &Mallory, done: &FinalLeg) {
    let registrar = network.member("registrar-securities").id;
    let asset = desk.terms(SECURITY).unwrap().terms.asset();
    for query in [PeerQuery::Log { asset, from: 0 }, PeerQuery::NotaryCheckpoint] {
        match mallory.ask(registrar, 64, &encode(&query)).await {
            Response::Refused(refusal) => {
                assert_eq!(reason_of(&refusal), Some(Reason::WrongRole), "{query:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    let Response::Answer(bytes) =
        mallory.ask(registrar, 64, &encode(&PeerQuery::OwnOutputs { asset, from: 0 })).await
    else {
        panic!("a custodian may ask for its own outputs")
    };
    match decode(&bytes, "answer").unwrap() {
        PeerAnswer::OwnOutputs { settlements, .. } => assert!(settlements.is_empty()),
        other => panic!("{other:?}"),
    }
    let outputs = encode(&PeerQuery::Outputs(done.receipt.tx));
    let Response::Answer(bytes) = mallory.ask(registrar, 64, &outputs).await else {
        panic!("a custodian may ask for its outputs of a transaction")
    };
    match decode(&bytes, "answer").unwrap() {
        PeerAnswer::Outputs(settlements) => assert!(settlements.is_empty()),
        other => panic!("{other:?}"),
    }
    // Of a regulator it sees the checkpoint of the access log, and nothing else.
    let regulator = network.member("regulator").id;
    let checkpoint = mallory.ask(regulator, 64, &encode(&PeerQuery::AccessCheckpoint)).await;
    assert!(matches!(checkpoint, Response::Answer(_)), "{checkpoint:?}");
    match mallory.ask(regulator, 64, &encode(&PeerQuery::Log { asset, from: 0 })).await {
        Response::Refused(refusal) => assert_eq!(reason_of(&refusal), Some(Reason::WrongRole)),
        other => panic!("{other:?}"),
    }
    for node in NODES {
        let to = network.member(node).id;
        for kind in [128, 129, 130] {
            match mallory.ask(to, kind, &encode(&OperatorQuery::Accounts(None))).await {
                Response::Refused(refusal) => assert_eq!(refusal.code, NOT_ADMITTED, "{node}"),
                other => panic!("{node}: {other:?}"),
            }
        }
    }
}

/// Nobody ends, answers, or alters a trade that others have with each other.
async fn trades_of_others(network: &Network, mallory: &Mallory, done: &FinalLeg) {
    let proposal = done.leg.outputs[0].slot.slot.context.proposal;
    let heights = network.quiet().await;
    for to in ["custodian-a", "custodian-b"] {
        let to = network.member(to).id;
        for message in [
            Message::Abandon { proposal, reason: Reason::Abandoned },
            Message::Assemble(proposal, done.commit.transaction.clone()),
            Message::Commit(done.commit.clone()),
        ] {
            // Whether it is refused or only ignored: nothing comes of it.
            let _ = mallory.tell(to, &message).await;
        }
    }
    let registrar = network.member("registrar-securities").id;
    let abandon = Message::Abandon { proposal, reason: Reason::Abandoned };
    assert_eq!(mallory.tell(registrar, &abandon).await, Err(Some(Reason::NoMatch)));
    assert_eq!(network.quiet().await, heights);
}
