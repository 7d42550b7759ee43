//! What one final leg must show on its own.

use sudare_crypto::proof::tag;
use sudare_crypto::{Claims, Hash, pairs};
use sudare_disclosure::AssetTerms;

use super::{AssetLog, Fault};
use crate::log::FinalLeg;
use crate::transaction::{CommitId, TxId, tag_hash};

/// Checks that the leg is final and that it is the one which its transaction names; gives its transaction and `m`.
///
/// Enforces [LOG-3] with [FIN-1], [FIN-2], [LEG-5] and [APR-5], first half.
pub(super) fn check_final(
    log: &AssetLog,
    terms: &AssetTerms,
    entry: &FinalLeg,
) -> Result<(TxId, CommitId), Fault> {
    let transaction = &entry.commit.transaction;
    if transaction.network != log.network || transaction.notary != terms.core.notary {
        return Err(Fault::OtherNotary);
    }
    let m = entry.commit.check()?;
    if !entry.receipt.is_of(&entry.commit) {
        return Err(Fault::Receipt);
    }
    let named = transaction.legs.get(usize::from(entry.index)).ok_or(Fault::Misplaced)?;
    if named.registrar != log.registrar || named.root != leg_root(entry) {
        return Err(Fault::Misplaced);
    }
    let salts = pairs(&entry.tag_salts, &entry.leg.inputs).ok_or(Fault::SpendCount)?;
    for (input, (salt, one)) in sudare_crypto::numbered(salts) {
        // A well-formed transaction has its tags sorted, each once.
        if transaction.tags.binary_search(&tag_hash(salt, &one.tag)).is_err() {
            return Err(Fault::TagMissing { input });
        }
    }
    Ok((entry.receipt.tx, m))
}

/// The equations of the leg's proofs and spend signatures.
///
/// Enforces [FIN-4]: the notary's word alone moves no note.
pub(super) fn claims(terms: &AssetTerms, entry: &FinalLeg, m: CommitId) -> Result<Claims, Fault> {
    let mut claims = Claims::new();
    entry.leg.check(terms, &mut claims)?;
    let signatures = pairs(&entry.signatures, &entry.leg.inputs).ok_or(Fault::SpendCount)?;
    for (signature, input) in signatures {
        let statement = tag::Statement { tag: input.tag, commit: m.0 };
        tag::verify(&statement, signature, &mut claims)?;
    }
    Ok(claims)
}

/// The leg's root, from exactly its canonical components.
pub(super) fn leg_root(entry: &FinalLeg) -> Hash {
    entry.leg.root(entry.index, &entry.salt)
}
