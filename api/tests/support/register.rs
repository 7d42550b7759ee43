//! A registrar's node for the API: two registers that are lists, of which each height keeps its own.

use std::sync::Mutex;

use sudare_api::flows::{Asking, Node, Unanswered};
use sudare_crypto::encoding::decode;
use sudare_crypto::{Encoded, Hash, NodeId, NodeKey, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::custodian::{AccountState, Investor, TradeView};
use sudare_ledger::messages::TradeId;
use sudare_ledger::registrar::{
    Instruction, Line, Lines, LinesOf, RegisterHead, SnapshotView, When,
};
use sudare_ledger::registrar::{OrderView, RedemptionKey};
use sudare_ledger::role::Role;
use sudare_ledger::testing::{Network, rng};
use tokio::sync::watch;

use super::{ISIN, NOW_MS, OTHER_ISIN};

/// The custodians with customers in both registers.
pub const CUSTODIANS: [&str; 2] = ["other", "third"];
/// The code of no asset.
pub const UNKNOWN: &str = "ZZ0000000024";
const DAY_MS: u64 = 86_400_000;

/// Registers with the times of their entries: a day apart, the last one a day before tests begin.
#[derive(Debug)]
pub struct Book {
    terms: Vec<SignedTerms>,
    times: Mutex<Vec<u64>>,
    taken: Mutex<Vec<SnapshotView>>,
    height: watch::Sender<u64>,
    now: Mutex<u64>,
}

impl Book {
    pub fn new() -> Self {
        let (network, random) = (Network::new(), &mut rng(1));
        let terms =
            [ISIN, OTHER_ISIN].map(|code| network.signed(network.terms(code, &[0], random)));
        Self {
            terms: terms.into(),
            times: Mutex::new([3, 2, 1].map(|days| NOW_MS - days * DAY_MS).into()),
            taken: Mutex::default(),
            height: watch::Sender::new(1),
            now: Mutex::new(NOW_MS),
        }
    }

    /// Its clock, ms.
    pub fn becomes(&self, now: u64) {
        *self.now.lock().unwrap() = now;
    }

    /// An entry more, with which all holdings change.
    pub fn grow(&self) {
        self.times.lock().unwrap().push(*self.now.lock().unwrap());
        self.woken();
    }

    /// Whoever waits for something to happen looks again.
    pub fn woken(&self) {
        self.height.send_modify(|height| *height += 1);
    }

    pub fn snapshots_taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.times.lock().unwrap().len()).unwrap()
    }

    fn custodian(name: &str) -> Option<NodeId> {
        let place = CUSTODIANS.iter().position(|one| *one == name)?;
        let seed = [u8::try_from(place).unwrap() + 10; 32];
        Some(NodeKey::from_seed(&seed).id())
    }

    /// Nine accounts; after `h` entries that are no snapshot the n-th holds `h * n` units.
    fn lines_at(&self, size: u64) -> Vec<Line> {
        let snapshots = self.taken.lock().unwrap().iter().filter(|one| one.entry < size).count();
        let moves = size - u64::try_from(snapshots).unwrap();
        let mut lines: Vec<Line> = (0..9u64)
            .map(|number| {
                let account = Hash::of(b"sudare/test/account", &[&number.to_le_bytes()]);
                let custodian = CUSTODIANS[usize::try_from(number % 2).unwrap()];
                Line {
                    account: Encoded::from_bytes(account.0).unwrap(),
                    investor: Text::new(format!("INV-{number}")).unwrap(),
                    custodian: Self::custodian(custodian).unwrap(),
                    quantity: moves * (number + 1),
                }
            })
            .collect();
        lines.sort_by_key(|line| line.account);
        lines
    }

    fn supply_at(&self, size: u64) -> u64 {
        self.lines_at(size).iter().map(|line| line.quantity).sum()
    }

    fn take(&self) {
        let (entry, at) = (self.now(), *self.now.lock().unwrap());
        let supply = self.supply_at(entry);
        let mut taken = self.taken.lock().unwrap();
        let number = u32::try_from(taken.len()).unwrap();
        taken.push(SnapshotView { number, entry, at, leaves: 16, supply, root: Hash::default() });
        drop(taken);
        self.grow();
    }
}

