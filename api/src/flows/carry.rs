//! Carries instructions to the node, and notes what becomes of them there.

use std::sync::Arc;
use std::time::Duration;

use sudare_crypto::encoding::encode;
use sudare_ledger::registrar::Instruction;
use sudare_ledger::role::Role;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::node::{Node, Unanswered};
use super::standing::{Standing, State};
use crate::http::Api;
use crate::store::{Operation, StoreError};

/// How many operations are looked at side by side.
const PAGE: usize = 64;
/// How long to wait at least before looking again: what happens meanwhile is noted at once.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// How long to wait at most: time passes for instructions without anything happening at the node.
const PAUSE_MAX: Duration = Duration::from_secs(1);

impl Api {
    /// Carries instructions until it is dropped, or the node has stopped. Of no use without a node.
    pub async fn carry(&self) {
        let Some(node) = self.node().cloned() else { return };
        let mut heights = node.heights();
        loop {
            let began = Instant::now();
            // What is read now was so at this height, or has become so since.
            let height = *heights.borrow_and_update();
            let looked = async {
                self.tell_gates(node.as_ref()).await?;
                self.look(&node, height).await
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

    /// Looks once at every operation that has not ended.
    async fn look(&self, node: &Arc<dyn Node>, height: u64) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let page = self.store().open_operations(&after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.id);
            let mut looks = JoinSet::new();
            for operation in page {
                let node = Arc::clone(node);
                looks.spawn(async move {
                    let standing = standing(&operation, node.as_ref()).await;
                    (operation, standing)
                });
            }
            let mut changes = Vec::new();
            while let Some(look) = looks.join_next().await {
                match look {
                    Ok((operation, Ok(standing))) if standing != operation.newest.standing => {
                        changes.push((operation.id, standing));
                    }
                    Ok((_, Ok(_))) => (),
                    Ok((_, Err(error))) => tracing::debug!(%error, "an instruction waits"),
                    Err(error) => tracing::error!(%error, "an instruction was not carried"),
                }
            }
            changes.sort_by(|one, other| one.0.cmp(&other.0));
            self.note(&changes, height).await?;
        }
    }
}

/// Where an operation stands now, given to the node if it was not yet.
async fn standing(operation: &Operation, node: &dyn Node) -> Result<Standing, Unanswered> {
    if operation.newest.standing.state == State::Received {
        match node.instruct(operation.order.bytes()).await {
            Ok(()) => (),
            Err(Unanswered::Refused(reason)) => return Ok(Standing::refused(reason)),
            Err(later) => return Err(later),
        }
    }
    operation.order.standing(node).await
}
