//! Register snapshots: each account's chain of events as the register moves, and the entry that fixes them all.

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::RngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{
    Bounded, Encoded, Hash, NodeId, RistrettoPoint, Scalar, Secret, numbered, pairs,
};
use sudare_disclosure::AssetId;

use super::assets::version;
use super::state::{ACCOUNTS, ASSETS, LIVE, NOTES, Reading, for_each};
use super::{LogError, Registrar, Stop};
use crate::kv::{Be, Kv, StorageError, Table, Tx};
use crate::leg::Leg;
use crate::log::Entry;
use crate::messages::Reason;
use crate::packet::{Place, ShownSnapshot};
use crate::role::Moment;
use crate::snapshot::{
    AccountEvent, AccountRow, Chain, Heading, Leaves, Snapshot, SnapshotError, SnapshotLeaf,
    SnapshotSeed, SumNode, SumPath, events_of, locator,
};
use crate::statement::{HeldLine, HeldWitness, Located, ShownHeading, ShownLeaf};

/// Each account's chain of events.
pub(super) const CHAINS: Table<(AssetId, Encoded), Chain> = Table::new(b'A', "account chain");
/// Each account's events, by number. Rows are never changed nor deleted.
pub(super) const EVENTS: Table<(AssetId, Encoded, Be), AccountEvent> =
    Table::new(b'B', "account event");
/// The leaves of an asset's snapshots. Rows are never changed nor deleted.
pub(super) const LEAVES: Table<(AssetId, Be, Encoded), LeafRow> = Table::new(b'D', "snapshot leaf");
/// The nodes of snapshots' trees by level, from the leaves up, and place. Rows are never changed nor deleted.
const NODES: Table<(AssetId, Be, u8, Be), SumNode> = Table::new(b'E', "snapshot node");
/// The snapshots of an asset. Rows are never changed nor deleted.
const SNAPSHOTS: Table<(AssetId, Be), Taken> = Table::new(b'C', "snapshot");

/// How many leaves are read at once.
const AT_ONCE: usize = 512;

/// A snapshot that was taken.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Taken {
    entry: u64,
    heading: Heading,
    seed: SnapshotSeed,
    /// That of the root's sum.
    blinding: Secret,
}

/// An account in a snapshot that was taken.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct LeafRow {
    pub(super) leaf: SnapshotLeaf,
    /// Which of the leaves it is.
    place: u32,
    /// What the account held, atomic units.
    pub(super) held: u64,
    /// The blinding of the leaf's commitment to that.
    blinding: Secret,
    /// `S`, of which its locator is a hash.
    shared: Encoded,
}

/// A snapshot with the secrets of which its registrar makes statements.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SnapshotSecrets {
    /// The snapshot.
    pub shown: ShownHeading,
    /// `x`, under which accounts have their locators.
    pub locating: Secret,
    /// The blinding of the root's sum.
    pub blinding: Secret,
}

/// Of which accounts that hold something it is to be shown what they hold.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct HeldBy {
    /// Of this custodian's customers alone.
    pub custodian: Option<NodeId>,
    /// Of accounts after this one.
    pub after: Option<Encoded>,
    /// Of so many at most: a page of the register; of all without.
    pub limit: Option<u32>,
}

/// A snapshot, as its registrar's operator sees it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SnapshotView {
    /// Which of the asset, from 0.
    pub number: u32,
    /// Its index in the log.
    pub entry: u64,
    /// When it was taken, ms since the Unix epoch.
    pub at: u64,
    /// How many leaves it has, padding included.
    pub leaves: u32,
    /// What all accounts hold together, atomic units.
    pub supply: u64,
    /// The root over them.
    pub root: Hash,
}

