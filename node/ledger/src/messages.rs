//! What nodes say to each other: one-way messages, delivered at least once, each safe to repeat (specs/wire.md).

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeSignature, Text};
use sudare_disclosure::{AssetId, SignedTerms};

use crate::leg::{INPUTS_MAX, Leg, LegSalt, TearOff};
use crate::log::{Absence, EntryProof, Receipt};
use crate::role::Role;
use crate::slot::SignedSlot;
use crate::transaction::{Commit, LEGS_MAX, PART_TAGS_MAX, TAGS_MAX, Transaction, TxId, Window};

/// A trade's identifier, unique for each pair of instructing parties.
pub type TradeId = Text<35>;

/// What one custodian (or a registrar, for an issue) proposes to another.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// Fresh random bytes: slots cite the proposal's hash, from which nobody may guess the trade.
    pub salt: [u8; 32],
    /// 取引ID, as both sides were instructed.
    pub trade_id: TradeId,
    /// 受渡日, `YYYY-MM-DD`.
    pub delivery_date: Text<10>,
    /// Who proposes. It sends leg 0.
    pub initiator: NodeId,
    /// To whom. It receives leg 0, and sends leg 1 if there is one.
    pub counterparty: NodeId,
    /// When it lapses, in ms since the Unix epoch.
    pub expires_at: u64,
    /// One leg, or two for delivery versus payment.
    pub legs: Bounded<ProposedLeg, 2>,
}

/// One leg of a proposal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ProposedLeg {
    /// The asset.
    pub asset: AssetId,
    /// The hash of its terms.
    pub terms: Hash,
    /// The epoch in force.
    pub epoch: u32,
    /// Atomic units.
    pub quantity: u64,
}

impl Proposal {
    /// The hash that slots and answers cite.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(b"sudare/proposal/v1", &[&encode(self)])
    }
}

/// Asks a registrar to register an account.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct RegisterAccount {
    /// The asset.
    pub asset: AssetId,
    /// `A`.
    pub account: Encoded,
    /// A random pseudonym, chosen by the custodian; no personal data.
    pub investor: Text<35>,
    /// Proof of possession of the account key over [`account_purpose`].
    pub possession: LinearProof,
}

/// What an account's proof of possession signs.
#[must_use]
pub fn account_purpose(
    network: Hash,
    asset: AssetId,
    custodian: NodeId,
    investor: &Text<35>,
) -> Vec<u8> {
    encode(&(b"sudare/account/v1".as_slice(), network, asset, custodian, investor))
}

/// A counterparty's answer to a proposal.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Acceptance {
    /// The proposal's hash.
    pub proposal: Hash,
    /// The slot for leg 0.
    pub slot: SignedSlot,
    /// For delivery versus payment: the counterparty's own leg, built into the initiator's slot.
    pub payment: Option<CounterPart>,
}

/// What the initiator must know of the counterparty's leg to assemble the transaction.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct CounterPart {
    /// The root of leg 1.
    pub root: Hash,
    /// The salted hashes of the counterparty's tags, padded.
    pub tags: Bounded<Hash, PART_TAGS_MAX>,
}

/// Asks a registrar to approve a leg.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ApprovalRequest {
    /// The transaction.
    pub transaction: Transaction,
    /// Which of its legs.
    pub index: u8,
    /// The leg.
    pub leg: Leg,
    /// From which the salts of its components are derived.
    pub salt: LegSalt,
    /// The salts of the inputs' tag hashes, in order.
    pub tag_salts: Bounded<[u8; 32], INPUTS_MAX>,
}

/// What a spender shows the other party of a transaction: the approval of its leg and the output that is theirs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Share {
    /// The transaction.
    pub tx: TxId,
    /// Which leg.
    pub index: u8,
    /// Its registrar's approval.
    pub approval: NodeSignature,
    /// The receiver's components of the leg.
    pub components: TearOff,
}

/// One part of a commit, as a spender sends it to the notary.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct NotaryPart {
    /// When it can be notarised.
    pub window: Window,
    /// The legs, as a hash.
    pub legs_root: Hash,
    /// The approvals, as a hash.
    pub approvals_root: Hash,
    /// The salted hashes of all parts' tags.
    pub tags: Bounded<Hash, TAGS_MAX>,
    /// This part's tags, opened.
    pub openings: Bounded<TagOpening, PART_TAGS_MAX>,
}

