//! Entries of an access log shown to somebody who has only the desk, and the permits that follow from them.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::Version;
use sudare_crypto::{Hash, NodeId};

use super::{
    AccessEntry, AccessError, AccessEvent, Desk, Disclosure, Grant, Handling, Scope, SignedGrant,
    Use,
};
use crate::packet::node_log;
use crate::tree::{CheckpointError, InclusionProof, LogKind, SignedCheckpoint, SignerName};

/// An entry of an access log with what shows that it stands there.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct LoggedEntry {
    /// Format version.
    pub version: Version<1>,
    /// The grant, if the entry is a use of one.
    pub grant: Option<SignedGrant>,
    /// The entry.
    pub entry: AccessEntry,
    /// Where it stands.
    pub index: u64,
    /// The log's checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// That the entry is under it.
    pub path: InclusionProof,
}

/// The right to do one thing under a grant, which stands in the reader's access log.
#[derive(Clone, Debug)]
pub struct Permit {
    grant: Grant,
    what: Use,
    index: u64,
}

impl LoggedEntry {
    /// Checks that the entry is in this reader's log.
    ///
    /// # Errors
    ///
    /// [`AccessError::Checkpoint`] or [`AccessError::NotLogged`].
    pub fn check(&self, network: Hash, reader: NodeId) -> Result<(), AccessError> {
        let checkpoint = self.checkpoint.open(&origin(network, reader)?, &reader)?;
        Ok(self.path.verify(&self.entry.hash(), self.index, checkpoint.size, &checkpoint.root)?)
    }

    /// The same for somebody who knows the reader's desk, with nothing in the file left unchecked: the grant, if the entry is of
    /// a use, is the one it names and signed by this desk, and whoever else signed the checkpoint is a node.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub fn verify(&self, desk: &Desk) -> Result<(), AccessError> {
        self.check(desk.network, desk.reader)?;
        self.checkpoint.witnesses()?;
        match (&self.grant, &self.entry.event) {
            (Some(signed), AccessEvent::Used(id, _)) if signed.grant.id() == *id => {
                desk.check(signed)
            }
            (None, AccessEvent::Used(..)) | (Some(_), _) => Err(AccessError::OtherUse),
            (None, _) => Ok(()),
        }
    }

    /// What a custodian handed out, for somebody who knows the custodian; nothing in the file is left unchecked.
    ///
    /// # Errors
    ///
    /// [`AccessError`]; [`AccessError::OtherUse`] if the entry is of something else.
    pub fn disclosed(&self, custodian: NodeId) -> Result<&Disclosure, AccessError> {
        match self.of(custodian)? {
            AccessEvent::Disclosed(disclosure) => Ok(disclosure),
            _ => Err(AccessError::OtherUse),
        }
    }

    /// What was done with personal data, for somebody who knows the institution's node; nothing in the file is left unchecked.
    ///
    /// # Errors
    ///
    /// [`AccessError`]; [`AccessError::OtherUse`] if the entry is of something else.
    pub fn handled(&self, house: NodeId) -> Result<&Handling, AccessError> {
        match self.of(house)? {
            AccessEvent::Handled(handling) => Ok(handling),
            _ => Err(AccessError::OtherUse),
        }
    }

    /// The entry in a node's log without a desk. No grant comes with it, which nobody could check.
    fn of(&self, node: NodeId) -> Result<&AccessEvent, AccessError> {
        let origin = node_log(&self.checkpoint, node)?;
        let checkpoint = self.checkpoint.open(&origin, &node)?;
        self.path.verify(&self.entry.hash(), self.index, checkpoint.size, &checkpoint.root)?;
        self.checkpoint.witnesses()?;
        if self.grant.is_some() { Err(AccessError::OtherUse) } else { Ok(&self.entry.event) }
    }

    /// The right that the entry gives, if the grant holds at `now` and its desk's officers signed it. That it was not revoked
    /// is the reader's word: it recorded the use.
    ///
    /// Enforces [ACC-2]: nothing but an entry gives a permit.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub fn permit(&self, desk: &Desk, now: u64) -> Result<Permit, AccessError> {
        self.check(desk.network, desk.reader)?;
        let (Some(signed), AccessEvent::Used(id, what)) = (&self.grant, &self.entry.event) else {
            return Err(AccessError::OtherUse);
        };
        if signed.grant.id() != *id {
            return Err(AccessError::OtherUse);
        }
        desk.check(signed)?;
        signed.grant.holds(now)?;
        if let Use::Read { scope } = what {
            signed.grant.scope.covers(scope)?;
        }
        Ok(Permit { grant: signed.grant.clone(), what: what.clone(), index: self.index })
    }
}

impl Permit {
    /// What may be read of the asset's log, if reading it is what is permitted.
    #[must_use]
    pub const fn scope(&self) -> Option<&Scope> {
        match &self.what {
            Use::Read { scope } => Some(scope),
            Use::Opening { .. } | Use::HandedOut { .. } => None,
        }
    }

    /// What is permitted.
    #[must_use]
    pub const fn what(&self) -> &Use {
        &self.what
    }

    /// The grant.
    #[must_use]
    pub const fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Where the access log says so.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }
}

/// The first line of the checkpoints of a node's access log.
///
/// # Errors
///
/// [`CheckpointError`] never in practice: a hash and a node id always make a name.
pub fn origin(network: Hash, reader: NodeId) -> Result<SignerName, CheckpointError> {
    Ok(SignerName::of_log(&network.to_string(), LogKind::Access, &reader.0)?)
}
