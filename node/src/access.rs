//! A node's grants and access log as its operator and its peers meet them: what can be read of them, and how a read under a grant
//! is recorded before it is done (specs/access.md).

use sudare_crypto::NodeKey;
use sudare_crypto::encoding::{decode, encode};
use sudare_ledger::access::{
    AccessError, AccessEvent, AccessLog, Desk, Disclosure, GrantId, GrantView, LoggedEntry, Permit,
    SignedGrant, Use,
};
use sudare_ledger::audit::{Instruction, Regulator};
use sudare_ledger::kv::Kv;
use sudare_ledger::messages::Reason;
use sudare_ledger::role::Role;
use sudare_ledger::{custodian, registrar};

use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::clock::now_ms;
use crate::membership::Member;
use crate::net::Origin;
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery, kind};
use crate::runtime::{Queries, QueryError, Question};

/// What no access log can show; said wherever something is read or listed under a grant.
pub const NOT_LOGGED: &str = "not recorded anywhere: what somebody who has this node's seed, or enough officers' shares, reads or discloses with another program";

/// The most grants or entries of a page.
const PAGE_ROWS: usize = 64;

/// The access desk of the connection's node; none if nobody may give grants there.
///
/// # Errors
///
/// [`Failure::Node`] if the node is not a regulator.
pub async fn desk(connection: &Connection) -> Result<Option<Desk>, Failure> {
    match connection.query(&OperatorQuery::Desk).await? {
        OperatorAnswer::Desk(desk) => Ok(desk),
        _ => Err(not_a_regulator()),
    }
}

/// All grants of the connection's node.
///
/// # Errors
///
/// [`Failure::Node`] if the node is not a regulator.
pub async fn grants(connection: &Connection) -> Result<Vec<GrantView>, Failure> {
    let mut grants: Vec<GrantView> = Vec::new();
    loop {
        let after = grants.last().map(|last| last.signed.grant.id());
        let OperatorAnswer::Grants(page) = connection.query(&OperatorQuery::Grants(after)).await?
        else {
            return Err(not_a_regulator());
        };
        if page.is_empty() {
            return Ok(grants);
        }
        grants.extend(page);
    }
}

/// The grant whose identity begins with these hexadecimal digits, if it holds now.
///
/// # Errors
///
/// [`Failure::Access`] if there is none, or it does not hold; [`Failure::Usage`] if there are several.
pub async fn grant(connection: &Connection, id: &str) -> Result<SignedGrant, Failure> {
    let found = |view: &GrantView| view.signed.grant.id().to_string().starts_with(id);
    let mut found = grants(connection).await?.into_iter().filter(found);
    let one = found.next().ok_or(AccessError::Unknown)?;
    if found.next().is_some() {
        return Err(Failure::Usage(format!(
            "several grants begin with {id:?}: give more digits, see `sudare grant list`"
        )));
    }
    if one.revoked {
        return Err(AccessError::Revoked.into());
    }
    one.signed.grant.holds(now_ms())?;
    Ok(one.signed)
}

/// Has the node record what is about to be done under a grant; the entry is on its disk, and shown to be in its log, before this
/// returns.
///
/// Enforces [ACC-2].
///
/// # Errors
///
/// [`Failure::Refused`] with the reason; [`Failure::Access`] if the node does not show the entry.
pub async fn permit(
    connection: &Connection,
    grant: GrantId,
    what: Use,
) -> Result<(LoggedEntry, Permit), Failure> {
    let desk = desk(connection).await?.ok_or(AccessError::NoDesk)?;
    let index = connection.instruct(&Instruction::UseGrant(grant, what.clone())).await?;
    let index = index.parse().map_err(|_| Failure::Node(format!("{index:?} is no entry")))?;
    let shown = prove(connection, index).await?;
    let permit = shown.permit(&desk, now_ms())?;
    if permit.grant().id() != grant || *permit.what() != what {
        return Err(AccessError::OtherUse.into());
    }
    Ok((shown, permit))
}

/// Has the custodian's or registrar's node record what is about to be handed out; the entry is on its disk, and shown to be in its log, before
/// this returns its index.
///
/// Enforces [ACC-4].
///
/// # Errors
///
/// [`Failure::Refused`] with the reason; [`Failure::Access`] if the node does not show the entry.
pub async fn disclose(connection: &Connection, disclosure: Disclosure) -> Result<u64, Failure> {
    let what = Box::new(disclosure.clone());
    let index = if connection.node.member.role == Role::Registrar {
        connection.instruct(&registrar::Instruction::Disclose(what)).await?
    } else {
        connection.instruct(&custodian::Instruction::Disclose(what)).await?
    };
    let index = index.parse().map_err(|_| Failure::Node(format!("{index:?} is no entry")))?;
    let shown = prove(connection, index).await?;
    shown.check(connection.node.network, connection.own())?;
    if shown.entry.event != AccessEvent::Disclosed(disclosure) {
        return Err(AccessError::OtherUse.into());
    }
    Ok(index)
}

