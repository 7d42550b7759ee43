//! Making legs final, and ending the locks of those that can't become it.

use sudare_crypto::encoding::encode;
use sudare_crypto::proof::tag;
use sudare_crypto::{Bounded, Claims, Hash, NodeId, pairs};
use sudare_disclosure::AssetId;

use super::approve::set_redemption;
use super::asset_log::{self, LogError};
use super::assets::halt;
use super::past::count_totals;
use super::snapshot::record_events;
use super::state::{
    ASSETS, Asset, EVIDENCE, Evidence, LEGS, LIVE, LOCKS, LegKey, LegState, NOTES, NoteRow, OWNERS,
    Owner, READINGS, REQUESTS, Reading, RedemptionState, RequestKey, SILENT, SPENT, STATES,
    Standing, TAGS, audit_asset, for_each,
};
use super::{Job, Registrar, Stop, silent};
use crate::kv::{Be, Kv, StorageError, Tx};
use crate::leg::TearOff;
use crate::log::{Absence, Entry, FinalLeg, Receipt};
use crate::messages::{ApprovalRequest, Finalisation, Message, Reason, Settlement};
use crate::role::{send, start};
use crate::transaction::{Transaction, TxId};

/// The register is added up from its rows whenever the log has a power of two of entries, or a multiple of this.
const AUDIT_EVERY: u64 = 4096;

impl Registrar {
    /// A custodian brings the notary's receipt.
    pub(super) fn finalise(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        finalisation: Finalisation,
    ) -> Result<(), Stop> {
        let about = finalisation.commit.transaction.id().ok_or(Reason::Malformed)?;
        let leg = LegKey { tx: about, index: finalisation.index };
        let key = RequestKey { leg, from };
        if !STATES.contains(tx, &key)?
            && let Some((sender, standing)) = silent::sender_of(tx, leg)?
        {
            return self.finalise_for(tx, now, from, sender, standing, finalisation);
        }
        Ok(self.finalise_as(tx, now, key, finalisation)?)
    }

    /// Has a finalisation verified, unless that is under way or the leg is final under this very commit.
    ///
    /// Enforces [FIN-4]: only what this registrar approved, for the custodian that asked, can become final.
    pub(super) fn finalise_as(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: RequestKey,
        finalisation: Finalisation,
    ) -> Result<(), StorageError> {
        let Some(mut standing) = STATES.get(tx, &key)? else {
            return self.not_final(tx, now, &key, Reason::Approval);
        };
        match &mut standing.state {
            LegState::Checking | LegState::Refused(_) => {
                return self.not_final(tx, now, &key, Reason::Approval);
            }
            LegState::Approved { checking, .. } => {
                let hash = Hash::of(b"sudare/finalisation/v1", &[&encode(&finalisation)]);
                if *checking == Some(hash) {
                    return Ok(());
                }
                *checking = Some(hash);
                STATES.put(tx, &key, &standing);
            }
            LegState::Final { entry } => {
                let leg = final_leg(tx, standing.asset, *entry)?;
                if leg.commit == finalisation.commit {
                    return self.settled(tx, now, *entry, &leg, Some(key.from));
                }
            }
            LegState::Lapsed(_) => (),
        }
        start(tx, &Job::Verify(key, Box::new(finalisation)))?;
        Ok(())
    }

    /// Checks everything that makes a leg final but the claims that it gives.
    ///
    /// Enforces [FIN-1], [FIN-2]: every approval under `m`, and the receipt for it.
    ///
    /// Enforces [FIN-4]: a spend signature over `m` under the tag of each of the leg's inputs.
    pub(super) fn spends(
        &self,
        kv: &dyn Kv,
        key: &RequestKey,
        finalisation: &Finalisation,
    ) -> Result<Option<Claims>, Stop> {
        let commit = finalisation.commit.check().map_err(|_| Reason::Approval)?;
        if !finalisation.receipt.is_of(&finalisation.commit) {
            return Err(Reason::Receipt.into());
        }
        // A leg that is final or has lapsed: all that counts then is what the notary signed.
        let Some(request) = REQUESTS.get(kv, key)? else { return Ok(None) };
        if request.leg.inputs.is_empty() && finalisation.signatures.is_empty() {
            // An issue spends nothing, so that nobody signs.
            return Ok(None);
        }
        let mut claims = Claims::new();
        let signed = pairs(&request.leg.inputs, &finalisation.signatures);
        for (input, signature) in signed.ok_or(Reason::Signature)? {
            let statement = tag::Statement { tag: input.tag, commit: commit.0 };
            tag::verify(&statement, signature, &mut claims).map_err(|_| Reason::Signature)?;
        }
        Ok(Some(claims))
    }

