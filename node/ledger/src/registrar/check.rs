//! What must hold for a leg to be approved, apart from its proofs. Each check gives one reason; the first that fails counts.
//!
//! Order: [`Registrar::bind`] (`Malformed`, `LegMismatch`, `TagMissing`), then [`Registrar::check_plain`] (`UnknownAsset`,
//! `Internal`, `WrongNotary`, `Window`, `StaleTerms`, `NotInstructed`, `Closed`, `SlotExpired`, `SlotUsed`, `Spent`), then
//! the proofs ([`Registrar::parse`], [`Registrar::read`]: `Malformed`, `StaleTerms`, `Proof`, `Memo`, `UnknownNote`), then what key 0 read
//! ([`check_opened`]: `UnknownNote`, `InputLocked`, `WrongOwner`, `UnknownAccount`, `WrongCustodian`, `Frozen`,
//! `NotInstructed`, `SupplyLimit`).

use std::collections::BTreeSet;

use sudare_crypto::{Claims, Encoded, NodeId, pairs};
use sudare_disclosure::AssetTerms;

use super::assets::in_force;
use super::state::{
    ACCOUNTS, ASSETS, Asset, FROZEN, LOCKS, LegKey, NOTES, OWNERS, REDEMPTIONS, REQUESTS, Reading,
    RedemptionKey, RedemptionState, RequestKey, SPENT, TAGS,
};
use super::{CLOCK_SKEW_MS, Registrar, Stop};
use crate::kv::{Kv, StorageError};
use crate::leg::{Leg, Links, OpenError, Purpose};
use crate::messages::{ApprovalRequest, Reason};
use crate::note::Note;
use crate::transaction::{Transaction, WINDOW_STEP_MS, tag_hash};

/// A requested leg with the terms that it is under.
pub(super) struct Parsed {
    leg: Leg,
    terms: AssetTerms,
}

impl Registrar {
    /// The leg that a request is for.
    ///
    /// Enforces [APR-1]: the transaction is well formed and of this network, and the leg is the one that stands in it under
    /// our key, its root rebuilt from exactly the canonical components.
    ///
    /// Enforces [APR-5], first half: each input's tag, hashed with its salt, stands in the transaction's list (which is
    /// sorted, each hash once).
    pub(super) fn bind(&self, request: &ApprovalRequest) -> Result<LegKey, Reason> {
        let (transaction, index) = (&request.transaction, request.index);
        let tx = transaction.id().ok_or(Reason::Malformed)?;
        if transaction.network != self.network {
            return Err(Reason::Malformed);
        }
        let named = transaction.legs.get(usize::from(index)).ok_or(Reason::LegMismatch)?;
        if named.registrar != self.id() || named.root != request.leg.root(index, &request.salt) {
            return Err(Reason::LegMismatch);
        }
        let tags = pairs(&request.tag_salts, &request.leg.inputs).ok_or(Reason::TagMissing)?;
        for (salt, input) in tags {
            if transaction.tags.binary_search(&tag_hash(salt, &input.tag)).is_err() {
                return Err(Reason::TagMissing);
            }
        }
        Ok(LegKey { tx, index })
    }

    /// What can be checked without opening the leg: before its proofs are verified, and again at the moment of approval.
    pub(super) fn check_plain(
        &self,
        kv: &(impl Kv + ?Sized),
        now: u64,
        from: NodeId,
        request: &ApprovalRequest,
    ) -> Result<Asset, Stop> {
        let (leg, transaction) = (&request.leg, &request.transaction);
        let header = &leg.header;
        let asset = ASSETS.get(kv, &header.asset)?.ok_or(Reason::UnknownAsset)?;
        // Enforces [REG-1]: a register that did not add up approves nothing more.
        if asset.halted.is_some() {
            return Err(Reason::Internal.into());
        }
        let in_force = in_force(kv, header.asset, &asset, header.terms, now)?;
        let in_force = in_force.ok_or(Reason::StaleTerms)?;
        // Enforces [APR-2]: the notary is the asset's.
        if transaction.notary != in_force.terms.core.notary {
            return Err(Reason::WrongNotary.into());
        }
        check_window(&in_force.terms, in_force.ends_at, header.epoch, transaction, now)?;
        // Enforces [APR-4]: the epoch is the one in force at approval.
        let epoch = in_force.terms.policy.epoch_at(now);
        if epoch.is_none_or(|epoch| epoch.number != header.epoch) {
            return Err(Reason::StaleTerms.into());
        }
        // Enforces [APR-12], first half: nobody but the registrar issues.
        if header.purpose == Purpose::Issue && from != self.id() {
            return Err(Reason::NotInstructed.into());
        }
        // Enforces [APR-6].
        if !asset.open {
            return Err(Reason::Closed.into());
        }
        check_owners(kv, now, leg)?;
        // Enforces [APR-5], second half: no tag ever stood in the asset's log.
        for input in &leg.inputs {
            if TAGS.contains(kv, &(header.asset, input.tag))? {
                return Err(Reason::Spent.into());
            }
        }
        Ok(asset)
    }

