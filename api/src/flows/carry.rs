//! Carries instructions to the node, and notes what becomes of them there.

use std::sync::Arc;
use std::time::Duration;

use sudare_crypto::encoding::encode;
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::Instruction;
use sudare_ledger::role::Role;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::node::{Node, Unanswered};
use super::standing::{Standing, State};
use super::{Market, today};
use crate::calendar::BusinessDate;
use crate::http::Api;
use crate::store::{Noted, Operation, StoreError};

/// How many operations are looked at side by side.
const PAGE: usize = 64;
/// How long to wait at least before looking again: what happens meanwhile is noted at once.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// How long to wait at most: time passes for instructions without anything happening at the node.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often refused trades are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// For how long after it was instructed a refused trade may be paid, in microseconds: as long as its slot stands, and what is carried over
/// as often as that may be.
const PAID_WITHIN_US: i64 = 14 * 24 * 3_600 * 1_000_000;
/// How far the clocks of two custodians may be apart when both carry a trade over, ms.
const CLOCKS_APART_MS: u64 = 60_000;

impl Api {
    /// Carries instructions until it is dropped, or the node has stopped. Of no use without a node.
    pub async fn carry(&self) {
        let Some(node) = self.node().cloned() else { return };
        let mut heights = node.heights();
        let (mut again, mut seen) = (Instant::now(), 0);
        loop {
            let began = Instant::now();
            // What is read now was so at this height, or has become so since.
            let height = *heights.borrow_and_update();
            let looked = async {
                self.tell_gates(node.as_ref()).await?;
                self.fix_registers(node.as_ref()).await?;
                self.look(&node, height).await?;
                if height != seen && began >= again {
                    self.look_again(&node, height).await?;
                    (again, seen) = (Instant::now() + LOOK_AGAIN, height);
                }
                Ok::<_, StoreError>(())
            };
            if let Err(error) = looked.await {
                tracing::error!(%error, "instructions were not carried");
                sleep(PAUSE_MAX).await;
            }
            // A fifth of a core at most, however many instructions wait.
            sleep(began.elapsed().saturating_mul(4).max(PAUSE_MIN)).await;
            let happened = async {
                tokio::select! {
                    changed = heights.changed() => changed.is_ok(),
                    () = self.instructed() => true,
                }
            };
            if timeout(PAUSE_MAX, happened).await == Ok(false) {
                return;
            }
        }
    }

    /// Tells a registrar's node of which assets it is to take legs.
    async fn tell_gates(&self, node: &dyn Node) -> Result<(), StoreError> {
        if node.role() != Role::Registrar {
            return Ok(());
        }
        for gate in self.store().untold_gates().await? {
            let assets = match node.assets().await {
                Ok(assets) => assets,
                Err(error) => {
                    tracing::debug!(%error, "an asset waits to be opened or closed");
                    return Ok(());
                }
            };
            // A product that has no asset yet is told once it has one.
            let known = assets.iter().find(|one| one.terms.core.code.as_str() == gate.isin);
            let Some(known) = known else { continue };
            let set = Instruction::SetOpen { asset: known.terms.asset(), open: gate.open };
            match node.instruct(encode(&set)).await {
                Ok(()) => self.store().told(&gate).await?,
                Err(error) => tracing::warn!(%error, "an asset was not opened or closed"),
            }
        }
        Ok(())
    }

    /// [INS-5]: looks once at every refused trade that may have been paid after all.
    async fn look_again(&self, node: &Arc<dyn Node>, height: u64) -> Result<(), StoreError> {
        let since = self.time().saturating_sub(PAID_WITHIN_US);
        let mut after = String::new();
        loop {
            let page = self.store().refused_trades(since, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.id);
            let mut changes = Vec::new();
            for operation in page {
                changes.extend(paid(&operation, node.as_ref()).await);
            }
            self.note(&changes, height).await?;
        }
    }

    /// Looks once at every operation that has not ended.
    async fn look(&self, node: &Arc<dyn Node>, height: u64) -> Result<(), StoreError> {
        let day = match self.market() {
            None => None,
            Some(market) => {
                let open = self.store().market().await?.open;
                Some(Day { market: Arc::clone(market), open, now: self.time() })
            }
        };
        let mut after = String::new();
        loop {
            let page = self.store().open_operations(&after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.id);
            let mut looks = JoinSet::new();
            for operation in page {
                let (node, day) = (Arc::clone(node), day.clone());
                looks.spawn(async move {
                    let noted = look_at(&operation, node.as_ref(), day.as_ref()).await;
                    (operation.newest.standing, noted)
                });
            }
            let mut changes = Vec::new();
            while let Some(look) = looks.join_next().await {
                match look {
                    Ok((before, Ok(noted))) if noted.standing != before => changes.push(noted),
                    Ok((_, Ok(_))) => (),
                    Ok((_, Err(error))) => tracing::debug!(%error, "an instruction waits"),
                    Err(error) => tracing::error!(%error, "an instruction was not carried"),
                }
            }
            changes.sort_by(|one, other| one.id.cmp(&other.id));
            self.note(&changes, height).await?;
        }
    }
}

