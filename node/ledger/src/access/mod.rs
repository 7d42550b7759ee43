//! Grants, and the logs of what is read under them, of what custodians disclose, and of who handles personal data (specs/access.md).
//!
//! A read starts with a [`Grant`] that officers signed. What is to be read stands in the reader's access log before the reader
//! gets the [`Permit`] without which nothing is read under a grant.

mod desk;
mod error;
mod handling;
mod logged;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeSignature, Text};
use sudare_disclosure::threshold::{Officer, OfficerKey};
use sudare_disclosure::{AssetId, AssetTerms, Field, Fields};

pub use desk::{AccessLog, GrantView};
pub use error::AccessError;
pub use handling::{Handled, Handling, ROWS_MAX, row_hash};
pub use logged::{LoggedEntry, Permit, origin};

use crate::tree::leaf_hash;

const DESK: &[u8] = b"sudare/access-desk/v1";
const GRANT: &[u8] = b"sudare/grant/v1";
const REVOCATION: &[u8] = b"sudare/grant-end/v1";
/// The most officers of a desk.
pub const OFFICERS_MAX: usize = 16;
/// The most accounts that a scope names.
pub const ACCOUNTS_MAX: usize = 256;

/// Who may give grants at a node: the officers, and how many of them must sign.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Desk {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// The node that reads and keeps the log.
    pub reader: NodeId,
    /// 0, and one more each time that the desk changes.
    pub number: u32,
    /// How many must sign, at least 1.
    pub needed: u8,
    /// Who may.
    pub officers: Bounded<Officer, OFFICERS_MAX>,
}

/// A desk with the signatures of officers of the one before it; the first has none.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedDesk {
    /// The desk.
    pub desk: Desk,
    /// Each officer once.
    pub signatures: Bounded<(NodeId, NodeSignature), OFFICERS_MAX>,
}

/// A grant's identity, the hash of what is signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct GrantId(pub Hash);

/// What may be read of one asset.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Scope {
    /// The asset.
    pub asset: AssetId,
    /// What is read of a leg.
    pub fields: Fields,
    /// Only legs that one of these accounts sends or receives in; all if there is none. To find them the parties of every leg
    /// of the scope are read.
    pub accounts: Bounded<Encoded, ACCOUNTS_MAX>,
    /// The first epoch.
    pub first_epoch: u32,
    /// The last epoch.
    pub last_epoch: u32,
    /// Legs notarised from this time on, by the notary's clock, ms since the Unix epoch.
    pub from: u64,
    /// And before this one.
    pub until: u64,
}

/// Who may read what, why and until when.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Grant {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// The node that reads and keeps the log.
    pub reader: NodeId,
    /// What may be read.
    pub scope: Scope,
    /// What for.
    pub purpose: Text<140>,
    /// The law or order that it rests on.
    pub legal_basis: Text<140>,
    /// The case number.
    pub case: Text<64>,
    /// From when it holds, ms since the Unix epoch.
    pub issued_at: u64,
    /// From when it holds no more.
    pub expires_at: u64,
    /// 32 random bytes.
    pub nonce: [u8; 32],
}

/// A grant with officers' signatures.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedGrant {
    /// What is granted.
    pub grant: Grant,
    /// Each officer once.
    pub signatures: Bounded<(NodeId, NodeSignature), OFFICERS_MAX>,
}

/// An officer's word that a grant holds no more.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Revocation {
    /// The grant.
    pub grant: GrantId,
    /// Who ends it.
    pub officer: NodeId,
    /// By that officer.
    pub signature: NodeSignature,
}

/// What is done under a grant.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Use {
    /// Reading an asset's log.
    Read {
        /// What of it.
        scope: Scope,
    },
    /// Officers open a leg together.
    Opening {
        /// The leg's entry in the asset's log.
        entry: u64,
        /// The hash of the request that their partials answer.
        request: Hash,
    },
    /// What was read is handed out.
    HandedOut {
        /// The hash of what is.
        file: Hash,
        /// To whom.
        recipient: Text<140>,
    },
}

