//! A node's grants and its access log, as rows of its state.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Hash, NodeId, NodeKey};

use super::{
    AccessEntry, AccessError, AccessEvent, DESK, Desk, Disclosure, Grant, GrantId, Handling,
    LoggedEntry, REVOCATION, Revocation, SignedDesk, SignedGrant, Use, origin,
};
use crate::kv::{Be, Kv, StorageError, Table, Tx};
use crate::tree::{
    Checkpoint, CheckpointError, ConsistencyProof, LogError, LogTree, SignedCheckpoint,
};

const DESKS: Table<(), Desk> = Table::new(0x10, "access desk");
const GRANTS: Table<GrantId, GrantView> = Table::new(0x11, "grant");
const ENTRIES: Table<Be, AccessEntry> = Table::new(0x12, "access entry");
const TREE: u8 = 0x13;

/// A grant as a node has it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct GrantView {
    /// The grant.
    pub signed: SignedGrant,
    /// Whether an officer ended it.
    pub revoked: bool,
}

/// What is asked of a node's state, and what may be wrong with the asking.
type Judged<T> = Result<Result<T, AccessError>, StorageError>;

/// A node's grants and its access log; the state is in the store.
#[derive(Clone, Copy, Debug)]
pub struct AccessLog {
    /// The network.
    pub network: Hash,
    /// The node, whose log it is.
    pub reader: NodeId,
}

impl AccessLog {
    /// Sets who may give grants. The first desk is the operator's word; every other one is signed by as many officers of the
    /// one before as that asks for. The desk in force again changes nothing.
    ///
    /// Enforces [ACC-1].
    ///
    /// # Errors
    ///
    /// [`AccessError`] inside; [`StorageError`] if the store fails.
    pub fn set_desk(&self, tx: &Tx<'_>, now: u64, signed: &SignedDesk) -> Judged<()> {
        let desk = &signed.desk;
        let before = DESKS.get(tx, &())?;
        if before.as_ref() == Some(desk) {
            return Ok(Ok(()));
        }
        let next = match &before {
            Some(before) => before.number.checked_add(1),
            None => Some(0),
        };
        let ids: BTreeSet<NodeId> = desk.officers.iter().map(|officer| officer.id).collect();
        let possible = ids.len() == desk.officers.len()
            && (1..=ids.len()).contains(&usize::from(desk.needed))
            && (desk.network, desk.reader) == (self.network, self.reader);
        if !possible || Some(desk.number) != next {
            return Ok(Err(AccessError::Desk));
        }
        if let Some(before) = &before
            && let Err(error) = before.count(DESK, &encode(desk), &signed.signatures)
        {
            return Ok(Err(error));
        }
        DESKS.put(tx, &(), desk);
        append(tx, now, AccessEvent::Desk(signed.clone()))?;
        Ok(Ok(()))
    }

    /// Records a grant; one that is recorded stays as it is.
    ///
    /// Enforces [ACC-1].
    ///
    /// # Errors
    ///
    /// [`AccessError`] inside; [`StorageError`] if the store fails.
    pub fn add(tx: &Tx<'_>, now: u64, signed: &SignedGrant) -> Judged<GrantId> {
        let Some(desk) = DESKS.get(tx, &())? else { return Ok(Err(AccessError::NoDesk)) };
        let (grant, id) = (&signed.grant, signed.grant.id());
        let late = now >= grant.expires_at;
        let held = desk.check(signed).and_then(|()| if late { grant.holds(now) } else { Ok(()) });
        if let Err(error) = held {
            return Ok(Err(error));
        }
        if !GRANTS.contains(tx, &id)? {
            GRANTS.put(tx, &id, &GrantView { signed: signed.clone(), revoked: false });
            append(tx, now, AccessEvent::Granted(signed.clone()))?;
        }
        Ok(Ok(id))
    }

    /// Ends a grant, on the word of any one officer.
    ///
    /// # Errors
    ///
    /// [`AccessError`] inside; [`StorageError`] if the store fails.
    pub fn revoke(tx: &Tx<'_>, now: u64, revocation: &Revocation) -> Judged<()> {
        let Revocation { grant, officer, signature } = revocation;
        let Some(row) = GRANTS.get(tx, grant)? else { return Ok(Err(AccessError::Unknown)) };
        let known = DESKS.get(tx, &())?.is_some_and(|desk| desk.has(officer));
        if !known || officer.verify(REVOCATION, &encode(grant), signature).is_err() {
            return Ok(Err(AccessError::Signature(0)));
        }
        if !row.revoked {
            GRANTS.put(tx, grant, &GrantView { revoked: true, ..row });
            append(tx, now, AccessEvent::Revoked(revocation.clone()))?;
        }
        Ok(Ok(()))
    }

