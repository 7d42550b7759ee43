//! Assets and their terms, accounts, and what the operator decides about them.

use sudare_crypto::proof::possession;
use sudare_crypto::{Claims, Encoded, Hash, NodeId};
use sudare_disclosure::{AssetId, AssetTerms, SignedTerms};

use super::state::{
    ACCOUNTS, ASSETS, Account, Asset, CUSTODIANS, FROZEN, Halt, REDEMPTIONS, Redemption,
    RedemptionKey, RedemptionState, TERMS, Version, audit_asset, for_each,
};
use super::{ANSWER_MS, Registrar, Stop};
use crate::kv::{Be, Kv, StorageError, Tx};
use crate::log::Entry;
use crate::messages::{Message, Reason, RegisterAccount, account_purpose};
use crate::role::{Moment, send};
use crate::transaction::{TxId, WINDOW_STEP_MS};

/// Terms that a leg may be under.
pub(super) struct InForce {
    /// The terms.
    pub(super) terms: AssetTerms,
    /// When the next version came into force and how long legs under this one may still settle, ms; none for the newest.
    pub(super) ends_at: Option<u64>,
}

impl Registrar {
    /// Opens a register: its terms are entry 0 of the asset's log.
    pub(super) fn open_asset(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        signed: SignedTerms,
    ) -> Result<(), Stop> {
        let id = signed.terms.asset();
        if let Some(first) = TERMS.get(tx, &(id, Be(0)))? {
            return if first.signed == signed {
                Ok(())
            } else {
                Err(Reason::DuplicateTrade.into())
            };
        }
        self.check_terms(moment, &signed)?;
        if signed.terms.number != 0 {
            return Err(Reason::StaleTerms.into());
        }
        let asset = Asset {
            number: 0,
            open: true,
            minted: 0,
            burned: 0,
            pending: 0,
            live: 0,
            notes: 0,
            accounts: 0,
            halted: None,
        };
        ASSETS.put(tx, &id, &asset);
        TERMS.put(tx, &(id, Be(0)), &Version { signed: signed.clone(), since: moment.now });
        self.append(tx, id, &Entry::Terms(signed))?;
        Ok(())
    }

    /// Puts the next version of the terms into force and sends it to the asset's custodians. Legs under the version before
    /// may still settle within that version's grace.
    pub(super) fn update_terms(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        signed: SignedTerms,
    ) -> Result<(), Stop> {
        let id = signed.terms.asset();
        let mut asset = ASSETS.get(tx, &id)?.ok_or(Reason::UnknownAsset)?;
        let version = version(tx, id, asset.number)?;
        if version.signed == signed {
            return Ok(());
        }
        if Some(signed.terms.number) != asset.number.checked_add(1) {
            return Err(Reason::StaleTerms.into());
        }
        self.check_terms(moment, &signed)?;
        if !signed.terms.policy.extends(&version.signed.terms.policy) {
            return Err(Reason::StaleTerms.into());
        }
        asset.number = signed.terms.number;
        ASSETS.put(tx, &id, &asset);
        let row = Version { signed: signed.clone(), since: moment.now };
        TERMS.put(tx, &(id, Be(asset.number.into())), &row);
        self.append(tx, id, &Entry::Terms(signed.clone()))?;
        for ((_, custodian), ()) in CUSTODIANS.rows_under(tx, id.0.as_bytes(), None, 4096)? {
            let until = moment.now.saturating_add(ANSWER_MS);
            send(tx, moment.now, custodian, Some(until), Message::Terms(signed.clone()))?;
        }
        Ok(())
    }

