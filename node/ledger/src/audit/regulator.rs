//! The regulator's node: keeps what its replays showed, and two checkpoints of one log that can't both be right.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Hash, NodeId, Text};
use sudare_disclosure::{AssetId, DisclosureSecret, KeyPurpose};

use super::AssetLog;
use crate::access::{
    AccessError, AccessLog, GrantId, Handling, Revocation, SignedDesk, SignedGrant, Use,
};
use crate::kv::{Be, Kv, StorageError, Table, Tx};
use crate::messages::Reason;
use crate::role::{Answer, Event, Machine, Moment, OUTBOX};
use crate::tree::{Checkpoint, ConsistencyProof, SignedCheckpoint};

/// The longest checkpoint recorded of each asset's log.
const HEADS: Table<AssetId, Head> = Table::new(0x01, "checkpoint head");
/// By asset, size and content, so that the same replay recorded again is the same row.
const REPLAYS: Table<(AssetId, Be, Hash), Recorded> = Table::new(0x02, "replay");
const EVIDENCE: Table<(AssetId, Hash), Evidence> = Table::new(0x03, "evidence");

/// A regulator.
#[derive(Clone, Debug)]
pub struct Regulator {
    network: Hash,
    own: NodeId,
    master: Seed,
}

/// What a regulator's operator can ask for.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Instruction {
    /// Keeps the result of a replay.
    RecordReplay(Box<RecordReplay>),
    /// Sets who may give grants.
    SetDesk(Box<SignedDesk>),
    /// Records a grant.
    AddGrant(Box<SignedGrant>),
    /// Ends a grant.
    RevokeGrant(Revocation),
    /// Records that something is about to be done under a grant; the answer is the entry's index in the access log.
    UseGrant(GrantId, Use),
    /// Records that personal data is about to be handled; the answer is the entry's index in the access log.
    Handle(Box<Handling>),
}

/// The result of a replay that found no fault.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct RecordReplay {
    /// The asset.
    pub asset: AssetId,
    /// Its registrar; the same in every replay of the asset.
    pub registrar: NodeId,
    /// The checkpoint that the replay ended with.
    pub checkpoint: SignedCheckpoint,
    /// That the longer of this checkpoint and the longest recorded before extends the other; not looked at for the first,
    /// or for the same size.
    pub consistency: ConsistencyProof,
    /// What the replay showed, for people.
    pub summary: Text<256>,
}

/// A replay that was recorded.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Recorded {
    /// When, ms since the Unix epoch.
    pub at: u64,
    /// Entries replayed.
    pub size: u64,
    /// The log's root at that size.
    pub root: Hash,
    /// The checkpoint, signed.
    pub checkpoint: SignedCheckpoint,
    /// What the replay showed.
    pub summary: Text<256>,
}

/// Two signed checkpoints of one log of which neither was shown to extend the other.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Evidence {
    /// When the second was refused, ms since the Unix epoch.
    pub at: u64,
    /// Whose log.
    pub registrar: NodeId,
    /// The one that was recorded.
    pub recorded: SignedCheckpoint,
    /// The one that was refused.
    pub refused: SignedCheckpoint,
    /// Whether the two alone convict the registrar: one size, two roots. Otherwise it is asked for a consistency proof, which
    /// exists unless it forked its log.
    pub proven: bool,
}

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Head {
    registrar: NodeId,
    checkpoint: SignedCheckpoint,
}

enum Fork {
    No,
    Unexplained,
    Proven,
}

impl Regulator {
    /// The regulator of this network with this node key; its disclosure keys are derived from `master`.
    #[must_use]
    pub const fn new(network: Hash, own: NodeId, master: Seed) -> Self {
        Self { network, own, master }
    }

    /// Its grants and access log.
    #[must_use]
    pub const fn access(&self) -> AccessLog {
        AccessLog { network: self.network, reader: self.own }
    }

    /// The secret of a disclosure key, to be published for an asset's terms or given to a [`Replay`](super::Replay).
    #[must_use]
    pub fn disclosure(&self, purpose: &KeyPurpose) -> DisclosureSecret {
        DisclosureSecret::derive(&self.master, purpose)
    }

