//! The rules marked (!) in the protocol, each as the attack that it stops: carried out against a relation without the rule,
//! where it works, then tried against ours.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use merlin::Transcript;

use super::relations::{encoded, points, scalar};
use super::{decide, provable, prove, rng, transcript};
use crate::encoding::encode;
use crate::linear::row::{difference, equation, one};
use crate::linear::{Relation, Row};
use crate::point::{B, B_BLINDING, B_BLINDING_ENCODED, B_ENCODED, G, commit};
use crate::proof::amount::{self, Ciphertext, Opening};
use crate::proof::{balance, owner, possession, range, spend, wrap};
use crate::{Claims, Encoded, Hash, LedgerTranscript, Rejected, RistrettoPoint, Scalar, Secret};

/// `E - k*R`: what the holder of `k` reads.
fn decrypt(k: &Secret, ephemeral: &Encoded, ciphertext: &Encoded) -> RistrettoPoint {
    ciphertext.decompress().unwrap() - ephemeral.decompress().unwrap() * k.0
}

/// A relation that lacks a rule.
fn weak(variables: usize, rows: Vec<Row>, merged: Vec<Row>) -> Relation {
    Relation { name: "weak", statement: Vec::new(), variables, rows, merged }
}

/// An amount whose `R` and `E` are made with another `r` than its commitment.
fn rubbish(k: &Secret) -> (amount::Statement, Opening, Scalar) {
    let rng = &mut rng(40);
    let (opening, other) = (Opening { value: 1_000, blinding: scalar(rng) }, scalar(rng));
    let key = k.public().decompress().unwrap();
    let commitment = commit(opening.value, &opening.blinding);
    let output = Ciphertext {
        commitment: Encoded::of(&commitment),
        ephemeral: Encoded::of(&(B * other)),
        amounts: vec![Encoded::of(&(commitment + (key - *B_BLINDING) * other))],
    };
    (amount::Statement { outputs: vec![output], keys: vec![k.public()] }, opening, other)
}

/// [AMT].
#[test]
fn without_the_row_for_the_commitment_a_ciphertext_decrypts_to_rubbish() {
    let k = Secret::random(&mut rng(41));
    let (statement, opening, other) = rubbish(&k);
    let output = &statement.outputs[0];
    assert_ne!(decrypt(&k, &output.ephemeral, &output.amounts[0]), B * Scalar::from(opening.value));

    let ours = amount::relation(&statement).unwrap();
    let ephemeral_only = vec![ours.rows[1].clone()];
    let witness = [Scalar::from(opening.value), other];
    assert!(provable(&weak(2, ephemeral_only, ours.merged.clone()), &witness));
    for r in [opening.blinding, other] {
        assert!(!provable(&ours, &[Scalar::from(opening.value), r]));
    }
}

#[test]
fn with_the_ephemeral_row_merged_into_the_commitments_a_ciphertext_decrypts_to_rubbish() {
    let rng = &mut rng(42);
    let k = Secret::random(rng);
    let (opening, other) = (Opening { value: 1_000, blinding: scalar(rng) }, scalar(rng));
    let mut output = opening.encrypt(&[k.public()]).unwrap();
    output.ephemeral = Encoded::of(&(B * other));
    assert_ne!(decrypt(&k, &output.ephemeral, &output.amounts[0]), B * Scalar::from(opening.value));

    // `C + rho*R = v*B + r*(B~ + rho*B)`: v takes up whatever R is off by.
    let rho = transcript().challenge(b"rho");
    let statement = amount::Statement { outputs: vec![output.clone()], keys: vec![k.public()] };
    let ours = amount::relation(&statement).unwrap();
    let sum = equation(
        vec![(Scalar::ONE, output.commitment), (rho, output.ephemeral)],
        vec![
            (0, one(*B_ENCODED)),
            (1, vec![(Scalar::ONE, *B_BLINDING_ENCODED), (rho, *B_ENCODED)]),
        ],
    );
    let value = Scalar::from(opening.value);
    let shifted = value + rho * (other - opening.blinding);
    let merged = weak(2, vec![sum], ours.merged.clone());
    assert!(provable(&merged, &[shifted, opening.blinding]));
    for v in [value, shifted] {
        for r in [opening.blinding, other] {
            assert!(!provable(&ours, &[v, r]));
        }
    }
}