/// An entry of the node's access log, with what shows that it is there.
///
/// # Errors
///
/// [`Failure::Usage`] if there is no such entry.
pub async fn prove(connection: &Connection, index: u64) -> Result<LoggedEntry, Failure> {
    match connection.query(&OperatorQuery::AccessProof(index)).await? {
        OperatorAnswer::AccessProof(Some(shown)) => Ok(*shown),
        OperatorAnswer::AccessProof(None) => Err(Failure::Usage(format!(
            "the access log has no entry {index}: see `sudare access log`"
        ))),
        _ => Err(Failure::Node("the node keeps no access log".into())),
    }
}

fn not_a_regulator() -> Failure {
    Failure::Node("the node is not a regulator: only those have officers and grants".into())
}

/// What can be read of a node's access log: its checkpoints by its peers, its entries by its operator.
#[derive(Debug)]
pub(crate) struct AccessReads {
    /// The log.
    pub(crate) log: AccessLog,
    /// Signs the log's checkpoints.
    pub(crate) key: NodeKey,
}

impl AccessReads {
    /// The longest question of a peer that may ask.
    pub(crate) fn admits(from: &Member) -> Option<usize> {
        let watches = matches!(from.role, Role::Custodian | Role::Registrar | Role::Regulator);
        watches.then_some(64)
    }

    /// The answer to a peer.
    pub(crate) fn peer(&self, kv: &dyn Kv, request: &[u8]) -> Result<Vec<u8>, QueryError> {
        let answer = match decode(request, "a query").map_err(|_| Reason::Malformed)? {
            PeerQuery::AccessCheckpoint => {
                let checkpoint = self.log.checkpoint(kv, &self.key);
                PeerAnswer::Checkpoint(checkpoint.map_err(|_| Reason::Internal)?)
            }
            PeerQuery::AccessConsistency { old, new } => {
                let proof = AccessLog::consistency(kv, old, new);
                PeerAnswer::Consistency(proof.map_err(|_| Reason::Malformed)?)
            }
            _ => return Err(Reason::WrongRole.into()),
        };
        Ok(encode(&answer))
    }

    /// The answer to the operator, if it asks about the log.
    pub(crate) fn operator(
        &self,
        kv: &dyn Kv,
        query: &OperatorQuery,
    ) -> Result<Option<OperatorAnswer>, QueryError> {
        Ok(Some(match query {
            OperatorQuery::Access(from) => {
                OperatorAnswer::Access(AccessLog::entries(kv, *from, PAGE_ROWS)?)
            }
            OperatorQuery::AccessProof(index) => {
                let shown = self.log.prove(kv, &self.key, *index);
                let shown = shown.map_err(|_| Reason::Internal)?;
                OperatorAnswer::AccessProof(shown.map(Box::new))
            }
            _ => return Ok(None),
        }))
    }
}

/// What can be read of a regulator.
#[derive(Debug)]
pub(crate) struct RegulatorReads {
    /// Its access log.
    pub(crate) access: AccessReads,
}

impl Queries for RegulatorReads {
    fn admits(&self, from: &Member, origin: Origin, kind: u8) -> Option<usize> {
        match kind {
            kind::PEER_QUERY => AccessReads::admits(from),
            kind::OPERATOR_QUERY => (origin == Origin::Operator).then_some(1024),
            _ => None,
        }
    }

    fn answer(&self, kv: &dyn Kv, question: &Question<'_>) -> Result<Vec<u8>, QueryError> {
        let request = question.request;
        if question.kind == kind::PEER_QUERY {
            return self.access.peer(kv, request);
        }
        let query = decode(request, "a query").map_err(|_| Reason::Malformed)?;
        if let Some(answer) = self.access.operator(kv, &query)? {
            return Ok(encode(&answer));
        }
        let answer = match query {
            OperatorQuery::AuditHead(asset) => {
                OperatorAnswer::AuditHead(Regulator::head(kv, asset)?)
            }
            OperatorQuery::Assets => OperatorAnswer::Assets(Vec::new()),
            OperatorQuery::Desk => OperatorAnswer::Desk(AccessLog::desk(kv)?),
            OperatorQuery::Grants(after) => {
                OperatorAnswer::Grants(AccessLog::grants(kv, after, PAGE_ROWS)?)
            }
            _ => return Err(Reason::WrongRole.into()),
        };
        Ok(encode(&answer))
    }
}
