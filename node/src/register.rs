//! Files that show what accounts hold in a register snapshot, made by the registrar's node for those who may read the register.

use rand_core::OsRng;
use sudare_crypto::encoding::Version;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::kv::{Kv, StorageError};
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::Registrar;
use sudare_ledger::statement::{HOLDINGS_MAX, Holdings, Subject};
use sudare_ledger::tree::SignedCheckpoint;

use crate::operator::ProofOf;
use crate::runtime::QueryError;

/// The file, for its recipient and nonce, under the newest checkpoint; none if there is no such snapshot, or nobody in it.
pub(crate) fn proof(kv: &dyn Kv, of: ProofOf) -> Result<Option<Vec<u8>>, QueryError> {
    let ProofOf { asset, snapshot, by, recipient, nonce } = of;
    let Some(view) = Registrar::asset(kv, asset)? else { return Ok(None) };
    let held = Registrar::held_in_snapshot(kv, asset, (snapshot, by), view.entries);
    let Some(held) = held.map_err(|_| StorageError::Damaged("log tree"))? else {
        return Ok(None);
    };
    if held.lines.len() > HOLDINGS_MAX {
        return Err(Reason::TooLarge.into());
    }
    let checkpoint = SignedCheckpoint::parse(view.checkpoint.as_bytes());
    let checkpoint = checkpoint.map_err(|_| StorageError::Damaged("checkpoint"))?;
    let core = view.terms.terms.core;
    let subject = Subject { version: Version, core, checkpoint, recipient, nonce };
    let statement = Holdings::make(subject, held, &mut OsRng).map_err(|_| Reason::Internal)?;
    Ok(Some(Bundle::Statement(Box::new(statement)).to_bytes()))
}
