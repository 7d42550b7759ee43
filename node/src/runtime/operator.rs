//! The operator's side: programs that hold the node's key instruct the running node and query it over the same network.

use std::time::Duration;

use borsh::BorshSerialize;
use sudare_crypto::NodeId;
use sudare_crypto::encoding::{self, Malformed};

use super::{INSTRUCTION, STATUS, Status};
use crate::membership::Membership;
use crate::net::{Endpoint, Identity, NetError, Options, Refusal, Response, StartError};

/// A connection to the operator's own node, made when it is first used.
#[derive(Debug)]
pub struct Operator {
    endpoint: Endpoint,
    node: NodeId,
    patience: Duration,
}

/// The node did not do what its operator asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OperatorError {
    /// The node does not answer.
    #[error("{0}; is this node running?")]
    Net(#[from] NetError),
    /// It refuses. [`reason_of`](super::reason_of) gives a role's reason.
    #[error("{0}")]
    Refused(Refusal),
    /// Its answer is of another version.
    #[error("the node's answer can't be read ({0}): node and command must be of the same version")]
    Malformed(#[from] Malformed),
}

impl Operator {
    /// Prepares to talk to the node with this identity, waiting at most `patience` for each answer.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn new(
        identity: &Identity,
        membership: &Membership,
        patience: Duration,
    ) -> Result<Self, StartError> {
        let endpoint = Endpoint::dial_only(identity, membership, Options::default())?;
        Ok(Self { endpoint, node: identity.key().id(), patience })
    }

    /// Gives an instruction; the node's answer for people.
    ///
    /// # Errors
    ///
    /// [`OperatorError`].
    pub async fn instruct<I: BorshSerialize>(
        &self,
        instruction: &I,
    ) -> Result<String, OperatorError> {
        let answer = self.query(INSTRUCTION, &encoding::encode(instruction)).await?;
        Ok(String::from_utf8(answer).map_err(|_| Malformed::Encoding("answer"))?)
    }

    /// The node's status.
    ///
    /// # Errors
    ///
    /// [`OperatorError`].
    pub async fn status(&self) -> Result<Status, OperatorError> {
        Ok(encoding::decode(&self.query(STATUS, &[]).await?, "status")?)
    }

    /// Asks a question of any kind, by its bytes.
    ///
    /// # Errors
    ///
    /// [`OperatorError`].
    pub async fn query(&self, kind: u8, request: &[u8]) -> Result<Vec<u8>, OperatorError> {
        match self.endpoint.peers().request(&self.node, kind, request, self.patience).await? {
            Response::Answer(answer) => Ok(answer),
            Response::Accepted => Ok(Vec::new()),
            Response::Refused(refusal) => Err(OperatorError::Refused(refusal)),
        }
    }
}
