//! Approving a leg: check, lock, reserve, sign.

use sudare_crypto::{NodeId, NodeSignature};

use super::assets::halt;
use super::check::{adds_up, check_opened};
use super::finalise::legs_of;
use super::state::{
    ASSETS, Asset, LOCKS, LegState, OWNERS, Owner, READINGS, REDEMPTIONS, REQUESTS, Reading,
    Redemption, RedemptionKey, RedemptionState, RequestKey, STATES, Standing, UNAPPROVED,
};
use super::{ANSWER_MS, Job, Registrar, Stop, ordinary};
use crate::kv::{StorageError, Tx};
use crate::leg::Purpose;
use crate::messages::{ApprovalRequest, Message, Reason};
use crate::role::{send, start, wake};
use crate::transaction::TxId;

/// The most requests of one custodian that are being checked, or were refused and are remembered until their windows end.
pub(super) const UNAPPROVED_MAX: u64 = 1_024;
/// A leg with more outputs than this is checked by itself.
const TOGETHER_OUTPUTS_MAX: usize = 16;

impl Registrar {
    /// A custodian asks for an approval.
    ///
    /// Enforces [APR-14]: the same request again gets the same answer, a refusal too. What does not belong to the transaction
    /// is refused and not noted, so that nobody can spoil another's request.
    pub(super) fn asked(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        request: ApprovalRequest,
    ) -> Result<(), Stop> {
        let key = RequestKey { leg: self.bind(&request)?, from };
        if let Some(standing) = STATES.get(tx, &key)? {
            return Ok(self.answer_again(tx, now, &key, &request, &standing)?);
        }
        let noted = UNAPPROVED.get(tx, &from)?.unwrap_or(0);
        if noted >= UNAPPROVED_MAX {
            return Err(Reason::TooLarge.into());
        }
        let until = request.transaction.window.until;
        let asset = request.leg.header.asset;
        let state = match ordinary(self.check_plain(tx, now, from, &request))? {
            Ok(_) => LegState::Checking,
            Err(reason) => {
                self.forget_later(tx, until, &key)?;
                LegState::Refused(reason)
            }
        };
        let standing = Standing { state, asset, since: now, until };
        UNAPPROVED.put(tx, &from, &noted.saturating_add(1));
        STATES.put(tx, &key, &standing);
        if standing.state == LegState::Checking {
            REQUESTS.put(tx, &key, &request);
            start(tx, &check_of(key, request.leg.outputs.len()))?;
        } else {
            self.answer_again(tx, now, &key, &request, &standing)?;
        }
        Ok(())
    }

    /// The proofs of a requested leg are verified, or not.
    pub(super) fn checked(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: RequestKey,
        result: Result<Reading, Reason>,
    ) -> Result<(), StorageError> {
        let Some(standing) = STATES.get(tx, &key)? else { return Ok(()) };
        let Some(request) = REQUESTS.get(tx, &key)? else { return Ok(()) };
        if standing.state != LegState::Checking {
            return Ok(());
        }
        let granted = match result {
            Ok(reading) => ordinary(self.grant(tx, now, &key, &request, &reading))?,
            Err(reason) => Err(reason),
        };
        let state = match granted {
            Ok(signature) => {
                count_down(tx, key.from)?;
                LegState::Approved { signature, checking: None }
            }
            Err(reason) => {
                REQUESTS.delete(tx, &key);
                self.forget_later(tx, standing.until.max(now), &key)?;
                LegState::Refused(reason)
            }
        };
        let standing = Standing { state, since: now, ..standing };
        STATES.put(tx, &key, &standing);
        self.answer_again(tx, now, &key, &request, &standing)
    }

    /// Checks the state as it is at this moment; then locks the inputs, reserves the owner commitments and signs.
    ///
    /// Enforces [APR-14]: a lock or reservation ends only with finality or with the notary's signed absence.
    pub(super) fn grant(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: &RequestKey,
        request: &ApprovalRequest,
        reading: &Reading,
    ) -> Result<NodeSignature, Stop> {
        let (leg, header) = (&request.leg, &request.leg.header);
        let asset = self.check_plain(tx, now, key.from, request)?;
        check_opened(tx, key.from, &asset, leg, reading)?;
        if !adds_up(tx, leg, reading)? {
            halt(
                tx,
                now,
                header.asset,
                "a leg with valid proofs does not add up",
                Some(key.leg.tx),
            )?;
            return Err(Reason::Internal.into());
        }
        let signature = request.transaction.approve(request.index, &self.key);
        let signature = signature.ok_or(Reason::Malformed)?;
        for link in &reading.links {
            LOCKS.put(tx, &(header.asset, *link), &key.leg);
        }
        for note in leg.notes() {
            OWNERS.put(tx, &(header.asset, note.owner), &Owner::Reserved(key.leg));
        }
        let pending = asset.pending.saturating_add(header.mint);
        ASSETS.put(tx, &header.asset, &Asset { pending, ..asset });
        set_redemption(tx, now, key, request, reading, RedemptionState::Approved(key.leg));
        READINGS.put(tx, key, reading);
        Ok(signature)
    }

