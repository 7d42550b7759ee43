//! Running a node: the configuration's role on the runtime, with what its peers and its operator can read of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Encoded, NodeId, numbered, pairs};
use sudare_disclosure::AssetId;
use sudare_ledger::audit::Regulator;
use sudare_ledger::custodian::Custodian;
use sudare_ledger::kv::{Kv, StorageError};
use sudare_ledger::leg::TearOff;
use sudare_ledger::log::{Entry, FinalLeg};
use sudare_ledger::messages::{Reason, Settlement};
use sudare_ledger::notary::Notary;
use sudare_ledger::note::NoteId;
use sudare_ledger::registrar::{AssetView, EntryView, HoldingView, LegState, Registrar};
use sudare_ledger::role::Role;
use sudare_ledger::transaction::TxId;
use sudare_ledger::tree::SignedCheckpoint;

use crate::access::{AccessReads, RegulatorReads};
use crate::cli::Failure;
use crate::clock::now_ms;
use crate::config::{Config, ConfigError, Loaded};
use crate::http::Http;
use crate::in_force;
use crate::membership::{Member, Membership};
use crate::net::{Endpoint, Options, Origin};
use crate::operator::{
    AssetLine, AssetTotals, OperatorAnswer, OperatorQuery, PAGE_ENTRIES_MAX, PeerAnswer, PeerQuery,
    RegisterLine, kind,
};
use crate::register;
use crate::runtime::{Queries, QueryError, Question, Running, Setup, Status};
use crate::store::Options as StoreOptions;

/// The most rows in one page of accounts, trades or a register.
const PAGE_ROWS: usize = 512;
/// How many entries of a log are read at once.
const ENTRIES_AT_ONCE: usize = 16;
/// The most bytes of entries in one page.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often the membership file is looked at.
const MEMBERSHIP_POLL: Duration = Duration::from_millis(500);

/// Runs the node of a configuration file until it is told to stop.
///
/// # Errors
///
/// [`Failure`], if it can't start or fails.
pub async fn run(config: &Path) -> Result<(), Failure> {
    let node = Loaded::open(config)?;
    let address = node.member.address;
    let endpoint = Endpoint::bind(&node.identity, &node.membership, address, Options::default())?;
    in_force::keep(&node.membership, &node.config.data).map_err(ConfigError::from)?;
    watch(node.membership.clone(), &node.config);
    let setup = Setup {
        folder: &node.config.data,
        store: StoreOptions::default(),
        own: node.member.id,
        membership: node.membership.clone(),
        endpoint,
        workers: node.config.workers,
        clock: Arc::new(now_ms),
    };
    let (network, key, seed) = (node.network, node.identity.key().clone(), node.seed.clone());
    let running = match node.member.role {
        Role::Notary => {
            let reads = NotaryReads(Notary::new(network, key.clone()));
            Running::start(Notary::new(network, key), reads, setup)
        }
        Role::Registrar => {
            let registrar = Registrar::new(network, key.clone(), seed);
            let reads = RegistrarReads(AccessReads { log: registrar.access(), key });
            Running::start(registrar, reads, setup)
        }
        Role::Custodian => {
            let custodian = Custodian { network, key: key.clone(), master: seed };
            let reads = CustodianReads(AccessReads { log: custodian.access(), key });
            Running::start(custodian, reads, setup)
        }
        Role::Regulator => {
            let regulator = Regulator::new(network, key.id(), seed);
            let reads = RegulatorReads { access: AccessReads { log: regulator.access(), key } };
            Running::start(regulator, reads, setup)
        }
    }?;
    let api = Http::start(&node, running.operator()).await?;
    tracing::info!(%address, "ready");
    let stopped = running.until_signal().await;
    if let Some(api) = api {
        api.stop().await;
    }
    Ok(stopped?)
}