/// SHA-256 of a file that is handed out, as anybody's tools compute it.
#[must_use]
pub fn sha256(file: &[u8]) -> Hash {
    Hash(Sha256::digest(file).into())
}

/// What a custodian hands to somebody who holds no key.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Disclosure {
    /// The asset.
    pub asset: AssetId,
    /// Whose: the customer's account.
    pub account: Encoded,
    /// What it is.
    pub what: Disclosed,
    /// To whom, as the recipient calls itself.
    pub recipient: Text<140>,
    /// What for.
    pub purpose: Text<140>,
    /// SHA-256 of the file.
    pub file: Hash,
}

/// A kind of disclosure.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Disclosed {
    /// A packet of one transfer.
    Transfer,
    /// A packet of an account.
    Account,
    /// A statement, which shows a bound and no amount.
    Statement,
}

/// An entry of an access log.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct AccessEntry {
    /// Format version.
    pub version: Version<1>,
    /// When, by the node's clock, ms since the Unix epoch.
    pub at: u64,
    /// What happened.
    pub event: AccessEvent,
}

/// What an access log records.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum AccessEvent {
    /// Who may give grants was set.
    Desk(SignedDesk),
    /// A grant was given.
    Granted(SignedGrant),
    /// A grant was ended.
    Revoked(Revocation),
    /// Something is about to be done under a grant.
    Used(GrantId, Use),
    /// A custodian is about to hand something of a customer's to somebody.
    Disclosed(Disclosure),
    /// Somebody is about to handle personal data in the institution's database.
    Handled(Box<Handling>),
}

impl Desk {
    /// An officer's consent to this desk, as one of the desk before it.
    #[must_use]
    pub fn sign(&self, officer: &OfficerKey) -> (NodeId, NodeSignature) {
        (officer.id(), officer.sign(DESK, &encode(self)))
    }

    /// How many officers of this desk signed, each at most once.
    fn count(
        &self,
        domain: &'static [u8],
        message: &[u8],
        signatures: &[(NodeId, NodeSignature)],
    ) -> Result<(), AccessError> {
        let mut seen: Vec<NodeId> = Vec::new();
        for (place, (officer, signature)) in sudare_crypto::numbered(signatures) {
            let known = self.has(officer) && !seen.contains(officer);
            if !known || officer.verify(domain, message, signature).is_err() {
                return Err(AccessError::Signature(place));
            }
            seen.push(*officer);
        }
        let (given, needed) = (seen.len(), usize::from(self.needed));
        if given < needed { Err(AccessError::TooFew { given, needed }) } else { Ok(()) }
    }

    /// Whether somebody is an officer of this desk.
    #[must_use]
    pub fn has(&self, id: &NodeId) -> bool {
        self.officers.iter().any(|officer| officer.id == *id)
    }

    /// Enforces [ACC-1]: whether the grant is for this desk's node, covers something, and enough officers signed it.
    ///
    /// # Errors
    ///
    /// [`AccessError`].
    pub fn check(&self, signed: &SignedGrant) -> Result<(), AccessError> {
        let grant = &signed.grant;
        if grant.network != self.network || grant.reader != self.reader {
            return Err(AccessError::OtherReader);
        }
        let scope = &grant.scope;
        let nothing = scope.first_epoch > scope.last_epoch || scope.from >= scope.until;
        if nothing || grant.issued_at >= grant.expires_at {
            return Err(AccessError::Empty);
        }
        self.count(GRANT, &encode(grant), &signed.signatures)
    }
}

impl Scope {
    /// Whether a leg of this epoch, notarised at this time, is within the scope.
    #[must_use]
    pub fn has_leg(&self, epoch: u32, time: u64) -> bool {
        (self.first_epoch..=self.last_epoch).contains(&epoch)
            && (self.from..self.until).contains(&time)
    }