    /// Terms must be ours, of this network, with key 0 of every epoch derived from our master seed: a leg that it can't read
    /// can't be approved.
    fn check_terms(&self, moment: &Moment, signed: &SignedTerms) -> Result<(), Stop> {
        let terms = &signed.terms;
        if terms.core.registrar != self.id() {
            return Err(Reason::WrongRole.into());
        }
        // Shorter windows would be over when they are rounded to whole steps.
        if terms.core.window_max_ms < 3 * WINDOW_STEP_MS {
            return Err(Reason::Window.into());
        }
        signed.check(self.network, &mut moment.rng()).map_err(|_| Reason::Proof)?;
        for epoch in &terms.policy.epochs {
            let point = self.disclosure(terms.asset(), epoch.number).point();
            if epoch.keys.first().is_none_or(|key| key.point != point) {
                return Err(Reason::Proof.into());
            }
        }
        Ok(())
    }

    /// Sends the terms in force to who asks.
    pub(super) fn send_terms(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        id: AssetId,
    ) -> Result<(), Stop> {
        let asset = ASSETS.get(tx, &id)?.ok_or(Reason::UnknownAsset)?;
        let version = version(tx, id, asset.number)?;
        CUSTODIANS.put(tx, &(id, from), &());
        let until = now.saturating_add(ANSWER_MS);
        Ok(send(tx, now, from, Some(until), Message::Terms(version.signed))?)
    }

    /// Registers an account for the custodian that proves to hold its key.
    ///
    /// Enforces [REG-2]: an account is registered once, by a custodian that proves possession of its key for this network,
    /// asset, custodian and investor; the same again is the same registration.
    pub(super) fn register_account(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        from: NodeId,
        request: &RegisterAccount,
    ) -> Result<(), Stop> {
        let refused = match self.admit_account(tx, moment, from, request) {
            Ok(()) => None,
            Err(Stop::Refused(reason)) => Some(reason),
            Err(failed) => return Err(failed),
        };
        let (asset, account) = (request.asset, request.account);
        let message = Message::AccountRegistered { asset, account, refused };
        let until = moment.now.saturating_add(ANSWER_MS);
        Ok(send(tx, moment.now, from, Some(until), message)?)
    }

    fn admit_account(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        from: NodeId,
        request: &RegisterAccount,
    ) -> Result<(), Stop> {
        let (id, key) = (request.asset, (request.asset, request.account));
        let mut asset = ASSETS.get(tx, &id)?.ok_or(Reason::UnknownAsset)?;
        let purpose = account_purpose(self.network, id, from, &request.investor);
        let statement = possession::Statement { key: request.account, purpose };
        let mut claims = Claims::new();
        possession::verify(&statement, &request.possession, &mut claims)
            .and_then(|()| claims.accept(&mut moment.rng()))
            .map_err(|_| Reason::Proof)?;
        if let Some(known) = ACCOUNTS.get(tx, &key)? {
            return match known {
                _ if known.custodian != from => Err(Reason::WrongCustodian.into()),
                _ if known.investor != request.investor => Err(Reason::Malformed.into()),
                _ => Ok(()),
            };
        }
        let investor = request.investor.clone();
        ACCOUNTS.put(tx, &key, &Account { investor, custodian: from, since: moment.now });
        CUSTODIANS.put(tx, &(id, from), &());
        asset.accounts = asset.accounts.saturating_add(1);
        ASSETS.put(tx, &id, &asset);
        Ok(())
    }

    /// Notes the operator's order that a custodian may redeem.
    pub(super) fn allow_redemption(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: &RedemptionKey,
        quantity: u64,
    ) -> Result<(), Stop> {
        if !ASSETS.contains(tx, &key.asset)? {
            return Err(Reason::UnknownAsset.into());
        }
        if quantity == 0 {
            return Err(Reason::Malformed.into());
        }
        let known = REDEMPTIONS.get(tx, key)?;
        if let Some(known) = known.filter(|known| known.state != RedemptionState::Withdrawn) {
            let same = known.quantity == quantity;
            return if same { Ok(()) } else { Err(Reason::DuplicateTrade.into()) };
        }
        let state = RedemptionState::Allowed;
        REDEMPTIONS.put(tx, key, &Redemption { quantity, state, since: now });
        Ok(())
    }

