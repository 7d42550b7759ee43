//! Legs whose sender is silent although they are final: the receiver brings commit and receipt, the notary the signatures.
//!
//! Without this a party could take what it is owed and keep the other's receipt out of the log for as long as it likes.

use sudare_crypto::linear::LinearProof;
use sudare_crypto::{Encoded, NodeId};

use super::finalise::{final_leg, legs_of, receivers};
use super::state::{LegKey, LegState, REQUESTS, RequestKey, SILENT, STATES, Standing};
use super::{Registrar, Stop};
use crate::kv::{StorageError, Tx};
use crate::messages::{Finalisation, Message, Reason};
use crate::role::send;
use crate::transaction::TxId;

/// How long the notary's answer is waited for, ms; the receiver asks again.
const SIGNATURES_MS: u64 = 60_000;

impl Registrar {
    /// The receiver of an approved leg brings commit and receipt: the notary is asked for the spend signatures.
    ///
    /// The notary learns from this which tags are of one leg, and that it is this registrar's.
    ///
    /// Enforces [FIN-6]: a final leg can be appended by whom it pays, without its sender.
    pub(super) fn finalise_for(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        sender: RequestKey,
        standing: Standing,
        finalisation: Finalisation,
    ) -> Result<(), Stop> {
        let asker = RequestKey { from, ..sender };
        if let LegState::Final { entry } = standing.state {
            let leg = final_leg(tx, standing.asset, entry)?;
            let known = receivers(&leg, sender.from).contains(&from);
            if known && leg.commit == finalisation.commit {
                self.settled(tx, now, entry, &leg, Some(from))?;
            } else {
                self.not_final(tx, now, &asker, Reason::Approval)?;
            }
            return Ok(());
        }
        let request = REQUESTS.get(tx, &sender)?.ok_or(StorageError::Damaged("request"))?;
        let outputs = &request.leg.outputs;
        if !outputs.iter().any(|output| output.slot.slot.context.receiver == from) {
            return Ok(self.not_final(tx, now, &asker, Reason::Approval)?);
        }
        if finalisation.commit.check().is_err() {
            return Ok(self.not_final(tx, now, &asker, Reason::Approval)?);
        }
        if !finalisation.receipt.is_of(&finalisation.commit) {
            return Ok(self.not_final(tx, now, &asker, Reason::Receipt)?);
        }
        let tags: Vec<Encoded> = request.leg.inputs.iter().map(|input| input.tag).collect();
        let tags = tags.try_into().map_err(|_| StorageError::Damaged("request"))?;
        let (about, notary) = (sender.leg.tx, finalisation.commit.transaction.notary);
        SILENT.put(tx, &sender, &finalisation);
        let until = Some(now.saturating_add(SIGNATURES_MS));
        Ok(send(tx, now, notary, until, Message::AskSignatures { tx: about, tags })?)
    }

    /// The notary gives the signatures of a leg's tags: it is verified and appended as if its sender had brought them.
    pub(super) fn signatures(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        about: TxId,
        signatures: &[(Encoded, LinearProof)],
    ) -> Result<(), Stop> {
        for (key, _) in legs_of(tx, about)? {
            let Some(finalisation) = SILENT.get(tx, &key)? else { continue };
            if finalisation.commit.transaction.notary != from {
                return Err(Reason::WrongRole.into());
            }
            let Some(request) = REQUESTS.get(tx, &key)? else { continue };
            let signature = |tag: &Encoded| {
                let found = signatures.iter().find(|(known, _)| known == tag);
                found.map(|(_, signature)| signature.clone())
            };
            let own: Option<Vec<LinearProof>> =
                request.leg.inputs.iter().map(|input| signature(&input.tag)).collect();
            // Those of another leg of the same transaction.
            let Some(own) = own else { continue };
            SILENT.delete(tx, &key);
            let signatures = own.try_into().map_err(|_| Reason::Malformed)?;
            self.finalise_as(tx, now, key, Finalisation { signatures, ..finalisation })?;
        }
        Ok(())
    }
}

/// Who asked for the approval of a leg that is approved or final, and where it stands.
pub(super) fn sender_of(
    tx: &Tx<'_>,
    leg: LegKey,
) -> Result<Option<(RequestKey, Standing)>, StorageError> {
    let under = sudare_crypto::encoding::encode(&leg);
    for (key, standing) in STATES.rows_under(tx, &under, None, 64)? {
        if matches!(standing.state, LegState::Approved { .. } | LegState::Final { .. }) {
            return Ok(Some((key, standing)));
        }
    }
    Ok(None)
}
