//! What a node's operator and its peers can ask it: requests and answers beside the ledger's messages (specs/wire.md).

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Bounded, Encoded, NodeId, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::access::{AccessEntry, Desk, GrantId, GrantView, LoggedEntry};
use sudare_ledger::custodian::{AccountView, Investor, Record, TradeKey, TradeView};
use sudare_ledger::log::Receipt;
use sudare_ledger::messages::TradeId;
use sudare_ledger::packet::ShownSnapshot;
use sudare_ledger::registrar::{
    HeldBy, Lines, LinesOf, OrderView, RedemptionKey, RegisterHead, SnapshotSecrets, SnapshotView,
    When,
};
use sudare_ledger::snapshot::AccountEvent;
use sudare_ledger::statement::ShownLeaf;
use sudare_ledger::transaction::TxId;
use sudare_ledger::tree::{ConsistencyProof, SignedCheckpoint};

/// Frame kinds of requests that are not messages.
pub mod kind {
    /// A peer's [`super::PeerQuery`].
    pub const PEER_QUERY: u8 = 64;
    /// An operator's instruction, encoded as its role defines it.
    pub const INSTRUCT: u8 = 128;
    /// An operator's [`super::OperatorQuery`].
    pub const OPERATOR_QUERY: u8 = 130;
    /// The runtime's own state.
    pub const STATUS: u8 = 129;
}

/// The most entries of one page of an asset log.
pub const PAGE_ENTRIES_MAX: usize = 256;

/// A read that a peer may ask for.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum PeerQuery {
    /// Of a registrar: the terms of all its assets.
    Assets,
    /// Of a registrar, by a regulator: entries of an asset's log from an index on, and the newest checkpoint.
    Log {
        /// The asset.
        asset: AssetId,
        /// The first entry wanted.
        from: u64,
    },
    /// Of a registrar, by a regulator or custodian: that its log of now extends that of a former size.
    Consistency {
        /// The asset.
        asset: AssetId,
        /// The former size.
        old: u64,
        /// The later size.
        new: u64,
    },
    /// Of a registrar, by a custodian: the components of final outputs that are in its slots, to recover its notes from seeds.
    OwnOutputs {
        /// The asset.
        asset: AssetId,
        /// The first entry wanted.
        from: u64,
    },
    /// Of a notary: its newest checkpoint.
    NotaryCheckpoint,
    /// Of a notary, by someone who knows the transaction: its receipt.
    Receipt(TxId),
    /// Of a registrar, by a custodian: the settlements of a final transaction with the outputs in its slots, spent or not.
    Outputs(TxId),
    /// Of a registrar: the newest checkpoint of an asset's log.
    AssetCheckpoint(AssetId),
    /// Of a registrar, by an account's custodian: the account in a register snapshot, shown under the checkpoint of a size.
    AccountSnapshot {
        /// The asset.
        asset: AssetId,
        /// The account.
        account: Encoded,
        /// Which snapshot; the newest without.
        number: Option<u32>,
        /// The checkpoint's size.
        size: u64,
    },
    /// Of a registrar, by an account's custodian: the account's events from one on.
    AccountEvents {
        /// The asset.
        asset: AssetId,
        /// The account.
        account: Encoded,
        /// The number of the first event wanted.
        from: u64,
    },
    /// Of a registrar, by a custodian: the settlement of an entry with the outputs in its slots, under the checkpoint of a size.
    OutputsAt {
        /// The asset.
        asset: AssetId,
        /// The entry.
        entry: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// Of a regulator, custodian or registrar: the checkpoint of its access log.
    AccessCheckpoint,
    /// Of the same: that its access log of one size begins with that of a former one.
    AccessConsistency {
        /// The former size.
        old: u64,
        /// The later size.
        new: u64,
    },
    /// Of a registrar, by an account's custodian or its own operator: where the search for the account ends in a snapshot, shown under
    /// the checkpoint of a size.
    RegisterLeaf {
        /// The asset.
        asset: AssetId,
        /// The account.
        account: Encoded,
        /// Which snapshot.
        number: u32,
        /// The checkpoint's size.
        size: u64,
    },
}

/// The answer to a [`PeerQuery`].
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum PeerAnswer {
    /// Terms.
    Assets(Bounded<SignedTerms, 256>),
    /// A page of a log; the last one if it reaches the checkpoint's size.
    Log {
        /// Canonical bytes of the entries.
        entries: Vec<Vec<u8>>,
        /// The newest checkpoint.
        checkpoint: SignedCheckpoint,
    },
    /// A consistency proof.
    Consistency(ConsistencyProof),
    /// Settlements as they were sent, and the index after the last entry looked at; the end is where it no longer grows.
    OwnOutputs {
        /// Encoded [`sudare_ledger::messages::Settlement`]s.
        settlements: Vec<Vec<u8>>,
        /// Where to go on.
        next: u64,
    },
    /// A checkpoint.
    Checkpoint(SignedCheckpoint),
    /// A receipt, if the transaction is recorded.
    Receipt(Option<Receipt>),
    /// Encoded [`sudare_ledger::messages::Settlement`]s of one transaction or entry, under one checkpoint a log.
    Outputs(Vec<Vec<u8>>),
    /// An account in a snapshot, if there is the snapshot and the account in it.
    AccountSnapshot(Option<Box<ShownSnapshot>>),
    /// A page of events; after the last one there is none.
    AccountEvents(Vec<AccountEvent>),
    /// Where a search ends in a snapshot, if there is the snapshot and the account is registered.
    RegisterLeaf(Option<Box<ShownLeaf>>),
}