/// Takes a new membership list into force as soon as its file is there.
fn watch(membership: Membership, config: &Config) {
    let (path, data) = (config.membership.clone(), config.data.clone());
    tokio::spawn(async move {
        let mut before = None;
        loop {
            tokio::time::sleep(MEMBERSHIP_POLL).await;
            let Ok(bytes) = tokio::fs::read(&path).await else { continue };
            if before.as_ref() == Some(&bytes) {
                continue;
            }
            match membership.replace(&bytes) {
                Ok(true) => {
                    tracing::info!(number = membership.current().number(), "new membership list");
                    if let Err(error) = in_force::keep(&membership, &data) {
                        tracing::error!(%error, "the membership list in force can't be kept");
                    }
                }
                Ok(false) => (),
                Err(error) => tracing::warn!(%error, "the membership file is not taken"),
            }
            before = Some(bytes);
        }
    });
}

/// What can be read of a notary.
#[derive(Debug)]
struct NotaryReads(Notary);

impl Queries for NotaryReads {
    fn admits(&self, _: &Member, _: Origin, kind: u8) -> Option<usize> {
        (kind == kind::PEER_QUERY).then_some(1024)
    }

    fn answer(&self, kv: &dyn Kv, question: &Question<'_>) -> Result<Vec<u8>, QueryError> {
        match peer_query(question)? {
            PeerQuery::NotaryCheckpoint => {
                let size = Notary::size(kv)?;
                let checkpoint = self.0.checkpoint(kv, size).map_err(|_| Reason::Internal)?;
                Ok(encode(&PeerAnswer::Checkpoint(checkpoint)))
            }
            PeerQuery::Receipt(tx) => Ok(encode(&PeerAnswer::Receipt(Notary::receipt(kv, tx)?))),
            _ => Err(Reason::WrongRole.into()),
        }
    }
}

/// What can be read of a registrar.
#[derive(Debug)]
struct RegistrarReads(AccessReads);

impl Queries for RegistrarReads {
    fn admits(&self, from: &Member, origin: Origin, kind: u8) -> Option<usize> {
        let peer = matches!(from.role, Role::Regulator | Role::Custodian | Role::Registrar);
        match kind {
            kind::PEER_QUERY => peer.then_some(1024),
            kind::OPERATOR_QUERY => (origin == Origin::Operator).then_some(1024),
            _ => None,
        }
    }

    fn answer(&self, kv: &dyn Kv, question: &Question<'_>) -> Result<Vec<u8>, QueryError> {
        if question.kind == kind::OPERATOR_QUERY {
            let query = decode(question.request, "a query").map_err(|_| Reason::Malformed)?;
            if let Some(answer) = self.0.operator(kv, &query)? {
                return Ok(encode(&answer));
            }
            return registrar_operator(kv, &query);
        }
        let role = question.from.role;
        let operator = question.origin == Origin::Operator;
        match peer_query(question)? {
            PeerQuery::Assets => {
                let assets: Vec<_> =
                    Registrar::assets(kv)?.into_iter().map(|view| view.terms).take(256).collect();
                Ok(encode(&PeerAnswer::Assets(assets.try_into().map_err(|_| Reason::TooLarge)?)))
            }
            // Whoever has no key reads nothing in an entry, but its shape tells of trading: regulators only.
            PeerQuery::Log { asset, from } if operator || role == Role::Regulator => {
                log(kv, asset, from)
            }
            PeerQuery::Consistency { asset, old, new } if operator || role != Role::Registrar => {
                let proof =
                    Registrar::consistency(kv, asset, old, new).map_err(|_| Reason::Malformed)?;
                Ok(encode(&PeerAnswer::Consistency(proof)))
            }
            PeerQuery::AssetCheckpoint(asset) if operator || role != Role::Registrar => {
                let view = Registrar::asset(kv, asset)?.ok_or(Reason::UnknownAsset)?;
                Ok(encode(&PeerAnswer::Checkpoint(newest(&view)?)))
            }
            PeerQuery::Outputs(tx) if role == Role::Custodian => outputs(kv, tx, question.from.id),
            PeerQuery::AccountSnapshot { asset, account, number, size }
                if Registrar::custodian_of(kv, asset, account)? == Some(question.from.id) =>
            {
                let shown = Registrar::shown_snapshot(kv, (asset, account), number, size);
                let shown = shown.map_err(|_| Reason::Malformed)?.map(Box::new);
                Ok(encode(&PeerAnswer::AccountSnapshot(shown)))
            }
            PeerQuery::RegisterLeaf { asset, account, number, size }
                if operator
                    || Registrar::custodian_of(kv, asset, account)? == Some(question.from.id) =>
            {
                let shown = Registrar::shown_leaf(kv, (asset, account), number, size);
                let shown = shown.map_err(|_| Reason::Malformed)?.map(Box::new);
                Ok(encode(&PeerAnswer::RegisterLeaf(shown)))
            }
            PeerQuery::AccountEvents { asset, account, from }
                if Registrar::custodian_of(kv, asset, account)? == Some(question.from.id) =>
            {
                let events = Registrar::account_events(kv, asset, account, from, PAGE_ROWS)?;
                Ok(encode(&PeerAnswer::AccountEvents(events)))
            }
            PeerQuery::OutputsAt { asset, entry, size } if role == Role::Custodian => {
                outputs_at(kv, asset, entry, size, question.from.id)
            }
            PeerQuery::OwnOutputs { asset, from } if role == Role::Custodian => {
                own_outputs(kv, asset, from, question.from.id)
            }
            PeerQuery::AccessCheckpoint | PeerQuery::AccessConsistency { .. } => {
                self.0.peer(kv, question.request)
            }
            _ => Err(Reason::WrongRole.into()),
        }
    }
}

