//! `[HDG]` What accounts hold in a register snapshot, and that it is part of its supply: `X = x*B`, `S_i = x*A_i`, and each `C_i - q_i*B`,
//! as the root's sum less the supply, is a known multiple of `B~`.
//!
//! Instances of one relation are summed by powers of a challenge drawn after all of them, as in `[LNK]`: one row for all points shared
//! with accounts, one for all amounts (specs/statements.md).

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;

use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, Combination, LinearProof, Relation};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, Secret};

/// The relation's name.
pub const NAME: &str = "sudare/proof/holdings/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `X`.
    pub locators: Encoded,
    /// What accounts hold; at least one.
    pub holdings: Vec<Holding>,
    /// The sum of all commitments.
    pub sum: Encoded,
    /// What it commits to.
    pub supply: u64,
}

/// What an account holds.
#[derive(Clone, Copy, Debug, BorshSerialize)]
pub struct Holding {
    /// `A`.
    pub account: Encoded,
    /// `S`.
    pub shared: Encoded,
    /// `C`.
    pub commitment: Encoded,
    /// `q`.
    pub quantity: u64,
}

/// Proves the statement with `x`, the blinding of each commitment in order, and that of their sum.
///
/// # Errors
///
/// [`Malformed`] if there is no holding, not one blinding for each, or a point does not decode.
pub fn prove(
    statement: &Statement,
    locating: &Secret,
    (blindings, of_sum): (&[Secret], &Secret),
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let malformed = Malformed::Encoding("holdings: none, or not one blinding for each");
    let (relation, rho) = relation(statement, transcript).ok_or(malformed)?;
    if blindings.len() != statement.holdings.len() {
        return Err(malformed);
    }
    let (mut sum, mut power) = (Secret(Scalar::ZERO), Scalar::ONE);
    for blinding in blindings.iter().chain([of_sum]) {
        sum.0 += power * blinding.0;
        power *= rho;
    }
    linear::prove(&relation, &[locating.0, sum.0], transcript, rng)
}

/// Adds the proof's equations to `claims`.
///
/// Enforces [HDG-1].
///
/// # Errors
///
/// [`Rejected::Shape`] if there is no holding or the proof has the wrong number of parts.
pub fn verify(
    statement: &Statement,
    proof: &LinearProof,
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    let (relation, _) = relation(statement, transcript).ok_or(Rejected::Shape(NAME))?;
    linear::verify(&relation, proof, transcript, claims)
}