/// [OWN]. A ciphertext under the second key that says something else than the one under the first.
#[test]
fn without_the_merged_rows_the_second_key_reads_another_account_than_the_first() {
    let rng = &mut rng(43);
    let [k_0, k_1] = [Secret::random(rng), Secret::random(rng)];
    let keys = encoded(&[B * k_0.0, B * k_1.0]);
    let (account, other, [t, s, u]) =
        (B * scalar(rng), B * scalar(rng), [(); 3].map(|()| scalar(rng)));
    let statement = owner::Statement {
        owner: Encoded::of(&(account + *G * t + *B_BLINDING * s)),
        ephemeral: Encoded::of(&(B * u)),
        identities: encoded(&[account + B * k_0.0 * u, other + B * k_1.0 * u]),
        keys,
    };
    assert_eq!(decrypt(&k_0, &statement.ephemeral, &statement.identities[0]), account);
    assert_eq!(decrypt(&k_1, &statement.ephemeral, &statement.identities[1]), other);

    let ours = owner::relation(&statement).unwrap();
    assert!(provable(&weak(3, ours.rows.clone(), Vec::new()), &[t, s, u]));
    assert!(!provable(&ours, &[t, s, u]));
}

/// [AMT].
#[test]
fn without_the_merged_rows_the_second_key_reads_another_amount_than_the_first() {
    let rng = &mut rng(64);
    let [k_0, k_1] = [Secret::random(rng), Secret::random(rng)];
    let keys = [k_0.public(), k_1.public()];
    let opening = Opening { value: 5, blinding: scalar(rng) };
    let mut output = opening.encrypt(&keys).unwrap();
    output.amounts[1] = Encoded::of(&(output.amounts[1].decompress().unwrap() + B));
    assert_eq!(decrypt(&k_0, &output.ephemeral, &output.amounts[0]), B * Scalar::from(5u64));
    assert_eq!(decrypt(&k_1, &output.ephemeral, &output.amounts[1]), B * Scalar::from(6u64));

    let statement = amount::Statement { outputs: vec![output], keys: keys.to_vec() };
    let ours = amount::relation(&statement).unwrap();
    let witness = [Scalar::from(opening.value), opening.blinding];
    assert!(provable(&weak(2, ours.rows.clone(), Vec::new()), &witness));
    assert!(!provable(&ours, &witness));
}

/// [SPD].
#[test]
fn without_the_merged_rows_the_second_key_reads_another_spender_than_the_first() {
    let rng = &mut rng(65);
    let [k_0, k_1] = [Secret::random(rng), Secret::random(rng)];
    let [a, other, t, u] = [(); 4].map(|()| scalar(rng));
    let input = spend::Spender {
        tag: Encoded::of(&(B * a + *G * t)),
        ephemeral: Encoded::of(&(B * u)),
        identities: encoded(&[B * (a + k_0.0 * u), B * (other + k_1.0 * u)]),
    };
    assert_eq!(decrypt(&k_0, &input.ephemeral, &input.identities[0]), B * a);
    assert_eq!(decrypt(&k_1, &input.ephemeral, &input.identities[1]), B * other);

    let keys = vec![k_0.public(), k_1.public()];
    let ours = spend::relation(&spend::Statement { inputs: vec![input], keys }).unwrap();
    assert!(provable(&weak(3, ours.rows.clone(), Vec::new()), &[a, t, u]));
    assert!(!provable(&ours, &[a, t, u]));
}

/// [WRP].
#[test]
fn without_the_merged_rows_the_second_reader_unwraps_another_content_key() {
    let rng = &mut rng(44);
    let (keys, messages, w) = (points(2, rng), points(2, rng), scalar(rng));
    let wraps = encoded(&[messages[0] + keys[0] * w, messages[1] + keys[1] * w]);
    let section = wrap::Wrapped { ephemeral: Encoded::of(&(B * w)), wraps, keys: encoded(&keys) };
    let ours = wrap::relation(&wrap::Statement { sections: vec![section] }).unwrap();
    assert!(provable(&weak(1, ours.rows.clone(), Vec::new()), &[w]));
    assert!(!provable(&ours, &[w]));
}

