//! What a part of a commit must be before the notary looks at anything it has stored.

use std::collections::BTreeSet;

use rand_core::CryptoRngCore;
use sudare_crypto::proof::tag;
use sudare_crypto::{Claims, Encoded, Hash, NodeId};

use super::state::OpenTag;
use crate::messages::{NotaryPart, Reason};
use crate::transaction::{CommitId, PART_TAGS_MAX, TxId, commit_id, tag_hash, tags_root, tx_id};

/// A part whose lists are in order, with the names that follow from its hashes. Its signatures are as yet unchecked.
pub(super) struct Shaped<'a> {
    part: &'a NotaryPart,
    /// `tx_id`.
    pub(super) tx: TxId,
    /// `m`.
    pub(super) commit: CommitId,
    /// The root over all tag hashes.
    pub(super) tags_root: Hash,
    /// The part's tags.
    pub(super) tags: Vec<OpenTag>,
}

impl<'a> Shaped<'a> {
    /// Orders a part and names its transaction as one of this network and notary.
    ///
    /// Enforces [NOT-1]: the list has each hash once, in order; a part opens 1, 2, 4 .. 64 of them, each once, and no tag
    /// twice.
    ///
    /// # Errors
    ///
    /// [`Reason::Malformed`].
    pub(super) fn of(part: &'a NotaryPart, network: Hash, notary: NodeId) -> Result<Self, Reason> {
        let tags_root = tags_root(&part.tags).ok_or(Reason::Malformed)?;
        let count = part.openings.len();
        if !count.is_power_of_two() || count > PART_TAGS_MAX {
            return Err(Reason::Malformed);
        }
        let mut tags = Vec::with_capacity(count);
        for opening in &part.openings {
            let hash = tag_hash(&opening.salt, &opening.tag);
            let place = part.tags.binary_search(&hash).map_err(|_| Reason::Malformed)?;
            let place = u16::try_from(place).map_err(|_| Reason::Malformed)?;
            let signature = opening.signature.clone();
            tags.push(OpenTag { place, tag: opening.tag, signature });
        }
        let places: BTreeSet<u16> = tags.iter().map(|open| open.place).collect();
        let distinct: BTreeSet<Encoded> = tags.iter().map(|open| open.tag).collect();
        if places.len() != count || distinct.len() != count {
            return Err(Reason::Malformed);
        }
        let tx = tx_id(part.legs_root, tags_root, network, notary, part.window);
        let commit = commit_id(tx, part.approvals_root);
        Ok(Self { part, tx, commit, tags_root, tags })
    }

    /// Checks the signatures of all the part's tags at once; about 0.1 ms each. `rng` must be drawn after the part came in.
    ///
    /// Enforces [NOT-3]: every tag of a part signs `m`, and so network, notary, window, legs and approvals.
    ///
    /// # Errors
    ///
    /// [`Reason::Signature`].
    pub(super) fn check_signatures(&self, rng: &mut impl CryptoRngCore) -> Result<(), Reason> {
        let mut claims = Claims::new();
        for opening in &self.part.openings {
            let statement = tag::Statement { tag: opening.tag, commit: self.commit.0 };
            tag::verify(&statement, &opening.signature, &mut claims)
                .map_err(|_| Reason::Signature)?;
        }
        claims.accept(rng).map_err(|_| Reason::Signature)
    }

    /// How many tags the transaction has.
    pub(super) fn total(&self) -> u16 {
        // The list is bounded far below.
        u16::try_from(self.part.tags.len()).unwrap_or(u16::MAX)
    }
}
