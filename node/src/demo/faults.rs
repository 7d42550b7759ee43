//! What the demo does wrong on purpose, so that it can be seen refused.

use std::time::Duration;

use rand_core::{OsRng, RngCore};
use sudare_crypto::Hash;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_ledger::custodian::{Instruction, Side, TradeInstruction, TradeKey};
use sudare_ledger::messages::{Message, NotaryPart, Reason, TagOpening};
use sudare_ledger::registrar::Instruction as RegistrarInstruction;
use sudare_ledger::transaction::{TxId, Window, commit_id, tag_hash, tags_root, tx_id};

use super::input::{Fault, Trade};
use super::setup::{Desk, in_time};
use super::trading::Ended;
use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::clock::now_ms;
use crate::operator::{PeerAnswer, PeerQuery};

/// For how long the instruction of a trade is valid whose other side comes too late, ms.
pub(super) const LATE_MS: u64 = 1_500;
/// How long a race at the notary may take.
const RACE_WITHIN: Duration = Duration::from_secs(120);
/// How often the notary is asked who won.
const POLL: Duration = Duration::from_millis(15);

/// Freezes the delivering account or closes the asset, or ends that, as the registrar's operator.
pub(super) async fn hinder(
    desk: &Desk,
    row: &Trade,
    fault: Fault,
    begins: bool,
) -> Result<(), Failure> {
    let terms = &desk.terms(row.asset.as_str())?.terms;
    let (asset, registrar) = (terms.asset(), desk.name_of(&terms.core.registrar)?);
    let registrar = desk.node(&registrar)?;
    if fault == Fault::Closed {
        let set = RegistrarInstruction::SetOpen { asset, open: !begins };
        return registrar.instruct(&set).await.map(|_| ());
    }
    let lines = registrar.register(asset).await?;
    let line = lines.iter().find(|line| line.investor.as_str() == row.from.as_str());
    // Who has no account can't be frozen; the trade is refused for that.
    let Some(line) = line else { return Ok(()) };
    let freeze = RegistrarInstruction::Freeze { asset, account: line.account, frozen: begins };
    registrar.instruct(&freeze).await.map(|_| ())
}

/// Each side's operator instructs its node and cancels, the proposing side last: it needs the other's consent.
pub(super) async fn cancelled(
    desk: &Desk,
    waiting: (&str, TradeInstruction),
    proposing: (&str, TradeInstruction),
) -> Result<(), Failure> {
    for (custodian, instruction) in [waiting, proposing] {
        let key = TradeKey {
            trade_id: instruction.trade.trade_id.clone(),
            counterparty: instruction.counterparty,
            initiates: instruction.side == Side::Initiator,
        };
        let node = desk.node(custodian)?;
        node.instruct(&Instruction::Trade(Box::new(instruction))).await?;
        node.instruct(&Instruction::Cancel(key)).await?;
    }
    Ok(())
}

/// A hostile custodian signs two commits under one tag and sends both to the notary at once, on two connections.
///
/// The tag is its own, so both spends are well signed; the notary knows no notes and so can't tell. Exactly one may be recorded.
pub(super) async fn double_spend(desk: &Desk, custodian: &str) -> Result<Ended, Failure> {
    let connection = desk.node(custodian)?;
    let notary = connection.member("notary")?.id;
    let second = Connection::open(&connection.node.config_file)?;
    let key = SpendKey::random(&mut OsRng);
    let (one, one_tx) = commit(connection.node.network, notary, &key)?;
    let (two, two_tx) = commit(connection.node.network, notary, &key)?;
    let (first, other) = tokio::join!(connection.tell(&notary, &one), second.tell(&notary, &two));
    first?;
    other?;
    let deadline = tokio::time::Instant::now() + RACE_WITHIN;
    loop {
        let receipts = [receipt(connection, &one_tx).await?, receipt(connection, &two_tx).await?];
        match receipts {
            [true, true] => {
                return Err(Failure::CheckFailed("the notary recorded a double spend".into()));
            }
            [false, false] => in_time(deadline, "the double-spend race")?,
            _ => return Ok(Ended::Refused(Reason::Spent.code())),
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn receipt(connection: &Connection, tx: &TxId) -> Result<bool, Failure> {
    let notary = connection.member("notary")?.id;
    match connection.peer_query(&notary, &PeerQuery::Receipt(*tx)).await? {
        PeerAnswer::Receipt(receipt) => Ok(receipt.is_some()),
        _ => Err(Failure::Node("the notary answered something else".into())),
    }
}

/// A commit with one tag, over hashes of nothing.
fn commit(
    network: Hash,
    notary: sudare_crypto::NodeId,
    key: &SpendKey,
) -> Result<(Message, TxId), Failure> {
    let random = || {
        let mut bytes = [0; 32];
        OsRng.fill_bytes(&mut bytes);
        bytes
    };
    let (salt, legs_root, approvals_root) = (random(), Hash(random()), Hash(random()));
    let window = Window::around(now_ms(), 30_000);
    let tags = vec![tag_hash(&salt, &key.tag())];
    let root = tags_root(&tags).ok_or_else(|| Failure::Usage("no tags".into()))?;
    let tx = tx_id(legs_root, root, network, notary, window);
    let signature = tag::sign(key, commit_id(tx, approvals_root).0, &mut OsRng)?;
    let openings = vec![TagOpening { salt, tag: key.tag(), signature }];
    let (tags, openings) = (tags.try_into()?, openings.try_into()?);
    Ok((Message::Notarise(NotaryPart { window, legs_root, approvals_root, tags, openings }), tx))
}
