//! Two nodes with a toy role, a real store and real QUIC on the loopback interface.

mod alone;
mod exchange;
mod operator;
mod toy;

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sudare_crypto::{Hash, NodeKey};
use sudare_ledger::kv::Kv;
use sudare_ledger::role::Role;

use self::operator::Operator;
use self::toy::{Order, Toy};
use super::{Running, RuntimeError, Setup};
use crate::membership::{Member, MemberName, Membership, MembershipList, SignedMembership};
use crate::net::certificate::{self, Validity};
use crate::net::{Endpoint, Identity, Options, StartError};
use crate::store::{Options as StoreOptions, Seq};

const NETWORK: Hash = Hash([9; 32]);
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a node is to fail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Point {
    /// The events of a batch are handled, none is on disk.
    BeforeSync,
    /// They are on disk, but not in the index, and nobody was told.
    AfterSync,
    /// They are in the index, and nobody was told.
    AfterApply,
}

/// A failure at a point of the first batch from some record on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crash {
    pub(super) point: Point,
    pub(super) from: Seq,
}

impl Crash {
    pub(super) fn is_due(self, point: Point, head: Seq) -> bool {
        self.point == point && head >= self.from
    }
}

/// A network of nodes that can be started and stopped one by one.
struct World {
    folder: tempfile::TempDir,
    membership: Vec<u8>,
    members: Vec<Member>,
    clock: Option<Arc<AtomicU64>>,
    /// Threads for jobs, of each node.
    workers: usize,
}

impl World {
    /// Node 0, 1 .. with these roles.
    fn new(roles: &[Role]) -> Self {
        let sockets: Vec<UdpSocket> =
            roles.iter().map(|_| UdpSocket::bind(("127.0.0.1", 0)).unwrap()).collect();
        let member = |(number, (role, socket)): (usize, (&Role, &UdpSocket))| Member {
            name: MemberName::new(&format!("node-{number}")).unwrap(),
            role: *role,
            id: key(number).id(),
            address: socket.local_addr().unwrap(),
        };
        let both = sudare_crypto::pairs(roles, &sockets).unwrap();
        let members: Vec<Member> = both.enumerate().map(member).collect();
        let list = MembershipList::new(NETWORK, 7, members.clone()).unwrap();
        let membership = SignedMembership::sign(list, &root()).to_bytes();
        Self { folder: tempfile::tempdir().unwrap(), membership, members, clock: None, workers: 2 }
    }

    fn membership(&self) -> Membership {
        Membership::open(&self.membership, root().id(), NETWORK).unwrap()
    }

    fn folder(&self, node: usize) -> PathBuf {
        self.folder.path().join(node.to_string())
    }

    fn identity(&self, node: usize) -> Identity {
        let forever = Validity { from: 0, until: 4_000_000_000_000 };
        let issuer = certificate::create_root(&root(), &NETWORK, forever).unwrap();
        let (name, key) = (&self.members[node].name, key(node));
        let leaf = certificate::issue(&root(), &NETWORK, name, &key.id(), forever).unwrap();
        Identity::new(key, leaf, issuer).unwrap()
    }

    /// Starts a node.
    async fn start(&self, node: usize, toy: &Toy) -> Running {
        self.start_to_crash(node, toy, None).await
    }

    async fn start_to_crash(&self, node: usize, toy: &Toy, crash: Option<Crash>) -> Running {
        let membership = self.membership();
        let endpoint = self.endpoint(node, &membership).await;
        let clock: super::Clock = match self.clock.clone() {
            Some(clock) => Arc::new(move || clock.load(Ordering::Relaxed)),
            None => Arc::new(crate::clock::now_ms),
        };
        let folder = self.folder(node);
        let setup = Setup {
            folder: &folder,
            store: StoreOptions::default(),
            own: self.members[node].id,
            membership,
            endpoint,
            workers: Some(self.workers),
            clock,
        };
        let queries = toy::Counts;
        Running::start_on(toy.clone(), queries, setup, |ledger| ledger.crash = crash).unwrap()
    }

    /// The node's place in the network; waits for tasks of the same node before to let the port go.
    async fn endpoint(&self, node: usize, membership: &Membership) -> Endpoint {
        let (identity, address) = (self.identity(node), self.members[node].address);
        let bind = async {
            loop {
                match Endpoint::bind(&identity, membership, address, Options::default()) {
                    Ok(endpoint) => return endpoint,
                    Err(StartError::Socket { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, bind).await.unwrap()
    }

    fn operator(&self, node: usize) -> Operator {
        Operator::new(&self.identity(node), &self.membership(), PATIENCE)
    }

    async fn order(&self, node: usize, order: Order) {
        self.operator(node).instruct(&order).await.unwrap();
    }

    /// Waits until a number that a node counts gets to `expected`, and it counts no further.
    async fn counts(&self, node: usize, kind: u8, expected: u64) {
        let operator = self.operator(node);
        let wait = async {
            loop {
                let count = operator.query(kind, &[]).await.unwrap();
                let count = u64::from_le_bytes(count.try_into().unwrap());
                assert!(count <= expected, "{count} of kind {kind}, not {expected}");
                if count == expected {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }
}

/// Waits for a failure that was asked for.
async fn crashed(mut running: Running) {
    assert!(matches!(running.failed().await, Err(RuntimeError::Slow)));
    running.stop().await.unwrap();
}

/// Every row of an index.
fn rows(folder: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let (store, _) = crate::store::Store::open(folder, &StoreOptions::default()).unwrap();
    store.kv().scan(&[], None, usize::MAX).unwrap()
}

fn root() -> NodeKey {
    NodeKey::from_seed(&[1; 32])
}

fn key(node: usize) -> NodeKey {
    NodeKey::from_seed(&[u8::try_from(node).unwrap() + 100; 32])
}
