//! Legs: one asset's movement, with every proof that it is right (specs/leg.md).

mod build;
mod check;
mod components;
mod open;
mod reason;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::Version;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::range::OUTPUTS_MAX;
use sudare_crypto::{Bounded, Encoded, Hash, Text};
use sudare_disclosure::policy::KEYS_MAX;
use sudare_disclosure::{AssetId, Section};

use crate::note::NoteId;
use crate::slot::SignedSlot;

pub use build::{BuildError, BuiltLeg, LegRequest, SpendInput};
pub use check::LegError;
pub use components::{Component, ComponentKind, LegSalt, TearOff, TearOffError};
pub use open::{Amount, Disclosed, OpenError, Opened, Received};

/// The most inputs of a leg.
pub const INPUTS_MAX: usize = 32;
/// The most sections of a leg: an opening an output, parties, trade and links.
pub const SECTIONS_MAX: usize = OUTPUTS_MAX + 3;
/// The longest range proof in bytes, of [`OUTPUTS_MAX`] outputs.
pub const RANGE_BYTES_MAX: usize = 1056;

/// What a leg does to the supply.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Purpose {
    /// No inputs, mint > 0.
    Issue,
    /// Neither mint nor burn.
    Transfer,
    /// Burn > 0.
    Redeem,
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Issue => "issue",
            Self::Transfer => "transfer",
            Self::Redeem => "redeem",
        })
    }
}

/// What the leg's proofs are bound to.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// Version of the leg and its proof suite.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// The asset.
    pub asset: AssetId,
    /// The hash of the asset's terms.
    pub terms: Hash,
    /// The epoch whose keys it is encrypted to.
    pub epoch: u32,
    /// What it does.
    pub purpose: Purpose,
    /// Atomic units made.
    pub mint: u64,
    /// Atomic units ended.
    pub burn: u64,
    /// Fresh random bytes.
    pub nonce: [u8; 32],
}

/// A note being spent, without saying which.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Input {
    /// `T`.
    pub tag: Encoded,
    /// `C'`, the note's commitment rerandomised.
    pub commitment: Encoded,
    /// `U'`.
    pub ephemeral: Encoded,
    /// `F'_j`, one a key with `parties`.
    pub identities: Bounded<Encoded, KEYS_MAX>,
}

/// A note being made.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Output {
    /// The owner part.
    pub slot: SignedSlot,
    /// `C`.
    pub commitment: Encoded,
    /// `R`.
    pub ephemeral: Encoded,
    /// `E_j`, one a key with `amounts`.
    pub amounts: Bounded<Encoded, KEYS_MAX>,
}

/// The proofs of a leg, each on the leg's one transcript.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Proofs {
    /// Over all inputs; none without inputs.
    pub spend: Option<LinearProof>,
    /// Over all outputs; none without outputs.
    pub amount: Option<LinearProof>,
    /// Over all sections.
    pub wrap: LinearProof,
    /// Conservation.
    pub balance: LinearProof,
    /// Aggregated Bulletproof over all outputs; empty without outputs.
    pub range: Bounded<u8, RANGE_BYTES_MAX>,
}

/// A leg as its registrar sees it: every component.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Leg {
    /// What it is bound to.
    pub header: Header,
    /// Notes spent.
    pub inputs: Bounded<Input, INPUTS_MAX>,
    /// Notes made.
    pub outputs: Bounded<Output, OUTPUTS_MAX>,
    /// Sealed memo sections, in canonical order.
    pub sections: Bounded<Section, SECTIONS_MAX>,
    /// The proofs.
    pub proofs: Proofs,
}

/// Which notes a leg spends, sealed for readers with `links`. The proof is sealed too: whoever has it can test any pair of notes
/// against it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Links {
    /// The notes, in the order of the inputs.
    pub notes: Bounded<NoteId, INPUTS_MAX>,
    /// [`sudare_crypto::proof::links`].
    pub proof: LinearProof,
}

/// A trade's data, sealed for readers with `trade` and the receivers.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct TradeInfo {
    /// 取引ID: unique for each instructing party.
    pub trade_id: Text<35>,
    /// 受渡日, `YYYY-MM-DD`.
    pub delivery_date: Text<10>,
    /// 移転区分.
    pub kind: Text<16>,
    /// 取消対象取引ID.
    pub cancels: Option<Text<35>>,
    /// Free text.
    pub note: Text<140>,
}
