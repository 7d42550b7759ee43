//! What a registrar's operator, and peers that ask, can read. Pure reads of the state as it is now.

use sudare_crypto::encoding::encode;
use sudare_crypto::{Encoded, Hash, NodeId, Text};
use sudare_disclosure::{AssetId, SignedTerms};

use super::Registrar;
use super::asset_log::{self, LogError};
use super::assets::{custodians, version};
use super::finalise::legs_of;
use super::state::{
    ACCOUNTS, ASSETS, Asset, CHECKPOINTS, ENTRIES, EVIDENCE, Evidence, FROZEN, ISSUES, Issue, LEGS,
    LIVE, LegState, NOTES, NoteRow, READINGS, REDEMPTIONS, Reading, Redemption, RedemptionKey,
    RequestKey, SPENT, STATES, Standing, TERMS, for_each,
};
use crate::kv::{Be, Kv, StorageError};
use crate::log::EntryProof;
use crate::note::NoteId;
use crate::transaction::TxId;
use crate::tree::ConsistencyProof;

/// An asset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AssetView {
    /// Its identity.
    pub id: AssetId,
    /// Its counts.
    pub asset: Asset,
    /// The terms in force.
    pub terms: SignedTerms,
    /// Since when they are in force, ms.
    pub since: u64,
    /// How many entries its log has.
    pub entries: u64,
    /// The signed checkpoint at that size.
    pub checkpoint: String,
}

/// A registered account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountView {
    /// `A`.
    pub account: Encoded,
    /// The investor's pseudonym.
    pub investor: Text<35>,
    /// The custodian that acts for it.
    pub custodian: NodeId,
    /// When it was registered, ms.
    pub since: u64,
    /// Since when it is frozen, ms; none if it is not.
    pub frozen: Option<u64>,
}

/// A row of the register: what an account holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HoldingView {
    /// The account.
    pub account: AccountView,
    /// Atomic units in live notes.
    pub quantity: u128,
    /// The live notes, with the quantity of each.
    pub notes: Vec<(NoteId, u64)>,
}

/// Whom a leg waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// Its registrar, who verifies proofs or signatures.
    Registrar,
    /// This custodian, to bring the notary's receipt.
    Custodian(NodeId),
    /// The window is over: this custodian, to bring the receipt or the notary's word that the transaction is absent.
    Overdue(NodeId),
    /// Nobody: it is final, refused or lapsed.
    Nobody,
}

/// A leg that approval was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LegView {
    /// Which, and who asked.
    pub key: RequestKey,
    /// Where it stands, and since when.
    pub standing: Standing,
    /// Whom it waits for.
    pub waiting: Waiting,
    /// What key 0 read of it, once it was approved.
    pub reading: Option<Reading>,
}

/// An entry of an asset's log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntryView {
    /// Its index.
    pub index: u64,
    /// The encoded [`crate::log::Entry`].
    pub bytes: Vec<u8>,
}

