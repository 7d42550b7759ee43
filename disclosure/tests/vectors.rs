//! The vectors of `specs/vectors/` on sections, terms and disclosure keys, written by the reference in Python from the
//! specification alone: is what it says what the code does?
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "vectors are files of this project"
)]

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use serde_json::Value;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Claims, Encoded, Hash, Rejected, Scalar, Secret, pairs};
use sudare_disclosure::{
    AssetCore, AssetTerms, DisclosureKey, DisclosureSecret, Field, KeyPurpose, PolicyError,
    Retirement, Section, SectionKind, SignedTerms, TermsError,
};

#[test]
fn sections_have_the_bytes_of_the_specification_and_open_for_every_reader() {
    for case in list(&load("sections")["accepted"]) {
        let (kind, context) = (bytes(&case["kind"]), bytes(&case["context"]));
        let section: Section = decode(&bytes(&case["section"]), "a section").unwrap();
        assert_eq!(encode(&section), bytes(&case["section"]));
        assert_eq!(encode(&section.kind), kind);
        assert_eq!(section.ephemeral, point(&case["ephemeral"]));
        assert_eq!(section.wraps.to_vec(), points(&case["wraps"]));
        assert_eq!(case["key_hash"], section.key_hash.to_string());
        assert_eq!(section.body.to_vec(), bytes(&case["body"]));
        let content = bytes(&case["content"]);
        for (place, secret) in list(&case["secrets"]).iter().enumerate() {
            let opened = section.open_with(place, &Secret(scalar(secret)), &context);
            assert_eq!(opened.unwrap(), content, "reader {place}");
        }
        let message = point(&case["content_point"]).decompress().unwrap();
        assert_eq!(section.open(&message, &context).unwrap(), content);
        let key =
            Seed(array(&case["content_point"])).child(b"section key", &[kind, context].concat());
        assert_eq!(key.0, array(&case["section_key"]));
    }
}

#[test]
fn the_code_seals_the_sections_of_the_specification_from_the_same_scalars() {
    for case in list(&load("sections")["accepted"]) {
        let kind: SectionKind = decode(&bytes(&case["kind"]), "a kind").unwrap();
        // A random scalar is 64 bytes modulo the order of the group.
        let mut rng = Queue(vec![scalar(&case["w"]), scalar(&case["m"])]);
        let (content, context) = (bytes(&case["content"]), bytes(&case["context"]));
        let sealed = Section::seal(kind, &content, &points(&case["readers"]), &context, &mut rng);
        let (section, w) = sealed.unwrap();
        assert_eq!(case["section"], hex(&encode(&section)));
        assert_eq!(w.0, scalar(&case["w"]));
    }
}

#[test]
fn sections_that_the_reference_can_not_open_do_not_open() {
    let vectors = load("sections");
    for case in list(&vectors["unreadable"]) {
        let section: Section = decode(&bytes(&case["section"]), "a section").unwrap();
        let place = usize::try_from(case["place"].as_u64().unwrap()).unwrap();
        let secret = Secret(scalar(&case["secret"]));
        assert!(
            section.open_with(place, &secret, &bytes(&case["context"])).is_err(),
            "{}",
            case["why"]
        );
    }
    for case in list(&vectors["malformed"]) {
        assert!(
            decode::<Section>(&bytes(&case["section"]), "a section").is_err(),
            "{}",
            case["why"]
        );
    }
}

#[test]
fn terms_have_the_bytes_hashes_and_signature_of_the_specification() {
    let vectors = &load("policy")["valid"];
    let signed: SignedTerms = decode(&bytes(&vectors["signed_terms"]), "terms").unwrap();
    assert_eq!(encode(&signed), bytes(&vectors["signed_terms"]));
    assert_eq!(encode::<AssetTerms>(&signed.terms), bytes(&vectors["terms"]));
    assert_eq!(encode::<AssetCore>(&signed.terms.core), bytes(&vectors["core"]));
    assert_eq!(vectors["asset"], signed.terms.asset().to_string());
    assert_eq!(vectors["terms_hash"], signed.terms.hash().to_string());
    assert_eq!(signed.check(Hash(array(&vectors["network"])), &mut rng()), Ok(()));

    let policy = &signed.terms.policy;
    let epoch = policy.epoch(0).unwrap();
    for field in Field::ALL {
        let labels = list(&vectors["labels_by_field"][field.to_string()]);
        let point_of = |label: &Value| {
            epoch.keys.iter().find(|key| label == key.label.as_str()).map(|key| key.point).unwrap()
        };
        assert_eq!(
            epoch.keys_with(field),
            labels.iter().map(point_of).collect::<Vec<_>>(),
            "{field}"
        );
    }
    for case in list(&vectors["in_force"]) {
        let found =
            policy.epoch_at(string(&case["now"]).parse().unwrap()).map(|epoch| epoch.number);
        assert_eq!(found.map(u64::from), case["epoch"].as_u64(), "{case}");
    }
}