impl Node for Book {
    fn role(&self) -> Role {
        Role::Registrar
    }

    fn member(&self, name: &str) -> Option<(NodeId, Role)> {
        Some((Self::custodian(name)?, Role::Custodian))
    }

    fn name_of(&self, id: &NodeId) -> String {
        let named = CUSTODIANS.iter().find(|name| Self::custodian(name) == Some(*id));
        (*named.unwrap()).to_owned()
    }

    fn heights(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }

    fn instruct(&self, instruction: Vec<u8>) -> Asking<'_, ()> {
        if let Instruction::Snapshot(_) = decode(&instruction, "an instruction").unwrap() {
            self.take();
        }
        Box::pin(async { Ok(()) })
    }

    fn assets(&self) -> Asking<'_, Vec<SignedTerms>> {
        Box::pin(async { Ok(self.terms.clone()) })
    }

    fn trade(&self, _: TradeId) -> Asking<'_, Vec<TradeView>> {
        Box::pin(async { Err(Unanswered::Later("no custodian".into())) })
    }

    fn account(&self, _: AssetId, _: Investor) -> Asking<'_, Option<AccountState>> {
        Box::pin(async { Err(Unanswered::Later("no custodian".into())) })
    }

    fn issue(&self, _: Text<35>) -> Asking<'_, Option<OrderView>> {
        Box::pin(async { Ok(None) })
    }

    fn redemption(&self, _: RedemptionKey) -> Asking<'_, Option<OrderView>> {
        Box::pin(async { Ok(None) })
    }

    fn register(&self, _: AssetId, when: When) -> Asking<'_, Option<RegisterHead>> {
        let now = self.now();
        let times = self.times.lock().unwrap().clone();
        let size = match when {
            When::Now => Some(now),
            When::Size(size) => Some(size),
            When::Time(at) => {
                let before = times.iter().take_while(|time| **time <= at).count();
                Some(u64::try_from(before).unwrap())
            }
            When::Snapshot(number) => {
                let taken = self.taken.lock().unwrap();
                taken.iter().find(|one| one.number == number).map(|one| one.entry + 1)
            }
        };
        let head = size.filter(|size| *size <= now).map(|size| {
            let supply = self.supply_at(size);
            let taken = self.taken.lock().unwrap();
            RegisterHead {
                size,
                at: size.checked_sub(1).map(|last| times[usize::try_from(last).unwrap()]),
                minted: supply.into(),
                supply,
                snapshot: taken.iter().find(|one| one.entry + 1 == size).cloned(),
                custodians: CUSTODIANS.iter().filter_map(|name| Self::custodian(name)).collect(),
            }
        });
        Box::pin(async { Ok(head) })
    }

    fn lines(&self, _: AssetId, of: LinesOf) -> Asking<'_, Lines> {
        let mut lines = self.lines_at(of.size);
        lines.retain(|line| {
            of.after.is_none_or(|after| line.account > after)
                && of.custodian.is_none_or(|custodian| line.custodian == custodian)
        });
        // A node looks at some accounts at a time: there may be more although it gives fewer lines than wanted.
        let limit = usize::try_from(of.limit).unwrap().min(2);
        let next = lines.get(limit - 1).map(|line| line.account);
        lines.truncate(limit);
        Box::pin(async move { Ok(Lines { lines, next }) })
    }

    fn snapshots(&self, _: AssetId) -> Asking<'_, Vec<SnapshotView>> {
        let taken = self.taken.lock().unwrap().clone();
        Box::pin(async { Ok(taken) })
    }
}