/// A tag with its salt and its signature over `m`.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct TagOpening {
    /// The salt of its hash.
    pub salt: [u8; 32],
    /// `T`.
    pub tag: Encoded,
    /// [`sudare_crypto::proof::tag`] over `m`.
    pub signature: LinearProof,
}

/// Asks a registrar to append a notarised leg.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Finalisation {
    /// The preimage of `m`.
    pub commit: Commit,
    /// Which leg.
    pub index: u8,
    /// The notary's receipt.
    pub receipt: Receipt,
    /// The signatures under the leg's own tags, in the order of its inputs; none from a receiver whose sender is silent: the
    /// registrar then asks the notary for them.
    pub signatures: Bounded<LinearProof, INPUTS_MAX>,
}

/// Tells a party that a leg is final and where it stands in the asset log.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Settlement {
    /// The preimage of `m` with every approval.
    pub commit: Commit,
    /// Which leg.
    pub index: u8,
    /// The notary's receipt.
    pub receipt: Receipt,
    /// The entry's inclusion in the asset log under a signed checkpoint.
    pub entry: EntryProof,
    /// One for each output that is the addressee's, change included.
    pub components: Bounded<TearOff, { sudare_crypto::proof::range::OUTPUTS_MAX }>,
}

/// Why a party refuses, with a stable code. Never says what the asker may not know.
#[derive(
    Clone,
    Copy,
    Debug,
    Eq,
    PartialEq,
    PartialOrd,
    Ord,
    BorshSerialize,
    BorshDeserialize,
    thiserror::Error,
)]
pub enum Reason {
    /// The message or one of its parts is not well formed.
    #[error("the message is not well formed")]
    Malformed,
    /// The asset is not known here.
    #[error("the asset is not known to this registrar")]
    UnknownAsset,
    /// The account is not registered.
    #[error("an account is not registered with the registrar: register the investor first")]
    UnknownAccount,
    /// The account is not registered by the custodian that acts for it.
    #[error("the account is another custodian's")]
    WrongCustodian,
    /// The account is frozen.
    #[error("an account is frozen")]
    Frozen,
    /// The asset takes no instructions now.
    #[error("the asset is closed: try again when it is open")]
    Closed,
    /// Terms, policy or epoch are not those in force.
    #[error("the leg is not under the terms and epoch in force: build it again")]
    StaleTerms,
    /// The slot has expired.
    #[error("the receive slot has expired: ask the receiver for a new one")]
    SlotExpired,
    /// The slot was used or is reserved.
    #[error("the receive slot was used before")]
    SlotUsed,
    /// An input is not a live note.
    #[error("an input is not a live note of this register")]
    UnknownNote,
    /// An input is spent, or locked by another transaction.
    #[error("an input is spent or locked by another transaction")]
    InputLocked,
    /// The spender is not the note's owner.
    #[error("an input is spent by another account than owns it")]
    WrongOwner,
    /// An input's tag is not in the transaction's list once.
    #[error("an input's tag is not in the transaction's tag list")]
    TagMissing,
    /// The leg is not in the transaction under its root.
    #[error("the leg is not the one that the transaction names")]
    LegMismatch,
    /// A proof does not verify.
    #[error("a proof of the leg does not verify")]
    Proof,
    /// A memo section does not open to what the leg commits to.
    #[error("a memo section does not open to what the leg commits to")]
    Memo,
    /// The window is too long, over, or not in whole steps.
    #[error("the transaction's window is over or longer than the terms allow")]
    Window,
    /// The notary is not the asset's.
    #[error("the transaction names another notary than the asset's")]
    WrongNotary,
    /// A tag was spent under another commit.
    #[error("a tag is spent")]
    Spent,
    /// The spend signature does not verify.
    #[error("a spend signature does not verify")]
    Signature,
    /// The receipt does not verify.
    #[error("the notary's receipt does not verify")]
    Receipt,
    /// An approval is missing or not valid.
    #[error("an approval is missing or not valid")]
    Approval,
    /// The account has less than is to be delivered.
    #[error("the account has less than is to be delivered")]
    Overspend,
    /// No instruction of this side matches the proposal.
    #[error("the counterparty's instruction differs from the proposal")]
    NoMatch,
    /// The trade id is in use.
    #[error("the trade id is in use for another trade")]
    DuplicateTrade,
    /// The counterparty or notary did not act in time.
    #[error("the window ended before the transaction was final; nothing was spent")]
    Lapsed,
    /// The counterparty gave up, or a leg of the transaction was refused.
    #[error("the counterparty gave up the transaction")]
    Abandoned,
    /// Too much is asked for at once.
    #[error("too many inputs, outputs or tags for one transaction")]
    TooLarge,
    /// The redemption or issue was not instructed to the registrar.
    #[error("the registrar has no instruction for this supply change")]
    NotInstructed,
    /// The supply would exceed what can be counted.
    #[error("the supply would exceed the limit")]
    SupplyLimit,
    /// The message is not for this role.
    #[error("this node's role does not take such a message")]
    WrongRole,
    /// Fault in this node.
    #[error("the node could not do it; see its log")]
    Internal,
    /// Both sides wanted the trade cancelled.
    #[error("both sides cancelled the trade")]
    Cancelled,
    /// Nobody can keep the transaction from becoming final.
    #[error("the trade is signed or settled and can't be cancelled: reverse it with a new one")]
    TooLate,
    /// Nobody may give grants yet.
    #[error("nobody may give grants at this node: set its officers with `sudare grant desk`")]
    NoDesk,
    /// A desk that can't follow the one in force.
    #[error("the desk does not follow the one in force or is not possible: make it again")]
    BadDesk,
    /// A grant of another network or for another node.
    #[error("the grant is of another network or for another node: have it made for this one")]
    OtherReader,
    /// A grant that grants nothing.
    #[error("the grant holds at no time or covers nothing: make it again and have it signed")]
    EmptyGrant,
    /// A signature that is not another officer's.
    #[error("a signature is not that of another officer of this node: have it signed again")]
    GrantSignature,
    /// Too few officers signed.
    #[error("too few officers signed: have it signed by more")]
    TooFewOfficers,
    /// No such grant.
    #[error("no such grant is recorded here: see `sudare grant list`")]
    UnknownGrant,
    /// The grant doesn't hold yet.
    #[error("the grant does not hold yet: wait")]
    GrantNotYet,
    /// The grant holds no more.
    #[error("the grant expired: ask for a new one")]
    GrantExpired,
    /// An officer ended the grant.
    #[error("the grant was revoked: ask for a new one")]
    GrantRevoked,
    /// More is asked for than was granted.
    #[error("more is asked for than was granted: ask for less, or for a wider grant")]
    WiderThanGrant,
}