/// The relation with its instances summed by powers of a challenge drawn after all of them; none without holdings.
fn relation(
    statement: &Statement,
    transcript: &mut LedgerTranscript,
) -> Option<(Relation, Scalar)> {
    let Statement { locators, holdings, sum, supply } = statement;
    if holdings.is_empty() {
        return None;
    }
    let bytes = encoding::encode(statement);
    transcript.absorb(b"holdings", &bytes);
    let rho = transcript.challenge(b"rho-holdings");
    let count = holdings.len();
    let mut accounts: Combination = Vec::with_capacity(count);
    let mut shared: Combination = Vec::with_capacity(count);
    let mut amounts: Combination = Vec::with_capacity(count.saturating_add(2));
    let (mut power, mut clear) = (Scalar::ONE, Scalar::ZERO);
    for holding in holdings {
        accounts.push((power, holding.account));
        shared.push((power, holding.shared));
        amounts.push((power, holding.commitment));
        clear += power * Scalar::from(holding.quantity);
        power *= rho;
    }
    amounts.push((power, *sum));
    clear += power * Scalar::from(*supply);
    amounts.push((-clear, *B_ENCODED));
    let rows = vec![
        equation(one(*locators), vec![(0, one(*B_ENCODED))]),
        equation(shared, vec![(0, accounts)]),
        equation(amounts, vec![(1, one(*B_BLINDING_ENCODED))]),
    ];
    let relation = Relation { name: NAME, statement: bytes, variables: 2, rows, merged: vec![] };
    Some((relation, rho))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::RistrettoPoint;
    use crate::point::{B, commit};

    struct Made {
        statement: Statement,
        locating: Secret,
        blindings: Vec<Secret>,
        of_sum: Secret,
    }

    /// Some accounts of many, whose holdings are part of 1000 units.
    fn made(count: u64) -> Made {
        let rng = &mut ChaCha20Rng::from_seed([7; 32]);
        let (locating, of_sum) = (Secret::random(rng), Secret::random(rng));
        let mut blindings = Vec::new();
        let holding = |quantity| {
            let (account, blinding) = (RistrettoPoint::random(rng), Secret::random(rng));
            let commitment = Encoded::of(&commit(quantity, &blinding.0));
            blindings.push(blinding);
            let shared = Encoded::of(&(account * locating.0));
            Holding { account: Encoded::of(&account), shared, commitment, quantity }
        };
        let holdings = (1..=count).map(holding).collect();
        let sum = Encoded::of(&commit(1_000, &of_sum.0));
        let statement = Statement { locators: locating.public(), holdings, sum, supply: 1_000 };
        Made { statement, locating, blindings, of_sum }
    }

    fn proved(made: &Made) -> Result<LinearProof, Malformed> {
        let openings = (made.blindings.as_slice(), &made.of_sum);
        let on = &mut LedgerTranscript::new(b"sudare/test/v1", b"holdings");
        let rng = &mut ChaCha20Rng::from_seed([8; 32]);
        prove(&made.statement, &made.locating, openings, on, rng)
    }

    fn holds(statement: &Statement, proof: &LinearProof) -> bool {
        let on = &mut LedgerTranscript::new(b"sudare/test/v1", b"holdings");
        let mut claims = Claims::new();
        verify(statement, proof, on, &mut claims).is_ok()
            && claims.accept(&mut ChaCha20Rng::from_seed([9; 32])).is_ok()
    }

    fn moved(point: &Encoded) -> Encoded {
        Encoded::of(&(point.decompress().unwrap() + B))
    }

    #[test]
    fn holdings_are_shown_and_nothing_else_is() {
        for count in [1, 2, 5] {
            let made = made(count);
            let proof = proved(&made).unwrap();
            assert!(holds(&made.statement, &proof));
            let edits: [fn(&mut Holding); 4] = [
                |holding| holding.account = moved(&holding.account),
                |holding| holding.shared = moved(&holding.shared),
                |holding| holding.commitment = moved(&holding.commitment),
                |holding| holding.quantity += 1,
            ];
            for place in 0..made.statement.holdings.len() {
                for edit in edits {
                    let mut other = made.statement.clone();
                    edit(&mut other.holdings[place]);
                    assert!(!holds(&other, &proof), "{place} of {count}");
                    // Nor is it proved with what its maker knows of the true one.
                    let forged = Made { statement: other.clone(), ..self::made(count) };
                    assert!(!holds(&other, &proved(&forged).unwrap()), "{place} of {count}");
                }
            }
            for edit in [
                |one: &mut Statement| one.supply += 1,
                |one: &mut Statement| one.sum = one.locators,
                |one: &mut Statement| one.locators = one.sum,
                |one: &mut Statement| one.holdings.truncate(one.holdings.len() - 1),
            ] {
                let mut other = made.statement.clone();
                edit(&mut other);
                assert!(!holds(&other, &proof));
            }
        }
    }

    #[test]
    fn two_quantities_that_are_wrong_by_as_much_do_not_cancel() {
        let mut made = made(2);
        made.statement.holdings[0].quantity += 1;
        made.statement.holdings[1].quantity -= 1;
        assert!(!holds(&made.statement, &proved(&made).unwrap()));
    }

    #[test]
    fn nothing_is_stated_of_nobody() {
        let mut made = made(1);
        made.statement.holdings.clear();
        made.blindings.clear();
        assert!(proved(&made).is_err());
        assert!(!holds(&made.statement, &LinearProof::default()));
    }
}
