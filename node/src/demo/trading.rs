//! Carrying out a scenario's trades on a running network, each as soon as those it depends on have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand_core::{OsRng, RngCore};
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Hash, Text};
use sudare_ledger::custodian::{Instruction, Movement, Side, TradeInstruction, TradeState};
use sudare_ledger::messages::{Message, NotaryPart, Reason, TagOpening};
use sudare_ledger::registrar::Instruction as RegistrarInstruction;
use sudare_ledger::transaction::{TxId, Window, commit_id, tag_hash, tags_root, tx_id};
use tokio::task::JoinSet;

use super::input::{AssetCode, Fault, InvestorId, Scenario, Trade, TradeKind};
use super::processes::Processes;
use super::setup::{Desk, in_time, text, trade};
use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::clock::now_ms;
use crate::operator::{PeerAnswer, PeerQuery};

/// How many trades are under way at a time.
const CONCURRENT_MAX: usize = 64;
/// How long one trade may take.
const TRADE_WITHIN: Duration = Duration::from_secs(120);
/// How often a trade is looked at.
const POLL: Duration = Duration::from_millis(15);
/// For how long instructions are valid, ms.
const VALID_MS: u64 = 600_000;

/// What became of a trade.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Settled, ms from the later instruction to both sides being settled, and to the notary's receipt.
    Settled {
        /// Until all parties had it in their books, ms.
        latency_ms: u64,
    },
    /// Refused with this code.
    Refused(String),
}

/// Carries out all trades; `progress` is told how many have ended.
///
/// # Errors
///
/// [`Failure`] if a node gives up or a trade neither settles nor is refused in time.
pub async fn carry_out(
    desk: &Arc<Desk>,
    processes: &mut Processes,
    scenario: &Arc<Scenario>,
    dependencies: &[BTreeSet<usize>],
    mut progress: impl FnMut(usize),
) -> Result<Vec<Ended>, Failure> {
    let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
    let mut waiting: Vec<usize> = (0..scenario.trades.len()).collect();
    let mut under_way: JoinSet<(usize, Result<Ended, Failure>)> = JoinSet::new();
    let mut watch = tokio::time::interval(Duration::from_millis(100));
    while ended.len() < scenario.trades.len() {
        waiting.retain(|number| {
            let free = dependencies
                .get(*number)
                .is_none_or(|before| before.iter().all(|before| ended.contains_key(before)));
            if !free || under_way.len() >= CONCURRENT_MAX {
                return true;
            }
            let (desk, scenario, number) = (Arc::clone(desk), Arc::clone(scenario), *number);
            under_way.spawn(async move { (number, carry(&desk, &scenario, number).await) });
            false
        });
        tokio::select! {
            Some(joined) = under_way.join_next() => {
                let (number, result) = joined.map_err(|error| Failure::CheckFailed(error.to_string()))?;
                ended.insert(number, result?);
                progress(ended.len());
            }
            _ = watch.tick() => { processes.watch()?; }
        }
    }
    Ok(ended.into_values().collect())
}

async fn carry(desk: &Desk, scenario: &Scenario, number: usize) -> Result<Ended, Failure> {
    let Some(row) = scenario.trades.get(number) else {
        return Err(Failure::Usage(format!("no trade {number}")));
    };
    // An investor whom no custodian knows is refused by whichever custodian is asked.
    let home = |investor: &InvestorId, other: Option<&InvestorId>| {
        let known = scenario.custodian_of(investor);
        let known = known.or_else(|| other.and_then(|other| scenario.custodian_of(other)));
        let known = known.or_else(|| scenario.investors.values().next());
        known.map(|name| name.as_str().to_owned()).unwrap_or_default()
    };
    let result = match (&row.kind, row.fault) {
        (_, Some(Fault::DoubleSpend)) => {
            return double_spend(desk, &home(&row.from, None)).await;
        }
        (TradeKind::Redeem, _) => redeem(desk, row, &home(&row.from, None)).await,
        (TradeKind::Transfer { to }, fault) => {
            let (from, to_home) = (home(&row.from, Some(to)), home(to, Some(&row.from)));
            transfer(desk, row, to, &from, &to_home, fault).await
        }
        (TradeKind::Dvp { to, cash_asset, cash_quantity }, _) => {
            let (from, to_home) = (home(&row.from, Some(to)), home(to, Some(&row.from)));
            let cash = (cash_asset, cash_quantity.atomic_units());
            dvp(desk, row, to, cash, &from, &to_home).await
        }
    };
    // A business refusal is an outcome, not a failure of the demo.
    match result {
        Err(Failure::Refused(reason)) => Ok(Ended::Refused(reason.code())),
        other => other,
    }
}

async fn transfer(
    desk: &Desk,
    row: &Trade,
    to: &InvestorId,
    from_home: &str,
    to_home: &str,
    fault: Option<Fault>,
) -> Result<Ended, Failure> {
    let mut receive = instruction(desk, row, from_home, Side::Counterparty)?;
    receive.receive = Some(movement(desk, &row.asset, to, row.quantity.atomic_units())?);
    if fault == Some(Fault::ExpiredSlot) {
        receive.slot_ms = 0;
    }
    let mut deliver = instruction(desk, row, to_home, Side::Initiator)?;
    deliver.deliver = Some(movement(desk, &row.asset, &row.from, row.quantity.atomic_units())?);
    both(desk, row, (to_home, receive), (from_home, deliver)).await
}