    /// Records that something is about to be done under a grant; gives the entry's index.
    ///
    /// Enforces [ACC-2] and [ACC-3].
    ///
    /// # Errors
    ///
    /// [`AccessError`] inside; [`StorageError`] if the store fails.
    pub fn record(tx: &Tx<'_>, now: u64, id: GrantId, what: Use) -> Judged<u64> {
        let Some(row) = GRANTS.get(tx, &id)? else { return Ok(Err(AccessError::Unknown)) };
        match within(&row, now, &what) {
            Ok(()) => Ok(Ok(append(tx, now, AccessEvent::Used(id, what))?)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Records that a custodian is about to hand something out; gives the entry's index.
    ///
    /// Enforces [ACC-4].
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn disclose(tx: &Tx<'_>, now: u64, disclosure: Disclosure) -> Result<u64, StorageError> {
        append(tx, now, AccessEvent::Disclosed(disclosure))
    }

    /// Records that personal data is about to be handled; gives the entry's index.
    ///
    /// Enforces [ACC-6].
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn handle(tx: &Tx<'_>, now: u64, handling: Handling) -> Result<u64, StorageError> {
        append(tx, now, AccessEvent::Handled(Box::new(handling)))
    }

    /// Who may give grants; none if that was never set.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn desk(kv: &(impl Kv + ?Sized)) -> Result<Option<Desk>, StorageError> {
        DESKS.get(kv, &())
    }

    /// At most `limit` grants after `after`, by identity.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn grants(
        kv: &(impl Kv + ?Sized),
        after: Option<GrantId>,
        limit: usize,
    ) -> Result<Vec<GrantView>, StorageError> {
        let rows = GRANTS.rows(kv, after.as_ref(), limit)?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// At most `limit` entries from index `from` on.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn entries(
        kv: &(impl Kv + ?Sized),
        from: u64,
        limit: usize,
    ) -> Result<Vec<AccessEntry>, StorageError> {
        let rows = ENTRIES.rows(kv, from.checked_sub(1).map(Be).as_ref(), limit)?;
        Ok(rows.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The log's checkpoint of now, signed with the node's key. The same bytes until the log grows: none is kept.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the store fails.
    pub fn checkpoint(
        &self,
        kv: &(impl Kv + ?Sized),
        key: &NodeKey,
    ) -> Result<SignedCheckpoint, LogError> {
        let size = tree().size(kv)?;
        let root = tree().root(kv, size)?;
        let damaged = |_: CheckpointError| StorageError::Damaged("access checkpoint");
        let origin = origin(self.network, self.reader).map_err(damaged)?;
        let checkpoint = Checkpoint { origin, size, root };
        Ok(checkpoint.sign(&key.id(), |text| key.sign_raw(text)).map_err(damaged)?)
    }

    /// An entry with what shows that it is in the log; none if there is no such entry.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the store fails.
    pub fn prove(
        &self,
        kv: &(impl Kv + ?Sized),
        key: &NodeKey,
        index: u64,
    ) -> Result<Option<LoggedEntry>, LogError> {
        let Some(entry) = ENTRIES.get(kv, &Be(index))? else { return Ok(None) };
        let grant = match &entry.event {
            AccessEvent::Used(id, _) => GRANTS.get(kv, id)?.map(|row| row.signed),
            _ => None,
        };
        let checkpoint = self.checkpoint(kv, key)?;
        let path = tree().inclusion(kv, index, checkpoint.unverified().size)?;
        Ok(Some(LoggedEntry { version: Version, grant, entry, index, checkpoint, path }))
    }

    /// The proof that the log of `new` entries begins with the one of `old`.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the log never had these sizes, or the store fails.
    pub fn consistency(
        kv: &(impl Kv + ?Sized),
        old: u64,
        new: u64,
    ) -> Result<ConsistencyProof, LogError> {
        tree().consistency(kv, old, new)
    }
}

fn within(row: &GrantView, now: u64, what: &Use) -> Result<(), AccessError> {
    let grant: &Grant = &row.signed.grant;
    if row.revoked {
        return Err(AccessError::Revoked);
    }
    grant.holds(now)?;
    match what {
        Use::Read { scope } => grant.scope.covers(scope),
        Use::Opening { .. } | Use::HandedOut { .. } => Ok(()),
    }
}

fn append(tx: &Tx<'_>, at: u64, event: AccessEvent) -> Result<u64, StorageError> {
    let entry = AccessEntry { version: Version, at, event };
    let index = tree().append(tx, entry.hash())?;
    ENTRIES.put(tx, &Be(index), &entry);
    Ok(index)
}

fn tree() -> LogTree {
    LogTree::new([TREE])
}
