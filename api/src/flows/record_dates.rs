//! Record dates: once one is over, the registrar's node fixes the register in its log.
//!
//! Nobody has to do it: the date stands in the product's master, and a register that was not fixed in time can't be fixed later.

use sudare_crypto::encoding::encode;
use sudare_ledger::registrar::{Instruction, SnapshotView, When};
use sudare_ledger::role::Role;

use super::node::{Node, Unanswered};
use super::{end_of, ms, today};
use crate::calendar::{Adjustment, Calendar, ComputedDate};
use crate::http::Api;
use crate::store::{Fixed, Kept, Nominal, StoreError};

/// A snapshot is a record date's until so long after its end, and later only if nothing has happened meanwhile, ms.
const LATE_MS: u64 = 24 * 3600 * 1000;
/// An adjustment moves no date by as many days: from so far on dates are looked at.
const MOVED_DAYS_MAX: i32 = 31;

/// What becomes of a record date by the newest calendar; none if it doesn't reach that date.
pub(crate) fn adjusted(date: &str, adjustment: &str) -> Option<ComputedDate> {
    let class = Adjustment::parse(adjustment)?;
    Calendar::newest().adjust(date.parse().ok()?, class).ok()
}

impl Api {
    /// [RGI-4]: fixes registers whose record date is over, and keeps which snapshot did.
    pub(crate) async fn fix_registers(&self, node: &dyn Node) -> Result<(), StoreError> {
        if node.role() != Role::Registrar {
            return Ok(());
        }
        let until = today(self.time()).plus_days(MOVED_DAYS_MAX);
        let until = until.map_or_else(|| "9999-12-31".to_owned(), |date| date.to_string());
        for nominal in self.store().open_record_dates(self.house(), &until).await? {
            let Some(computed) = adjusted(&nominal.date, &nominal.adjustment) else { continue };
            let due = end_of(computed.date);
            if self.time() < due {
                continue;
            }
            match fixed(node, &nominal, (ms(due), ms(self.time()))).await {
                Ok(Some(fixed)) => {
                    let kept = Kept {
                        which: nominal.which,
                        nominal: nominal.date.clone(),
                        date: computed.date.to_string(),
                        calendar: computed.calendar.to_string(),
                        due,
                        fixed,
                    };
                    self.store().keep_record_date(&nominal, &kept).await?;
                }
                Ok(None) => (),
                Err(error) => tracing::debug!(%error, "a register waits to be fixed"),
            }
        }
        Ok(())
    }
}

/// The snapshot of a record date that is over since `due`, which is taken now if there is none; or that it is too late for one. None
/// while there is no such asset.
async fn fixed(
    node: &dyn Node,
    nominal: &Nominal,
    (due, now): (u64, u64),
) -> Result<Option<Option<Fixed>>, Unanswered> {
    let assets = node.assets().await?;
    let known = assets.iter().find(|one| one.terms.core.code.as_str() == nominal.isin);
    let Some(asset) = known.map(|signed| signed.terms.asset()) else { return Ok(None) };
    let then = node.register(asset, When::Time(due.saturating_sub(1))).await?;
    let Some(size) = then.map(|head| head.size).filter(|size| *size > 0) else {
        return Ok(Some(None));
    };
    let taken = |snapshots: Vec<SnapshotView>| snapshots.into_iter().find(|one| one.at >= due);
    if let Some(found) = taken(node.snapshots(asset).await?) {
        return Ok(Some(in_time(&found, size, due)));
    }
    let head = node.register(asset, When::Now).await?;
    let unmoved = head.is_some_and(|head| head.size == size);
    if !unmoved && now.saturating_sub(due) > LATE_MS {
        return Ok(Some(None));
    }
    node.instruct(encode(&Instruction::Snapshot(asset))).await?;
    let found = taken(node.snapshots(asset).await?);
    Ok(found.map(|found| in_time(&found, size, due)))
}

/// A snapshot as that of a record date, at whose end the log had `size` entries.
fn in_time(found: &SnapshotView, size: u64, due: u64) -> Option<Fixed> {
    let after = found.entry.saturating_sub(size);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let fixed = Fixed {
        snapshot: i64::from(found.number),
        entry: number(found.entry),
        taken: number(found.at).saturating_mul(1000),
        entries_after: number(after),
    };
    Some(fixed).filter(|_| after == 0 || found.at.saturating_sub(due) <= LATE_MS)
}