    /// A requested leg, and what its proofs claim.
    pub(super) fn parse(&self, kv: &dyn Kv, key: &RequestKey) -> Result<(Parsed, Claims), Stop> {
        let leg = REQUESTS.get(kv, key)?.ok_or(Reason::Lapsed)?.leg;
        let header = &leg.header;
        let asset = ASSETS.get(kv, &header.asset)?.ok_or(Reason::UnknownAsset)?;
        // Of which version may have changed since; that is checked at approval.
        let terms = self.terms_of(kv, header.asset, &asset, header.terms)?;
        let terms = terms.ok_or(Reason::StaleTerms)?;
        let mut claims = Claims::new();
        leg.check(&terms, &mut claims).map_err(Reason::from)?;
        Ok((Parsed { leg, terms }, claims))
    }

    /// Reads a leg, whose claims are accepted, with key 0: what stands in it, and what its links claim if it has inputs.
    ///
    /// Enforces [APR-8]: every proof verifies, the links on notes of this register, and every memo section opens to what the
    /// leg commits to. Nothing is decrypted before the proofs are verified.
    pub(super) fn read(
        &self,
        kv: &dyn Kv,
        parsed: &Parsed,
    ) -> Result<(Reading, Option<Claims>), Stop> {
        let (reading, links) = self.open(&parsed.terms, &parsed.leg)?;
        let Some(links) = links else { return Ok((reading, None)) };
        let mut notes: Vec<Note> = Vec::with_capacity(links.notes.len());
        for link in &links.notes {
            let row = NOTES.get(kv, &(parsed.leg.header.asset, *link))?;
            notes.push(row.ok_or(Reason::UnknownNote)?.note);
        }
        let mut claims = Claims::new();
        parsed.leg.check_links(&notes, &links.proof, &mut claims).map_err(Reason::from)?;
        Ok((reading, Some(claims)))
    }

    /// Reads a leg whose proofs are verified with key 0 of its epoch.
    pub(super) fn open(
        &self,
        terms: &AssetTerms,
        leg: &Leg,
    ) -> Result<(Reading, Option<Links>), Reason> {
        let epoch = terms.policy.epoch(leg.header.epoch).ok_or(Reason::StaleTerms)?;
        let secret = self.disclosure(leg.header.asset, leg.header.epoch);
        let opened = leg.open(epoch, &secret).map_err(|error| match error {
            OpenError::Section(_) => Reason::Memo,
            OpenError::Malformed(_) => Reason::Proof,
            OpenError::Scope | OpenError::TearOff(_) | OpenError::Slot => Reason::Internal,
        })?;
        let links = opened.links.as_ref().map(|links| links.notes.to_vec());
        let reading = Reading {
            senders: opened.senders,
            receivers: opened.receivers,
            amounts: opened.amounts,
            blindings: opened.blindings,
            links: links.unwrap_or_default(),
            trade: opened.trade,
            sender: opened.sender,
        };
        Ok((reading, opened.links))
    }

    fn terms_of(
        &self,
        kv: &dyn Kv,
        id: sudare_disclosure::AssetId,
        asset: &Asset,
        hash: sudare_crypto::Hash,
    ) -> Result<Option<AssetTerms>, StorageError> {
        // At time 0 the version before is within its grace.
        Ok(in_force(kv, id, asset, hash, 0)?.map(|in_force| in_force.terms))
    }
}

/// Enforces [APR-3]: the window is not over, not longer than the terms allow (plus rounding to steps and what clocks differ),
/// and ends at most a grace after the epoch and the version of the terms do.
fn check_window(
    terms: &AssetTerms,
    ends_at: Option<u64>,
    epoch: u32,
    transaction: &Transaction,
    now: u64,
) -> Result<(), Reason> {
    let (window, longest) = (transaction.window, terms.core.window_max_ms);
    let rounded = longest.saturating_add(3 * WINDOW_STEP_MS);
    let latest = now.saturating_add(longest).saturating_add(CLOCK_SKEW_MS);
    let epoch_ends = terms.policy.ends_at(epoch);
    let epoch_ends = epoch_ends.map(|end| end.saturating_add(terms.policy.grace_ms));
    let fits = window.until > now
        && window.length() <= rounded
        && window.until <= latest
        && [ends_at, epoch_ends].into_iter().flatten().all(|end| window.until <= end);
    if fits { Ok(()) } else { Err(Reason::Window) }
}