/// [SPD].
#[test]
fn with_the_account_in_the_tags_place_a_spend_is_booked_on_another_account() {
    let rng = &mut rng(45);
    let (registrar, [owner, other, t, u]) = (Secret::random(rng), [(); 4].map(|()| scalar(rng)));
    let booked = |tag: RistrettoPoint| spend::Statement {
        inputs: vec![spend::Spender {
            tag: Encoded::of(&tag),
            ephemeral: Encoded::of(&(B * u)),
            identities: vec![Encoded::of(&(B * other + B * registrar.0 * u))],
        }],
        keys: vec![registrar.public()],
    };
    // T = A + t*B: whoever owns both accounts opens it for either.
    let statement = booked(B * owner + B * t);
    let input = &statement.inputs[0];
    assert_eq!(decrypt(&registrar, &input.ephemeral, &input.identities[0]), B * other);
    let mut rows = spend::relation(&statement).unwrap().rows;
    rows[0].terms[1].1 = one(*B_ENCODED);
    assert!(provable(&weak(3, rows, Vec::new()), &[other, owner + t - other, u]));

    // T = A + t*G has one opening.
    let ours = spend::relation(&booked(B * owner + *G * t)).unwrap();
    for account in [owner, other] {
        for tag in [t, owner + t - other, t + owner - account] {
            assert!(!provable(&ours, &[account, tag, u]));
        }
    }
}

/// [POP].
#[test]
fn without_possession_the_negated_blinding_generator_opens_every_amount() {
    let key = Encoded::of(&-*B_BLINDING);
    let opening = Opening { value: 1_000_000, blinding: scalar(&mut rng(46)) };
    let output = opening.encrypt(&[key]).unwrap();
    let statement = amount::Statement { outputs: vec![output.clone()], keys: vec![key] };
    assert!(provable(
        &amount::relation(&statement).unwrap(),
        &[Scalar::from(opening.value), opening.blinding]
    ));
    // E + C = 2*v*B: anybody reads it.
    let [e, c] = [output.amounts[0], output.commitment].map(|point| point.decompress().unwrap());
    assert_eq!(e + c, B * Scalar::from(2 * opening.value));

    assert_not_possessed(key);
}

/// The same attack through the proof of possession: if its challenge left out the key, the key could be chosen after it.
#[test]
fn without_the_key_in_the_challenge_a_key_that_opens_every_amount_has_a_proof_of_possession() {
    let rng = &mut rng(47);
    let [y, z] = [scalar(rng), scalar(rng)];
    // Y = y*B~; c = H(Y); K = (z*B - Y) / c, whose discrete logarithm nobody knows.
    let commitment = *B_BLINDING * y;
    let mut transcript = transcript();
    transcript.absorb_point(b"Y", &Encoded::of(&commitment));
    let c = transcript.challenge(b"c");
    let key = (B * z - commitment) * c.invert();
    assert_eq!(B * z, commitment + key * c, "the weakened verifier accepts it");

    let opening = Opening { value: 77, blinding: scalar(rng) };
    let output = opening.encrypt(&[Encoded::of(&key)]).unwrap();
    let [e, com, r] = [output.amounts[0], output.commitment, output.ephemeral]
        .map(|point| point.decompress().unwrap());
    let (alpha, beta) = (z * c.invert(), y * c.invert());
    // K = alpha*B - beta*B~: E + beta*C - alpha*R = (1 + beta)*v*B.
    let read = (e + com * beta - r * alpha) * (Scalar::ONE + beta).invert();
    assert_eq!(read, B * Scalar::from(opening.value));

    assert_not_possessed(Encoded::of(&key));
    let statement = possession::Statement { key: Encoded::of(&key), purpose: Vec::new() };
    let proof = super::assemble(&[Encoded::of(&commitment)], &[z]);
    let mut claims = Claims::new();
    possession::verify(&statement, &proof, &mut claims).unwrap();
    assert_eq!(claims.accept(rng), Err(Rejected::False(possession::NAME)));
}

fn assert_not_possessed(key: Encoded) {
    let statement = possession::Statement { key, purpose: Vec::new() };
    for secret in [Scalar::ONE, -Scalar::ONE, scalar(&mut rng(48))] {
        let proof = possession::prove(&statement, &Secret(secret), &mut rng(49)).unwrap();
        let mut claims = Claims::new();
        possession::verify(&statement, &proof, &mut claims).unwrap();
        assert_eq!(claims.accept(&mut rng(50)), Err(Rejected::False(possession::NAME)));
    }
}