fn registrar_operator(kv: &dyn Kv, query: &OperatorQuery) -> Result<Vec<u8>, QueryError> {
    let answer = match query {
        OperatorQuery::Assets => OperatorAnswer::Assets(
            Registrar::assets(kv)?
                .into_iter()
                .map(|view| AssetLine {
                    register: Some(AssetTotals {
                        minted: view.asset.minted,
                        burned: view.asset.burned,
                        entries: view.entries,
                        open: view.asset.open && view.asset.halted.is_none(),
                    }),
                    terms: view.terms,
                })
                .collect(),
        ),
        OperatorQuery::Register(asset, after) => {
            OperatorAnswer::Register(register(kv, *asset, *after)?)
        }
        OperatorQuery::Snapshots(asset) => {
            OperatorAnswer::Snapshots(Registrar::snapshots(kv, *asset)?)
        }
        OperatorQuery::SnapshotSecrets { asset, number, size } => {
            let shown = Registrar::snapshot_secrets(kv, *asset, *number, *size);
            let shown = shown.map_err(|_| Reason::Malformed)?.map(Box::new);
            OperatorAnswer::SnapshotSecrets(shown)
        }
        OperatorQuery::Issue(reference) => {
            OperatorAnswer::Order(Registrar::issue_order(kv, reference)?)
        }
        OperatorQuery::Redemption(key) => {
            OperatorAnswer::Order(Registrar::redemption_order(kv, key)?)
        }
        OperatorQuery::RegisterHead(asset, when) => {
            let head = Registrar::register_head(kv, *asset, *when)?;
            OperatorAnswer::RegisterHead(head.map(Box::new))
        }
        OperatorQuery::RegisterLines(asset, of) => {
            OperatorAnswer::RegisterLines(Registrar::register_at(kv, *asset, of)?)
        }
        OperatorQuery::RegisterProof(of) => {
            OperatorAnswer::RegisterProof(register::proof(kv, of.clone())?)
        }
        _ => return Err(Reason::WrongRole.into()),
    };
    Ok(encode(&answer))
}

fn register(
    kv: &dyn Kv,
    asset: AssetId,
    after: Option<Encoded>,
) -> Result<Vec<RegisterLine>, StorageError> {
    let line = |holding: HoldingView| RegisterLine {
        account: holding.account.account,
        investor: holding.account.investor,
        custodian: holding.account.custodian,
        quantity: holding.quantity,
        notes: u64::try_from(holding.notes.len()).unwrap_or(u64::MAX),
        frozen: holding.account.frozen.is_some(),
    };
    Ok(Registrar::holdings(kv, asset, after, PAGE_ROWS)?.into_iter().map(line).collect())
}