/// Enforces [APR-7], first half: no slot has expired, and no `O` was ever used or is reserved. Two payments into one slot
/// would make two notes with one tag.
fn check_owners(kv: &(impl Kv + ?Sized), now: u64, leg: &Leg) -> Result<(), Stop> {
    if leg.outputs.iter().any(|output| output.slot.slot.context.expires_at <= now) {
        return Err(Reason::SlotExpired.into());
    }
    for output in &leg.outputs {
        if OWNERS.contains(kv, &(leg.header.asset, output.slot.slot.owner))? {
            return Err(Reason::SlotUsed.into());
        }
    }
    Ok(())
}

/// What can be checked only on the opened leg, at the moment of approval.
pub(super) fn check_opened(
    kv: &(impl Kv + ?Sized),
    from: NodeId,
    asset: &Asset,
    leg: &Leg,
    reading: &Reading,
) -> Result<(), Stop> {
    let header = &leg.header;
    check_inputs(kv, leg, reading)?;
    // Enforces [APR-10], second half: the sender's custodian is who asks.
    for sender in &reading.senders {
        check_account(kv, leg, sender, from)?;
    }
    // Enforces [APR-7], second half: key 0 decrypts every slot to an account of exactly the custodian that signed it.
    let receivers = pairs(&reading.receivers, &leg.outputs).ok_or(Reason::Malformed)?;
    for (account, output) in receivers {
        check_account(kv, leg, account, output.slot.slot.context.receiver)?;
    }
    // Enforces [APR-11].
    for account in reading.senders.iter().chain(&reading.receivers) {
        if FROZEN.contains(kv, &(header.asset, *account))? {
            return Err(Reason::Frozen.into());
        }
    }
    if header.purpose == Purpose::Redeem {
        check_redemption(kv, from, leg, reading)?;
    }
    // Enforces [APR-13]: what is outstanding fits a u64, approved issues included, and no more is burned than was minted.
    let outstanding = asset.outstanding().saturating_add(asset.pending.into());
    if outstanding.saturating_add(header.mint.into()) > u64::MAX.into()
        || u128::from(header.burn) > asset.outstanding()
    {
        return Err(Reason::SupplyLimit.into());
    }
    Ok(())
}

/// Enforces [APR-9]: inputs are distinct live notes that no transaction has locked.
///
/// Enforces [APR-10], first half: the decrypted sender is the account that owned the note.
fn check_inputs(kv: &(impl Kv + ?Sized), leg: &Leg, reading: &Reading) -> Result<(), Stop> {
    let asset = leg.header.asset;
    let distinct: BTreeSet<_> = reading.links.iter().collect();
    if distinct.len() != leg.inputs.len() {
        return Err(Reason::UnknownNote.into());
    }
    for (link, sender) in pairs(&reading.links, &reading.senders).ok_or(Reason::Malformed)? {
        let row = NOTES.get(kv, &(asset, *link))?.ok_or(Reason::UnknownNote)?;
        if SPENT.contains(kv, &(asset, *link))? || LOCKS.contains(kv, &(asset, *link))? {
            return Err(Reason::InputLocked.into());
        }
        if row.account != *sender {
            return Err(Reason::WrongOwner.into());
        }
    }
    Ok(())
}

fn check_account(
    kv: &(impl Kv + ?Sized),
    leg: &Leg,
    account: &Encoded,
    custodian: NodeId,
) -> Result<(), Stop> {
    let row = ACCOUNTS.get(kv, &(leg.header.asset, *account))?.ok_or(Reason::UnknownAccount)?;
    if row.custodian == custodian { Ok(()) } else { Err(Reason::WrongCustodian.into()) }
}

/// Enforces [APR-12], second half: a redemption was instructed, for this custodian, trade and quantity, and is not taken.
fn check_redemption(
    kv: &(impl Kv + ?Sized),
    from: NodeId,
    leg: &Leg,
    reading: &Reading,
) -> Result<(), Stop> {
    let trade_id = reading.trade.trade_id.clone();
    let key = RedemptionKey { asset: leg.header.asset, custodian: from, trade_id };
    let allowed = REDEMPTIONS.get(kv, &key)?.is_some_and(|redemption| {
        redemption.state == RedemptionState::Allowed && redemption.quantity == leg.header.burn
    });
    if allowed { Ok(()) } else { Err(Reason::NotInstructed.into()) }
}

/// Whether the quantities of the register add up with what key 0 read, in plain numbers: a check that trusts no proof.
///
/// Enforces [APR-13], [REG-1].
pub(super) fn adds_up(
    kv: &(impl Kv + ?Sized),
    leg: &Leg,
    reading: &Reading,
) -> Result<bool, StorageError> {
    let header = &leg.header;
    let (mut before, mut after) = (u128::from(header.mint), u128::from(header.burn));
    for link in &reading.links {
        let Some(row) = NOTES.get(kv, &(header.asset, *link))? else { return Ok(false) };
        before = before.saturating_add(row.quantity.into());
    }
    for amount in &reading.amounts {
        after = after.saturating_add(u128::from(*amount));
    }
    Ok(before == after && reading.amounts.len() == leg.outputs.len())
}