/// A read that only a node's own operator may ask for.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum OperatorQuery {
    /// The assets it knows.
    Assets,
    /// Custodian: accounts with balances, after the given one.
    Accounts(Option<(AssetId, Investor)>),
    /// Custodian: trades after the given one.
    Trades(Option<TradeKey>),
    /// Custodian: the trades with this id.
    Trade(TradeId),
    /// Custodian: every message of one trade, for who saw what.
    Records(TradeKey),
    /// Registrar: the register of an asset, after the given account.
    Register(AssetId, Option<Encoded>),
    /// Regulator: the longest checkpoint recorded of an asset.
    AuditHead(AssetId),
    /// Custodian: whose slot this owner commitment is, and for which trade.
    Slot(Encoded),
    /// Registrar: the register snapshots of an asset.
    Snapshots(AssetId),
    /// Regulator: who may give grants.
    Desk,
    /// Regulator: grants after the given one.
    Grants(Option<GrantId>),
    /// Regulator, custodian, registrar: entries of its access log from an index on.
    Access(u64),
    /// The same: an entry of its access log with what shows that it is there.
    AccessProof(u64),
    /// Custodian: one account.
    Account(AssetId, Investor),
    /// Registrar: a register snapshot with its secrets, shown under the checkpoint of a size.
    SnapshotSecrets {
        /// The asset.
        asset: AssetId,
        /// Which snapshot.
        number: u32,
        /// The checkpoint's size.
        size: u64,
    },
    /// Registrar: where the issue with this reference stands.
    Issue(Text<35>),
    /// Registrar: where a redemption that was allowed stands.
    Redemption(RedemptionKey),
    /// Registrar: the register of an asset at a moment, without its lines.
    RegisterHead(AssetId, When),
    /// Registrar: lines of a register at a size of its log.
    RegisterLines(AssetId, LinesOf),
    /// Registrar: a file that shows what accounts hold in a register snapshot.
    RegisterProof(ProofOf),
}

/// Of what a file is to be made that shows what accounts hold, and for whom.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ProofOf {
    /// The asset.
    pub asset: AssetId,
    /// Which register snapshot.
    pub snapshot: u32,
    /// Of whose holdings.
    pub by: HeldBy,
    /// For whom.
    pub recipient: Text<140>,
    /// To what question.
    pub nonce: [u8; 32],
}

/// The answer to an [`OperatorQuery`].
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum OperatorAnswer {
    /// Assets.
    Assets(Vec<AssetLine>),
    /// A page of accounts, after the last one there is none; or the one that was asked for, if there is one.
    Accounts(Vec<AccountView>),
    /// Trades.
    Trades(Vec<TradeView>),
    /// The record of a trade.
    Records(Vec<Record>),
    /// A page of a register; after the last account there is none.
    Register(Vec<RegisterLine>),
    /// A checkpoint, if there is one.
    AuditHead(Option<SignedCheckpoint>),
    /// A slot's investor and trade, if the slot is the custodian's.
    Slot(Option<(Investor, TradeKey)>),
    /// Snapshots, in order.
    Snapshots(Vec<SnapshotView>),
    /// Who may give grants, if that was set.
    Desk(Option<Desk>),
    /// A page of grants; after the last one there is none.
    Grants(Vec<GrantView>),
    /// A page of an access log; after the last entry there is none.
    Access(Vec<AccessEntry>),
    /// An entry of the access log, if there is one.
    AccessProof(Option<Box<LoggedEntry>>),
    /// A snapshot with its secrets, if there is one.
    SnapshotSecrets(Option<Box<SnapshotSecrets>>),
    /// An order of the registrar's operator, if there was one.
    Order(Option<OrderView>),
    /// A register, if there is the asset and its log ever had that size.
    RegisterHead(Option<Box<RegisterHead>>),
    /// A page of a register.
    RegisterLines(Lines),
    /// A bundle's file, if there is the snapshot and somebody in it.
    RegisterProof(Option<Vec<u8>>),
}

/// An asset as a node knows it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct AssetLine {
    /// Its terms.
    pub terms: SignedTerms,
    /// Registrar only: minted and burned units, entries of its log, whether it takes instructions.
    pub register: Option<AssetTotals>,
}

/// What a registrar counts of an asset.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct AssetTotals {
    /// Atomic units ever issued.
    pub minted: u128,
    /// Atomic units ever redeemed.
    pub burned: u128,
    /// Entries in the asset log.
    pub entries: u64,
    /// Whether it takes instructions.
    pub open: bool,
}

/// A row of a register.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct RegisterLine {
    /// The account.
    pub account: Encoded,
    /// The investor's pseudonym.
    pub investor: Text<35>,
    /// The custodian that acts for it.
    pub custodian: NodeId,
    /// Atomic units held.
    pub quantity: u128,
    /// In how many notes.
    pub notes: u64,
    /// Whether it is frozen.
    pub frozen: bool,
}
