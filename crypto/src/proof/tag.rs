//! `[TAG]` A spend is signed by who can open its tag: `z_a*B + z_t*G = Y + c*T`, the challenge over `T` and the commit hash `m`.
//!
//! `(a, t)`: `T = a*B + t*G` (protocol section 6 step 4, specs/proofs.md).

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B_ENCODED, G_ENCODED, times_b, times_g};
use crate::{Claims, Encoded, Hash, LedgerTranscript, Rejected, Scalar};

/// The relation's name.
pub const NAME: &str = "sudare/proof/tag/v1";

/// The public inputs.
#[derive(Clone, Copy, Debug, BorshSerialize)]
pub struct Statement {
    /// `T`.
    pub tag: Encoded,
    /// `m`.
    pub commit: Hash,
}

/// The opening of a tag.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[allow(missing_debug_implementations, reason = "secret")]
pub struct SpendKey {
    /// `a`, the account key.
    pub account: Scalar,
    /// `t`, the tag's one-time part.
    pub tag: Scalar,
}

impl SpendKey {
    /// `T = a*B + t*G`.
    #[must_use]
    pub fn tag(&self) -> Encoded {
        Encoded::of(&(times_b(&self.account) + times_g(&self.tag)))
    }

    /// A fresh one-time key, for padding and for commits without inputs.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        Self { account: Scalar::random(rng), tag: Scalar::random(rng) }
    }
}

/// Signs the commit hash under the key's tag.
///
/// # Errors
///
/// [`Malformed`] never in practice: the only points are generators.
pub fn sign(
    key: &SpendKey,
    commit: Hash,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let statement = Statement { tag: key.tag(), commit };
    linear::prove(&relation(&statement), &[key.account, key.tag], &mut transcript(), rng)
}

/// Adds the signature's equation to `claims`.
///
/// # Errors
///
/// [`Rejected::Shape`] if the signature has the wrong number of parts.
pub fn verify(
    statement: &Statement,
    signature: &LinearProof,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    linear::verify(&relation(statement), signature, &mut transcript(), claims)
}

fn transcript() -> LedgerTranscript {
    LedgerTranscript::new(b"sudare/spend/v1", b"")
}

pub(super) fn relation(statement: &Statement) -> Relation {
    Relation {
        name: NAME,
        statement: encoding::encode(statement),
        variables: 2,
        rows: vec![equation(one(statement.tag), vec![(0, one(*B_ENCODED)), (1, one(*G_ENCODED))])],
        merged: Vec::new(),
    }
}