impl Registrar {
    /// Appends a snapshot of the register as it is now; takes time in proportion to accounts and live notes.
    pub(super) fn snapshot(&self, tx: &Tx<'_>, moment: &Moment, id: AssetId) -> Result<(), Stop> {
        let asset = ASSETS.get(tx, &id)?.ok_or(Reason::UnknownAsset)?;
        if asset.halted.is_some() {
            return Err(Reason::Closed.into());
        }
        let terms = version(tx, id, asset.number)?.signed.terms;
        let epoch = terms.policy.epoch_at(moment.now).ok_or(Reason::StaleTerms)?;
        let rng = &mut moment.rng();
        let seed = SnapshotSeed::random(rng);
        let rows = rows(tx, id)?;
        let (rows, held): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let leaves = seed.leaves(&rows).map_err(|error| match error {
            SnapshotError::Leaves => Reason::TooLarge,
            _ => Reason::Internal,
        })?;
        let notes: Scalar = held.iter().map(|held| held.blinding.0).sum();
        let blinding = Secret(notes + leaves.blinding.0);
        let number = Self::snapshots(tx, id)?.len();
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let heading = Heading {
            version: Version,
            network: self.network,
            asset: id,
            terms: terms.hash(),
            epoch: epoch.number,
            number: u32::try_from(number).map_err(|_| Reason::TooLarge)?,
            at: moment.now,
            leaves: leaves.size(),
            minted: asset.minted,
            supply: u64::try_from(asset.outstanding()).map_err(|_| Reason::TooLarge)?,
            locators: leaves.locators,
            root: leaves.root().ok_or(Reason::Internal)?,
            nonce,
        };
        let snapshot = Snapshot::seal(heading.clone(), &seed, &blinding, epoch, rng);
        let snapshot = snapshot.map_err(|_| Reason::Internal)?;
        let entry = self.append(tx, id, &Entry::Snapshot(Box::new(snapshot)))?;
        let key = (id, Be(u64::from(heading.number)));
        keep(tx, &key, (&seed, &leaves), held).ok_or(Reason::Internal)?;
        SNAPSHOTS.put(tx, &key, &Taken { entry, heading, seed, blinding });
        Ok(())
    }

    /// An account in one snapshot, or in the newest, with all that shows it under the checkpoint of `size` entries; none if there is
    /// no such snapshot or the account has no leaf in it.
    ///
    /// (!) For the account's custodian alone: it holds what blinds the account's holding.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the log has no such size, or the store fails.
    pub fn shown_snapshot(
        kv: &(impl Kv + ?Sized),
        (id, account): (AssetId, Encoded),
        number: Option<u32>,
        size: u64,
    ) -> Result<Option<ShownSnapshot>, LogError> {
        let newest = || Ok(Self::snapshots(kv, id)?.last().map(|view| view.number));
        let number = number.map_or_else(newest, |number| Ok::<_, StorageError>(Some(number)))?;
        let Some(number) = number.map(|number| Be(number.into())) else { return Ok(None) };
        let Some(Taken { entry, heading, seed, .. }) = SNAPSHOTS.get(kv, &(id, number))? else {
            return Ok(None);
        };
        let Some(row) = LEAVES.get(kv, &(id, number, account))? else { return Ok(None) };
        let (leaf, number, path) =
            (row.leaf, row.place, path(kv, (id, number), &heading, row.place)?);
        let blinding = seed.blinding(&account);
        let place = Place::of(&Self::entry_proof(kv, id, entry, size)?);
        Ok(Some(ShownSnapshot { heading, place, leaf, number, path, blinding }))
    }

    /// Where the search for a registered account ends in a snapshot, with what it holds if it has a leaf; none if there is no such
    /// snapshot or account.
    ///
    /// (!) For the account's custodian and the registrar alone. Of an account that nobody has shown to possess, `x*A` is told to
    /// nobody: it would give away where accounts are whose keys differ from its by a known number.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the log has no such size, or the store fails.
    pub fn shown_leaf(
        kv: &(impl Kv + ?Sized),
        (id, account): (AssetId, Encoded),
        number: u32,
        size: u64,
    ) -> Result<Option<ShownLeaf>, LogError> {
        let key = (id, Be(number.into()));
        let (taken, known) = (SNAPSHOTS.get(kv, &key)?, ACCOUNTS.get(kv, &(id, account))?);
        let (Some(Taken { entry, heading, seed, .. }), Some(_)) = (taken, known) else {
            return Ok(None);
        };
        let damaged = |_| StorageError::Damaged("account");
        let shared = account.decompress().map_err(damaged)? * seed.locating().0;
        let shared = Encoded::of(&shared);
        let (leaf, number) = search(kv, key, &heading, &locator(&account, &shared))?;
        let path = path(kv, key, &heading, number)?;
        let held = LEAVES.get(kv, &(id, key.1, account))?;
        let holding = held.map(|row| (row.held, row.blinding));
        let located = Located { snapshot: 0, account, shared, leaf, number, path };
        let place = Place::of(&Self::entry_proof(kv, id, entry, size)?);
        Ok(Some(ShownLeaf { shown: ShownHeading { heading, place }, located, holding }))
    }

    /// A snapshot with its secrets; none if there is no such snapshot.
    ///
    /// (!) For the registrar alone.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the log has no such size, or the store fails.
    pub fn snapshot_secrets(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        number: u32,
        size: u64,
    ) -> Result<Option<SnapshotSecrets>, LogError> {
        let Some(taken) = SNAPSHOTS.get(kv, &(id, Be(number.into())))? else { return Ok(None) };
        let Taken { entry, heading, seed, blinding } = taken;
        let place = Place::of(&Self::entry_proof(kv, id, entry, size)?);
        let (shown, locating) = (ShownHeading { heading, place }, seed.locating());
        Ok(Some(SnapshotSecrets { shown, locating, blinding }))
    }

