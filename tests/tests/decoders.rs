//! Every decoder of bytes from outside: no panic, no allocation from a count that lies, and one encoding for one value.
//!
//! The same property runs for as long as one likes under libFuzzer: see `tests/fuzz/README.md`. `SUDARE_DECODER_CASES` sets how
//! many mutations this test tries of each seed (default 400).

#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use std::fs;
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serde_json::Value;
use sudare_tests::decoders::{TARGETS, check};

#[test]
fn what_decodes_encodes_to_the_same_bytes_however_the_input_was_damaged() {
    let cases: u32 = std::env::var("SUDARE_DECODER_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(400);
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let seeds = seeds();
    assert!(seeds.len() > 20, "only {} seeds", seeds.len());
    for seed in &seeds {
        for target in TARGETS {
            check(target, seed);
        }
        for _ in 0..cases {
            let damaged = damage(seed, rng);
            for target in TARGETS {
                check(target, &damaged);
            }
        }
    }
}

#[test]
fn the_seeds_reach_the_inside_of_the_large_decoders() {
    let seeds = seeds();
    let large =
        ["leg", "entry", "slot", "commit", "terms", "statement", "sign-off", "ISO 20022 message"];
    for target in large {
        let target = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
        assert!(seeds.iter().any(|seed| (target.1)(seed)), "no seed decodes as {}", target.0);
    }
}

/// Byte strings of all vectors, shortest first.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("specs/vectors");
    let mut seeds = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(path).unwrap();
            collect(&serde_json::from_str(&text).unwrap(), &mut seeds);
        }
    }
    seeds.sort_by_key(|seed| (seed.len(), seed.clone()));
    seeds.dedup();
    // A few that each decoder accepts, and a spread of the others.
    let mut kept: Vec<Vec<u8>> = seeds.iter().step_by(40).cloned().collect();
    for (_, run) in TARGETS {
        kept.extend(seeds.iter().filter(|seed| run(seed)).take(3).cloned());
    }
    let messages = fs::read_dir(folder.join("iso20022")).unwrap();
    kept.extend(messages.map(|entry| fs::read(entry.unwrap().path()).unwrap()));
    kept
}

fn collect(value: &Value, seeds: &mut Vec<Vec<u8>>) {
    match value {
        Value::String(text) if text.len() >= 2 && text.len().is_multiple_of(2) => {
            let pairs = text.as_bytes().chunks(2);
            let bytes: Option<Vec<u8>> = pairs
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect();
            seeds.extend(bytes);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, seeds)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, seeds)),
        _ => (),
    }
}

fn damage(seed: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let place = |rng: &mut ChaCha20Rng, length: usize| {
        usize::try_from(rng.next_u32()).unwrap_or(0) % length.max(1)
    };
    for _ in 0..=place(rng, 3) {
        let at = place(rng, bytes.len());
        match rng.next_u32() % 5 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), 0xff),
            2 => bytes.extend_from_slice(&[0; 3]),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (rng.next_u32() % 8);
                }
            }
        }
    }
    bytes
}