async fn dvp(
    desk: &Desk,
    row: &Trade,
    to: &InvestorId,
    cash: (&AssetCode, u64),
    from_home: &str,
    to_home: &str,
) -> Result<Ended, Failure> {
    let mut buyer = instruction(desk, row, from_home, Side::Counterparty)?;
    buyer.receive = Some(movement(desk, &row.asset, to, row.quantity.atomic_units())?);
    buyer.deliver = Some(movement(desk, cash.0, to, cash.1)?);
    let mut seller = instruction(desk, row, to_home, Side::Initiator)?;
    seller.deliver = Some(movement(desk, &row.asset, &row.from, row.quantity.atomic_units())?);
    seller.receive = Some(movement(desk, cash.0, &row.from, cash.1)?);
    both(desk, row, (to_home, buyer), (from_home, seller)).await
}

/// Instructs both sides and waits until both have ended.
async fn both(
    desk: &Desk,
    row: &Trade,
    waiting: (&str, TradeInstruction),
    proposing: (&str, TradeInstruction),
) -> Result<Ended, Failure> {
    desk.node(waiting.0)?.instruct(&Instruction::Trade(Box::new(waiting.1))).await?;
    desk.node(proposing.0)?.instruct(&Instruction::Trade(Box::new(proposing.1))).await?;
    wait(desk, row, &[(proposing.0, true), (waiting.0, false)]).await
}

async fn redeem(desk: &Desk, row: &Trade, home: &str) -> Result<Ended, Failure> {
    let terms = &desk.terms(row.asset.as_str())?.terms;
    let (asset, registrar) = (terms.asset(), terms.core.registrar);
    let registrar_name = desk.name_of(&registrar)?;
    let allow = RegistrarInstruction::AllowRedemption {
        trade_id: text(row.trade_id.as_str())?,
        asset,
        custodian: desk.id(home)?,
        quantity: row.quantity.atomic_units(),
    };
    desk.node(&registrar_name)?.instruct(&allow).await?;
    let mut redeem = instruction(desk, row, &registrar_name, Side::Redeemer)?;
    redeem.deliver = Some(movement(desk, &row.asset, &row.from, row.quantity.atomic_units())?);
    desk.node(home)?.instruct(&Instruction::Trade(Box::new(redeem))).await?;
    wait(desk, row, &[(home, true)]).await
}

/// Waits until every side of a trade, given as custodian and whether it initiates, has ended.
async fn wait(desk: &Desk, row: &Trade, sides: &[(&str, bool)]) -> Result<Ended, Failure> {
    let id: Text<35> = text(row.trade_id.as_str())?;
    let deadline = tokio::time::Instant::now() + TRADE_WITHIN;
    let mut latency_ms = 0;
    for (custodian, initiates) in sides {
        loop {
            let views = desk.trade(custodian, &id).await?;
            let view = views.iter().find(|view| (view.side != Side::Counterparty) == *initiates);
            if let Some(view) = view {
                match (view.state, view.reason) {
                    (TradeState::Settled, _) => {
                        latency_ms = latency_ms.max(view.since.saturating_sub(view.begun));
                        break;
                    }
                    // The initiator is asked first: its reason is the cause, the other side's only says that it gave up.
                    (TradeState::Refused, reason) => {
                        return Err(Failure::Refused(reason.unwrap_or(Reason::Internal)));
                    }
                    _ => (),
                }
            }
            in_time(deadline, &format!("trade {}", row.trade_id.as_str()))?;
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(Ended::Settled { latency_ms })
}

/// A hostile custodian signs two commits under one tag and sends both to the notary at once, on two connections.
///
/// The tag is its own, so both spends are well signed; the notary knows no notes and so can't tell. Exactly one may be recorded.
async fn double_spend(desk: &Desk, custodian: &str) -> Result<Ended, Failure> {
    let connection = desk.node(custodian)?;
    let notary = connection.member("notary")?.id;
    let second = Connection::open(&connection.node.config_file)?;
    let key = SpendKey::random(&mut OsRng);
    let (one, one_tx) = commit(connection.node.network, notary, &key)?;
    let (two, two_tx) = commit(connection.node.network, notary, &key)?;
    let (first, other) = tokio::join!(connection.tell(&notary, &one), second.tell(&notary, &two));
    first?;
    other?;
    let deadline = tokio::time::Instant::now() + TRADE_WITHIN;
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

fn instruction(
    desk: &Desk,
    row: &Trade,
    other: &str,
    side: Side,
) -> Result<TradeInstruction, Failure> {
    let mut instruction = trade(desk.id(other)?, side, &text(row.trade_id.as_str())?, VALID_MS)?;
    instruction.trade.delivery_date = text(&row.delivery_date.to_string())?;
    instruction.trade.kind = text(row.kind.name())?;
    Ok(instruction)
}

fn movement(
    desk: &Desk,
    code: &AssetCode,
    investor: &InvestorId,
    quantity: u64,
) -> Result<Movement, Failure> {
    let asset = desk.terms(code.as_str())?.terms.asset();
    Ok(Movement { asset, investor: text(investor.as_str())?, quantity })
}