    /// What accounts hold in a snapshot, with all that shows it under the checkpoint of `size` entries; none if there is no such
    /// snapshot, or no such account in it.
    ///
    /// (!) For the registrar alone.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the log has no such size, or the store fails.
    pub fn held_in_snapshot(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        (number, by): (u32, HeldBy),
        size: u64,
    ) -> Result<Option<HeldWitness>, LogError> {
        let key = (id, Be(number.into()));
        let Some(taken) = SNAPSHOTS.get(kv, &key)? else { return Ok(None) };
        let Taken { entry, heading, seed, blinding } = taken;
        let mut lines = held_lines(kv, key, by)?;
        if lines.is_empty() {
            return Ok(None);
        }
        lines.sort_unstable_by_key(|(line, _)| line.place);
        let places: Vec<u64> = lines.iter().map(|(line, _)| line.place.into()).collect();
        let mut beside = Vec::new();
        nodes_beside(kv, key, (levels(&heading), 0), &places, &mut beside)?;
        let place = Place::of(&Self::entry_proof(kv, id, entry, size)?);
        let (shown, locating) = (ShownHeading { heading, place }, seed.locating());
        Ok(Some(HeldWitness { shown, lines, beside, locating, blinding }))
    }

    /// The custodian of a registered account.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn custodian_of(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        account: Encoded,
    ) -> Result<Option<NodeId>, StorageError> {
        Ok(ACCOUNTS.get(kv, &(id, account))?.map(|row| row.custodian))
    }

    /// At most `limit` events of an account, from the one with this number on.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn account_events(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        account: Encoded,
        from: u64,
        limit: usize,
    ) -> Result<Vec<AccountEvent>, StorageError> {
        let after = from.checked_sub(1).map(|before| (id, account, Be(before)));
        let rows = EVENTS.rows_under(kv, &encode(&(id, account)), after.as_ref(), limit)?;
        Ok(rows.into_iter().map(|(_, event)| event).collect())
    }

    /// The snapshots of an asset, in order.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn snapshots(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
    ) -> Result<Vec<SnapshotView>, StorageError> {
        let mut views = Vec::new();
        for_each(kv, &SNAPSHOTS, id.0.as_bytes(), |_, taken: &Taken| {
            let Heading { number, at, leaves, supply, root, .. } = taken.heading;
            let (entry, root) = (taken.entry, root.hash);
            views.push(SnapshotView { number, entry, at, leaves, supply, root });
            Ok(())
        })?;
        Ok(views)
    }
}

/// What accounts hold in a snapshot, in order of accounts as in pages of the register.
fn held_lines(
    kv: &(impl Kv + ?Sized),
    (id, number): (AssetId, Be),
    by: HeldBy,
) -> Result<Vec<(HeldLine, Secret)>, StorageError> {
    let limit = by.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let (mut lines, mut after) = (Vec::new(), by.after);
    loop {
        let from = after.map(|account| (id, number, account));
        let page = LEAVES.rows_under(kv, &encode(&(id, number)), from.as_ref(), AT_ONCE)?;
        let whole = page.len() == AT_ONCE;
        for ((_, _, account), row) in page {
            after = Some(account);
            let of = || Registrar::custodian_of(kv, id, account);
            if row.held == 0 || (by.custodian.is_some() && of()? != by.custodian) {
                continue;
            }
            if lines.len() == limit {
                return Ok(lines);
            }
            let line = HeldLine {
                place: row.place,
                hash: row.leaf.node().hash,
                holding: row.leaf.holding,
                account,
                shared: row.shared,
                quantity: row.held,
            };
            lines.push((line, row.blinding));
        }
        if !whole {
            return Ok(lines);
        }
    }
}

/// What an account holds, with the blinding of its live notes' commitments together.
struct Held {
    quantity: u64,
    blinding: Secret,
}

/// Keeps a snapshot's leaves and nodes, from which it is shown to each account's custodian.
fn keep(
    tx: &Tx<'_>,
    (asset, number): &(AssetId, Be),
    (seed, leaves): (&SnapshotSeed, &Leaves),
    held: Vec<Held>,
) -> Option<()> {
    let known = pairs(&held, &leaves.shared)?.collect::<Vec<_>>();
    for (leaf, (held, shared)) in pairs(&leaves.leaves, &known)? {
        let shared = **shared;
        let blinding = Secret(held.blinding.0 + seed.blinding(&leaf.account).0);
        let (leaf, place, held) = (leaf.clone(), leaves.place(leaf)?, held.quantity);
        let key = (*asset, *number, leaf.account);
        LEAVES.put(tx, &key, &LeafRow { leaf, place, held, blinding, shared });
    }
    for (level, nodes) in numbered(leaves.levels()) {
        let mut place = 0u64;
        for node in nodes {
            NODES.put(tx, &(*asset, *number, level, Be(place)), node);
            place = place.checked_add(1)?;
        }
    }
    Some(())
}

