//! The vectors of `specs/vectors/`, which the reference in Python wrote from the specification alone: is what it says what
//! the code does?
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "vectors are files of this project"
)]

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::CompressedRistretto;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use serde_json::Value;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::linear::{self, LinearProof, Relation, Row};
use sudare_crypto::point::{B_BLINDING_ENCODED, B_ENCODED, G_ENCODED};
use sudare_crypto::proof::{
    amount, balance, equality, holder, links, locator, owner, possession, range, spend, statement,
    tag, wrap,
};
use sudare_crypto::{
    Bounded, Claims, Encoded, Hash, LedgerTranscript, NodeId, NodeKey, NodeSignature, Scalar,
    Secret, Text,
};

#[test]
fn values_have_the_bytes_of_the_specification_and_other_bytes_are_refused() {
    let vectors = load("encoding");
    let generators = &vectors["generators"];
    for (name, point) in [("B", *B_ENCODED), ("B~", *B_BLINDING_ENCODED), ("G", *G_ENCODED)] {
        assert_eq!(generators[name], format!("{point:?}"), "{name}");
    }
    for case in list(&vectors["accepted"]) {
        let (value, again) = read(string(&case["type"]), &bytes(&case["bytes"])).unwrap();
        assert_eq!(value, case["value"], "{case}");
        assert_eq!(again, bytes(&case["bytes"]), "{case}");
    }
    for case in list(&vectors["refused"]) {
        assert!(read(string(&case["type"]), &bytes(&case["bytes"])).is_none(), "{case}");
    }
    for case in list(&vectors["no_points"]) {
        assert!(point(&case["bytes"]).unwrap().decompress().is_err(), "{case}");
    }
}

