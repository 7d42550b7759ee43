//! Instructs transfers, and waits for them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sudare::cli::Failure;
use sudare::demo::report::Latency;
use sudare::demo::setup::{Desk, text, trade};
use sudare::operator::{OperatorAnswer, OperatorQuery};
use sudare_disclosure::AssetId;
use sudare_ledger::custodian::{Instruction, Movement, Side, TradeState};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::moves::Move;
use super::{ASSET, Failed, IN_FLIGHT, REGISTRAR};

/// How long no transfer may settle.
const STALL: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const VALID_MS: u64 = 600_000;

/// Transfers to be made, [`IN_FLIGHT`] at a time.
pub(super) struct Drive<'a> {
    pub(super) desk: &'a Arc<Desk>,
    /// What the transfer with a number is.
    pub(super) moves: fn(u64) -> Move,
    /// The first and the last number.
    pub(super) numbers: Range<u64>,
    /// One each so long, at most.
    pub(super) pace: Duration,
    /// No more are begun after so long.
    pub(super) at_most: Duration,
}

impl Drive<'_> {
    /// Runs until all transfers that were begun are in the asset's log, whose length is all that is asked meanwhile; `look`
    /// hears how many are settled after how long. Gives how many were.
    pub(super) async fn run(
        self,
        mut look: impl FnMut(u64, Duration) -> Result<(), Failed>,
    ) -> Result<u64, Failed> {
        let asset = self.desk.terms(ASSET)?.terms.asset();
        let begin = entries(self.desk, asset).await?;
        let mut count = self.numbers.end.saturating_sub(self.numbers.start);
        let (mut begun, mut settled) = (0u64, 0u64);
        let mut instructing: JoinSet<Result<(), Failure>> = JoinSet::new();
        let start = Instant::now();
        let (mut deadline, mut next) = (start + STALL, start);
        while settled < count {
            if start.elapsed() >= self.at_most {
                count = begun;
            }
            while begun < count
                && begun.saturating_sub(settled) < IN_FLIGHT
                && next <= Instant::now()
            {
                next += self.pace;
                let one = (self.moves)(self.numbers.start.saturating_add(begun));
                let desk = Arc::clone(self.desk);
                instructing.spawn(async move { instruct(&desk, asset, &one).await });
                begun = begun.saturating_add(1);
            }
            while let Some(joined) = instructing.try_join_next() {
                joined.map_err(|error| Failed::Wrong(error.to_string()))??;
            }
            tokio::time::sleep(POLL).await;
            let now = entries(self.desk, asset).await?.saturating_sub(begin);
            if now > settled {
                deadline = Instant::now() + STALL;
            } else if Instant::now() > deadline {
                return Err(Failed::Wrong(format!("only {now} of {count} transfers settle")));
            }
            settled = now;
            look(settled, start.elapsed())?;
        }
        Ok(settled)
    }
}

/// Both sides of a transfer, the receiver's first.
async fn instruct(desk: &Desk, asset: AssetId, one: &Move) -> Result<(), Failure> {
    let movement = |investor: &str| -> Result<Movement, Failure> {
        Ok(Movement { asset, investor: text(investor)?, quantity: one.quantity })
    };
    let id = one.trade_id()?;
    let mut receive = trade(desk.id(&one.from)?, Side::Counterparty, &id, VALID_MS)?;
    receive.receive = Some(movement(&one.receiver)?);
    desk.node(&one.to)?.instruct(&Instruction::Trade(Box::new(receive))).await?;
    let mut deliver = trade(desk.id(&one.to)?, Side::Initiator, &id, VALID_MS)?;
    deliver.deliver = Some(movement(&one.sender)?);
    desk.node(&one.from)?.instruct(&Instruction::Trade(Box::new(deliver))).await?;
    Ok(())
}

/// How many entries the asset's log has.
async fn entries(desk: &Desk, asset: AssetId) -> Result<u64, Failed> {
    let answer = desk.node(REGISTRAR)?.query(&OperatorQuery::Assets).await?;
    let OperatorAnswer::Assets(lines) = answer else {
        return Err(Failed::Wrong("the registrar answered something else".into()));
    };
    let line = lines.into_iter().find(|line| line.terms.terms.asset() == asset);
    let totals = line.and_then(|line| line.register);
    totals.map(|totals| totals.entries).ok_or_else(|| Failed::Wrong("the asset is gone".into()))
}

/// Waits until both sides of all transfers have settled; gives the time from the first instruction to the last settlement, by
/// the nodes' clocks, and how long each took.
pub(super) async fn ended(
    desk: &Desk,
    moves: impl Iterator<Item = Move>,
) -> Result<(u64, Latency), Failed> {
    let (mut first, mut last, mut took) = (u64::MAX, 0u64, BTreeMap::new());
    let deadline = Instant::now() + STALL;
    for one in moves {
        let id = one.trade_id()?;
        for home in [&one.from, &one.to] {
            let view = loop {
                let views = desk.trade(home, &id).await?;
                let view = views.into_iter().next();
                match view {
                    Some(view) if view.state == TradeState::Settled => break view,
                    Some(view) if view.state.is_ended() => {
                        return Err(Failed::Wrong(format!("transfer {id}: {:?}", view.reason)));
                    }
                    _ if Instant::now() > deadline => {
                        return Err(Failed::Wrong(format!("transfer {id} does not settle")));
                    }
                    _ => tokio::time::sleep(POLL).await,
                }
            };
            (first, last) = (first.min(view.begun), last.max(view.since));
            let longest = took.entry(one.id.clone()).or_insert(0u64);
            *longest = (*longest).max(view.since.saturating_sub(view.begun));
        }
    }
    let latency = Latency::of(took.into_values().collect());
    let latency = latency.ok_or_else(|| Failed::Wrong("nothing was settled".into()))?;
    Ok((last.saturating_sub(first), latency))
}
