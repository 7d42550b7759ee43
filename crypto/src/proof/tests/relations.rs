//! The table: honest examples of every relation in several shapes.

use rand_core::CryptoRngCore;

use super::edits::{Public, columns};
use super::{Refused, parse, rng, transcript};
use crate::encoding::encode;
use crate::linear::Relation;
use crate::point::{B, B_BLINDING, G, commit};
use crate::proof::statement::Kind;
use crate::proof::{
    amount, balance, equality, holder, links, locator, owner, possession, range, spend, statement,
    tag, wrap,
};
use crate::{Claims, Encoded, Hash, LedgerTranscript, RistrettoPoint, Scalar, Secret};

/// An honest proof, its statement and the statement's changes, whatever the relation.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) relation: &'static str,
    pub(super) proof: Vec<u8>,
    /// What each change of the statement changes.
    pub(super) edits: Vec<String>,
    /// Whether the proof is on the caller's transcript; if not, its context is in its statement.
    pub(super) on_transcript: bool,
    /// The witness of `rows`.
    pub(super) witness: Vec<Scalar>,
    verify: Box<Check>,
    rows: Box<dyn Fn(Option<usize>) -> Option<Relation>>,
}

type Check =
    dyn Fn(Option<usize>, &[u8], &mut LedgerTranscript, &mut Claims) -> Result<(), Refused>;

impl Case {
    /// Verifies `proof` for the statement, or for the change of it with this number.
    pub(super) fn verify(
        &self,
        edit: Option<usize>,
        proof: &[u8],
        transcript: &mut LedgerTranscript,
        claims: &mut Claims,
    ) -> Result<(), Refused> {
        (self.verify)(edit, proof, transcript, claims)
    }

    /// Verifies and decides on the honest transcript.
    pub(super) fn decide(&self, edit: Option<usize>, proof: &[u8]) -> Result<(), Refused> {
        super::decide(|transcript, claims| self.verify(edit, proof, transcript, claims))
    }

    /// The relation's rows for the statement or a change of it; none for a range proof, which has none.
    pub(super) fn rows(&self, edit: Option<usize>) -> Option<Relation> {
        (self.rows)(edit)
    }
}

/// A row of the table.
struct Example<S> {
    name: String,
    relation: &'static str,
    statement: S,
    proof: Vec<u8>,
    witness: Vec<Scalar>,
    /// Changes beyond those of a single field.
    joint: Vec<(String, S)>,
    on_transcript: bool,
    verify: fn(&S, &[u8], &mut LedgerTranscript, &mut Claims) -> Result<(), Refused>,
    rows: fn(&S) -> Option<Relation>,
}

impl<S: Public + 'static> From<Example<S>> for Case {
    fn from(example: Example<S>) -> Self {
        let Example { statement, verify, rows, .. } = example;
        let (names, mut statements): (Vec<_>, Vec<_>) =
            statement.edits().into_iter().chain(example.joint).unzip();
        statements.push(statement);
        let statements = std::rc::Rc::new(statements);
        let of = {
            let statements = statements.clone();
            move |edit: Option<usize>| edit.unwrap_or(statements.len() - 1)
        };
        let (of_rows, of_statements) = (of.clone(), statements.clone());
        Self {
            name: example.name,
            relation: example.relation,
            proof: example.proof,
            edits: names,
            on_transcript: example.on_transcript,
            witness: example.witness,
            verify: Box::new(move |edit, proof, transcript, claims| {
                verify(&statements[of(edit)], proof, transcript, claims)
            }),
            rows: Box::new(move |edit| rows(&of_statements[of_rows(edit)])),
        }
    }
}

