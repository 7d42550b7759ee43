//! What the API needs of the node that it is a part of.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use sudare_crypto::encoding::Version;
use sudare_crypto::{Hash, NodeId, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::bundle::Erasure;
use sudare_ledger::custodian::{AccountState, Investor, Record, TradeKey, TradeView};
use sudare_ledger::messages::{Reason, TradeId};
use sudare_ledger::registrar::{HeldBy, Lines, LinesOf, RegisterHead, SnapshotView, When};
use sudare_ledger::registrar::{OrderView, RedemptionKey};
use sudare_ledger::role::Role;
use tokio::sync::watch;

use super::ms;
use crate::personal::Destroyed;
use crate::store::Erased;

/// An answer on its way.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unanswered>> + Send + 'a>>;

/// Why the node gives no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unanswered {
    /// Its role refuses.
    #[error("{0}")]
    Refused(Reason),
    /// It can't answer now: ask again later.
    #[error("the node can't answer: {0}")]
    Later(String),
}

/// A node as its own operator sees it. What is asked is safe to ask again.
pub trait Node: fmt::Debug + Send + Sync {
    /// What it does on the ledger.
    fn role(&self) -> Role;

    /// The member with this name.
    fn member(&self, name: &str) -> Option<(NodeId, Role)>;

    /// The name of a member, or its key if it is none.
    fn name_of(&self, id: &NodeId) -> String;

    /// How many records its log has. What they say can be read once the number is there.
    fn heights(&self) -> watch::Receiver<u64>;

    /// Gives it an instruction of its role, in canonical bytes.
    fn instruct(&self, instruction: Vec<u8>) -> Asking<'_, ()>;

    /// The terms of all assets that it knows.
    fn assets(&self) -> Asking<'_, Vec<SignedTerms>>;

    /// Custodian: the trades with this id.
    fn trade(&self, id: TradeId) -> Asking<'_, Vec<TradeView>>;

    /// Custodian: every message of a trade that it has kept.
    fn records(&self, _: TradeKey) -> Asking<'_, Vec<Record>> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }

    /// Custodian: where an account stands.
    fn account(&self, asset: AssetId, investor: Investor) -> Asking<'_, Option<AccountState>>;

    /// Registrar: where the issue with a reference stands.
    fn issue(&self, reference: Text<35>) -> Asking<'_, Option<OrderView>>;

    /// Registrar: where a redemption that was allowed stands.
    fn redemption(&self, key: RedemptionKey) -> Asking<'_, Option<OrderView>>;

    /// Registrar: a register at a moment; none if there is no such asset, or its log never had that size.
    fn register(&self, _: AssetId, _: When) -> Asking<'_, Option<RegisterHead>> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }

    /// Registrar: lines of a register.
    fn lines(&self, _: AssetId, _: LinesOf) -> Asking<'_, Lines> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }

    /// Registrar: a file that shows what accounts hold in a snapshot to this recipient and nonce; none if there is no such snapshot, or
    /// nobody in it.
    fn register_proof(
        &self,
        _: AssetId,
        _: (u32, HeldBy),
        _: (Text<140>, [u8; 32]),
    ) -> Asking<'_, Option<Vec<u8>>> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }

    /// Registrar: the snapshots of a register, in order.
    fn snapshots(&self, _: AssetId) -> Asking<'_, Vec<SnapshotView>> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }

    /// Custodian: what an investor holds in each asset that it has an account in.
    fn holdings(&self, _: Investor) -> Asking<'_, Vec<Holding>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The node's word that personal data is erased: a file for `sudare verify`.
    fn certify(&self, _: Erasing) -> Asking<'_, Vec<u8>> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }
}

/// What an investor holds in an asset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holding {
    /// The asset's code.
    pub asset: String,
    /// Atomic units, locked ones among them.
    pub units: u64,
}

/// What the certificate of an erasure is to say, but for who signs it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Erasing {
    /// The erasure.
    pub erased: Erased,
    /// Its key.
    pub key: Destroyed,
}

impl Erasing {
    /// An erasure with its key.
    #[must_use]
    pub fn of(erased: &Erased, key: &Destroyed) -> Self {
        Self { erased: erased.clone(), key: key.clone() }
    }

    /// The certificate of a house's node, to be signed; none if a text of it is too long, which it isn't.
    #[must_use]
    pub fn certificate(&self, network: Hash, house: NodeId) -> Option<Erasure> {
        let Self { erased, key } = self;
        Some(Erasure {
            version: Version,
            network,
            house,
            row: Text::new(erased.investor.as_str()).ok()?,
            institution: Text::new(erased.owner.as_str()).ok()?,
            reason: Text::new(erased.reason.as_str()).ok()?,
            approval: Text::new(erased.id.as_str()).ok()?,
            approved_at: ms(erased.approved_at),
            destroyed_at: ms(key.at),
            key: key.mark,
            root: u64::try_from(key.root).unwrap_or(0),
            items: u32::try_from(erased.items).unwrap_or(u32::MAX),
            accounts: u32::try_from(erased.accounts).unwrap_or(u32::MAX),
        })
    }
}