fn log(kv: &dyn Kv, asset: AssetId, from: u64) -> Result<Vec<u8>, QueryError> {
    let view = Registrar::asset(kv, asset)?.ok_or(Reason::UnknownAsset)?;
    let checkpoint = newest(&view)?;
    let (mut entries, mut bytes, mut next) = (Vec::new(), 0usize, from);
    // An entry may be large: only a few more than fit are read.
    while entries.len() < PAGE_ENTRIES_MAX && bytes <= PAGE_BYTES_MAX {
        let rows = Registrar::entries(kv, asset, next, ENTRIES_AT_ONCE)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            next = row.index.saturating_add(1);
            bytes = bytes.saturating_add(row.bytes.len());
            if bytes <= PAGE_BYTES_MAX || entries.is_empty() {
                entries.push(row.bytes);
            }
        }
    }
    Ok(encode(&PeerAnswer::Log { entries, checkpoint }))
}

fn newest(view: &AssetView) -> Result<SignedCheckpoint, StorageError> {
    let parsed = SignedCheckpoint::parse(view.checkpoint.as_bytes());
    parsed.map_err(|_| StorageError::Damaged("checkpoint"))
}

/// Settlements of final legs with unspent outputs in a custodian's slots, as they were sent to it.
fn own_outputs(
    kv: &dyn Kv,
    asset: AssetId,
    from: u64,
    custodian: NodeId,
) -> Result<Vec<u8>, QueryError> {
    let view = Registrar::asset(kv, asset)?.ok_or(Reason::UnknownAsset)?;
    let (mut settlements, mut next) = (Vec::new(), from);
    for row in Registrar::entries(kv, asset, from, PAGE_ENTRIES_MAX)? {
        next = row.index.saturating_add(1);
        let settlement =
            settlement(kv, &view, &row, custodian, |note| Registrar::is_live(kv, asset, note))?;
        settlements.extend(settlement);
    }
    Ok(encode(&PeerAnswer::OwnOutputs { settlements, next }))
}

/// The settlements of a transaction's final legs with all outputs in a custodian's slots, under the newest checkpoint.
fn outputs(kv: &dyn Kv, tx: TxId, custodian: NodeId) -> Result<Vec<u8>, QueryError> {
    let mut settlements = Vec::new();
    for leg in Registrar::transaction(kv, tx, 0)? {
        let LegState::Final { entry } = leg.standing.state else { continue };
        let asset = leg.standing.asset;
        let view = Registrar::asset(kv, asset)?.ok_or(Reason::UnknownAsset)?;
        for row in Registrar::entries(kv, asset, entry, 1)? {
            settlements.extend(settlement(kv, &view, &row, custodian, |_| Ok(true))?);
        }
    }
    Ok(encode(&PeerAnswer::Outputs(settlements)))
}

/// The settlement of an entry with all outputs in a custodian's slots, under the checkpoint of a size.
fn outputs_at(
    kv: &dyn Kv,
    asset: AssetId,
    entry: u64,
    size: u64,
    custodian: NodeId,
) -> Result<Vec<u8>, QueryError> {
    let view = Registrar::asset(kv, asset)?.ok_or(Reason::UnknownAsset)?;
    if entry >= size || size > view.entries {
        return Err(Reason::Malformed.into());
    }
    let view = AssetView { entries: size, ..view };
    let mut settlements = Vec::new();
    for row in Registrar::entries(kv, asset, entry, 1)? {
        settlements.extend(settlement(kv, &view, &row, custodian, |_| Ok(true))?);
    }
    Ok(encode(&PeerAnswer::Outputs(settlements)))
}