/// All relations in all shapes.
pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![possession(), tag(), locator(), equality()];
    cases.extend((1..=4).map(owner));
    for count in 1..=3 {
        cases.push(links(count));
        cases.push(holder(count));
        cases.push(range(count));
        for keys in [1, 2, 4] {
            cases.extend([amount(count, keys), spend(count, keys), wrap(count, keys)]);
        }
    }
    cases.extend([(0, 1), (1, 1), (2, 3), (3, 0), (3, 2)].map(|(i, o)| balance(i, o)));
    cases.extend([
        totals(Kind::AtLeast { bound: 3 }, 1, 0),
        totals(Kind::AtMost { bound: 100 }, 2, 0),
        totals(Kind::Between { low: 5, high: 40 }, 3, 0),
        totals(Kind::AtLeast { bound: 3 }, 2, 1),
        totals(Kind::AtMost { bound: 100 }, 1, 1),
        totals(Kind::Between { low: 5, high: 40 }, 2, 1),
        totals(Kind::Share { numerator: 2, denominator: 7 }, 2, 2),
        totals(Kind::Share { numerator: 1, denominator: 20 }, 2, 0),
        totals(Kind::Differ { by: 0 }, 2, 2),
        totals(Kind::Differ { by: 10 }, 2, 1),
    ]);
    cases
}

/// Every relation once, in a shape that has all its rows.
pub(super) fn one_each() -> Vec<Case> {
    vec![
        possession(),
        tag(),
        owner(3),
        amount(2, 2),
        spend(2, 3),
        wrap(2, 3),
        links(2),
        balance(2, 2),
        totals(Kind::Between { low: 5, high: 40 }, 2, 0),
        holder(2),
        locator(),
        equality(),
        range(1),
    ]
}

pub(super) fn points(count: usize, rng: &mut impl CryptoRngCore) -> Vec<RistrettoPoint> {
    (0..count).map(|_| RistrettoPoint::random(rng)).collect()
}

pub(super) fn encoded(points: &[RistrettoPoint]) -> Vec<Encoded> {
    points.iter().map(Encoded::of).collect()
}

pub(super) fn scalar(rng: &mut impl CryptoRngCore) -> Scalar {
    Scalar::random(rng)
}

