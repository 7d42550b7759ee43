//! An operator with its node's identity.

use std::time::Duration;

use borsh::BorshSerialize;
use sudare_crypto::NodeId;
use sudare_crypto::encoding;

use crate::membership::Membership;
use crate::net::{Endpoint, Identity, NetError, Options, Refusal, Response};
use crate::runtime::{INSTRUCTION, STATUS, Status};

pub(super) struct Operator {
    endpoint: Endpoint,
    node: NodeId,
    patience: Duration,
}

/// The node did not do what its operator asked.
#[derive(Debug)]
pub(super) enum OperatorError {
    Net(NetError),
    Refused(Refusal),
}

impl Operator {
    pub(super) fn new(identity: &Identity, membership: &Membership, patience: Duration) -> Self {
        let endpoint = Endpoint::dial_only(identity, membership, Options::default()).unwrap();
        Self { endpoint, node: identity.key().id(), patience }
    }

    /// Gives an instruction; the node's answer for people.
    pub(super) async fn instruct<I: BorshSerialize>(
        &self,
        instruction: &I,
    ) -> Result<String, OperatorError> {
        let answer = self.query(INSTRUCTION, &encoding::encode(instruction)).await?;
        Ok(String::from_utf8(answer).unwrap())
    }

    pub(super) async fn status(&self) -> Result<Status, OperatorError> {
        Ok(encoding::decode(&self.query(STATUS, &[]).await?, "status").unwrap())
    }

    pub(super) async fn query(&self, kind: u8, request: &[u8]) -> Result<Vec<u8>, OperatorError> {
        let answer = self.endpoint.peers().request(&self.node, kind, request, self.patience).await;
        match answer.map_err(OperatorError::Net)? {
            Response::Answer(answer) => Ok(answer),
            Response::Accepted => Ok(Vec::new()),
            Response::Refused(refusal) => Err(OperatorError::Refused(refusal)),
        }
    }
}
