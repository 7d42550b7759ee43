//! Carrying out a scenario's trades on a running network, each as soon as those it depends on have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sudare_crypto::Text;
use sudare_ledger::custodian::{
    Instruction, Movement, Side, TradeInstruction, TradeState, TradeView,
};
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::Instruction as RegistrarInstruction;
use tokio::task::JoinSet;

use super::faults;
use super::input::{AssetCode, Fault, InvestorId, Scenario, Trade, TradeKind};
use super::processes::Processes;
use super::setup::{Desk, in_time, text, trade};
use crate::cli::Failure;
use crate::clock::now_ms;

/// How many trades are under way at a time.
const CONCURRENT_MAX: usize = 64;
/// How long one trade may take.
const TRADE_WITHIN: Duration = Duration::from_secs(300);
/// How long after its instruction a trade is looked at first; each time after that, it is half as long again.
const POLL: Duration = Duration::from_millis(15);
/// How long is the longest time between two looks.
const POLL_MAX: Duration = Duration::from_millis(250);
/// For how long instructions are valid, ms.
const VALID_MS: u64 = 600_000;
/// How long a transaction's window is, ms: long enough for nodes that are killed and started again meanwhile.
const WINDOW_MS: u64 = 90_000;

/// What became of a trade.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ended {
    /// All of it moved.
    Settled {
        /// ms from the later instruction until all parties had it in their books.
        latency_ms: u64,
        /// When that was, ms since the Unix epoch.
        at_ms: u64,
    },
    /// Refused with this code.
    Refused(String),
}

/// The trades that are under way: where each stands and whom it waits for.
#[derive(Debug, Default)]
pub struct UnderWay(Mutex<BTreeMap<usize, Stands>>);

/// Where a trade stands, who waits, and for whom.
type Stands = (TradeState, Option<(String, String)>);

/// How many trades are in a state, or wait for somebody.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// By state.
    pub states: BTreeMap<String, u64>,
    /// By who waits, and for whom.
    pub waits: BTreeMap<(String, String), u64>,
}

impl UnderWay {
    /// Adds up what is known now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let mut standing = Standing::default();
        let trades = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (state, waits) in trades.values() {
            let count = standing.states.entry(state.to_string()).or_default();
            *count = count.saturating_add(1);
            if let Some(waits) = waits {
                let count = standing.waits.entry(waits.clone()).or_default();
                *count = count.saturating_add(1);
            }
        }
        standing
    }

    fn note(&self, number: usize, state: TradeState, waits: Option<(String, String)>) {
        let mut trades = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trades.insert(number, (state, waits));
    }

    fn forget(&self, number: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }
}

/// The trades of a scenario on a network.
#[derive(Debug)]
pub struct Floor {
    /// The network.
    pub desk: Desk,
    /// What is to be traded.
    pub scenario: Arc<Scenario>,
    /// What is under way.
    pub under_way: UnderWay,
}

/// Which trades may begin, as others end.
struct Order {
    /// How many trades each one still waits for.
    blockers: Vec<usize>,
    /// Who waits for each one.
    followers: Vec<Vec<usize>>,
    /// Who waits for nobody, in the order of the file.
    ready: BTreeSet<usize>,
}

impl Order {
    fn new(dependencies: &[BTreeSet<usize>]) -> Self {
        let blockers: Vec<usize> = dependencies.iter().map(BTreeSet::len).collect();
        let mut followers = vec![Vec::new(); dependencies.len()];
        let mut ready = BTreeSet::new();
        for (number, before) in dependencies.iter().enumerate() {
            if before.is_empty() {
                ready.insert(number);
            }
            for before in before {
                if let Some(followers) = followers.get_mut(*before) {
                    followers.push(number);
                }
            }
        }
        Self { blockers, followers, ready }
    }

    fn ended(&mut self, number: usize) {
        let followers = self.followers.get_mut(number).map(std::mem::take).unwrap_or_default();
        for follower in followers {
            let Some(blockers) = self.blockers.get_mut(follower) else { continue };
            *blockers = blockers.saturating_sub(1);
            if *blockers == 0 {
                self.ready.insert(follower);
            }
        }
    }
}