impl Reason {
    /// The stable code, as in `overspend`.
    #[must_use]
    pub fn code(self) -> String {
        let mut code = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_ascii_uppercase() && !code.is_empty() {
                code.push('-');
            }
            code.push(letter.to_ascii_lowercase());
        }
        code
    }
}

/// A one-way message.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Message {
    /// Custodian to registrar.
    RegisterAccount(RegisterAccount),
    /// Registrar to custodian: the answer.
    AccountRegistered {
        /// The asset.
        asset: AssetId,
        /// `A`.
        account: Encoded,
        /// None if it is registered.
        refused: Option<Reason>,
    },
    /// Initiator to counterparty; with the slot for leg 1 if there is one.
    Propose(Proposal, Option<SignedSlot>),
    /// Counterparty to initiator.
    Accept(Acceptance),
    /// Either party to the other: the trade of this proposal ends here.
    Abandon {
        /// The proposal's hash.
        proposal: Hash,
        /// Why.
        reason: Reason,
    },
    /// Initiator to counterparty: the transaction, for its approval (delivery versus payment only).
    Assemble(Hash, Transaction),
    /// Spender to registrar.
    Approve(ApprovalRequest),
    /// Registrar to spender.
    Approved {
        /// The transaction.
        tx: TxId,
        /// Which leg.
        index: u8,
        /// The approval, or why not.
        outcome: Result<NodeSignature, Reason>,
    },
    /// Spender to the receiver of its leg (delivery versus payment only).
    Share(Share),
    /// Initiator to counterparty: the commit to sign (delivery versus payment only).
    Commit(Commit),
    /// Spender to notary.
    Notarise(NotaryPart),
    /// Notary to every spender of the commit.
    Notarised(Receipt),
    /// Notary to a spender: the part can't be recorded.
    NotRecorded {
        /// The transaction.
        tx: TxId,
        /// Why.
        reason: Reason,
    },
    /// A party to the notary, after the window: is this transaction in the log?
    AskAbsence {
        /// The transaction.
        tx: TxId,
        /// Its window.
        window: Window,
    },
    /// Notary's answer: signed absence ([`Message::Notarised`] otherwise). A party also shows it to its registrar.
    Absent(Absence),
    /// Spender, or receiver whose sender is silent, to registrar.
    Finalise(Finalisation),
    /// Registrar to sender and receivers.
    Settled(Settlement),
    /// Registrar to a spender: the leg can't be appended.
    NotFinal {
        /// The transaction.
        tx: TxId,
        /// Which leg.
        index: u8,
        /// Why.
        reason: Reason,
    },
    /// Custodian to registrar: send me the terms of this asset.
    AskTerms(AssetId),
    /// Registrar to custodian: the terms in force.
    Terms(SignedTerms),
    /// Registrar to notary: the spend signatures of a leg that its receiver wants appended, since its sender is silent.
    AskSignatures {
        /// The transaction, which is recorded.
        tx: TxId,
        /// The tags of the leg's inputs.
        tags: Bounded<Encoded, INPUTS_MAX>,
    },
    /// Notary to registrar: the signature of each of these tags over the recorded commit.
    Signatures {
        /// The transaction.
        tx: TxId,
        /// Tags with their signatures.
        signatures: Bounded<(Encoded, LinearProof), INPUTS_MAX>,
    },
    /// One side of a trade to the other, or of what an issue brings: its operator wants it cancelled.
    Cancel {
        /// 取引ID.
        trade_id: TradeId,
        /// Whether the sender is the initiator.
        initiates: bool,
    },
}