#[test]
fn under_one_ephemeral_a_reader_of_one_section_opens_the_other() {
    let rng = &mut rng(51);
    let (key, w, messages) = (RistrettoPoint::random(rng), Secret::random(rng), points(2, rng));
    let wrapped = |message: &RistrettoPoint, w: &Secret| wrap::Wrapped {
        ephemeral: w.public(),
        wraps: vec![Encoded::of(&(message + key * w.0))],
        keys: vec![Encoded::of(&key)],
    };
    let opens = |sections: &[wrap::Wrapped]| {
        let [first, second] = [0, 1].map(|i| sections[i].wraps[0].decompress().unwrap());
        second - first + messages[0] == messages[1]
    };
    let sections = vec![wrapped(&messages[0], &w), wrapped(&messages[1], &w)];
    assert!(opens(&sections), "whoever was given M of the first computes M of the second");
    let rows = sections.iter().map(|s| equation(one(s.ephemeral), vec![(0, one(*B_ENCODED))]));
    let proof = prove(&weak(1, rows.collect(), Vec::new()), &[w.0]);

    let statement = wrap::Statement { sections };
    assert!(wrap::prove(&statement, &[w.clone(), w], &mut transcript(), rng).is_err());
    let refused = decide(|t, claims| wrap::verify(&statement, &proof, t, claims));
    assert_eq!(refused, Err(Rejected::Shape(wrap::NAME)));

    let fresh = [Secret::random(rng), Secret::random(rng)];
    let sections = vec![wrapped(&messages[0], &fresh[0]), wrapped(&messages[1], &fresh[1])];
    assert!(!opens(&sections));
}

#[test]
fn a_content_key_from_the_amounts_randomness_is_an_oracle_for_the_amount() {
    let rng = &mut rng(52);
    let key = RistrettoPoint::random(rng);
    let opening = Opening { value: 421, blinding: scalar(rng) };
    let output = opening.encrypt(&[Encoded::of(&key)]).unwrap();
    let e = output.amounts[0].decompress().unwrap();
    let cipher = |point: RistrettoPoint| {
        let key = Hash::of(b"content key", &[&encode(&Encoded::of(&point))]);
        ChaCha20Poly1305::new(Key::from_slice(key.as_bytes()))
    };
    let seal = |point| cipher(point).encrypt(&Nonce::default(), b"memo".as_slice()).unwrap();
    // r*K = E - v*B: whoever sees the leg tries every v, and the authentication tag says which is right.
    let guess = |body: &[u8], wrap: Option<RistrettoPoint>| {
        (0..1_000u64).find(|v| {
            let shared = e - B * Scalar::from(*v);
            let point = wrap.map_or(shared, |wrap| wrap - shared);
            cipher(point).decrypt(&Nonce::default(), body).is_ok()
        })
    };
    assert_eq!(guess(&seal(key * opening.blinding), None), Some(opening.value));

    // The same with a random M wrapped under w = r; ours draws w, which W != R shows.
    let message = RistrettoPoint::random(rng);
    let body = seal(message);
    let wrap_under = |w: &Scalar| message + key * w;
    assert_eq!(guess(&body, Some(wrap_under(&opening.blinding))), Some(opening.value));
    assert_eq!(guess(&body, Some(wrap_under(&scalar(rng)))), None);
    assert_eq!(guess(&body, None), None);
}

/// A leg whose outputs add up to its input only modulo the group order, with its balance proof.
struct WrapAround {
    statement: balance::Statement,
    outputs: Vec<Opening>,
    balance: crate::linear::LinearProof,
}