    /// A finalisation is verified, or not.
    pub(super) fn verified(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: RequestKey,
        finalisation: Finalisation,
        result: Result<(), Reason>,
    ) -> Result<(), StorageError> {
        let Some(mut standing) = STATES.get(tx, &key)? else { return Ok(()) };
        if let Err(reason) = result {
            if let LegState::Approved { checking, .. } = &mut standing.state {
                *checking = None;
                STATES.put(tx, &key, &standing);
            }
            return self.not_final(tx, now, &key, reason);
        }
        match standing.state {
            LegState::Approved { .. } => self.append_leg(tx, now, key, standing, finalisation),
            LegState::Final { entry } => {
                let leg = final_leg(tx, standing.asset, entry)?;
                if leg.commit == finalisation.commit {
                    return self.settled(tx, now, entry, &leg, Some(key.from));
                }
                let (first, second) = (leg.receipt, finalisation.receipt);
                note_evidence(tx, key.leg.tx, &Evidence::RecordedTwice { first, second });
                self.not_final(tx, now, &key, Reason::Spent)
            }
            LegState::Lapsed(absence) => {
                note_contradiction(tx, absence, finalisation.receipt);
                self.not_final(tx, now, &key, Reason::Lapsed)
            }
            LegState::Checking | LegState::Refused(_) => Ok(()),
        }
    }

    /// Appends a leg to the log, moves the register, and tells the parties.
    fn append_leg(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: RequestKey,
        standing: Standing,
        finalisation: Finalisation,
    ) -> Result<(), StorageError> {
        let request = REQUESTS.get(tx, &key)?.ok_or(StorageError::Damaged("request"))?;
        let reading = READINGS.get(tx, &key)?.ok_or(StorageError::Damaged("opened leg"))?;
        let leg = FinalLeg {
            leg: request.leg.clone(),
            salt: request.salt,
            index: key.leg.index,
            commit: finalisation.commit,
            receipt: finalisation.receipt,
            tag_salts: request.tag_salts.clone(),
            signatures: finalisation.signatures,
        };
        let entry = self.append(tx, standing.asset, &Entry::Leg(Box::new(leg.clone())))?;
        LEGS.put(tx, &(standing.asset, Be(entry)), &key);
        move_register(tx, now, entry, &key, &request, &reading)?;
        record_events(tx, entry, &request.leg, &reading)?;
        set_redemption(tx, now, &key, &request, &reading, RedemptionState::Final(entry));
        REQUESTS.delete(tx, &key);
        SILENT.delete(tx, &key);
        STATES.put(
            tx,
            &key,
            &Standing { state: LegState::Final { entry }, since: now, ..standing },
        );
        let size = entry.saturating_add(1);
        if (size.is_power_of_two() || size.is_multiple_of(AUDIT_EVERY))
            && let Some(asset) = ASSETS.get(tx, &standing.asset)?
            && let Some(found) = audit_asset(tx, standing.asset, &asset)?
        {
            halt(tx, now, standing.asset, &found.what, Some(key.leg.tx))?;
        }
        if key.from == self.id() {
            self.issue_final(tx, now, key.leg.tx, entry)?;
        }
        self.settled(tx, now, entry, &leg, Some(key.from).filter(|from| *from != self.id()))?;
        for custodian in receivers(&leg, key.from) {
            self.settled(tx, now, entry, &leg, Some(custodian))?;
        }
        Ok(())
    }