/// The value of bytes of a type, as the vectors write it, and its encoding; none if they are refused.
fn read(kind: &str, bytes: &[u8]) -> Option<(Value, Vec<u8>)> {
    fn of<T: borsh::BorshDeserialize + borsh::BorshSerialize>(
        bytes: &[u8],
        write: impl Fn(&T) -> Value,
    ) -> Option<(Value, Vec<u8>)> {
        let value: T = decode(bytes, "a vector").ok()?;
        Some((write(&value), encode(&value)))
    }
    match kind {
        "u8" => of::<u8>(bytes, |value| (*value).into()),
        "u16" => of::<u16>(bytes, |value| (*value).into()),
        "u32" => of::<u32>(bytes, |value| (*value).into()),
        "u64" => of::<u64>(bytes, |value| value.to_string().into()),
        "bool" => of::<bool>(bytes, |value| (*value).into()),
        "Option<u32>" => of::<Option<u32>>(bytes, |value| (*value).into()),
        "(u16, u8)" => of::<(u16, u8)>(bytes, |value| vec![value.0, value.1.into()].into()),
        "Bounded<u16, 3>" => of::<Bounded<u16, 3>>(bytes, |value| value.to_vec().into()),
        "Text<8>" => of::<Text<8>>(bytes, |value| value.as_str().into()),
        "Version<1>" => of::<Version<1>>(bytes, |_| Value::Null),
        "Encoded" => of::<Encoded>(bytes, |value| format!("{value:?}").into()),
        "scalar" => of::<Secret>(bytes, |value| hex(&value.0.to_bytes()).into()),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn hashes_and_derived_secrets_are_those_of_the_specification() {
    let vectors = load("hash");
    for case in list(&vectors["hash"]) {
        let parts: Vec<Vec<u8>> = list(&case["parts"]).iter().map(bytes).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let hash = Hash::of(label(&case["domain"]), &parts);
        assert_eq!(case["hash"], hash.to_string(), "{case}");
    }
    for case in list(&vectors["derive"]) {
        let (seed, purpose) = (Seed(array(&case["seed"])), label(&case["purpose"]));
        let context = bytes(&case["context"]);
        assert_eq!(seed.scalar(purpose, &context).0, scalar(&case["scalar"]), "{case}");
        assert_eq!(seed.child(purpose, &context).0, array(&case["child"]), "{case}");
    }
}

#[test]
fn node_signatures_are_those_of_the_specification() {
    let vectors = load("signature");
    for case in list(&vectors["accepted"]) {
        let key = NodeKey::from_seed(&array(&case["seed"]));
        assert_eq!(key.id().0, array(&case["node"]), "{case}");
        let signature = key.sign(label(&case["domain"]), &bytes(&case["message"]));
        assert_eq!(signature.0, array(&case["signature"]), "{case}");
        assert!(is_signed(case), "{case}");
    }
    for case in list(&vectors["refused"]) {
        assert!(!is_signed(case), "{case}");
    }
}

fn is_signed(case: &Value) -> bool {
    let signature = NodeSignature(array(&case["signature"]));
    let node = NodeId(array(&case["node"]));
    node.verify(label(&case["domain"]), &bytes(&case["message"]), &signature).is_ok()
}

#[test]
fn a_transcript_gives_the_challenges_of_the_specification() {
    for case in list(&load("transcript")["cases"]) {
        let mut transcript = transcript(case);
        for message in list(&case["absorb"]) {
            transcript.absorb(label(&message[0]), &bytes(&message[1]));
        }
        let proof = encode(&probe(&mut transcript));
        assert_eq!(case["probe"], hex(&proof), "{case}");
        // One commitment and one response, each with a count of two bytes; the witness is 1.
        let z: Secret = decode(&proof[36..], "a response").unwrap();
        assert_eq!(z.0 - scalar(&case["nonce"]), scalar(&case["c"]), "{case}");
    }
}

#[test]
fn every_proof_of_the_reference_is_accepted_on_the_same_transcript() {
    let cases = load("proofs");
    for case in list(&cases["accepted"]) {
        let verified = verify(case).unwrap_or_else(|why| panic!("{why}: {}", case["name"]));
        if let Some(mut transcript) = verified {
            assert_eq!(case["next"], hex(&encode(&probe(&mut transcript))), "{}", case["name"]);
        }
    }
}

#[test]
fn the_provers_make_the_proofs_of_the_reference_from_the_same_entropy() {
    for case in list(&load("proofs")["accepted"]) {
        let name = format!("{} {}", case["relation"], case["name"]);
        let proof = prove(case);
        assert_eq!(case["proof"], hex(&proof), "{name}");
        if case["relation"] == "RNG" {
            continue;
        }
        // Bytes that are equal have equal challenges: of the first variable, c = (z - k) / x.
        let (_, z): (Bounded<Encoded, 512>, Bounded<Secret, 512>) =
            decode(&proof, "a proof").unwrap();
        let x = match string(&case["relation"]) {
            "OWN" => scalar(&case["witness"]["t"]),
            "AMT" => scalar(&case["witness"]["v"][0]),
            "SPD" | "TAG" => scalars(&case["witness"]["a"])[0],
            "BAL" => scalar(&case["witness"]["e"]),
            "STM" => scalar(&case["witness"]["e"][0]),
            "WRP" => scalar(&case["witness"]["w"][0]),
            "POP" => scalar(&case["witness"]["k"]),
            _ => continue,
        };
        assert_eq!(z[0].0 - scalar(&case["nonces"][0]), scalar(&case["c"]) * x, "{name}");
    }
}

#[test]
fn every_forgery_of_the_reference_is_refused_at_the_stage_it_says() {
    let cases = load("proofs");
    for case in list(&cases["refused"]) {
        let name = format!("{} {}: {}", case["relation"], case["rule"], case["why"]);
        let stage = verify(case).err().unwrap_or_else(|| panic!("accepted: {name}"));
        // A statement is put together when its proof is read: one stage in the code.
        let mut expected = string(&case["refusal"]).replace("statement", "shape");
        // So is a range proof: the reference finds an identity or a scalar that is not reduced when it decides.
        if case["relation"] == "RNG" && stage == "shape" {
            expected = expected.replace("claims", "shape");
        }
        assert_eq!(stage, expected, "{name}");
    }
}

#[test]
fn range_proofs_of_the_reference_are_proofs_of_the_crate() {
    let vectors = load("range_proof");
    let (generators, pedersen) =
        (BulletproofGens::new(64, range::OUTPUTS_MAX), PedersenGens::default());
    let accepts = |case: &Value| {
        let mut transcript = merlin::Transcript::new(label(&vectors["transcript"]));
        let commitments: Vec<_> = list(&case["commitments"])
            .iter()
            .map(|point| CompressedRistretto(array(point)))
            .collect();
        let proof = RangeProof::from_bytes(&bytes(&case["proof"])).ok()?;
        proof.verify_multiple(&generators, &pedersen, &mut transcript, &commitments, 64).ok()?;
        let mut next = [0; 32];
        transcript.challenge_bytes(b"next", &mut next);
        Some(hex(&next))
    };
    for case in list(&vectors["accepted"]) {
        assert_eq!(accepts(case).unwrap(), case["next_challenge"], "{case}");
    }
    for case in list(&vectors["refused"]) {
        assert_eq!(accepts(case), None, "{}", case["reason"]);
    }
}

// --- proofs ---------------------------------------------------------------------------------------------------------

/// Decodes, verifies and decides a case: the transcript after it, if the relation leaves one, or the stage that refuses.
fn verify(case: &Value) -> Result<Option<LedgerTranscript>, &'static str> {
    let (public, mut claims) = (&case["public"], Claims::new());
    let mut on = transcript(case);
    let proof = || decode::<LinearProof>(&bytes(&case["proof"]), "a proof").map_err(|_| "encoding");
    let verified = match string(&case["relation"]) {
        "OWN" => owner::verify(&owner_of(public)?, &proof()?, &mut on, &mut claims),
        "AMT" => amount::verify(&amount_of(public)?, &proof()?, &mut on, &mut claims),
        "SPD" => spend::verify(&spend_of(public)?, &proof()?, &mut on, &mut claims),
        "BAL" => balance::verify(&balance_of(public)?, &proof()?, &mut on, &mut claims),
        "STM" => statement::verify(&totals_of(public)?, &proof()?, &mut on, &mut claims),
        "HLD" => holder::verify(&holder_of(public)?, &proof()?, &mut on, &mut claims),
        "LOC" => locator::verify(&locator_of(public)?, &proof()?, &mut on, &mut claims),
        "EQL" => equality::verify(&equality_of(public)?, &proof()?, &mut on, &mut claims),
        "LNK" => links::verify(&links_of(public)?, &proof()?, &mut on, &mut claims),
        "WRP" => wrap::verify(&wrap_of(public)?, &proof()?, &mut on, &mut claims),
        "POP" => possession::verify(&possession_of(public)?, &proof()?, &mut claims),
        "TAG" => tag::verify(&tag_of(public)?, &proof()?, &mut claims),
        "RNG" => {
            let commitments = points(&public["commitments"])?;
            range::verify(&commitments, &bytes(&case["proof"]), &mut on, &mut claims)
        }
        other => panic!("no such relation: {other}"),
    };
    verified.map_err(|_| "shape")?;
    claims.accept(&mut ChaCha20Rng::seed_from_u64(1)).map_err(|_| "claims")?;
    // The possession and spend transcripts are begun and ended inside.
    Ok((!matches!(string(&case["relation"]), "POP" | "TAG")).then_some(on))
}

/// The proof that the code makes of a case's witness and entropy.
fn prove(case: &Value) -> Vec<u8> {
    let (public, witness) = (&case["public"], &case["witness"]);
    let (mut on, rng) = (transcript(case), &mut Fixed(array(&case["entropy"])));
    let column = |name: &str| scalars(&witness[name]);
    let openings = || openings(&column("v"), &column("r"));
    let proof = match string(&case["relation"]) {
        "OWN" => {
            let witness = owner::Witness {
                tag: scalar(&witness["t"]),
                blinding: scalar(&witness["s"]),
                ephemeral: scalar(&witness["u"]),
            };
            owner::prove(&owner_of(public).unwrap(), &witness, &mut on, rng)
        }
        "AMT" => amount::prove(&amount_of(public).unwrap(), &openings(), &mut on, rng),
        "SPD" => {
            let (a, t, u) = (column("a"), column("t"), column("u"));
            let of = |i: usize| spend::Witness { account: a[i], tag: t[i], ephemeral: u[i] };
            let witnesses: Vec<_> = (0..a.len()).map(of).collect();
            spend::prove(&spend_of(public).unwrap(), &witnesses, &mut on, rng)
        }
        "BAL" => {
            let e = Secret(scalar(&witness["e"]));
            balance::prove(&balance_of(public).unwrap(), &e, &mut on, rng)
        }
        "STM" => statement::prove(&totals_of(public).unwrap(), &column("e"), &mut on, rng),
        "HLD" => {
            let (t, s) = (column("t"), column("s"));
            let of = |i: usize| holder::Witness { tag: t[i], blinding: s[i] };
            let witnesses: Vec<_> = (0..t.len()).map(of).collect();
            holder::prove(&holder_of(public).unwrap(), &witnesses, &mut on, rng)
        }
        "LOC" => {
            let y = Secret(scalar(&witness["y"]));
            locator::prove(&locator_of(public).unwrap(), &y, &mut on, rng)
        }
        "EQL" => {
            let part = |name: &str| Secret(scalar(&witness[name]));
            let (mask, value, blinding) = (part("z"), part("m"), part("n"));
            let witness = equality::Witness { mask, value, blinding };
            equality::prove(&equality_of(public).unwrap(), &witness, &mut on, rng)
        }
        "LNK" => {
            let (s, d) = (column("s"), column("d"));
            let of = |i: usize| links::Witness { owner_blinding: s[i], rerandomisation: d[i] };
            let witnesses: Vec<_> = (0..s.len()).map(of).collect();
            links::prove(&links_of(public).unwrap(), &witnesses, &mut on, rng)
        }
        "WRP" => {
            let secrets: Vec<_> = column("w").into_iter().map(Secret).collect();
            wrap::prove(&wrap_of(public).unwrap(), &secrets, &mut on, rng)
        }
        "POP" => {
            let secret = Secret(scalar(&witness["k"]));
            assert_eq!(secret.public(), point(&public["key"]).unwrap());
            possession::prove(&possession_of(public).unwrap(), &secret, rng)
        }
        "TAG" => {
            let key = tag::SpendKey { account: scalar(&witness["a"]), tag: scalar(&witness["t"]) };
            assert_eq!(key.tag(), point(&public["tag"]).unwrap());
            tag::sign(&key, Hash(array(&public["commit"])), rng)
        }
        "RNG" => return range::prove(&openings(), &mut on, rng).unwrap(),
        other => panic!("no such relation: {other}"),
    };
    assert_eq!(case["statement"], hex(&statement(case)), "{}", case["name"]);
    encode(&proof.unwrap())
}

fn openings(values: &[Scalar], blindings: &[Scalar]) -> Vec<amount::Opening> {
    let value = |scalar: &Scalar| {
        let wide = scalar.to_bytes();
        assert_eq!(wide[8..], [0; 24], "a value is a u64");
        u64::from_le_bytes(wide[..8].try_into().unwrap())
    };
    let opening = |(i, scalar)| amount::Opening { value: value(scalar), blinding: blindings[i] };
    values.iter().enumerate().map(opening).collect()
}

/// The canonical bytes of a case's statement.
fn statement(case: &Value) -> Vec<u8> {
    let public = &case["public"];
    match string(&case["relation"]) {
        "OWN" => encode(&owner_of(public).unwrap()),
        "AMT" => encode(&amount_of(public).unwrap()),
        "SPD" => encode(&spend_of(public).unwrap()),
        "BAL" => encode(&balance_of(public).unwrap()),
        "STM" => encode(&totals_of(public).unwrap()),
        "HLD" => encode(&holder_of(public).unwrap()),
        "LOC" => encode(&locator_of(public).unwrap()),
        "EQL" => encode(&equality_of(public).unwrap()),
        "LNK" => encode(&links_of(public).unwrap()),
        "WRP" => encode(&wrap_of(public).unwrap()),
        "POP" => encode(&possession_of(public).unwrap()),
        "TAG" => encode(&tag_of(public).unwrap()),
        other => panic!("no statement: {other}"),
    }
}

/// A proof of `1*B = B` that depends on all that the transcript has absorbed.
fn probe(transcript: &mut LedgerTranscript) -> LinearProof {
    let base = vec![(Scalar::ONE, *B_ENCODED)];
    let relation = Relation {
        name: "probe",
        statement: Vec::new(),
        variables: 1,
        rows: vec![Row { target: base.clone(), terms: vec![(0, base)] }],
        merged: Vec::new(),
    };
    linear::prove(&relation, &[Scalar::ONE], transcript, &mut Fixed([0; 32])).unwrap()
}

fn owner_of(public: &Value) -> Result<owner::Statement, &'static str> {
    Ok(owner::Statement {
        owner: point(&public["owner"])?,
        ephemeral: point(&public["ephemeral"])?,
        identities: points(&public["identities"])?,
        keys: points(&public["keys"])?,
    })
}