#[test]
fn keys_are_retired_by_their_holders_as_the_specification_says() {
    let vectors = load("policy");
    let read = |value: &Value| -> SignedTerms { decode(&bytes(value), "terms").unwrap() };
    let before = read(&vectors["valid"]["signed_terms"]);
    let after = read(&vectors["retired"]["signed_terms"]);
    assert_eq!(after.check(Hash(array(&vectors["valid"]["network"])), &mut rng()), Ok(()));
    assert!(after.terms.policy.extends(&before.terms.policy));
    // What is retired stays so.
    assert_eq!(before.terms.policy.changes(&after.terms.policy), Some(0));
    let epoch = after.terms.policy.epoch(1).unwrap();
    for field in Field::ALL {
        let labels = list(&vectors["retired"]["labels_by_field"][field.to_string()]);
        let keys =
            epoch.keys.iter().filter(|key| labels.iter().any(|one| one == key.label.as_str()));
        assert_eq!(
            epoch.keys_with(field),
            keys.map(|key| key.point).collect::<Vec<_>>(),
            "{field}"
        );
    }
    let how: Vec<_> = epoch.keys.iter().map(DisclosureKey::retirement).collect();
    assert_eq!(how, [None, Some(Retirement::Compromised), None, None]);
    let ended = &after.terms.policy.epoch(0).unwrap().keys[1];
    assert_eq!((ended.retirement(), ended.made_for()), (Some(Retirement::Ended), "authority"));
}

#[test]
fn disclosure_keys_are_derived_and_proved_as_the_specification_says() {
    let vectors = &load("policy")["valid"];
    let signed: SignedTerms = decode(&bytes(&vectors["signed_terms"]), "terms").unwrap();
    let epochs = &signed.terms.policy.epochs;
    let keys: Vec<(u32, &DisclosureKey)> =
        epochs.iter().flat_map(|epoch| epoch.keys.iter().map(|key| (epoch.number, key))).collect();
    for ((number, key), case) in pairs(&keys, list(&vectors["keys"])).unwrap() {
        let (network, asset) = (Hash(array(&vectors["network"])), signed.terms.asset());
        let purpose = KeyPurpose {
            network,
            asset,
            epoch: *number,
            fields: key.fields,
            label: key.label.clone(),
        };
        assert_eq!(encode(&purpose), bytes(&case["purpose"]));
        let secret = DisclosureSecret::derive(&Seed(array(&case["seed"])), &purpose);
        assert_eq!(encode(&secret), bytes(&case["secret"]));
        assert_eq!(secret.point(), point(&case["point"]));
        let published = secret.publish(&purpose, &mut Fixed(array(&case["entropy"]))).unwrap();
        assert_eq!(case["possession"], hex(&encode(&published.possession)));
        assert_eq!(published, **key);
        let mut claims = Claims::new();
        key.claim(network, asset, *number, &mut claims).unwrap();
        assert_eq!(claims.accept(&mut rng()), Ok(()));
    }
}

#[test]
fn terms_that_break_a_rule_are_refused_by_it() {
    let vectors = load("policy");
    let network = Hash(array(&vectors["valid"]["network"]));
    for case in list(&vectors["refused"]) {
        let signed: SignedTerms = decode(&bytes(&case["signed_terms"]), "terms").unwrap();
        let refused = signed.check(network, &mut rng()).unwrap_err();
        let expected = match string(&case["rule"]) {
            "POL-1" => matches!(refused, TermsError::Signature(_) | TermsError::Network),
            "POL-2" => {
                let policy = TermsError::Policy;
                refused == policy(PolicyError::RegistrarKey(0))
                    || refused == policy(PolicyError::Schedule)
            }
            "POL-3" => matches!(refused, TermsError::Policy(PolicyError::Reused(..))),
            "POL-4" => matches!(refused, TermsError::Possession(Rejected::False(_))),
            "epochs" => refused == TermsError::Policy(PolicyError::Schedule),
            other => panic!("no such rule: {other}"),
        };
        assert!(expected, "{}: {refused:?}", case["why"]);
    }
    for case in list(&vectors["malformed"]) {
        assert!(
            decode::<SignedTerms>(&bytes(&case["signed_terms"]), "terms").is_err(),
            "{}",
            case["why"]
        );
    }
}

// --- reading --------------------------------------------------------------------------------------------------------

/// A generator of scalars that were chosen beforehand, the last one first.
struct Queue(Vec<Scalar>);

/// Entropy that was fixed beforehand.
struct Fixed([u8; 32]);

impl Queue {
    fn next(&mut self, out: &mut [u8]) {
        out.fill(0);
        out[..32].copy_from_slice(&self.0.pop().unwrap().to_bytes());
    }
}

macro_rules! generator {
    ($name:ty, |$this:ident, $out:ident| $fill:expr) => {
        impl RngCore for $name {
            fn next_u32(&mut self) -> u32 {
                unreachable!("entropy is asked for as bytes")
            }

            fn next_u64(&mut self) -> u64 {
                unreachable!("entropy is asked for as bytes")
            }

            fn fill_bytes(&mut self, $out: &mut [u8]) {
                let $this = self;
                $fill
            }

            fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
                self.fill_bytes(out);
                Ok(())
            }
        }

        impl CryptoRng for $name {}
    };
}

generator!(Queue, |this, out| this.next(out));
generator!(Fixed, |this, out| out.copy_from_slice(&this.0));

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn load(name: &str) -> Value {
    let path = format!("{}/../specs/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap()
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

fn point(value: &Value) -> Encoded {
    Encoded::from_bytes(array(value)).unwrap()
}

fn points(value: &Value) -> Vec<Encoded> {
    list(value).iter().map(point).collect()
}