    /// Sends a party what is its own of a final leg: every output into its slots, with its place in the log.
    pub(super) fn settled(
        &self,
        tx: &Tx<'_>,
        now: u64,
        entry: u64,
        leg: &FinalLeg,
        to: Option<NodeId>,
    ) -> Result<(), StorageError> {
        let Some(to) = to.filter(|to| *to != self.id()) else { return Ok(()) };
        let mut components: Vec<TearOff> = Vec::new();
        for (index, output) in leg.leg.outputs.iter().enumerate() {
            if output.slot.slot.context.receiver == to {
                let index = u8::try_from(index).map_err(|_| StorageError::Damaged("leg"))?;
                let part = leg.leg.tear_off(leg.index, &leg.salt, index);
                components.push(part.map_err(|_| StorageError::Damaged("leg"))?);
            }
        }
        let size = entry.saturating_add(1);
        let proof = asset_log::prove(tx, leg.leg.header.asset, entry, size);
        let settlement = Settlement {
            commit: leg.commit.clone(),
            index: leg.index,
            receipt: leg.receipt,
            entry: proof.map_err(|error| match error {
                LogError::Storage(error) => error,
                LogError::Tree(_) => StorageError::Damaged("log"),
            })?,
            components: Bounded::new(components).map_err(|_| StorageError::Damaged("leg"))?,
        };
        send(tx, now, to, None, Message::Settled(settlement))
    }

    pub(super) fn not_final(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: &RequestKey,
        reason: Reason,
    ) -> Result<(), StorageError> {
        if key.from == self.id() {
            return Ok(());
        }
        let message = Message::NotFinal { tx: key.leg.tx, index: key.leg.index, reason };
        send(tx, now, key.from, Some(now.saturating_add(super::ANSWER_MS)), message)
    }

    /// The notary signed that a transaction is absent: whoever brings that, it ends the transaction's locks here.
    ///
    /// Enforces [FIN-5]: a soft-lock ends only with finality or with the notary's signed absence after the window; an
    /// inclusion beside it is kept as evidence.
    pub(super) fn absent(&self, tx: &Tx<'_>, now: u64, absence: &Absence) -> Result<(), Stop> {
        for (key, standing) in legs_of(tx, absence.tx)? {
            match &standing.state {
                LegState::Checking | LegState::Approved { .. } => {
                    let request = REQUESTS.get(tx, &key)?;
                    let request = request.ok_or(StorageError::Damaged("request"))?;
                    self.check_absence(absence, &request.transaction)?;
                    self.lapse(tx, now, key, standing, &request, absence)?;
                }
                LegState::Final { entry } => {
                    let leg = final_leg(tx, standing.asset, *entry)?;
                    self.check_absence(absence, &leg.commit.transaction)?;
                    note_contradiction(tx, *absence, leg.receipt);
                }
                LegState::Refused(_) | LegState::Lapsed(_) => (),
            }
        }
        Ok(())
    }

    fn check_absence(&self, absence: &Absence, transaction: &Transaction) -> Result<(), Reason> {
        let until = transaction.window.until;
        let valid = absence.is_valid(self.network, transaction.notary, until);
        if valid { Ok(()) } else { Err(Reason::Receipt) }
    }

    fn lapse(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: RequestKey,
        standing: Standing,
        request: &ApprovalRequest,
        absence: &Absence,
    ) -> Result<(), StorageError> {
        let state = match standing.state {
            LegState::Approved { .. } => {
                self.release(tx, now, &key, request)?;
                LegState::Lapsed(*absence)
            }
            _ => LegState::Refused(Reason::Lapsed),
        };
        if let LegState::Refused(_) = state {
            self.forget_later(tx, standing.until.max(now), &key)?;
        }
        REQUESTS.delete(tx, &key);
        SILENT.delete(tx, &key);
        STATES.put(tx, &key, &Standing { state, since: now, ..standing });
        if key.from == self.id() {
            self.issue_absent(tx, now, key.leg.tx)?;
        }
        Ok(())
    }

    /// Asks the notary whether a transaction with an approved leg is absent.
    pub(super) fn chase(&self, tx: &Tx<'_>, now: u64, about: TxId) -> Result<(), Stop> {
        for (key, standing) in legs_of(tx, about)? {
            if let LegState::Approved { .. } = standing.state {
                let request = REQUESTS.get(tx, &key)?.ok_or(StorageError::Damaged("request"))?;
                let Transaction { notary, window, .. } = request.transaction;
                let until = window.until.max(now).saturating_add(super::ANSWER_MS);
                let message = Message::AskAbsence { tx: about, window };
                return Ok(send(tx, now, notary, Some(until), message)?);
            }
        }
        Err(Reason::NoMatch.into())
    }
}

