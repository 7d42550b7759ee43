//! A regulator with officers, and grants.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "fixtures of tests; each test file uses some of them"
)]

use sudare_crypto::NodeKey;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, decode};
use sudare_disclosure::threshold::{Officer, OfficerKey};
use sudare_disclosure::{DisclosureSecret, Fields};
use sudare_ledger::access::{
    AccessError, AccessEvent, AccessLog, Desk, Grant, GrantId, LoggedEntry, Permit, Scope,
    SignedDesk, SignedGrant, Use,
};
use sudare_ledger::audit::{Instruction, Regulator, Replay};
use sudare_ledger::kv::{MemoryKv, Tx};
use sudare_ledger::log::Entry;
use sudare_ledger::messages::Reason;
use sudare_ledger::role::{Event, Machine, Moment};
use sudare_ledger::snapshot::{Heading, Snapshot, SnapshotSeed};
use sudare_ledger::transaction::Window;

use super::chain::*;
use super::*;

pub fn reader() -> NodeKey {
    NodeKey::from_seed(&[50; 32])
}

pub fn officer(number: u8) -> OfficerKey {
    OfficerKey::new(Seed([number; 32]))
}

pub fn fields_of(bits: u8) -> Fields {
    decode(&[bits], "fields").unwrap()
}

/// A regulator whose officers 1 and 2 must both sign, over an asset whose regulator key reads some fields in three epochs.
pub struct World {
    pub regulator: Regulator,
    pub kv: MemoryKv,
    pub asset: Asset,
    pub entries: Vec<Entry>,
}

pub fn desk(number: u32, needed: u8, officers: &[u8]) -> Desk {
    let named = |one: &u8| Officer { name: text("officer"), id: officer(*one).id() };
    let officers = officers.iter().map(named).collect::<Vec<_>>().try_into().unwrap();
    Desk { version: Version, network: network(), reader: reader().id(), number, needed, officers }
}

pub fn signed_desk(desk: Desk, by: &[u8]) -> SignedDesk {
    let signatures: Vec<_> = by.iter().map(|one| desk.sign(&officer(*one))).collect();
    SignedDesk { signatures: signatures.try_into().unwrap(), desk }
}

impl World {
    /// One issue an epoch: to account 1, to account 2, to both.
    pub fn new(key: Fields) -> Self {
        let rng = &mut rng(1);
        let mut asset = Asset::new("JP0000000001", &[&[key], &[key]], rng);
        asset.add_epoch(&[key], rng);
        let mut entries = vec![Entry::Terms(asset.signed())];
        for (epoch, to) in [&[1u8][..], &[2], &[1, 2]].into_iter().enumerate() {
            let pay =
                |who: &u8, rng: &mut _| (Holder::new(*who).slot(&asset, epoch as u32, rng), 10);
            let pays: Vec<_> = to.iter().map(|who| pay(who, rng)).collect();
            let mut plan = Plan::issue(pays);
            plan.epoch = epoch as u32;
            let leg = plan.build(&asset, rng).unwrap().leg;
            let from = NOW + epoch as u64 * EPOCH_MS;
            let window = Window { from, until: from + 30_000 };
            entries.push(Entry::Leg(Box::new(finalise(leg, &[], window, rng))));
        }
        let regulator = Regulator::new(network(), reader().id(), Seed([5; 32]));
        let mut world = Self { regulator, kv: MemoryKv::default(), asset, entries };
        let first = signed_desk(desk(0, 2, &[1, 2]), &[]);
        world.instruct(NOW, Instruction::SetDesk(Box::new(first))).unwrap();
        world
    }

    /// Puts a snapshot of the empty register before the first leg; gives its seed.
    pub fn add_snapshot(&mut self) -> SnapshotSeed {
        let (rng, terms) = (&mut rng(4), &self.asset.terms);
        let seed = SnapshotSeed::random(rng);
        let leaves = seed.leaves(&[]).unwrap();
        let heading = Heading {
            version: Version,
            network: network(),
            asset: terms.asset(),
            terms: terms.hash(),
            epoch: 0,
            number: 0,
            at: NOW,
            leaves: leaves.size(),
            minted: 0,
            supply: 0,
            locators: leaves.locators,
            root: leaves.root().unwrap(),
            nonce: [6; 32],
        };
        let epoch = terms.policy.epoch(0).unwrap();
        let snapshot = Snapshot::seal(heading, &seed, &leaves.blinding, epoch, rng).unwrap();
        self.entries.insert(1, Entry::Snapshot(Box::new(snapshot)));
        seed
    }