/// The longest encoding of any message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;

impl Message {
    /// The byte that stands for the kind of message on the wire: the variant's number.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::RegisterAccount(_) => 0,
            Self::AccountRegistered { .. } => 1,
            Self::Propose(..) => 2,
            Self::Accept(_) => 3,
            Self::Abandon { .. } => 4,
            Self::Assemble(..) => 5,
            Self::Approve(_) => 6,
            Self::Approved { .. } => 7,
            Self::Share(_) => 8,
            Self::Commit(_) => 9,
            Self::Notarise(_) => 10,
            Self::Notarised(_) => 11,
            Self::NotRecorded { .. } => 12,
            Self::AskAbsence { .. } => 13,
            Self::Absent(_) => 14,
            Self::Finalise(_) => 15,
            Self::Settled(_) => 16,
            Self::NotFinal { .. } => 17,
            Self::AskTerms(_) => 18,
            Self::Terms(_) => 19,
            Self::AskSignatures { .. } => 20,
            Self::Signatures { .. } => 21,
            Self::Cancel { .. } => 22,
        }
    }

    /// Whether a node of role `to` takes messages of this kind from a node of role `from`, and how long they may be, in
    /// bytes; none if not. Asked before the message is read.
    #[must_use]
    pub const fn admitted(kind: u8, from: Role, to: Role) -> Option<usize> {
        use Role::{Custodian, Notary, Registrar};
        const SMALL: usize = 8 * 1024;
        const MEDIUM: usize = 64 * 1024;
        let limit = match (kind, from, to) {
            (0, Custodian, Registrar) | (1, Registrar, Custodian) => SMALL,
            (2, Custodian | Registrar, Custodian) | (3, Custodian, Custodian | Registrar) => MEDIUM,
            (4, Custodian | Registrar, Custodian | Registrar) => SMALL,
            (5 | 8 | 9, Custodian, Custodian) => MEDIUM,
            (22, Custodian | Registrar, Custodian) | (22, Custodian, Registrar) => SMALL,
            (6, Custodian, Registrar) => MESSAGE_BYTES_MAX,
            (7, Registrar, Custodian) => SMALL,
            (10 | 13, Custodian | Registrar, Notary) => MEDIUM,
            (11 | 12 | 14, Notary, Custodian | Registrar) | (14, Custodian, Registrar) => SMALL,
            (15, Custodian, Registrar) => MEDIUM,
            (16 | 17 | 19, Registrar, Custodian) => MESSAGE_BYTES_MAX,
            (18, Custodian, Registrar) | (20, Registrar, Notary) | (21, Notary, Registrar) => SMALL,
            _ => return None,
        };
        Some(limit)
    }
}

const _: () = assert!(LEGS_MAX >= 2);