/// `positive` outputs of 6, and one of what then is left of the input of 5: less than zero.
fn wrap_around(positive: u64) -> WrapAround {
    let rng = &mut rng(53);
    let input = scalar(rng);
    let mut outputs: Vec<_> =
        (0..positive).map(|_| Opening { value: 6, blinding: scalar(rng) }).collect();
    let last = Opening { value: 0, blinding: scalar(rng) };
    let negative = Scalar::from(5u64) - Scalar::from(6 * positive);
    let mut commitments: Vec<_> =
        outputs.iter().map(|o| Encoded::of(&commit(o.value, &o.blinding))).collect();
    commitments.push(Encoded::of(&(B * negative + *B_BLINDING * last.blinding)));
    outputs.push(last);
    let excess = outputs.iter().fold(input, |excess, output| excess - output.blinding);
    let statement = balance::Statement {
        inputs: vec![Encoded::of(&commit(5, &input))],
        outputs: commitments,
        mint: 0,
        burn: 0,
    };
    let proof = balance::prove(&statement, &Secret(excess), &mut transcript(), rng).unwrap();
    WrapAround { statement, outputs, balance: proof }
}

/// [BAL], [RNG].
#[test]
fn with_one_output_out_of_range_value_comes_from_nothing() {
    // One positive output of two, or three of four: then the proof for three, padded, is as long as one for four.
    for positive in [1, 3] {
        let leg = wrap_around(positive);
        let (in_range, _) = leg.outputs.split_at(leg.outputs.len() - 1);
        let on_transcript = |outputs: &[Opening]| {
            let mut transcript = transcript();
            let mut claims = Claims::new();
            balance::verify(&leg.statement, &leg.balance, &mut transcript, &mut claims).unwrap();
            let proof = range::prove(outputs, &mut transcript.clone(), &mut rng(54)).unwrap();
            (transcript, claims, proof)
        };
        let accept = |commitments: &[Encoded], outputs: &[Opening]| {
            let (mut transcript, mut claims, proof) = on_transcript(outputs);
            range::verify(commitments, &proof, &mut transcript, &mut claims)?;
            claims.accept(&mut rng(55))
        };
        let all = leg.statement.outputs.as_slice();
        let (covered, _) = all.split_at(in_range.len());
        // A verifier that looks at all outputs but the last.
        assert_eq!(accept(covered, in_range), Ok(()), "more than 5 out of 5");

        assert!(accept(all, in_range).is_err(), "a proof for one output less");
        for value in [0, 1, u64::MAX, u64::MAX - 1] {
            let mut outputs = leg.outputs.clone();
            outputs.last_mut().unwrap().value = value;
            assert_eq!(accept(all, &outputs), Err(Rejected::False(range::NAME)), "{value}");
        }
    }
}

/// [RNG].
#[test]
fn a_range_proof_of_one_leg_is_refused_in_another() {
    let opening = Opening { value: 9, blinding: scalar(&mut rng(56)) };
    let commitment = Encoded::of(&commit(opening.value, &opening.blinding));
    // A range proof on a transcript that says nothing of the leg stands in any.
    let unbound = || Transcript::new(b"range");
    let (proof, compressed) = RangeProof::prove_single_with_rng(
        &BulletproofGens::new(range::BITS, 1),
        &PedersenGens::default(),
        &mut unbound(),
        opening.value,
        &opening.blinding,
        range::BITS,
        &mut rng(57),
    )
    .unwrap();
    for _leg in ["a leg", "another leg"] {
        let verified = proof.verify_single_with_rng(
            &BulletproofGens::new(range::BITS, 1),
            &PedersenGens::default(),
            &mut unbound(),
            &compressed,
            range::BITS,
            &mut rng(58),
        );
        assert!(verified.is_ok());
    }

    let leg = |context: &[u8]| LedgerTranscript::new(b"sudare/test/v1", context);
    let ours = range::prove(&[opening], &mut leg(b"a leg"), &mut rng(59)).unwrap();
    let verify = |proof: &[u8], context: &[u8]| {
        let mut claims = Claims::new();
        range::verify(&[commitment], proof, &mut leg(context), &mut claims).unwrap();
        claims.accept(&mut rng(60))
    };
    assert_eq!(verify(&ours, b"a leg"), Ok(()));
    assert_eq!(verify(&ours, b"another leg"), Err(Rejected::False(range::NAME)));
    assert_eq!(verify(&proof.to_bytes(), b"a leg"), Err(Rejected::False(range::NAME)));
}

