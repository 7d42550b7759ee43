use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto};

use super::*;

const SEED: [u8; 32] = [42; 32];
const BITS: u8 = 28;

fn target(v: u64) -> CompressedRistretto {
    RistrettoPoint::mul_base(&Scalar::from(v)).compress()
}

fn finish(mut builder: TableBuilder) -> Table {
    loop {
        for worker in builder.workers() {
            worker.run(1 << 14);
        }
        if let Some(table) = builder.collect() {
            return table;
        }
    }
}

/// Made once: some 200,000 steps.
fn table() -> &'static Table {
    static TABLE: std::sync::OnceLock<Table> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| finish(TableBuilder::new(TableSize::new(BITS, None).unwrap(), 2)))
}

fn solve(v: u64, bound: u64, table: &Table) -> Outcome {
    TableSearch::new(&target(v), bound, table, 2, SEED).unwrap().run()
}

/// A table's bytes with a good hash, whatever they say.
fn sealed(bits: u8, entries_log: u8, entries: &[(u64, u64)]) -> Vec<u8> {
    use sha2::Digest as _;
    let mut bytes = b"sudare dlog table\n\x01".to_vec();
    bytes.extend([bits, entries_log]);
    bytes.extend(borsh::to_vec(entries).unwrap());
    let hash = sha2::Sha256::digest(&bytes);
    bytes.extend(hash);
    bytes
}

fn entries(table: &Table) -> Vec<(u64, u64)> {
    let bytes = table.to_bytes();
    borsh::from_slice(&bytes[b"sudare dlog table\n\x01".len() + 2..bytes.len() - 32]).unwrap()
}

#[test]
fn values_all_over_the_range_and_at_its_ends_are_found_with_a_table() {
    let bound = (1 << BITS) - 1;
    let scattered = (1..24_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS));
    for v in scattered.chain([0, 1, 2, bound / 2, bound - 1, bound]) {
        assert_eq!(solve(v, bound, table()), Outcome::Found(v));
    }
    assert_eq!(solve(77, 1000, table()), Outcome::Found(77), "a bound below the table's");
}

#[test]
fn a_search_with_a_table_takes_the_steps_that_it_says_and_far_fewer_than_without() {
    let (mut done, mut expected) = (0, 0);
    for i in 0..40_u64 {
        let v = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS);
        let mut search = TableSearch::new(&target(v), (1 << BITS) - 1, table(), 1, SEED).unwrap();
        assert_eq!(search.run(), Outcome::Found(v));
        let progress = search.progress();
        (done, expected) = (done + progress.steps_done, expected + progress.steps_expected);
    }
    assert!(done < expected * 2 && expected < done * 2, "{done} steps, {expected} expected");
    let without = TableSize::new(48, None).unwrap().steps_expected();
    assert!(without * 30 < Search::steps_expected((1 << 48) - 1), "{without}");
}

#[test]
fn a_value_beyond_the_bound_is_never_found_with_a_table() {
    let bound = (1 << BITS) - 1;
    for v in [bound + 1, bound + 1000, bound * 3] {
        let outcome = solve(v, bound, table());
        assert!(matches!(outcome, Outcome::Absent | Outcome::Exhausted), "{v}: {outcome:?}");
    }
    // The table knows it, the bound does not.
    assert_eq!(solve(5_000_000, 1 << 20, table()), Outcome::Absent);
    let wide = TableSearch::new(&target(1), bound + 1, table(), 1, SEED).err();
    assert_eq!(wide, Some(TableError::Narrow { bits: BITS, bound: bound + 1 }.into()));
}

#[test]
fn a_table_is_the_same_when_read_again_and_refused_with_any_bit_flipped_or_cut() {
    let bytes = table().to_bytes();
    assert!(bytes.len() <= 200 + 16 * usize::try_from(table().size().entries()).unwrap());
    assert_eq!(Table::from_bytes(&bytes).unwrap().to_bytes(), bytes);
    for length in 0..bytes.len() {
        assert_eq!(Table::from_bytes(&bytes[..length]).err(), Some(TableError::Damaged));
    }
    for byte in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[byte] ^= 1 << (byte % 8);
        assert_eq!(Table::from_bytes(&damaged).err(), Some(TableError::Damaged));
    }
    let long = vec![0; TABLE_BYTES_MAX + 1];
    assert_eq!(Table::from_bytes(&long).err(), Some(TableError::TooLong(long.len())));
}

#[test]
fn a_table_with_a_good_hash_and_bad_content_is_refused() {
    let good = entries(table());
    let log = u8::try_from(table().size().entries().ilog2()).unwrap();
    let read = |bits, log, entries: &[_]| Table::from_bytes(&sealed(bits, log, entries)).err();
    let malformed = |part| Some(TableError::Malformed(part));
    assert_eq!(read(BITS, log, &good), None);
    assert_eq!(read(63, log, &good), malformed("sizes"));
    assert_eq!(read(255, 255, &good), malformed("sizes"));
    assert_eq!(read(BITS, log, &[]), malformed("number of entries"));
    assert_eq!(read(BITS, 4, &good), malformed("number of entries"));
    let mut swapped = good.clone();
    swapped.swap(0, 1);
    assert_eq!(read(BITS, log, &swapped), malformed("order"));
    let shifted: Vec<_> = good.iter().map(|(name, v)| (*name, v + 1)).collect();
    assert_eq!(read(BITS, log, &shifted), malformed("marks"));
}

#[test]
fn a_table_that_lies_where_nobody_looked_gives_no_wrong_value() {
    let mut lying = entries(table());
    for (_, v) in lying.iter_mut().skip(1).step_by(2) {
        *v += 1;
    }
    let lying = Table::of(table().size(), lying);
    for v in [5, 1_000_000, 200_000_000] {
        let outcome = solve(v, (1 << BITS) - 1, &lying);
        assert!(matches!(outcome, Outcome::Found(found) if found == v), "{v}: {outcome:?}");
    }
}

#[test]
fn a_table_under_way_goes_on_from_bytes_with_other_workers() {
    let size = TableSize::new(BITS, None).unwrap();
    let mut builder = TableBuilder::new(size, 1);
    let mut breaks = 0;
    let table = loop {
        for worker in builder.workers() {
            worker.run(1 << 13);
        }
        if let Some(table) = builder.collect() {
            break table;
        }
        let bytes = builder.to_bytes();
        let (progress, steps) = (builder.progress(), builder.steps_done());
        builder = TableBuilder::from_bytes(&bytes, 3).unwrap();
        assert_eq!((builder.progress(), builder.steps_done()), (progress, steps));
        for byte in [0, 30, bytes.len() / 2, bytes.len() - 1] {
            let mut damaged = bytes.clone();
            damaged[byte] ^= 1;
            assert_eq!(TableBuilder::from_bytes(&damaged, 1).err(), Some(TableError::Damaged));
        }
        breaks += 1;
    };
    assert!(breaks > 2, "the table was done before it was interrupted");
    assert_eq!(solve(123_456_789, (1 << BITS) - 1, &table), Outcome::Found(123_456_789));
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    for (bits, log) in [(23, None), (63, None), (28, Some(3)), (62, Some(21)), (28, Some(15))] {
        assert_eq!(TableSize::new(bits, log).err(), Some(TableError::Size), "{bits} {log:?}");
    }
    for bits in TABLE_BITS {
        let size = TableSize::new(bits, None).unwrap();
        assert!(size.steps_expected() < Search::steps_expected((1 << bits) - 1), "{bits}");
    }
}