fn amount_of(public: &Value) -> Result<amount::Statement, &'static str> {
    let outputs = list(&public["outputs"]).iter().map(|output| {
        Ok(amount::Ciphertext {
            commitment: point(&output["commitment"])?,
            ephemeral: point(&output["ephemeral"])?,
            amounts: points(&output["amounts"])?,
        })
    });
    Ok(amount::Statement {
        outputs: outputs.collect::<Result<_, &'static str>>()?,
        keys: points(&public["keys"])?,
    })
}

fn spend_of(public: &Value) -> Result<spend::Statement, &'static str> {
    let inputs = list(&public["inputs"]).iter().map(|input| {
        Ok(spend::Spender {
            tag: point(&input["tag"])?,
            ephemeral: point(&input["ephemeral"])?,
            identities: points(&input["identities"])?,
        })
    });
    Ok(spend::Statement {
        inputs: inputs.collect::<Result<_, &'static str>>()?,
        keys: points(&public["keys"])?,
    })
}

fn balance_of(public: &Value) -> Result<balance::Statement, &'static str> {
    Ok(balance::Statement {
        inputs: points(&public["inputs"])?,
        outputs: points(&public["outputs"])?,
        mint: string(&public["mint"]).parse().unwrap(),
        burn: string(&public["burn"]).parse().unwrap(),
    })
}