/// Carries out all trades; `progress` is told how many have ended, also when nothing changes.
///
/// # Errors
///
/// [`Failure`] if a node gives up or a trade neither settles nor is refused in time.
pub async fn carry_out(
    floor: &Arc<Floor>,
    processes: &mut Processes,
    dependencies: &[BTreeSet<usize>],
    mut progress: impl FnMut(usize),
) -> Result<Vec<Ended>, Failure> {
    let mut ended: BTreeMap<usize, Ended> = BTreeMap::new();
    let mut order = Order::new(dependencies);
    let mut under_way: JoinSet<(usize, Result<Ended, Failure>)> = JoinSet::new();
    let mut watch = tokio::time::interval(Duration::from_millis(100));
    while ended.len() < dependencies.len() {
        while under_way.len() < CONCURRENT_MAX
            && let Some(number) = order.ready.pop_first()
        {
            let floor = Arc::clone(floor);
            under_way.spawn(async move {
                let result = carry(&floor, number).await;
                floor.under_way.forget(number);
                (number, result)
            });
        }
        tokio::select! {
            Some(joined) = under_way.join_next() => {
                let (number, result) = joined.map_err(|error| Failure::CheckFailed(error.to_string()))?;
                ended.insert(number, result?);
                order.ended(number);
                progress(ended.len());
            }
            _ = watch.tick() => {
                processes.watch()?;
                progress(ended.len());
            }
        }
    }
    Ok(ended.into_values().collect())
}

async fn carry(floor: &Floor, number: usize) -> Result<Ended, Failure> {
    let scenario = &floor.scenario;
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
    let one = One { floor, number, row };
    let result = match (&row.kind, row.fault) {
        (_, Some(Fault::DoubleSpend)) => {
            return faults::double_spend(&floor.desk, &home(&row.from, None)).await;
        }
        (TradeKind::Redeem, _) => redeem(one, &home(&row.from, None)).await,
        (TradeKind::Transfer { to }, fault) => {
            let (from, to_home) = (home(&row.from, Some(to)), home(to, Some(&row.from)));
            transfer(one, to, &from, &to_home, fault).await
        }
        (TradeKind::Dvp { to, cash_asset, cash_quantity }, _) => {
            let (from, to_home) = (home(&row.from, Some(to)), home(to, Some(&row.from)));
            let cash = (cash_asset, cash_quantity.atomic_units());
            dvp(one, to, cash, &from, &to_home).await
        }
    };
    // A business refusal is an outcome, not a failure of the demo.
    match result {
        Err(Failure::Refused(reason)) => Ok(Ended::Refused(reason.code())),
        other => other,
    }
}

/// One trade of the floor.
#[derive(Clone, Copy)]
struct One<'a> {
    floor: &'a Floor,
    number: usize,
    row: &'a Trade,
}

async fn transfer(
    one: One<'_>,
    to: &InvestorId,
    from_home: &str,
    to_home: &str,
    fault: Option<Fault>,
) -> Result<Ended, Failure> {
    let (desk, row) = (&one.floor.desk, one.row);
    let mut receive = instruction(desk, row, from_home, Side::Counterparty)?;
    receive.receive = Some(movement(desk, &row.asset, to, row.quantity.atomic_units())?);
    let mut deliver = instruction(desk, row, to_home, Side::Initiator)?;
    deliver.deliver = Some(movement(desk, &row.asset, &row.from, row.quantity.atomic_units())?);
    match fault {
        Some(Fault::ExpiredSlot) => receive.slot_ms = 0,
        Some(Fault::Late) => {
            deliver.expires_at = now_ms().saturating_add(faults::LATE_MS);
            desk.node(from_home)?.instruct(&Instruction::Trade(Box::new(deliver))).await?;
            return wait(one, &[(from_home, true)]).await;
        }
        Some(Fault::Cancelled) => {
            faults::cancelled(desk, (to_home, receive), (from_home, deliver)).await?;
            return wait(one, &[(from_home, true)]).await;
        }
        Some(fault @ (Fault::Frozen | Fault::Closed)) => {
            faults::hinder(desk, row, fault, true).await?;
            let result = both(one, (to_home, receive), (from_home, deliver)).await;
            faults::hinder(desk, row, fault, false).await?;
            return result;
        }
        Some(Fault::DoubleSpend) | None => (),
    }
    both(one, (to_home, receive), (from_home, deliver)).await
}