impl Registrar {
    /// All assets.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn assets(kv: &(impl Kv + ?Sized)) -> Result<Vec<AssetView>, StorageError> {
        let mut ids = Vec::new();
        for_each(kv, &ASSETS, &[], |id, _| {
            ids.push(*id);
            Ok(())
        })?;
        let views: Result<Vec<_>, _> = ids.into_iter().map(|id| Self::asset(kv, id)).collect();
        Ok(views?.into_iter().flatten().collect())
    }

    /// An asset.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn asset(kv: &(impl Kv + ?Sized), id: AssetId) -> Result<Option<AssetView>, StorageError> {
        let Some(asset) = ASSETS.get(kv, &id)? else { return Ok(None) };
        let version = version(kv, id, asset.number)?;
        let (terms, since) = (version.signed, version.since);
        let entries = asset_log::tree(id).size(kv)?;
        let checkpoint = Self::checkpoint_at(kv, id, entries)?.unwrap_or_default();
        Ok(Some(AssetView { id, asset, terms, since, entries, checkpoint }))
    }

    /// The version of an asset's terms with this number.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn terms(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        number: u32,
    ) -> Result<Option<SignedTerms>, StorageError> {
        Ok(TERMS.get(kv, &(id, Be(number.into())))?.map(|version| version.signed))
    }

    /// The custodians that the terms of an asset go to.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn custodians(kv: &(impl Kv + ?Sized), id: AssetId) -> Result<Vec<NodeId>, StorageError> {
        custodians(kv, id)
    }

    /// At most `limit` accounts of an asset after `after`, in order of their points.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn accounts(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        after: Option<Encoded>,
        limit: usize,
    ) -> Result<Vec<AccountView>, StorageError> {
        let after = after.map(|account| (id, account));
        let rows = ACCOUNTS.rows_under(kv, &encode(&id), after.as_ref(), limit)?;
        rows.into_iter()
            .map(|((_, account), row)| {
                let frozen = FROZEN.get(kv, &(id, account))?;
                let (investor, custodian, since) = (row.investor, row.custodian, row.since);
                Ok(AccountView { account, investor, custodian, since, frozen })
            })
            .collect()
    }

    /// What an account holds; none if it is not registered.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn holding(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        account: Encoded,
    ) -> Result<Option<HoldingView>, StorageError> {
        let Some(row) = ACCOUNTS.get(kv, &(id, account))? else { return Ok(None) };
        let frozen = FROZEN.get(kv, &(id, account))?;
        let (investor, custodian, since) = (row.investor, row.custodian, row.since);
        let account = AccountView { account, investor, custodian, since, frozen };
        Ok(Some(held(kv, id, account)?))
    }

    /// The register: what each of at most `limit` accounts after `after` holds, in order of their points.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn holdings(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        after: Option<Encoded>,
        limit: usize,
    ) -> Result<Vec<HoldingView>, StorageError> {
        let accounts = Self::accounts(kv, id, after, limit)?;
        accounts.into_iter().map(|account| held(kv, id, account)).collect()
    }

    /// A note of an asset, live or spent.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn note(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        note: NoteId,
    ) -> Result<Option<NoteRow>, StorageError> {
        NOTES.get(kv, &(id, note))
    }

    /// Whether a note is live: made, and not spent.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn is_live(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        note: NoteId,
    ) -> Result<bool, StorageError> {
        Ok(NOTES.contains(kv, &(id, note))? && !SPENT.contains(kv, &(id, note))?)
    }

    /// Every leg of a transaction that approval was asked for here. `now` is the node's clock, ms.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn transaction(
        kv: &(impl Kv + ?Sized),
        tx: TxId,
        now: u64,
    ) -> Result<Vec<LegView>, StorageError> {
        let legs = legs_of(kv, tx)?;
        legs.into_iter().map(|(key, standing)| leg_view(kv, key, standing, now)).collect()
    }

    /// At most `limit` legs that approval was asked for, after `after`, in order of transaction ids.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn legs(
        kv: &(impl Kv + ?Sized),
        after: Option<RequestKey>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<LegView>, StorageError> {
        let rows = STATES.rows(kv, after.as_ref(), limit)?;
        rows.into_iter().map(|(key, standing)| leg_view(kv, key, standing, now)).collect()
    }

    /// The leg at an index of an asset's log; none if that is no leg.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn leg_at(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        index: u64,
        now: u64,
    ) -> Result<Option<LegView>, StorageError> {
        let Some(key) = LEGS.get(kv, &(id, Be(index)))? else { return Ok(None) };
        let Some(standing) = STATES.get(kv, &key)? else { return Ok(None) };
        Ok(Some(leg_view(kv, key, standing, now)?))
    }

    /// The issue with this reference.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn issue_view(
        kv: &(impl Kv + ?Sized),
        reference: &Text<35>,
    ) -> Result<Option<Issue>, StorageError> {
        ISSUES.get(kv, &super::issue::issue_id(reference))
    }

    /// All issues.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn issues(kv: &(impl Kv + ?Sized)) -> Result<Vec<Issue>, StorageError> {
        let mut issues = Vec::new();
        for_each(kv, &ISSUES, &[], |_, issue| {
            issues.push(issue.clone());
            Ok(())
        })?;
        Ok(issues)
    }

    /// The redemptions of an asset.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn redemptions(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
    ) -> Result<Vec<(RedemptionKey, Redemption)>, StorageError> {
        let mut redemptions = Vec::new();
        for_each(kv, &REDEMPTIONS, &encode(&id), |key, row| {
            redemptions.push((key.clone(), row.clone()));
            Ok(())
        })?;
        Ok(redemptions)
    }

    /// Proofs of the notary's misconduct.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn evidence(kv: &(impl Kv + ?Sized)) -> Result<Vec<(TxId, Evidence)>, StorageError> {
        let mut found = Vec::new();
        for_each(kv, &EVIDENCE, &[], |(tx, _), evidence| {
            found.push((*tx, evidence.clone()));
            Ok(())
        })?;
        Ok(found)
    }

    /// At most `limit` entries of an asset's log, from index `from` on.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn entries(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<EntryView>, StorageError> {
        let after = from.checked_sub(1).map(|before| (id, Be(before)));
        let rows = ENTRIES.rows_under(kv, &encode(&id), after.as_ref(), limit)?;
        Ok(rows
            .into_iter()
            .map(|((_, index), bytes)| EntryView { index: index.0, bytes })
            .collect())
    }

    /// The signed checkpoint of an asset's log at `size` entries; none if the log never had that size.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn checkpoint_at(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        size: u64,
    ) -> Result<Option<String>, StorageError> {
        let Some(text) = CHECKPOINTS.get(kv, &(id, Be(size)))? else { return Ok(None) };
        let text = String::from_utf8(text.into_vec());
        Ok(Some(text.map_err(|_| StorageError::Damaged("checkpoint"))?))
    }

    /// The proof that the entry at `index` is in an asset's log, under the checkpoint at `size`.
    ///
    /// # Errors
    ///
    /// [`LogError`] if there is no such entry or size, or the store fails.
    pub fn entry_proof(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        index: u64,
        size: u64,
    ) -> Result<EntryProof, LogError> {
        asset_log::prove(kv, id, index, size)
    }

    /// The proof that an asset's log of `new` entries begins with the one of `old`.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the log never had these sizes, or the store fails.
    pub fn consistency(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        old: u64,
        new: u64,
    ) -> Result<ConsistencyProof, LogError> {
        asset_log::tree(id).consistency(kv, old, new)
    }

    /// The root of an asset's log at `size` entries.
    ///
    /// # Errors
    ///
    /// [`LogError`] if the log never had that size, or the store fails.
    pub fn root(kv: &(impl Kv + ?Sized), id: AssetId, size: u64) -> Result<Hash, LogError> {
        asset_log::tree(id).root(kv, size)
    }
}

fn held(
    kv: &(impl Kv + ?Sized),
    id: AssetId,
    account: AccountView,
) -> Result<HoldingView, StorageError> {
    let (mut quantity, mut notes) = (0u128, Vec::new());
    for_each(kv, &LIVE, &encode(&(id, account.account)), |(_, _, note), value| {
        quantity = quantity.saturating_add(u128::from(*value));
        notes.push((*note, *value));
        Ok(())
    })?;
    Ok(HoldingView { account, quantity, notes })
}

fn leg_view(
    kv: &(impl Kv + ?Sized),
    key: RequestKey,
    standing: Standing,
    now: u64,
) -> Result<LegView, StorageError> {
    let waiting = match &standing.state {
        LegState::Checking | LegState::Approved { checking: Some(_), .. } => Waiting::Registrar,
        LegState::Approved { .. } if standing.until <= now => Waiting::Overdue(key.from),
        LegState::Approved { .. } => Waiting::Custodian(key.from),
        LegState::Refused(_) | LegState::Final { .. } | LegState::Lapsed(_) => Waiting::Nobody,
    };
    let reading = READINGS.get(kv, &key)?;
    Ok(LegView { key, standing, waiting, reading })
}