fn totals_of(public: &Value) -> Result<statement::Statement, &'static str> {
    let number = |value: &Value| string(value).parse().unwrap();
    let numbers: Vec<u64> = list(&public["numbers"]).iter().map(number).collect();
    let part = |i: usize| u32::try_from(numbers[i]).unwrap();
    let kind = match string(&public["kind"]) {
        "AtLeast" => statement::Kind::AtLeast { bound: numbers[0] },
        "AtMost" => statement::Kind::AtMost { bound: numbers[0] },
        "Between" => statement::Kind::Between { low: numbers[0], high: numbers[1] },
        "Share" => statement::Kind::Share { numerator: part(0), denominator: part(1) },
        "Differ" => statement::Kind::Differ { by: numbers[0] },
        other => panic!("no such statement: {other}"),
    };
    let total = |side: &str| {
        let clear = number(&public[format!("{side}_clear")]);
        Ok(statement::Total { commitments: points(&public[side])?, clear })
    };
    let limbs = points(&public["limbs"])?;
    Ok(statement::Statement { kind, left: total("left")?, right: total("right")?, limbs })
}

fn locator_of(public: &Value) -> Result<locator::Statement, &'static str> {
    let part = |name: &str| point(&public[name]);
    Ok(locator::Statement { key: part("key")?, base: part("base")?, shared: part("shared")? })
}