    /// Ends the locks and reservations of an approved leg that can't become final any more.
    pub(super) fn release(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: &RequestKey,
        request: &ApprovalRequest,
    ) -> Result<(), StorageError> {
        let id = request.leg.header.asset;
        let Some(reading) = READINGS.get(tx, key)? else { return Ok(()) };
        for link in &reading.links {
            LOCKS.delete(tx, &(id, *link));
        }
        for note in request.leg.notes() {
            OWNERS.delete(tx, &(id, note.owner));
        }
        if let Some(asset) = ASSETS.get(tx, &id)? {
            let pending = asset.pending.saturating_sub(request.leg.header.mint);
            ASSETS.put(tx, &id, &Asset { pending, ..asset });
        }
        set_redemption(tx, now, key, request, &reading, RedemptionState::Allowed);
        READINGS.delete(tx, key);
        Ok(())
    }

    /// Has a refused request forgotten at `at`, when its window is over: from then on it is refused whatever the state.
    pub(super) fn forget_later(
        &self,
        tx: &Tx<'_>,
        at: u64,
        key: &RequestKey,
    ) -> Result<(), StorageError> {
        wake(tx, at, key.leg.tx.0)
    }

    /// Forgets what was refused of a transaction whose window is over.
    pub(super) fn forget_refused(
        &self,
        tx: &Tx<'_>,
        now: u64,
        about: TxId,
    ) -> Result<(), StorageError> {
        for (key, standing) in legs_of(tx, about)? {
            if matches!(standing.state, LegState::Refused(_)) && standing.until <= now {
                STATES.delete(tx, &key);
                count_down(tx, key.from)?;
            }
        }
        Ok(())
    }

    fn answer_again(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: &RequestKey,
        request: &ApprovalRequest,
        standing: &Standing,
    ) -> Result<(), StorageError> {
        let outcome = match &standing.state {
            LegState::Checking => return Ok(()),
            LegState::Refused(reason) => Err(*reason),
            LegState::Lapsed(_) => Err(Reason::Lapsed),
            LegState::Approved { signature, .. } => Ok(*signature),
            // Ed25519 signatures are deterministic.
            LegState::Final { .. } => {
                request.transaction.approve(request.index, &self.key).ok_or(Reason::Malformed)
            }
        };
        let answer = Message::Approved { tx: key.leg.tx, index: key.leg.index, outcome };
        send(tx, now, key.from, Some(now.saturating_add(ANSWER_MS)), answer)
    }
}

const fn check_of(key: RequestKey, outputs: usize) -> Job {
    if outputs > TOGETHER_OUTPUTS_MAX { Job::CheckLarge(key) } else { Job::Check(key) }
}

fn count_down(tx: &Tx<'_>, from: NodeId) -> Result<(), StorageError> {
    match UNAPPROVED.get(tx, &from)?.unwrap_or(0).saturating_sub(1) {
        0 => UNAPPROVED.delete(tx, &from),
        count => UNAPPROVED.put(tx, &from, &count),
    }
    Ok(())
}

/// Notes where the redemption of a leg stands, if it redeems.
pub(super) fn set_redemption(
    tx: &Tx<'_>,
    now: u64,
    key: &RequestKey,
    request: &ApprovalRequest,
    reading: &Reading,
    state: RedemptionState,
) {
    let header = &request.leg.header;
    if header.purpose == Purpose::Redeem {
        let trade_id = reading.trade.trade_id.clone();
        let redemption = RedemptionKey { asset: header.asset, custodian: key.from, trade_id };
        let row = Redemption { quantity: header.burn, state, since: now };
        REDEMPTIONS.put(tx, &redemption, &row);
    }
}