    /// Whether a leg of these accounts is within the scope.
    #[must_use]
    pub fn has_accounts(&self, senders: &[Encoded], receivers: &[Encoded]) -> bool {
        let named = |account: &Encoded| self.accounts.contains(account);
        self.accounts.is_empty() || senders.iter().chain(receivers).any(named)
    }

    /// Whether all of `wanted` is within this scope.
    ///
    /// Enforces [ACC-3].
    ///
    /// # Errors
    ///
    /// [`AccessError::WiderThanGrant`], naming what is not.
    pub fn covers(&self, wanted: &Self) -> Result<(), AccessError> {
        let wider = |what| Err(AccessError::WiderThanGrant(what));
        if wanted.asset != self.asset {
            return wider("asset");
        }
        if Field::ALL.iter().any(|field| wanted.fields.has(*field) && !self.fields.has(*field)) {
            return wider("fields");
        }
        let known = |account: &Encoded| self.accounts.contains(account);
        let all = wanted.accounts.is_empty();
        if !self.accounts.is_empty() && (all || !wanted.accounts.iter().all(known)) {
            return wider("accounts");
        }
        if wanted.first_epoch < self.first_epoch || wanted.last_epoch > self.last_epoch {
            return wider("epochs");
        }
        if wanted.from < self.from || wanted.until > self.until {
            return wider("times");
        }
        Ok(())
    }

    /// Whether keys with these points read each field of the scope in each of its epochs that the terms have; to find an
    /// account's legs the parties are read too.
    ///
    /// # Errors
    ///
    /// [`AccessError::WiderThanKey`], naming the first field and epoch that no key reads.
    pub fn readable(&self, terms: &AssetTerms, keys: &[Encoded]) -> Result<(), AccessError> {
        let finds = !self.accounts.is_empty();
        for epoch in &terms.policy.epochs {
            if epoch.number < self.first_epoch || epoch.number > self.last_epoch {
                continue;
            }
            for field in Field::ALL {
                let wanted = self.fields.has(field) || (finds && field == Field::Parties);
                if wanted && !epoch.keys_with(field).iter().any(|key| keys.contains(key)) {
                    return Err(AccessError::WiderThanKey { field, epoch: epoch.number });
                }
            }
        }
        Ok(())
    }
}

impl Grant {
    /// The grant's identity.
    #[must_use]
    pub fn id(&self) -> GrantId {
        GrantId(Hash::of(GRANT, &[&encode(self)]))
    }

    /// An officer's signature.
    #[must_use]
    pub fn sign(&self, officer: &OfficerKey) -> (NodeId, NodeSignature) {
        (officer.id(), officer.sign(GRANT, &encode(self)))
    }

    /// Whether it holds at `now`, ms since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`AccessError::NotYet`] or [`AccessError::Expired`].
    pub const fn holds(&self, now: u64) -> Result<(), AccessError> {
        if now < self.issued_at {
            Err(AccessError::NotYet(self.issued_at))
        } else if now >= self.expires_at {
            Err(AccessError::Expired(self.expires_at))
        } else {
            Ok(())
        }
    }
}

impl Revocation {
    /// An officer's end to a grant.
    #[must_use]
    pub fn sign(grant: GrantId, officer: &OfficerKey) -> Self {
        let signature = officer.sign(REVOCATION, &encode(&grant));
        Self { grant, officer: officer.id(), signature }
    }
}

impl AccessEvent {
    /// Whether it says who handled the personal data of a row.
    #[must_use]
    pub fn is_about(&self, row: &Hash) -> bool {
        matches!(self, Self::Handled(handling) if handling.rows.contains(row))
    }
}

impl AccessEntry {
    /// The RFC 6962 leaf hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        leaf_hash(&encode(self))
    }
}

impl std::fmt::Display for Disclosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Transfer => "packet of a transfer",
            Self::Account => "packet of an account",
            Self::Statement => "statement",
        })
    }
}

impl std::fmt::Display for GrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