fn equality_of(public: &Value) -> Result<equality::Statement, &'static str> {
    let part = |name: &str| point(&public[name]);
    let (mask, product) = (part("mask")?, part("product")?);
    let masked = equality::Masked { mask, product, difference: part("difference")? };
    Ok(equality::Statement { left: part("left")?, right: part("right")?, masked })
}

fn holder_of(public: &Value) -> Result<holder::Statement, &'static str> {
    let (account, owners) = (point(&public["account"])?, points(&public["owners"])?);
    Ok(holder::Statement { account, owners })
}

fn links_of(public: &Value) -> Result<links::Statement, &'static str> {
    let links = list(&public["links"]).iter().map(|link| {
        Ok(links::Link {
            owner: point(&link["owner"])?,
            commitment: point(&link["commitment"])?,
            tag: point(&link["tag"])?,
            rerandomised: point(&link["blinded"])?,
        })
    });
    Ok(links::Statement { links: links.collect::<Result<_, &'static str>>()? })
}

fn wrap_of(public: &Value) -> Result<wrap::Statement, &'static str> {
    let sections = list(&public["sections"]).iter().map(|section| {
        Ok(wrap::Wrapped {
            ephemeral: point(&section["ephemeral"])?,
            wraps: points(&section["wraps"])?,
            keys: points(&section["keys"])?,
        })
    });
    Ok(wrap::Statement { sections: sections.collect::<Result<_, &'static str>>()? })
}

fn possession_of(public: &Value) -> Result<possession::Statement, &'static str> {
    Ok(possession::Statement { key: point(&public["key"])?, purpose: bytes(&public["purpose"]) })
}

fn tag_of(public: &Value) -> Result<tag::Statement, &'static str> {
    Ok(tag::Statement { tag: point(&public["tag"])?, commit: Hash(array(&public["commit"])) })
}

// --- reading --------------------------------------------------------------------------------------------------------

/// Entropy that was fixed beforehand.
struct Fixed([u8; 32]);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        unreachable!("entropy is asked for as bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("entropy is asked for as bytes")
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Fixed {}

fn load(name: &str) -> Value {
    let path = format!("{}/../specs/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn transcript(case: &Value) -> LedgerTranscript {
    LedgerTranscript::new(label(&case["protocol"]), &bytes(&case["context"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A label as the constant that it is in the code.
fn label(value: &Value) -> &'static [u8] {
    String::leak(string(value).to_owned()).as_bytes()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = string(value);
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn scalar(value: &Value) -> Scalar {
    Scalar::from_canonical_bytes(array(value)).unwrap()
}

/// One scalar or a list of them.
fn scalars(value: &Value) -> Vec<Scalar> {
    value.as_array().map_or_else(|| vec![scalar(value)], |all| all.iter().map(scalar).collect())
}

fn point(value: &Value) -> Result<Encoded, &'static str> {
    Encoded::from_bytes(array(value)).map_err(|_| "encoding")
}

fn points(value: &Value) -> Result<Vec<Encoded>, &'static str> {
    list(value).iter().map(point).collect()
}