/// [OWN].
fn owner(count: usize) -> Case {
    let rng = &mut rng(1);
    let (account, keys) = (B * scalar(rng), points(count, rng));
    let witness =
        owner::Witness { tag: scalar(rng), blinding: scalar(rng), ephemeral: scalar(rng) };
    let identities: Vec<_> = keys.iter().map(|key| account + key * witness.ephemeral).collect();
    let statement = owner::Statement {
        owner: Encoded::of(&(account + *G * witness.tag + *B_BLINDING * witness.blinding)),
        ephemeral: Encoded::of(&(B * witness.ephemeral)),
        identities: encoded(&identities),
        keys: encoded(&keys),
    };
    let proof = owner::prove(&statement, &witness, &mut transcript(), rng).unwrap();
    Example {
        name: format!("owner, {count} keys"),
        relation: owner::NAME,
        joint: columns(&statement, |s| vec![&mut s.keys, &mut s.identities]),
        statement,
        proof: encode(&proof),
        witness: vec![witness.tag, witness.blinding, witness.ephemeral],
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(owner::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: owner::relation,
    }
    .into()
}

/// [AMT].
fn amount(outputs: usize, keys: usize) -> Case {
    let rng = &mut rng(2);
    let keys = encoded(&points(keys, rng));
    let values = [0, u64::MAX, 1_000_000];
    let openings: Vec<_> =
        (0..outputs).map(|i| amount::Opening { value: values[i], blinding: scalar(rng) }).collect();
    let outputs: Vec<_> = openings.iter().map(|opening| opening.encrypt(&keys).unwrap()).collect();
    let statement = amount::Statement { outputs, keys };
    let proof = amount::prove(&statement, &openings, &mut transcript(), rng).unwrap();
    Example {
        name: format!("amount, {} outputs, {} keys", openings.len(), statement.keys.len()),
        relation: amount::NAME,
        joint: columns(&statement, |s| {
            let ciphertexts = s.outputs.iter_mut().map(|output| &mut output.amounts);
            std::iter::once(&mut s.keys).chain(ciphertexts).collect()
        }),
        statement,
        proof: encode(&proof),
        witness: openings.iter().flat_map(|o| [Scalar::from(o.value), o.blinding]).collect(),
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(amount::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: amount::relation,
    }
    .into()
}

/// [SPD].
fn spend(inputs: usize, keys: usize) -> Case {
    let rng = &mut rng(3);
    let keys = points(keys, rng);
    let witnesses: Vec<_> = (0..inputs)
        .map(|_| spend::Witness { account: scalar(rng), tag: scalar(rng), ephemeral: scalar(rng) })
        .collect();
    let spender = |w: &spend::Witness| spend::Spender {
        tag: Encoded::of(&(B * w.account + *G * w.tag)),
        ephemeral: Encoded::of(&(B * w.ephemeral)),
        identities: keys.iter().map(|k| Encoded::of(&(B * w.account + k * w.ephemeral))).collect(),
    };
    let statement =
        spend::Statement { inputs: witnesses.iter().map(spender).collect(), keys: encoded(&keys) };
    let proof = spend::prove(&statement, &witnesses, &mut transcript(), rng).unwrap();
    Example {
        name: format!("spend, {inputs} inputs, {} keys", keys.len()),
        relation: spend::NAME,
        joint: columns(&statement, |s| {
            let identities = s.inputs.iter_mut().map(|input| &mut input.identities);
            std::iter::once(&mut s.keys).chain(identities).collect()
        }),
        statement,
        proof: encode(&proof),
        witness: witnesses.iter().flat_map(|w| [w.account, w.tag, w.ephemeral]).collect(),
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(spend::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: spend::relation,
    }
    .into()
}

/// [WRP].
fn wrap(sections: usize, readers: usize) -> Case {
    let rng = &mut rng(4);
    let ephemerals: Vec<_> = (0..sections).map(|_| Secret::random(rng)).collect();
    let wrapped = |w: &Secret| {
        let (message, keys) = (RistrettoPoint::random(rng), points(readers, rng));
        let wraps: Vec<_> = keys.iter().map(|key| message + key * w.0).collect();
        wrap::Wrapped { ephemeral: w.public(), wraps: encoded(&wraps), keys: encoded(&keys) }
    };
    let statement = wrap::Statement { sections: ephemerals.iter().map(wrapped).collect() };
    let proof =
        wrap::prove(&statement, &ephemerals, &mut transcript(), &mut super::rng(5)).unwrap();
    Example {
        name: format!("wrap, {sections} sections, {readers} readers"),
        relation: wrap::NAME,
        joint: columns(&statement, |s| {
            let section = s.sections.last_mut().unwrap();
            vec![&mut section.keys, &mut section.wraps]
        }),
        statement,
        proof: encode(&proof),
        witness: ephemerals.iter().map(|secret| secret.0).collect(),
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(wrap::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: wrap::relation,
    }
    .into()
}

/// [LNK].
fn links(count: usize) -> Case {
    let rng = &mut rng(6);
    let witnesses: Vec<_> = (0..count)
        .map(|_| links::Witness { owner_blinding: scalar(rng), rerandomisation: scalar(rng) })
        .collect();
    let link = |w: &links::Witness| {
        let [tag, commitment] = [RistrettoPoint::random(rng), RistrettoPoint::random(rng)];
        links::Link {
            owner: Encoded::of(&(tag + *B_BLINDING * w.owner_blinding)),
            commitment: Encoded::of(&commitment),
            tag: Encoded::of(&tag),
            rerandomised: Encoded::of(&(commitment + *B_BLINDING * w.rerandomisation)),
        }
    };
    let statement = links::Statement { links: witnesses.iter().map(link).collect() };
    let proof =
        links::prove(&statement, &witnesses, &mut transcript(), &mut super::rng(7)).unwrap();
    let (_, rho) = links::relation(&statement, &mut transcript());
    let merged = witnesses
        .iter()
        .rev()
        .fold(Scalar::ZERO, |sum, w| (sum * rho + w.rerandomisation) * rho + w.owner_blinding);
    Example {
        name: format!("links, {count} inputs"),
        relation: links::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness: vec![merged],
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(links::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: |s| Some(links::relation(s, &mut transcript()).0),
    }
    .into()
}

/// [HLD].
fn holder(count: usize) -> Case {
    let rng = &mut rng(17);
    let account = B * scalar(rng);
    let witnesses: Vec<_> =
        (0..count).map(|_| holder::Witness { tag: scalar(rng), blinding: scalar(rng) }).collect();
    let owner =
        |w: &holder::Witness| Encoded::of(&(account + *G * w.tag + *B_BLINDING * w.blinding));
    let owners = witnesses.iter().map(owner).collect();
    let statement = holder::Statement { account: Encoded::of(&account), owners };
    let mut rng = super::rng(18);
    let proof = holder::prove(&statement, &witnesses, &mut transcript(), &mut rng).unwrap();
    let (_, rho) = holder::relation(&statement, &mut transcript()).unwrap();
    let merged = |part: fn(&holder::Witness) -> Scalar| {
        witnesses.iter().rev().fold(Scalar::ZERO, |sum, witness| sum * rho + part(witness))
    };
    Example {
        name: format!("holder, {count} notes"),
        relation: holder::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness: vec![merged(|w| w.tag), merged(|w| w.blinding)],
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(holder::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: |s| Some(holder::relation(s, &mut transcript())?.0),
    }
    .into()
}

/// [BAL]. A leg of inputs of 10 each; what the outputs of 7 each lack is burned, what they exceed is minted.
fn balance(inputs: u64, outputs: u64) -> Case {
    let rng = &mut rng(8);
    let mut commitments = |count: u64, value: u64, sign: Scalar, excess: &mut Scalar| {
        let commitment = |_| {
            let blinding = scalar(rng);
            *excess += sign * blinding;
            Encoded::of(&commit(value, &blinding))
        };
        (0..count).map(commitment).collect::<Vec<_>>()
    };
    let mut excess = Scalar::ZERO;
    let statement = balance::Statement {
        inputs: commitments(inputs, 10, Scalar::ONE, &mut excess),
        outputs: commitments(outputs, 7, -Scalar::ONE, &mut excess),
        mint: (outputs * 7).saturating_sub(inputs * 10),
        burn: (inputs * 10).saturating_sub(outputs * 7),
    };
    let mut rng = super::rng(9);
    let proof = balance::prove(&statement, &Secret(excess), &mut transcript(), &mut rng).unwrap();
    Example {
        name: format!("balance, {inputs} inputs, {outputs} outputs"),
        relation: balance::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness: vec![excess],
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(balance::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: |s| Some(balance::relation(s)),
    }
    .into()
}

/// [STM], the linear part. Commitments to 10 each; a right total has 3 in clear and so, to differ by tens, has the left.
fn totals(kind: Kind, left: usize, right: usize) -> Case {
    let rng = &mut rng(15);
    let with_right = matches!(kind, Kind::Share { .. } | Kind::Differ { .. });
    let mut total = |count: usize, clear: u64| {
        let openings: Vec<_> =
            (0..count).map(|_| amount::Opening { value: 10, blinding: scalar(rng) }).collect();
        let commitments =
            openings.iter().map(|o| Encoded::of(&commit(o.value, &o.blinding))).collect();
        (statement::Total { commitments, clear }, openings)
    };
    let clear = if with_right { 3 } else { 0 };
    let ((left, opened), (right, against)) = (total(left, clear), total(right, clear));
    let sum = |openings: &[amount::Opening]| openings.iter().map(|o| o.blinding).sum::<Scalar>();
    let (l, r) = (sum(&opened), sum(&against));
    let (left_value, right_value) = (
        u64::try_from(opened.len()).unwrap() * 10 + clear,
        u64::try_from(against.len()).unwrap() * 10 + clear,
    );
    // Each difference and its blinding; the higher limb is zero.
    let differences = match kind {
        Kind::AtLeast { bound } => vec![(left_value - right_value - bound, l - r)],
        Kind::AtMost { bound } => vec![(bound + right_value - left_value, r - l)],
        Kind::Between { low, high } => {
            let change = left_value - right_value;
            vec![(change - low, l - r), (high - change, r - l)]
        }
        Kind::Share { numerator: p, denominator: q } => {
            let value = u64::from(q) * left_value - u64::from(p) * right_value;
            vec![(value, Scalar::from(q) * l - Scalar::from(p) * r)]
        }
        Kind::Differ { .. } => Vec::new(),
    };
    let (mut limbs, mut witness) = (Vec::new(), Vec::new());
    for (value, blinding) in differences {
        let blindings = [scalar(rng), scalar(rng)];
        limbs.push(Encoded::of(&commit(value, &blindings[0])));
        limbs.push(Encoded::of(&commit(0, &blindings[1])));
        witness.push(blinding - blindings[0] - Scalar::from(1u128 << 64) * blindings[1]);
    }
    if witness.is_empty() {
        witness.push(l - r);
    }
    let statement = statement::Statement { kind, left, right, limbs };
    let mut rng = super::rng(16);
    let proof = statement::prove(&statement, &witness, &mut transcript(), &mut rng).unwrap();
    let counts = [statement.left.commitments.len(), statement.right.commitments.len()];
    Example {
        name: format!("totals {counts:?}, {kind:?}"),
        relation: statement::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness,
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(statement::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: statement::relation,
    }
    .into()
}

/// [POP].
fn possession() -> Case {
    let secret = Secret::random(&mut rng(10));
    let statement = possession::Statement { key: secret.public(), purpose: b"asset, epoch".into() };
    let proof = possession::prove(&statement, &secret, &mut rng(11)).unwrap();
    Example {
        name: "possession".into(),
        relation: possession::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness: vec![secret.0],
        on_transcript: false,
        verify: |s, proof, _, claims| Ok(possession::verify(s, &parse(proof)?, claims)?),
        rows: |s| Some(possession::relation(s)),
    }
    .into()
}

/// [LOC].
fn locator() -> Case {
    let rng = &mut rng(18);
    let (secret, base) = (Secret::random(rng), RistrettoPoint::random(rng));
    let shared = Encoded::of(&(base * secret.0));
    let statement = locator::Statement { key: secret.public(), base: Encoded::of(&base), shared };
    let proof = locator::prove(&statement, &secret, &mut transcript(), rng).unwrap();
    Example {
        name: "locator".into(),
        relation: locator::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness: vec![secret.0],
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(locator::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: |s| Some(locator::relation(s)),
    }
    .into()
}

/// [EQL].
fn equality() -> Case {
    let rng = &mut rng(19);
    let (own, other) = (scalar(rng), Secret::random(rng));
    let (left, right) = (commit(40, &own), commit(40, &other.0));
    let (left, right) = (Encoded::of(&left), Encoded::of(&right));
    let (statement, witness) = equality::mask(&left, &right, (40, &other), rng).unwrap();
    let proof = equality::prove(&statement, &witness, &mut transcript(), rng).unwrap();
    Example {
        name: "equality".into(),
        relation: equality::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness: vec![witness.mask.0, witness.value.0, witness.blinding.0],
        on_transcript: true,
        verify: |s, proof, transcript, claims| {
            Ok(equality::verify(s, &parse(proof)?, transcript, claims)?)
        },
        rows: |s| Some(equality::relation(s)),
    }
    .into()
}

/// [TAG].
fn tag() -> Case {
    let key = tag::SpendKey::random(&mut rng(12));
    let statement = tag::Statement { tag: key.tag(), commit: Hash::of(b"commit", &[]) };
    let proof = tag::sign(&key, statement.commit, &mut rng(13)).unwrap();
    Example {
        name: "tag".into(),
        relation: tag::NAME,
        joint: Vec::new(),
        statement,
        proof: encode(&proof),
        witness: vec![key.account, key.tag],
        on_transcript: false,
        verify: |s, proof, _, claims| Ok(tag::verify(s, &parse(proof)?, claims)?),
        rows: |s| Some(tag::relation(s)),
    }
    .into()
}

/// [RNG].
fn range(outputs: usize) -> Case {
    let rng = &mut rng(14);
    let values = [0, u64::MAX, 1_000_000];
    let openings: Vec<_> =
        (0..outputs).map(|i| amount::Opening { value: values[i], blinding: scalar(rng) }).collect();
    let proof = range::prove(&openings, &mut transcript(), rng).unwrap();
    Example {
        name: format!("range, {outputs} outputs"),
        relation: range::NAME,
        joint: Vec::new(),
        statement: openings
            .iter()
            .map(|o| Encoded::of(&commit(o.value, &o.blinding)))
            .collect::<Vec<_>>(),
        proof,
        witness: Vec::new(),
        on_transcript: true,
        verify: |s, proof, transcript, claims| Ok(range::verify(s, proof, transcript, claims)?),
        rows: |_| None,
    }
    .into()
}
