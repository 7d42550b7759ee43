//! That a leg is final and in the asset's log, by a few of its components.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::Hash;
use sudare_disclosure::AssetCore;

use super::PacketError;
use crate::leg::TearOff;
use crate::log::{EntryLeaf, EntryProof, Receipt};
use crate::messages::Settlement;
use crate::transaction::Commit;
use crate::tree::{Checkpoint, InclusionProof};

/// What shows that a leg is final.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ShownLeg {
    /// The preimage of `m` with every approval.
    pub commit: Commit,
    /// Which leg.
    pub index: u8,
    /// The notary's receipt.
    pub receipt: Receipt,
    /// Where it stands in the asset log.
    pub place: Place,
}

/// An entry's place in the asset log; the checkpoint is the packet's.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Place {
    /// The entry's index.
    pub entry: u64,
    /// The hash of the whole entry.
    pub body: Hash,
    /// The entry's path to the checkpoint's root.
    pub path: InclusionProof,
}

impl ShownLeg {
    /// The leg of a settlement.
    #[must_use]
    pub fn of(settlement: &Settlement) -> Self {
        Self {
            commit: settlement.commit.clone(),
            index: settlement.index,
            receipt: settlement.receipt,
            place: Place::of(&settlement.entry),
        }
    }

    /// Checks that the components are of a leg of this asset that is final and in the log.
    ///
    /// Enforces [PKT-3]: every approval, the receipt, the components under the leg's root and the entry under the checkpoint.
    ///
    /// # Errors
    ///
    /// [`PacketError`].
    pub(super) fn check(
        &self,
        core: &AssetCore,
        under: &Checkpoint,
        components: &TearOff,
    ) -> Result<(), PacketError> {
        self.commit.check()?;
        if !self.receipt.is_of(&self.commit) {
            return Err(PacketError::Receipt);
        }
        let transaction = &self.commit.transaction;
        let leg = transaction.legs.get(usize::from(self.index)).ok_or(PacketError::OtherLeg)?;
        if transaction.network != core.network
            || transaction.notary != core.notary
            || leg.registrar != core.registrar
        {
            return Err(PacketError::OtherLeg);
        }
        components.check(self.index, leg.root)?;
        let (tx, body) = (self.receipt.tx, self.place.body);
        let leaf = EntryLeaf::Leg { tx, index: self.index, root: leg.root, body };
        self.place.check(&leaf, under)?;
        let header = components.header()?;
        if header.network != core.network || header.asset != core.id() {
            return Err(PacketError::OtherLeg);
        }
        Ok(())
    }
}

impl Place {
    /// The place that a registrar proved.
    #[must_use]
    pub fn of(proof: &EntryProof) -> Self {
        Self { entry: proof.index, body: proof.body, path: proof.path.clone() }
    }

    pub(super) fn check(&self, leaf: &EntryLeaf, under: &Checkpoint) -> Result<(), PacketError> {
        Ok(self.path.verify(&leaf.hash(), self.entry, under.size, &under.root)?)
    }
}