/// All requests of a transaction, with where they stand.
pub(super) fn legs_of(
    kv: &(impl Kv + ?Sized),
    about: TxId,
) -> Result<Vec<(RequestKey, Standing)>, StorageError> {
    let mut legs = Vec::new();
    for_each(kv, &STATES, &encode(&about), |key, standing| {
        legs.push((*key, standing.clone()));
        Ok(())
    })?;
    Ok(legs)
}

/// Enforces [REG-4]: inputs are spent, outputs live, tags and owner commitments used for good, and supply counted, with the
/// leg's entry; the count of what lives is kept apart from that of what was minted and burned.
fn move_register(
    tx: &Tx<'_>,
    now: u64,
    entry: u64,
    key: &RequestKey,
    request: &ApprovalRequest,
    reading: &Reading,
) -> Result<(), StorageError> {
    let (leg, id) = (&request.leg, request.leg.header.asset);
    let mut asset = ASSETS.get(tx, &id)?.ok_or(StorageError::Damaged("asset"))?;
    for link in &reading.links {
        let row = NOTES.get(tx, &(id, *link))?.ok_or(StorageError::Damaged("note"))?;
        LOCKS.delete(tx, &(id, *link));
        LIVE.delete(tx, &(id, row.account, *link));
        SPENT.put(tx, &(id, *link), &entry);
        asset.live = asset.live.saturating_sub(row.quantity.into());
        asset.notes = asset.notes.saturating_sub(1);
    }
    for input in &leg.inputs {
        TAGS.put(tx, &(id, input.tag), &entry);
    }
    let notes: Vec<_> = leg.notes().collect();
    let openings = pairs(&reading.amounts, &reading.blindings).map(Iterator::collect::<Vec<_>>);
    let openings = openings.ok_or(StorageError::Damaged("opened leg"))?;
    let accounts = pairs(&reading.receivers, &openings).map(Iterator::collect::<Vec<_>>);
    let made = accounts.as_deref().and_then(|accounts| pairs(&notes, accounts));
    for (note, (account, (quantity, blinding))) in
        made.ok_or(StorageError::Damaged("opened leg"))?
    {
        let (note, account, blinding) = (*note, **account, (*blinding).clone());
        let row = NoteRow { note, account, quantity: **quantity, blinding, entry };
        NOTES.put(tx, &(id, note.id()), &row);
        LIVE.put(tx, &(id, account, note.id()), quantity);
        OWNERS.put(tx, &(id, note.owner), &Owner::Used(entry));
        asset.live = asset.live.saturating_add(u128::from(**quantity));
        asset.notes = asset.notes.saturating_add(1);
    }
    asset.pending = asset.pending.saturating_sub(leg.header.mint);
    asset.minted = asset.minted.saturating_add(leg.header.mint.into());
    asset.burned = asset.burned.saturating_add(leg.header.burn.into());
    if leg.header.mint > 0 || leg.header.burn > 0 {
        count_totals(tx, id, entry, (asset.minted, asset.burned))?;
    }
    let sound = asset.minted.checked_sub(asset.burned) == Some(asset.live);
    ASSETS.put(tx, &id, &Asset { ..asset });
    if !sound {
        halt(tx, now, id, "live notes are not worth minted less burned", Some(key.leg.tx))?;
    }
    Ok(())
}

/// The custodians of a leg's outputs, each once, without `sender`.
pub(super) fn receivers(leg: &FinalLeg, sender: NodeId) -> std::collections::BTreeSet<NodeId> {
    let receivers = leg.leg.outputs.iter().map(|output| output.slot.slot.context.receiver);
    receivers.filter(|receiver| *receiver != sender).collect()
}

/// The leg at an index of an asset's log.
pub(super) fn final_leg(
    kv: &(impl Kv + ?Sized),
    asset: AssetId,
    index: u64,
) -> Result<FinalLeg, StorageError> {
    match asset_log::entry(kv, asset, index)? {
        Some(Entry::Leg(leg)) => Ok(*leg),
        _ => Err(StorageError::Damaged("log entry")),
    }
}

fn note_contradiction(tx: &Tx<'_>, absence: Absence, receipt: Receipt) {
    note_evidence(tx, absence.tx, &Evidence::AbsentYetRecorded { absence, receipt });
}

fn note_evidence(tx: &Tx<'_>, about: TxId, evidence: &Evidence) {
    let hash = Hash::of(b"sudare/evidence/v1", &[&encode(evidence)]);
    EVIDENCE.put(tx, &(about, hash), evidence);
}
