//! Every single change of a statement, generated from its fields: a field without its changes does not compile.

use std::collections::BTreeSet;

use borsh::BorshSerialize;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::Identity;

use crate::encoding::encode;
use crate::point::B;
use crate::proof::{
    amount, balance, equality, holder, links, locator, owner, possession, spend, statement, tag,
    wrap,
};
use crate::{Encoded, Hash};

/// A public input, which knows all single changes of itself, each with its name.
pub(super) trait Public: Clone + BorshSerialize {
    fn edits(&self) -> Vec<(String, Self)>;
}

impl Public for Encoded {
    fn edits(&self) -> Vec<(String, Self)> {
        let point = self.decompress().unwrap();
        let mut high_bit = *self.as_bytes();
        high_bit[31] |= 0x80;
        vec![
            (" another point".into(), Self::of(&(point + B))),
            (" negated".into(), Self::of(&-point)),
            (" the identity".into(), Self::of(&RistrettoPoint::identity())),
            (" not canonical".into(), Self::from_bytes(high_bit).unwrap()),
        ]
    }
}

impl Public for u8 {
    fn edits(&self) -> Vec<(String, Self)> {
        vec![(" flipped".into(), self ^ 1)]
    }
}

impl Public for u64 {
    fn edits(&self) -> Vec<(String, Self)> {
        vec![(" + 1".into(), self.wrapping_add(1)), (" - 1".into(), self.wrapping_sub(1))]
    }
}

impl Public for u32 {
    fn edits(&self) -> Vec<(String, Self)> {
        vec![(" + 1".into(), self.wrapping_add(1)), (" - 1".into(), self.wrapping_sub(1))]
    }
}

impl Public for statement::Kind {
    fn edits(&self) -> Vec<(String, Self)> {
        use statement::Kind::{AtLeast, AtMost, Between, Differ, Share};
        let numbers = |one: u64| one.edits().into_iter();
        let parts = |one: u32| one.edits().into_iter();
        let (mut edits, others): (Vec<(String, Self)>, _) = match *self {
            AtLeast { bound } => (
                numbers(bound).map(|(what, bound)| (what, AtLeast { bound })).collect(),
                vec![AtMost { bound }, Between { low: bound, high: bound }, Differ { by: bound }],
            ),
            AtMost { bound } => (
                numbers(bound).map(|(what, bound)| (what, AtMost { bound })).collect(),
                vec![AtLeast { bound }, Between { low: 0, high: bound }, Differ { by: bound }],
            ),
            Between { low, high } => (
                numbers(low)
                    .map(|(what, low)| (format!(" low{what}"), Between { low, high }))
                    .chain(
                        numbers(high)
                            .map(|(what, high)| (format!(" high{what}"), Between { low, high })),
                    )
                    .collect(),
                vec![Between { low: high, high: low }, AtLeast { bound: low }],
            ),
            Share { numerator, denominator } => (
                parts(numerator)
                    .map(|(what, numerator)| (what, Share { numerator, denominator }))
                    .chain(parts(denominator).map(|(what, denominator)| {
                        (format!(" q{what}"), Share { numerator, denominator })
                    }))
                    .collect(),
                vec![
                    Share { numerator: denominator, denominator: numerator },
                    Share { numerator: 0, denominator },
                    Differ { by: 0 },
                ],
            ),
            Differ { by } => (
                numbers(by).map(|(what, by)| (what, Differ { by })).collect(),
                vec![AtLeast { bound: by }, Share { numerator: 1, denominator: 1 }],
            ),
        };
        edits.extend(others.into_iter().map(|kind| (format!(" as {kind:?}"), kind)));
        edits
    }
}

impl Public for Hash {
    fn edits(&self) -> Vec<(String, Self)> {
        let flipped = |i: usize| {
            let mut hash = *self;
            hash.0[i] ^= 0x80;
            hash
        };
        vec![(" first byte".into(), flipped(0)), (" last byte".into(), flipped(31))]
    }
}

impl<T: Public> Public for Vec<T> {
    fn edits(&self) -> Vec<(String, Self)> {
        let (mut edits, mut seen) = (Vec::new(), BTreeSet::from([encode(self)]));
        let mut edit = |what: String, change: &dyn Fn(&mut Self)| {
            let mut list = self.clone();
            change(&mut list);
            // Two equal items have the same changes.
            if seen.insert(encode(&list)) {
                edits.push((what, list));
            }
        };
        for (i, item) in self.iter().enumerate() {
            edit(format!("[{i}] removed"), &|list| drop(list.remove(i)));
            edit(format!("[{i}] twice"), &|list| list.insert(i, item.clone()));
            if i > 0 {
                edit(format!("[{i}] swapped with the one before"), &|list| list.swap(i - 1, i));
            }
            for (what, changed) in item.edits() {
                edit(format!("[{i}]{what}"), &|list| list[i] = changed.clone());
            }
        }
        edits
    }
}

macro_rules! public {
    ($($statement:path { $($field:ident),+ })+) => { $(
        impl Public for $statement {
            fn edits(&self) -> Vec<(String, Self)> {
                // Names every field: a new one must be added to the table below.
                let Self { $($field),+ } = self;
                let mut edits = Vec::new();
                $(for (what, changed) in $field.edits() {
                    let mut statement = self.clone();
                    statement.$field = changed;
                    edits.push((format!(".{}{what}", stringify!($field)), statement));
                })+
                edits
            }
        }
    )+ };
}

public! {
    amount::Statement { outputs, keys }
    amount::Ciphertext { commitment, ephemeral, amounts }
    balance::Statement { inputs, outputs, mint, burn }
    equality::Statement { left, right, masked }
    equality::Masked { mask, product, difference }
    holder::Statement { account, owners }
    links::Statement { links }
    links::Link { owner, commitment, tag, rerandomised }
    locator::Statement { key, base, shared }
    owner::Statement { owner, ephemeral, identities, keys }
    possession::Statement { key, purpose }
    spend::Statement { inputs, keys }
    spend::Spender { tag, ephemeral, identities }
    statement::Statement { kind, left, right, limbs }
    statement::Total { commitments, clear }
    tag::Statement { tag, commit }
    wrap::Statement { sections }
    wrap::Wrapped { ephemeral, wraps, keys }
}

/// Changes of a key together with all that is under it: each column removed, neighbours swapped.
pub(super) fn columns<S: Clone>(
    statement: &S,
    lists: impl Fn(&mut S) -> Vec<&mut Vec<Encoded>>,
) -> Vec<(String, S)> {
    let mut edits = Vec::new();
    let count = lists(&mut statement.clone()).iter().map(|list| list.len()).min().unwrap_or(0);
    for j in 0..count {
        let mut removed = statement.clone();
        for list in lists(&mut removed) {
            list.remove(j);
        }
        edits.push((format!(" key {j} and its ciphertexts removed"), removed));
        if j > 0 {
            let mut swapped = statement.clone();
            lists(&mut swapped).into_iter().for_each(|list| list.swap(j - 1, j));
            edits
                .push((format!(" keys {} and {j} swapped with their ciphertexts", j - 1), swapped));
        }
    }
    edits
}