async fn dvp(
    one: One<'_>,
    to: &InvestorId,
    cash: (&AssetCode, u64),
    from_home: &str,
    to_home: &str,
) -> Result<Ended, Failure> {
    let (desk, row) = (&one.floor.desk, one.row);
    let mut buyer = instruction(desk, row, from_home, Side::Counterparty)?;
    buyer.receive = Some(movement(desk, &row.asset, to, row.quantity.atomic_units())?);
    buyer.deliver = Some(movement(desk, cash.0, to, cash.1)?);
    let mut seller = instruction(desk, row, to_home, Side::Initiator)?;
    seller.deliver = Some(movement(desk, &row.asset, &row.from, row.quantity.atomic_units())?);
    seller.receive = Some(movement(desk, cash.0, &row.from, cash.1)?);
    both(one, (to_home, buyer), (from_home, seller)).await
}

/// Instructs both sides and waits until both have ended.
async fn both(
    one: One<'_>,
    waiting: (&str, TradeInstruction),
    proposing: (&str, TradeInstruction),
) -> Result<Ended, Failure> {
    let desk = &one.floor.desk;
    desk.node(waiting.0)?.instruct(&Instruction::Trade(Box::new(waiting.1))).await?;
    desk.node(proposing.0)?.instruct(&Instruction::Trade(Box::new(proposing.1))).await?;
    wait(one, &[(proposing.0, true), (waiting.0, false)]).await
}

async fn redeem(one: One<'_>, home: &str) -> Result<Ended, Failure> {
    let (desk, row) = (&one.floor.desk, one.row);
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
    wait(one, &[(home, true)]).await
}

/// Waits until every side of a trade, given as custodian and whether it initiates, has ended.
async fn wait(one: One<'_>, sides: &[(&str, bool)]) -> Result<Ended, Failure> {
    let desk = &one.floor.desk;
    let id: Text<35> = text(one.row.trade_id.as_str())?;
    let deadline = tokio::time::Instant::now() + TRADE_WITHIN;
    let (mut latency_ms, mut at_ms, mut pause) = (0, 0, POLL);
    for (custodian, initiates) in sides {
        loop {
            let views = desk.trade(custodian, &id).await?;
            let view = views.iter().find(|view| (view.side != Side::Counterparty) == *initiates);
            match view.map(|view| (view, view.state)) {
                Some((view, TradeState::Settled)) => {
                    latency_ms = latency_ms.max(view.since.saturating_sub(view.begun));
                    at_ms = at_ms.max(view.since);
                    break;
                }
                // The initiator is asked first: its reason is the cause, the other side's only says that it gave up.
                Some((view, TradeState::Refused)) => {
                    return Err(Failure::Refused(view.reason.unwrap_or(Reason::Internal)));
                }
                Some((view, state)) => one.note(custodian, state, view),
                None => (),
            }
            in_time(deadline, &format!("trade {}", one.row.trade_id.as_str()))?;
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(3).checked_div(2).unwrap_or(POLL_MAX).min(POLL_MAX);
        }
    }
    Ok(Ended::Settled { latency_ms, at_ms })
}

impl One<'_> {
    fn note(&self, custodian: &str, state: TradeState, view: &TradeView) {
        let name = |id| self.floor.desk.name_of(id).unwrap_or_default();
        let waits = view.waiting.as_ref().map(|id| (custodian.to_owned(), name(id)));
        self.floor.under_way.note(self.number, state, waits);
    }
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
    instruction.window_ms = WINDOW_MS;
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
