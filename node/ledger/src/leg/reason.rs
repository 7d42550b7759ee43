//! The reason that a party gives for a leg that it can't build or doesn't take.

use super::{BuildError, LegError};
use crate::messages::Reason;
use crate::slot::SlotError;

impl From<LegError> for Reason {
    fn from(error: LegError) -> Self {
        match error {
            LegError::Terms | LegError::Epoch | LegError::SlotContext(_) => Self::StaleTerms,
            LegError::Slot(_, SlotError::Epoch) => Self::StaleTerms,
            LegError::Purpose | LegError::Repeated | LegError::Sections => Self::Malformed,
            LegError::Slot(_, SlotError::Signature | SlotError::Proof(_)) => Self::Proof,
            LegError::Proof(_) => Self::Proof,
        }
    }
}

impl From<BuildError> for Reason {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Unbalanced => Self::SupplyLimit,
            BuildError::TooMany { .. } => Self::TooLarge,
            BuildError::Malformed(_) => Self::Malformed,
            BuildError::Leg(error) => error.into(),
            BuildError::Proof(_) => Self::Proof,
        }
    }
}
