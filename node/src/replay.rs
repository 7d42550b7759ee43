//! A regulator's replay over the network: fetches an asset's log from its registrar, verifies all of it, reads what the node's
//! disclosure keys allow, and has the regulator's node keep the checkpoint.

use std::collections::BTreeMap;

use rand_core::OsRng;
use serde::Serialize;
use sudare_crypto::{Encoded, Text};
use sudare_disclosure::dlog::{Outcome, Search};
use sudare_disclosure::{DisclosureSecret, KeyPurpose, SignedTerms};
use sudare_ledger::access::Permit;
use sudare_ledger::audit::{AssetLog, Instruction, RecordReplay, Replay, Report};
use sudare_ledger::snapshot::SnapshotSeed;
use sudare_ledger::tree::{ConsistencyProof, SignedCheckpoint};

use crate::access::NOT_LOGGED;
use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery};

/// The largest bound of a discrete logarithm that a replay searches by itself: about a minute.
const SEARCH_BOUND_MAX: u64 = 1 << 48;

/// What a replay found, for programs.
#[derive(Clone, Debug, Serialize)]
pub struct ReplayReport {
    /// The asset's code.
    pub asset: String,
    /// Entries of the log, all replayed.
    pub entries: u64,
    /// Of these, legs.
    pub legs: u64,
    /// Atomic units ever made.
    pub minted: String,
    /// Atomic units ever ended.
    pub burned: String,
    /// Atomic units outstanding.
    pub supply: String,
    /// The root of the log.
    pub root: String,
    /// What each account holds, by account key; none if the keys do not allow it.
    pub holdings: Option<BTreeMap<String, String>>,
    /// Bytes of entries that were fetched.
    pub bytes: u64,
    /// Where the access log says that this was read, if it was under a grant.
    pub access: Option<Access>,
    /// The report in words.
    pub statement: String,
}

/// What was found before, or by others, of what the node's keys don't read at once.
#[derive(Debug, Default)]
pub struct Known {
    /// Amounts behind points, from `sudare audit solve`.
    pub solved: BTreeMap<Encoded, u64>,
    /// Seeds of snapshots by entry, from officers who opened them together.
    pub seeds: BTreeMap<u64, SnapshotSeed>,
}

/// What a replay reads.
#[derive(Debug)]
pub enum Reading {
    /// What the node's keys can.
    Keys,
    /// Nothing: everything is verified, no key is applied.
    Nothing,
    /// What a grant's permit says.
    Under(Box<Permit>),
}

/// A read as the access log has it.
#[derive(Clone, Debug, Serialize)]
pub struct Access {
    /// The grant.
    pub grant: String,
    /// Its case number.
    pub case: String,
    /// The entry of the node's access log.
    pub entry: u64,
}

impl ReplayReport {
    fn of(code: &str, report: &Report, bytes: u64, reading: &Reading) -> Self {
        let mut statement = report.to_string();
        let access = match reading {
            Reading::Keys => None,
            Reading::Nothing => {
                statement.push_str("no grant was given: nothing was read, no key was applied; read with --grant ID\n");
                None
            }
            Reading::Under(permit) => {
                let (grant, entry) = (permit.grant(), permit.index());
                let (id, case) = (grant.id().to_string(), grant.case.to_string());
                let line = format!(
                    "read under grant {id} (case {case}), recorded before as entry {entry} of this node's access log\n{NOT_LOGGED}\n"
                );
                statement.push_str(&line);
                Some(Access { grant: id, case, entry })
            }
        };
        let holdings = report.holdings.as_ref().map(|holdings| {
            let line = |(account, quantity): (&Encoded, &u64)| {
                (format!("{account:?}"), quantity.to_string())
            };
            holdings.iter().map(line).collect()
        });
        Self {
            asset: code.to_owned(),
            entries: report.entries,
            legs: report.legs,
            minted: report.minted.to_string(),
            burned: report.burned.to_string(),
            supply: report.supply.to_string(),
            root: report.root.to_string(),
            holdings,
            bytes,
            access,
            statement,
        }
    }

    /// The report in words.
    #[must_use]
    pub fn text(&self) -> String {
        self.statement.clone()
    }
}

