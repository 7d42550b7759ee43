//! What a part of a commit must be before the notary looks at anything it has stored.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::proof::tag;
use sudare_crypto::{Bounded, Claims, Encoded, Hash, NodeId};

use super::state::OpenTag;
use crate::messages::{NotaryPart, Reason};
use crate::transaction::{
    CommitId, PART_TAGS_MAX, TxId, Window, commit_id, tag_hash, tags_root, tx_id,
};

/// A part whose lists are in order, with the names that follow from its hashes, without their salts and roots. Its signatures
/// are as yet unchecked.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Part {
    /// Who sent it.
    pub(super) from: NodeId,
    /// `tx_id`.
    pub(super) tx: TxId,
    /// `m`.
    pub(super) commit: CommitId,
    /// The root over all tag hashes.
    pub(super) tags_root: Hash,
    /// How many tags the transaction has.
    pub(super) total: u16,
    /// The transaction's window.
    pub(super) window: Window,
    /// The part's tags, in its own order.
    pub(super) tags: Bounded<OpenTag, PART_TAGS_MAX>,
}

impl Part {
    /// Orders a part and names its transaction as one of this network and notary.
    ///
    /// Enforces [NOT-1]: the list has each hash once, in order; a part opens 1, 2, 4 .. 64 of them, each once, and no tag
    /// twice.
    ///
    /// # Errors
    ///
    /// [`Reason::Malformed`].
    pub(super) fn of(
        part: NotaryPart,
        from: NodeId,
        network: Hash,
        notary: NodeId,
    ) -> Result<Self, Reason> {
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
        let window = part.window;
        let tx = tx_id(part.legs_root, tags_root, network, notary, window);
        let commit = commit_id(tx, part.approvals_root);
        let total = u16::try_from(part.tags.len()).map_err(|_| Reason::Malformed)?;
        let tags = tags.try_into().map_err(|_| Reason::Malformed)?;
        Ok(Self { from, tx, commit, tags_root, total, window, tags })
    }

    /// What is to be decided before the part counts: the signatures of its tags, which are judged together.
    ///
    /// Enforces [NOT-3]: every tag of a part signs `m`, and so network, notary, window, legs and approvals.
    ///
    /// # Errors
    ///
    /// [`Reason::Signature`].
    pub(super) fn claims(&self) -> Result<Claims, Reason> {
        let mut claims = Claims::new();
        for open in &self.tags {
            let statement = tag::Statement { tag: open.tag, commit: self.commit.0 };
            tag::verify(&statement, &open.signature, &mut claims).map_err(|_| Reason::Signature)?;
        }
        Ok(claims)
    }
}