/// The settlement of an entry with the outputs in the custodian's slots that are wanted; none without any.
fn settlement(
    kv: &dyn Kv,
    view: &AssetView,
    row: &EntryView,
    custodian: NodeId,
    wanted: impl Fn(NoteId) -> Result<bool, StorageError>,
) -> Result<Option<Vec<u8>>, QueryError> {
    let entry = decode(&row.bytes, "an entry").map_err(|_| StorageError::Damaged("entry"))?;
    let Entry::Leg(leg) = entry else { return Ok(None) };
    let components = torn_off(&leg, custodian, wanted)?;
    if components.is_empty() {
        return Ok(None);
    }
    let entry = Registrar::entry_proof(kv, view.id, row.index, view.entries)
        .map_err(|_| StorageError::Damaged("log tree"))?;
    let FinalLeg { index, commit, receipt, .. } = *leg;
    let components = components.try_into().map_err(|_| Reason::Internal)?;
    Ok(Some(encode(&Settlement { commit, index, receipt, entry, components })))
}

fn torn_off(
    leg: &FinalLeg,
    custodian: NodeId,
    wanted: impl Fn(NoteId) -> Result<bool, StorageError>,
) -> Result<Vec<TearOff>, QueryError> {
    let mut components = Vec::new();
    let notes: Vec<_> = leg.leg.notes().collect();
    let outputs = pairs(&leg.leg.outputs, &notes).ok_or(StorageError::Damaged("entry"))?;
    for (number, (output, note)) in numbered(outputs) {
        if output.slot.slot.context.receiver != custodian || !wanted(note.id())? {
            continue;
        }
        let torn = leg.leg.tear_off(leg.index, &leg.salt, number);
        components.push(torn.map_err(|_| StorageError::Damaged("entry"))?);
    }
    Ok(components)
}

/// What can be read of a custodian: the checkpoints of its access log by its peers, the rest by its operator.
#[derive(Debug)]
struct CustodianReads(AccessReads);

impl Queries for CustodianReads {
    fn admits(&self, from: &Member, origin: Origin, kind: u8) -> Option<usize> {
        match kind {
            kind::PEER_QUERY => AccessReads::admits(from),
            kind::OPERATOR_QUERY => (origin == Origin::Operator).then_some(1024),
            _ => None,
        }
    }

    fn answer(&self, kv: &dyn Kv, question: &Question<'_>) -> Result<Vec<u8>, QueryError> {
        const ASSETS_MAX: usize = 1024;
        if question.kind == kind::PEER_QUERY {
            return self.0.peer(kv, question.request);
        }
        let query = decode(question.request, "a query").map_err(|_| Reason::Malformed)?;
        if let Some(answer) = self.0.operator(kv, &query)? {
            return Ok(encode(&answer));
        }
        let answer = match query {
            OperatorQuery::Assets => {
                let line = |(_, terms)| AssetLine { terms, register: None };
                OperatorAnswer::Assets(
                    Custodian::assets(kv, None, ASSETS_MAX)?.into_iter().map(line).collect(),
                )
            }
            OperatorQuery::Accounts(after) => {
                OperatorAnswer::Accounts(Custodian::accounts(kv, after.as_ref(), PAGE_ROWS)?)
            }
            OperatorQuery::Account(asset, investor) => OperatorAnswer::Accounts(
                Custodian::account(kv, asset, investor)?.into_iter().collect(),
            ),
            OperatorQuery::Trades(after) => {
                OperatorAnswer::Trades(Custodian::trades(kv, after.as_ref(), PAGE_ROWS)?)
            }
            OperatorQuery::Trade(id) => OperatorAnswer::Trades(Custodian::trade(kv, &id)?),
            OperatorQuery::Records(key) => OperatorAnswer::Records(Custodian::records(kv, &key)?),
            OperatorQuery::Slot(owner) => OperatorAnswer::Slot(Custodian::slot(kv, &owner)?),
            _ => return Err(Reason::WrongRole.into()),
        };
        Ok(encode(&answer))
    }
}

fn peer_query(question: &Question<'_>) -> Result<PeerQuery, QueryError> {
    Ok(decode(question.request, "a query").map_err(|_| Reason::Malformed)?)
}

