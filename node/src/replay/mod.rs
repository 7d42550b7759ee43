//! A regulator's replay over the network: fetches an asset's log from its registrar page by page, verifies all of it, reads what
//! the node's disclosure keys allow, and has the regulator's node keep the checkpoint. What it finds is kept in memory or in a folder,
//! from which it goes on wherever it was stopped.

mod export;
mod keys;
mod session;
mod state;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sudare_crypto::{Encoded, Text};
use sudare_disclosure::SignedTerms;
use sudare_ledger::access::Permit;
use sudare_ledger::audit::{AssetLog, Instruction, RecordReplay, Report};
use sudare_ledger::snapshot::SnapshotSeed;
use sudare_ledger::tree::{ConsistencyProof, SignedCheckpoint};

use crate::access::NOT_LOGGED;
use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery};

pub(crate) use keys::keys;
pub use session::{Pace, Reached, Session};

/// The most accounts that a report lists by itself.
const HOLDINGS_SHOWN: u64 = 10_000;

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
    /// What each account holds, by account key; none if the keys do not allow it, or if there are more than ten thousand.
    pub holdings: Option<BTreeMap<String, String>>,
    /// Bytes of entries that were fetched.
    pub bytes: u64,
    /// Where the access log says that this was read, if it was under a grant.
    pub access: Option<Access>,
    /// The signed audit over the files that were written, if they were.
    pub audit: Option<String>,
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

/// What to replay, and how.
#[derive(Debug)]
pub struct Task<'a> {
    /// The asset's terms, of any version.
    pub terms: &'a SignedTerms,
    /// What is read.
    pub reading: Reading,
    /// What was found before.
    pub known: Known,
    /// The folder to keep it in and to go on from; memory if there is none.
    pub folder: Option<&'a Path>,
    /// How many legs a core are decided at once, at most; a full batch if left out.
    pub at_once: Option<usize>,
    /// Where to write what was found; nowhere if there is none.
    pub out: Option<Out>,
}

/// Files to write.
#[derive(Clone, Debug)]
pub struct Out {
    /// The folder; files of an earlier replay in it are replaced.
    pub folder: PathBuf,
    /// The first entry whose movements and exceptions are written.
    pub from: u64,
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
        Self {
            asset: code.to_owned(),
            entries: report.entries,
            legs: report.legs,
            minted: report.minted.to_string(),
            burned: report.burned.to_string(),
            supply: report.supply.to_string(),
            root: report.root.to_string(),
            holdings: None,
            bytes,
            access,
            audit: None,
            statement,
        }
    }

    /// The report in words.
    #[must_use]
    pub fn text(&self) -> String {
        self.statement.clone()
    }
}

/// Replays the log of an asset up to the registrar's newest checkpoint with the keys that the connection's node has for it, within
/// what the task allows.
///
/// # Errors
///
/// [`Failure::CheckFailed`] with the culprit if anything does not hold.
pub async fn run(
    connection: &Connection,
    task: Task<'_>,
    progress: impl FnMut(&Pace),
) -> Result<ReplayReport, Failure> {
    let mut session = Session::open(connection, task)?;
    match session.catch_up(progress).await? {
        Reached::Checkpoint(checkpoint) => session.report(checkpoint).await,
        Reached::Stopped(next) => Err(session.stopped(next)),
    }
}

/// Has the node keep the checkpoint; it refuses one that does not extend what it saw before.
pub(super) async fn record(
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