    /// The longest checkpoint recorded of an asset, which the next consistency proof is about.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn head(kv: &dyn Kv, asset: AssetId) -> Result<Option<SignedCheckpoint>, StorageError> {
        Ok(HEADS.get(kv, &asset)?.map(|head| head.checkpoint))
    }

    /// At most `limit` replays of an asset of more than `after` entries, shortest first.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn replays(
        kv: &dyn Kv,
        asset: AssetId,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Recorded>, StorageError> {
        let after = after.map(|size| (asset, Be(size), Hash([0xff; 32])));
        let rows = REPLAYS.rows_under(kv, asset.0.as_bytes(), after.as_ref(), limit)?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// At most `limit` pieces of evidence about an asset's log, in order.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn evidence(
        kv: &dyn Kv,
        asset: AssetId,
        limit: usize,
    ) -> Result<Vec<Evidence>, StorageError> {
        let rows = EVIDENCE.rows_under(kv, asset.0.as_bytes(), None, limit)?;
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// Enforces [LOG-1] and [LOG-5]: every recorded checkpoint extends or is extended by every other; what does not is kept
    /// and refused.
    fn record(
        &self,
        tx: &Tx<'_>,
        now: u64,
        new: RecordReplay,
    ) -> Result<Result<(), Reason>, StorageError> {
        let log = AssetLog { network: self.network, asset: new.asset, registrar: new.registrar };
        let opened =
            log.origin().and_then(|origin| new.checkpoint.open(&origin, &new.registrar).cloned());
        let Ok(checkpoint) = opened else { return Ok(Err(Reason::Signature)) };
        let head = HEADS.get(tx, &new.asset)?;
        if let Some(head) = &head {
            if head.registrar != new.registrar {
                return Ok(Err(Reason::Malformed));
            }
            let fork = fork(head.checkpoint.unverified(), &checkpoint, &new.consistency);
            if !matches!(fork, Fork::No) {
                self.keep(tx, now, &new, head, matches!(fork, Fork::Proven))?;
                return Ok(Err(Reason::Proof));
            }
        }
        let longest = head.map(|head| head.checkpoint.unverified().size);
        if longest.is_none_or(|longest| checkpoint.size > longest) {
            let (registrar, checkpoint) = (new.registrar, new.checkpoint.clone());
            HEADS.put(tx, &new.asset, &Head { registrar, checkpoint });
        }
        let (size, root) = (checkpoint.size, checkpoint.root);
        let content = encode(&(&new.checkpoint, &new.summary));
        let key = (new.asset, Be(size), Hash::of(b"sudare/replay/v1", &[&content]));
        if !REPLAYS.contains(tx, &key)? {
            let (checkpoint, summary) = (new.checkpoint, new.summary);
            REPLAYS.put(tx, &key, &Recorded { at: now, size, root, checkpoint, summary });
        }
        Ok(Ok(()))
    }

    fn keep(
        &self,
        tx: &Tx<'_>,
        at: u64,
        new: &RecordReplay,
        head: &Head,
        proven: bool,
    ) -> Result<(), StorageError> {
        let (registrar, recorded) = (new.registrar, head.checkpoint.clone());
        let content = encode(&(&recorded, &new.checkpoint));
        let key = (new.asset, Hash::of(b"sudare/evidence/v1", &[&content]));
        if !EVIDENCE.contains(tx, &key)? {
            let row = Evidence { at, registrar, recorded, refused: new.checkpoint.clone(), proven };
            EVIDENCE.put(tx, &key, &row);
        }
        Ok(())
    }
}

/// What came of an instruction about grants, as a short text.
fn answer(judged: Result<impl ToString, AccessError>) -> Result<Answer, StorageError> {
    let text = judged.map_err(|error| error.reason());
    Ok(text.and_then(|value| Text::new(value.to_string()).map_err(|_| Reason::Internal)))
}

/// Whether the shorter of two checkpoints of one log is not the other's beginning.
fn fork(one: &Checkpoint, other: &Checkpoint, proof: &ConsistencyProof) -> Fork {
    if one.size == other.size {
        return if one.root == other.root { Fork::No } else { Fork::Proven };
    }
    let (old, new) = if one.size < other.size { (one, other) } else { (other, one) };
    match proof.verify(old.size, &old.root, new.size, &new.root) {
        Ok(()) => Fork::No,
        Err(_) => Fork::Unexplained,
    }
}

impl Machine for Regulator {
    type Instruction = Instruction;
    type Job = ();
    type Outcome = ();

    fn handle(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        event: Event<Instruction, ()>,
    ) -> Result<Answer, StorageError> {
        match event {
            Event::Instruct(Instruction::RecordReplay(new)) => {
                Ok(self.record(tx, moment.now, *new)?.map(|()| Text::default()))
            }
            Event::Instruct(Instruction::SetDesk(desk)) => {
                answer(self.access().set_desk(tx, moment.now, &desk)?.map(|()| desk.desk.number))
            }
            Event::Instruct(Instruction::AddGrant(grant)) => {
                answer(AccessLog::add(tx, moment.now, &grant)?)
            }
            Event::Instruct(Instruction::RevokeGrant(revocation)) => {
                answer(AccessLog::revoke(tx, moment.now, &revocation)?.map(|()| revocation.grant))
            }
            Event::Instruct(Instruction::UseGrant(grant, what)) => {
                answer(AccessLog::record(tx, moment.now, grant, what)?)
            }
            Event::Instruct(Instruction::Handle(handling)) => {
                answer(Ok(AccessLog::handle(tx, moment.now, *handling)?))
            }
            Event::Message { .. } => Ok(Err(Reason::WrongRole)),
            Event::Delivered { number, .. } => {
                OUTBOX.delete(tx, &Be(number));
                Ok(Ok(Text::default()))
            }
            Event::Done { .. } | Event::Tick => Ok(Ok(Text::default())),
        }
    }

    fn perform(&self, _: &dyn Kv, (): &(), _: [u8; 32]) -> Result<(), StorageError> {
        Ok(())
    }
}