/// A node of a snapshot's tree: its level above the leaves, and its place there.
fn node(
    kv: &(impl Kv + ?Sized),
    (id, number): (AssetId, Be),
    level: u8,
    place: u64,
) -> Result<SumNode, StorageError> {
    let node = NODES.get(kv, &(id, number, level, Be(place)))?;
    node.ok_or(StorageError::Damaged("snapshot node"))
}

fn levels(heading: &Heading) -> u8 {
    u8::try_from(heading.leaves.trailing_zeros()).unwrap_or(u8::MAX)
}

/// The leaf at which the search for a locator ends, with its place.
fn search(
    kv: &(impl Kv + ?Sized),
    key: (AssetId, Be),
    heading: &Heading,
    locator: &Hash,
) -> Result<(SumNode, u32), StorageError> {
    let mut place = 0u64;
    for level in (0..levels(heading)).rev() {
        let right = place << 1 | 1;
        let is_left = *locator < node(kv, key, level, right)?.first;
        place = if is_left { place << 1 } else { right };
    }
    let number = u32::try_from(place).map_err(|_| StorageError::Damaged("snapshot"))?;
    Ok((node(kv, key, 0, place)?, number))
}

/// The highest nodes below one without any of these leaves, from left to right.
fn nodes_beside(
    kv: &(impl Kv + ?Sized),
    key: (AssetId, Be),
    (level, place): (u8, u64),
    leaves: &[u64],
    beside: &mut Vec<SumNode>,
) -> Result<(), StorageError> {
    if leaves.is_empty() {
        beside.push(node(kv, key, level, place)?);
        return Ok(());
    }
    let Some(below) = level.checked_sub(1) else { return Ok(()) };
    let (left, right) = (place << 1, place << 1 | 1);
    let first = right << below;
    let (lefts, rights) = leaves.split_at(leaves.partition_point(|leaf| *leaf < first));
    nodes_beside(kv, key, (below, left), lefts, beside)?;
    nodes_beside(kv, key, (below, right), rights, beside)
}

/// The path of the leaf at a place.
fn path(
    kv: &(impl Kv + ?Sized),
    key: (AssetId, Be),
    heading: &Heading,
    place: u32,
) -> Result<SumPath, StorageError> {
    let mut at = u64::from(place);
    let mut path = Vec::new();
    for level in 0..levels(heading) {
        path.push(node(kv, key, level, at ^ 1)?);
        at /= 2;
    }
    Bounded::new(path).map_err(|_| StorageError::Damaged("snapshot"))
}

/// Links a final leg's events to the chains of its accounts.
pub(super) fn record_events(
    tx: &Tx<'_>,
    entry: u64,
    leg: &Leg,
    reading: &Reading,
) -> Result<(), StorageError> {
    let asset = leg.header.asset;
    let spends = (reading.senders.as_slice(), reading.links.as_slice());
    for (account, event) in events_of(entry, leg, spends, &reading.receivers) {
        let chain = CHAINS.get(tx, &(asset, account))?.unwrap_or_default();
        EVENTS.put(tx, &(asset, account, Be(chain.count)), &event);
        CHAINS.put(tx, &(asset, account), &chain.after(&event));
    }
    Ok(())
}

/// Every account that has had an event, with the sum of its live notes' commitments and what that commits to.
fn rows(kv: &(impl Kv + ?Sized), id: AssetId) -> Result<Vec<(AccountRow, Held)>, StorageError> {
    let mut rows = Vec::new();
    for_each(kv, &CHAINS, id.0.as_bytes(), |(_, account), chain| {
        let mut sum = RistrettoPoint::default();
        let mut held = Held { quantity: 0, blinding: Secret(Scalar::ZERO) };
        for_each(kv, &LIVE, &encode(&(id, *account)), |(_, _, note), _| {
            let row = NOTES.get(kv, &(id, *note))?.ok_or(StorageError::Damaged("live note"))?;
            let point = row.note.commitment.decompress();
            sum += point.map_err(|_| StorageError::Damaged("note"))?;
            held.blinding.0 += row.blinding.0;
            // What is outstanding fits a u64 ([APR-13]).
            held.quantity = held.quantity.saturating_add(row.quantity);
            Ok(())
        })?;
        rows.push((AccountRow { account: *account, chain: *chain, sum }, held));
        Ok(())
    })?;
    Ok(rows)
}