    pub fn instruct(&mut self, now: u64, instruction: Instruction) -> Result<String, Reason> {
        let tx = Tx::new(&self.kv);
        let moment = Moment { now, entropy: [1; 32] };
        let answer = self.regulator.handle(&tx, &moment, Event::Instruct(instruction)).unwrap();
        let writes = tx.into_writes();
        self.kv.apply(writes);
        answer.map(|text| text.to_string())
    }

    pub fn scope(&self, fields: Fields) -> Scope {
        Scope {
            asset: self.asset.terms.asset(),
            fields,
            accounts: Vec::new().try_into().unwrap(),
            first_epoch: 0,
            last_epoch: 2,
            from: 0,
            until: u64::MAX,
        }
    }

    pub fn grant(&self, scope: Scope) -> Grant {
        Grant {
            version: Version,
            network: network(),
            reader: reader().id(),
            scope,
            purpose: text("whether the large-holding report was due"),
            legal_basis: text("article 26"),
            case: text("2027-14"),
            issued_at: NOW,
            expires_at: NOW + 1000,
            nonce: [3; 32],
        }
    }

    /// Records a grant that both officers signed.
    pub fn give(&mut self, grant: Grant) -> GrantId {
        let signed = signed(grant, &[1, 2]);
        self.instruct(NOW, Instruction::AddGrant(Box::new(signed.clone()))).unwrap();
        signed.grant.id()
    }

    pub fn add(&mut self, signed: &SignedGrant) -> Result<GrantId, AccessError> {
        let tx = Tx::new(&self.kv);
        let answer = AccessLog::add(&tx, NOW, signed).unwrap();
        let writes = tx.into_writes();
        self.kv.apply(writes);
        answer
    }

    pub fn record(&mut self, now: u64, id: GrantId, what: Use) -> Result<u64, AccessError> {
        let tx = Tx::new(&self.kv);
        let answer = AccessLog::record(&tx, now, id, what).unwrap();
        let writes = tx.into_writes();
        self.kv.apply(writes);
        answer
    }

    pub fn prove(&self, index: u64) -> LoggedEntry {
        self.regulator.access().prove(&self.kv, &reader(), index).unwrap().unwrap()
    }

    pub fn read(&mut self, now: u64, id: GrantId, scope: Scope) -> Result<Permit, AccessError> {
        let index = self.record(now, id, Use::Read { scope })?;
        self.prove(index).permit(&desk(0, 2, &[1, 2]), now)
    }

    pub fn log(&self) -> Vec<AccessEvent> {
        let entries = AccessLog::entries(&self.kv, 0, 100).unwrap();
        entries.into_iter().map(|entry| entry.event).collect()
    }

    /// The regulator's key of each epoch.
    pub fn keys(&self) -> Vec<DisclosureSecret> {
        self.asset.secrets.iter().map(|keys| keys[1].clone()).collect()
    }

    pub fn replay(&self, permit: Option<&Permit>) -> Seen {
        let (bytes, checkpoint) = published(&self.asset, &self.entries);
        let mut replay = Replay::new(asset_log(&self.asset), self.keys(), rng(7));
        if let Some(permit) = permit {
            replay = replay.under(permit).unwrap();
        }
        for (index, bytes) in bytes.iter().enumerate() {
            replay.push(index as u64, bytes).unwrap();
        }
        finish(replay, &checkpoint, &mut |_, _| None).unwrap()
    }
}

pub fn signed(grant: Grant, by: &[u8]) -> SignedGrant {
    let signatures: Vec<_> = by.iter().map(|one| grant.sign(&officer(*one))).collect();
    SignedGrant { signatures: signatures.try_into().unwrap(), grant }
}