/// Where a refused trade stands if it was paid after all.
async fn paid(operation: &Operation, node: &dyn Node) -> Option<Noted> {
    let Standing { delivery_date, carried_over, .. } = operation.newest.standing.clone();
    let now = operation.order.standing(node).await.ok()?;
    let standing = Standing { delivery_date, carried_over, ..now };
    let settled = standing.state == State::Settled;
    settled.then(|| Noted { id: operation.id.clone(), standing, order: None })
}

/// The business day at one moment.
#[derive(Clone)]
struct Day {
    market: Arc<Market>,
    open: bool,
    /// Microseconds since the Unix epoch.
    now: i64,
}

/// Where an operation stands now. It is given to the node if it was not yet and its time has come.
async fn look_at(
    operation: &Operation,
    node: &dyn Node,
    day: Option<&Day>,
) -> Result<Noted, Unanswered> {
    let before = &operation.newest.standing;
    let due = day.and_then(|day| Some((day, operation.order.date()?)));
    let noted = |standing: Standing| Noted {
        id: operation.id.clone(),
        standing: Standing {
            delivery_date: before.delivery_date.clone(),
            carried_over: before.carried_over,
            ..standing
        },
        order: None,
    };
    if before.state.is_at_node() {
        let asked = before.cancel_requested_ms.is_some();
        if let (true, false, Some(wish)) =
            (operation.cancel_wanted, asked, operation.order.cancellation())
        {
            match node.instruct(wish).await {
                // Too late, or done already: where it stands says so.
                Ok(()) | Err(Unanswered::Refused(_)) => (),
                Err(later) => return Err(later),
            }
        }
    } else {
        if operation.cancel_wanted {
            return Ok(noted(Standing::refused(Reason::Cancelled)));
        }
        if let Some((day, date)) = due {
            if day.now >= day.market.cut_off(operation.flow, date) {
                return Ok(carried(operation, day, date)
                    .unwrap_or_else(|| noted(Standing::refused(Reason::Lapsed))));
            }
            // What was taken while the market was open goes on when it is closed.
            let opens = day.open || before.state == State::Received;
            if today(day.now) < date || !opens {
                let waits = match before.state {
                    State::CarriedOver => State::CarriedOver,
                    _ => State::Scheduled,
                };
                return Ok(noted(Standing::at(waits)));
            }
        }
        match node.instruct(operation.order.bytes()).await {
            Ok(()) => (),
            Err(Unanswered::Refused(reason)) => return Ok(noted(Standing::refused(reason))),
            Err(later) => return Err(later),
        }
    }
    let now = operation.order.standing(node).await?;
    match due {
        Some((day, date)) if is_late(&now, day.market.cut_off(operation.flow, date)) => {
            Ok(carried(operation, day, date).unwrap_or_else(|| noted(now)))
        }
        _ => Ok(noted(now)),
    }
}

/// [MKT-3]: the operation on the next business day, if it may go on.
fn carried(operation: &Operation, day: &Day, date: BusinessDate) -> Option<Noted> {
    let Standing { state, carried_over: times, .. } = operation.newest.standing;
    if state.is_at_node() && !operation.order.can_go_again() {
        return None;
    }
    let next = day.market.carried(date, times)?;
    let until = day.market.cut_off(operation.flow, next);
    let standing = Standing {
        delivery_date: Some(next.to_string()),
        carried_over: times.saturating_add(1),
        ..Standing::at(State::CarriedOver)
    };
    let order = operation.order.on(next, ms(until))?;
    Some(Noted { id: operation.id.clone(), standing, order: Some(order) })
}

/// Whether a trade ended because its day did, here or, as the other side's clock has it, there.
fn is_late(standing: &Standing, cut_off: i64) -> bool {
    let since = standing.since_ms.unwrap_or(0);
    let cut_off = ms(cut_off);
    standing.state == State::Refused
        && match standing.reason.as_deref() {
            Some("lapsed") => since >= cut_off,
            Some("abandoned") => since.saturating_add(CLOCKS_APART_MS) >= cut_off,
            _ => false,
        }
}

/// ms of microseconds since the Unix epoch.
pub(crate) fn ms(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0) / 1000
}