/// A node's status for people and programs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StatusView {
    /// The node's name.
    pub name: String,
    /// Its key, by which files that it signed name it.
    pub id: String,
    /// What it does.
    pub role: String,
    /// ms since it started.
    pub uptime_ms: u64,
    /// Records in its log.
    pub height: u64,
    /// The number of the membership list in force.
    pub membership: u64,
    /// Events handled.
    pub events: u64,
    /// Syncs of its log.
    pub syncs: u64,
    /// Jobs done.
    pub jobs_done: u64,
    /// Jobs waiting for a thread.
    pub jobs_waiting: u64,
    /// Processor time of the process, ms.
    pub cpu_ms: u64,
    /// Resident memory of the process, bytes.
    pub memory: u64,
    /// Peers for whom messages wait, and since when they can't be reached.
    pub backlog: Vec<BacklogView>,
    /// Frames exchanged, by peer.
    pub traffic: Vec<TrafficView>,
}

/// What waits for one peer.
#[derive(Clone, Debug, Serialize)]
pub struct BacklogView {
    /// The peer.
    pub peer: String,
    /// Messages waiting.
    pub waiting: u64,
    /// Since when it can't be reached, ms since the Unix epoch.
    pub unreachable_since_ms: Option<u64>,
}

/// What was exchanged with one peer, over all kinds of frames.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrafficView {
    /// The peer.
    pub peer: String,
    /// Frames in.
    pub messages_in: u64,
    /// Bytes in.
    pub bytes_in: u64,
    /// Frames out.
    pub messages_out: u64,
    /// Bytes out.
    pub bytes_out: u64,
}

impl StatusView {
    /// The view of a status.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let mut traffic: Vec<TrafficView> = Vec::new();
        for line in &status.traffic {
            let peer = line.peer.to_string();
            let place = traffic.iter().position(|row| row.peer == peer);
            let row = match place.and_then(|place| traffic.get_mut(place)) {
                Some(row) => row,
                None => {
                    traffic.push(TrafficView { peer, ..TrafficView::default() });
                    let Some(row) = traffic.last_mut() else { continue };
                    row
                }
            };
            row.messages_in = row.messages_in.saturating_add(line.frames_in);
            row.bytes_in = row.bytes_in.saturating_add(line.bytes_in);
            row.messages_out = row.messages_out.saturating_add(line.frames_out);
            row.bytes_out = row.bytes_out.saturating_add(line.bytes_out);
        }
        Self {
            name: status.name.to_string(),
            id: status.id.to_string(),
            role: status.role.to_string(),
            uptime_ms: status.now.saturating_sub(status.started_at),
            height: status.height,
            membership: status.membership,
            events: status.counters.events,
            syncs: status.counters.syncs,
            jobs_done: status.counters.jobs_done,
            jobs_waiting: status.counters.jobs_waiting,
            cpu_ms: status.counters.cpu_ms,
            memory: status.counters.memory,
            backlog: status
                .backlog
                .iter()
                .map(|line| BacklogView {
                    peer: line.peer.to_string(),
                    waiting: line.waiting,
                    unreachable_since_ms: line.unreachable_since,
                })
                .collect(),
            traffic,
        }
    }

    /// The status in a few lines.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} ({}), up {} s, log height {}, {} events, {} syncs, {} jobs done, {} waiting, \
             {} s of processor time, {} MiB\n  id {}",
            self.name,
            self.role,
            self.uptime_ms / 1000,
            self.height,
            self.events,
            self.syncs,
            self.jobs_done,
            self.jobs_waiting,
            self.cpu_ms / 1000,
            self.memory / (1024 * 1024),
            self.id
        );
        for line in &self.backlog {
            text.push_str(&format!("\n  waits for {}: {} message(s)", line.peer, line.waiting));
        }
        for line in &self.traffic {
            text.push_str(&format!(
                "\n  {}: in {} frames, {} bytes; out {} frames, {} bytes",
                line.peer, line.messages_in, line.bytes_in, line.messages_out, line.bytes_out
            ));
        }
        text
    }
}

/// Limits fit together.
const _: () = assert!(PAGE_BYTES_MAX < crate::net::ANSWER_BYTES_MAX);