    /// Freezes an account or ends that. What is approved may still become final.
    pub(super) fn freeze(
        &self,
        tx: &Tx<'_>,
        now: u64,
        asset: AssetId,
        account: Encoded,
        frozen: bool,
    ) -> Result<(), Stop> {
        let key = (asset, account);
        if !ACCOUNTS.contains(tx, &key)? {
            return Err(Reason::UnknownAccount.into());
        }
        match frozen {
            true if FROZEN.contains(tx, &key)? => (),
            true => FROZEN.put(tx, &key, &now),
            false => FROZEN.delete(tx, &key),
        }
        Ok(())
    }

    /// Opens or closes an asset. What is approved may still become final.
    pub(super) fn set_open(&self, tx: &Tx<'_>, id: AssetId, open: bool) -> Result<(), Stop> {
        let asset = ASSETS.get(tx, &id)?.ok_or(Reason::UnknownAsset)?;
        ASSETS.put(tx, &id, &Asset { open, ..asset });
        Ok(())
    }

    /// Adds up an asset's register; halts approvals and refuses if it does not add up.
    pub(super) fn audit(&self, tx: &Tx<'_>, now: u64, id: AssetId) -> Result<(), Stop> {
        let asset = ASSETS.get(tx, &id)?.ok_or(Reason::UnknownAsset)?;
        match audit_asset(tx, id, &asset)? {
            Some(found) => {
                halt(tx, now, id, &found.what, None)?;
                Err(Reason::Internal.into())
            }
            None => Ok(()),
        }
    }
}

/// Enforces [REG-1] after the fact: from now on nothing is approved in this asset. The first finding stays.
pub(super) fn halt(
    tx: &Tx<'_>,
    now: u64,
    id: AssetId,
    why: &str,
    about: Option<TxId>,
) -> Result<(), StorageError> {
    let Some(mut asset) = ASSETS.get(tx, &id)? else { return Ok(()) };
    if asset.halted.is_none() {
        let why = why.chars().filter(|char| char.is_ascii_graphic() || *char == ' ').take(256);
        let why = sudare_crypto::Text::new(why.collect::<String>()).unwrap_or_default();
        asset.halted = Some(Halt { at: now, why, tx: about });
        ASSETS.put(tx, &id, &asset);
    }
    Ok(())
}

/// The version of an asset's terms with this number.
pub(super) fn version(
    kv: &(impl Kv + ?Sized),
    id: AssetId,
    number: u32,
) -> Result<Version, StorageError> {
    TERMS.get(kv, &(id, Be(number.into())))?.ok_or(StorageError::Damaged("terms"))
}

/// The terms with this hash if legs may be under them at `now`: the version in force, or the one before within its grace.
pub(super) fn in_force(
    kv: &(impl Kv + ?Sized),
    id: AssetId,
    asset: &Asset,
    hash: Hash,
    now: u64,
) -> Result<Option<InForce>, StorageError> {
    let newest = version(kv, id, asset.number)?;
    if newest.signed.terms.hash() == hash {
        return Ok(Some(InForce { terms: newest.signed.terms, ends_at: None }));
    }
    let Some(before) = asset.number.checked_sub(1) else { return Ok(None) };
    let terms = version(kv, id, before)?.signed.terms;
    let ends_at = newest.since.saturating_add(terms.policy.grace_ms);
    let valid = terms.hash() == hash && now < ends_at;
    Ok(valid.then_some(InForce { terms, ends_at: Some(ends_at) }))
}

/// How many custodians an asset's terms were sent to.
pub(super) fn custodians(
    kv: &(impl Kv + ?Sized),
    id: AssetId,
) -> Result<Vec<NodeId>, StorageError> {
    let mut custodians = Vec::new();
    for_each(kv, &CUSTODIANS, id.0.as_bytes(), |(_, custodian), ()| {
        custodians.push(*custodian);
        Ok(())
    })?;
    Ok(custodians)
}