/// Replays the log of an asset with the keys that the connection's node has for it, within what `reading` allows. `progress` is told entries done and in all.
///
/// # Errors
///
/// [`Failure::CheckFailed`] with the culprit if anything does not hold.
pub async fn run(
    connection: &Connection,
    terms: &SignedTerms,
    reading: &Reading,
    known: Known,
    mut progress: impl FnMut(u64, u64),
) -> Result<ReplayReport, Failure> {
    let core = &terms.terms.core;
    let (asset, registrar) = (terms.terms.asset(), core.registrar);
    let log = AssetLog { network: connection.node.network, asset, registrar };
    let keys = match reading {
        Reading::Nothing => Vec::new(),
        Reading::Keys | Reading::Under(_) => keys(connection, terms),
    };
    let Known { solved, seeds } = known;
    let mut replay = Replay::new(log, keys, OsRng).knowing(seeds);
    if let Reading::Under(permit) = reading {
        replay = replay.under(permit)?;
    }
    let (mut next, mut fetched): (u64, u64) = (0, 0);
    let mut last: Option<SignedCheckpoint> = None;
    // Entries beyond the first checkpoint belong to a later replay.
    loop {
        let query = PeerQuery::Log { asset, from: next };
        let answer = connection.peer_query(&registrar, &query).await?;
        let PeerAnswer::Log { entries, checkpoint } = answer else {
            return Err(Failure::Node("the registrar answered something else".into()));
        };
        let checkpoint = last.get_or_insert(checkpoint);
        let size = checkpoint.unverified().size;
        if next < size && entries.is_empty() {
            return Err(Failure::CheckFailed(format!("entry {next} of {size} is missing")));
        }
        for bytes in entries {
            fetched = fetched.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
            if next < size {
                replay
                    .push(next, &bytes)
                    .map_err(|error| Failure::CheckFailed(error.to_string()))?;
                next = next.saturating_add(1);
            }
        }
        progress(next, size);
        if next >= size {
            break;
        }
    }
    let checkpoint = last.ok_or_else(|| Failure::Node("the log has no checkpoint".into()))?;
    let mut open = None;
    let report = replay.finish(&checkpoint, &mut |point, bound| {
        let value = solved.get(point).copied().or_else(|| solve(point, bound));
        if value.is_none() {
            open = Some((*point, bound));
        }
        value
    });
    let report = report.map_err(|error| {
        let next = open.map(|(point, bound)| {
            format!(
                "; find it with `sudare audit solve --point {point:?} --bound {bound} --file FILE`, then replay with --solved {point:?}=VALUE"
            )
        });
        Failure::CheckFailed(format!("{error}{}", next.unwrap_or_default()))
    })?;
    record(connection, &log, checkpoint, &report).await?;
    Ok(ReplayReport::of(core.code.as_str(), &report, fetched, reading))
}

/// Has the node keep the checkpoint; it refuses one that does not extend what it saw before.
async fn record(
    connection: &Connection,
    log: &AssetLog,
    checkpoint: SignedCheckpoint,
    report: &Report,
) -> Result<(), Failure> {
    let new = checkpoint.unverified().size;
    let answer = connection.query(&OperatorQuery::AuditHead(log.asset)).await?;
    let OperatorAnswer::AuditHead(before) = answer else {
        return Err(Failure::Node("the node is not a regulator".into()));
    };
    let old = before.as_ref().map_or(0, |head| head.unverified().size);
    let mut consistency = ConsistencyProof::default();
    if old > 0 && old != new {
        let query =
            PeerQuery::Consistency { asset: log.asset, old: old.min(new), new: old.max(new) };
        match connection.peer_query(&log.registrar, &query).await? {
            PeerAnswer::Consistency(proof) => consistency = proof,
            _ => return Err(Failure::Node("the registrar answered something else".into())),
        }
    }
    let summary = format!("legs 0..{} complete, supply {}", report.legs, report.supply);
    let replay = RecordReplay {
        asset: log.asset,
        registrar: log.registrar,
        checkpoint,
        consistency,
        summary: Text::new(summary)?,
    };
    connection.instruct(&Instruction::RecordReplay(Box::new(replay))).await?;
    Ok(())
}

/// The secrets of the node's seeds whose public keys stand in the policy.
pub(crate) fn keys(connection: &Connection, terms: &SignedTerms) -> Vec<DisclosureSecret> {
    let (network, asset) = (connection.node.network, terms.terms.asset());
    let mut secrets = Vec::new();
    for epoch in &terms.terms.policy.epochs {
        for key in &epoch.keys {
            // A key that was retired since was made with its label of then.
            let Ok(label) = Text::new(key.made_for()) else { continue };
            let (number, fields) = (epoch.number, key.fields);
            let purpose = KeyPurpose { network, asset, epoch: number, fields, label };
            let own = connection.node.seeds().map(|seed| DisclosureSecret::derive(seed, &purpose));
            secrets.extend(own.filter(|secret| secret.point() == key.point));
        }
    }
    secrets
}

/// Searches an amount whose memo is false, if that is a matter of a minute; `sudare audit solve` takes what is longer.
fn solve(point: &Encoded, bound: u64) -> Option<u64> {
    if bound > SEARCH_BOUND_MAX {
        return None;
    }
    let target = point.decompress().ok()?.compress();
    let mut search = Search::new(&target, bound, *point.as_bytes()).ok()?;
    loop {
        match search.step(1 << 20) {
            Outcome::Found(value) => return Some(value),
            Outcome::Absent | Outcome::Exhausted => return None,
            Outcome::Open => (),
        }
    }
}