/// [AMT]. Merging rows without a challenge: two keys read amounts whose errors cancel.
#[test]
fn with_rows_added_up_without_a_challenge_two_keys_read_more_and_less_than_is_committed() {
    let rng = &mut rng(66);
    let keys = encoded(&points(2, rng));
    let opening = Opening { value: 5, blinding: scalar(rng) };
    let mut output = opening.encrypt(&keys).unwrap();
    let [more, less] = [0, 1].map(|j| output.amounts[j].decompress().unwrap());
    output.amounts = encoded(&[more + B, less - B]);

    let statement = amount::Statement { outputs: vec![output], keys };
    let ours = amount::relation(&statement).unwrap();
    let [mut sum, second] = [0, 1].map(|j: usize| ours.merged[j].clone());
    sum.target.extend(second.target);
    sum.terms.extend(second.terms);
    let witness = [Scalar::from(opening.value), opening.blinding];
    assert!(provable(&weak(2, ours.rows.clone(), vec![sum]), &witness));
    assert!(!provable(&ours, &witness));
}

/// [LNK]. Merging the two differences of a link without a challenge: what one is off by, the other takes back.
#[test]
fn with_links_added_up_without_a_challenge_a_note_grows_by_what_its_owner_loses() {
    use crate::proof::links;
    let rng = &mut rng(61);
    let [tag, commitment] = [RistrettoPoint::random(rng), RistrettoPoint::random(rng)];
    let (stolen, s, d) = (B * Scalar::from(1_000u64), scalar(rng), scalar(rng));
    let link = links::Link {
        owner: Encoded::of(&(tag + *B_BLINDING * s)),
        commitment: Encoded::of(&commitment),
        tag: Encoded::of(&(tag + stolen)),
        rerandomised: Encoded::of(&(commitment + stolen + *B_BLINDING * d)),
    };
    let mut target = difference(link.owner, link.tag);
    target.extend(difference(link.rerandomised, link.commitment));
    let added = weak(1, vec![equation(target, vec![(0, one(*B_BLINDING_ENCODED))])], Vec::new());
    assert!(provable(&added, &[s + d]));

    let statement = links::Statement { links: vec![link] };
    let witness = links::Witness { owner_blinding: s, rerandomisation: d };
    let proof = links::prove(&statement, &[witness], &mut transcript(), rng).unwrap();
    let refused = decide(|t, claims| links::verify(&statement, &proof, t, claims));
    assert_eq!(refused, Err(Rejected::False(links::NAME)));
}

/// [SPD]. A tag moved along the blinding generator is linked to its note, but nobody can open it to spend it twice.
#[test]
fn a_second_tag_of_one_note_has_no_spend_proof() {
    let rng = &mut rng(62);
    let (registrar, [a, t, u, shift]) = (Secret::random(rng), [(); 4].map(|()| scalar(rng)));
    let tag = Encoded::of(&(B * a + *G * t + *B_BLINDING * shift));
    let statement = spend::Statement {
        inputs: vec![spend::Spender {
            tag,
            ephemeral: Encoded::of(&(B * u)),
            identities: vec![Encoded::of(&(B * a + B * registrar.0 * u))],
        }],
        keys: vec![registrar.public()],
    };
    let ours = spend::relation(&statement).unwrap();
    // With a row that allowed for a blinding, it would have one.
    let mut rows = ours.rows.clone();
    rows[0].terms.push((3, one(*B_BLINDING_ENCODED)));
    assert!(provable(&weak(4, rows, Vec::new()), &[a, t, u, shift]));
    for tag in [t, t + shift] {
        assert!(!provable(&ours, &[a, tag, u]));
    }
}

/// [OWN].
#[test]
fn without_the_owner_row_the_registrar_reads_another_account_than_the_tags() {
    let rng = &mut rng(63);
    let (registrar, [t, s, u]) = (Secret::random(rng), [(); 3].map(|()| scalar(rng)));
    let (read, owner) = (B * scalar(rng), B * scalar(rng));
    let statement = owner::Statement {
        owner: Encoded::of(&(owner + *G * t + *B_BLINDING * s)),
        ephemeral: Encoded::of(&(B * u)),
        identities: vec![Encoded::of(&(read + B * registrar.0 * u))],
        keys: vec![registrar.public()],
    };
    let ours = owner::relation(&statement).unwrap();
    assert!(provable(&weak(3, vec![ours.rows[0].clone()], Vec::new()), &[t, s, u]));
    assert!(!provable(&ours, &[t, s, u]));
}
