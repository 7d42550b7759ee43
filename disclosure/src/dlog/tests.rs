use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto};

use super::*;

const SEED: [u8; 32] = [42; 32];

fn target(v: u64) -> CompressedRistretto {
    RistrettoPoint::mul_base(&Scalar::from(v)).compress()
}

fn finish(mut search: Search) -> Outcome {
    search.step(u64::MAX)
}

fn solve(v: u64, bound: u64) -> Outcome {
    finish(Search::new(&target(v), bound, SEED).unwrap())
}

fn solve_by_kangaroo(v: u64, bound: u64) -> Outcome {
    finish(Search::kangaroo(&target(v), bound, 1, SEED).unwrap())
}

#[test]
fn every_small_value_is_found() {
    for v in 0..=64 {
        assert_eq!(solve(v, 64), Outcome::Found(v));
        assert_eq!(solve_by_kangaroo(v, 64), Outcome::Found(v));
    }
    assert_eq!(solve(0, 0), Outcome::Found(0));
    assert_eq!(solve(1, 0), Outcome::Absent);
}

#[test]
fn the_ends_of_the_range_belong_to_it() {
    for bound in [1_000, 1_023, 1_024, 1_025, (1 << 20) - 1, 1 << 20, 1 << 24, 1 << 32] {
        for v in [0, 1, bound / 2, bound - 1, bound] {
            assert_eq!(solve(v, bound), Outcome::Found(v), "{v} of {bound}");
        }
    }
    for bound in [1_000, 1 << 20, 1 << 24, 1 << 32] {
        for v in [0, 1, bound / 2, bound - 1, bound] {
            assert_eq!(solve_by_kangaroo(v, bound), Outcome::Found(v), "{v} of {bound}");
        }
    }
}

#[test]
fn scattered_values_of_24_and_32_bits_are_found() {
    for bits in [24, 32] {
        let bound = (1 << bits) - 1;
        for i in 1..8_u64 {
            let v = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits);
            assert_eq!(solve(v, bound), Outcome::Found(v));
            assert_eq!(solve_by_kangaroo(v, bound), Outcome::Found(v));
        }
    }
}

#[test]
fn kangaroos_find_a_value_of_40_bits() {
    let v = 987_654_321_012;
    assert_eq!(solve_by_kangaroo(v, (1 << 40) - 1), Outcome::Found(v));
}

#[test]
fn giant_steps_find_a_value_of_40_bits() {
    let v = 987_654_321_012;
    assert_eq!(solve(v, (1 << 40) - 1), Outcome::Found(v));
}

#[test]
fn a_search_over_64_bits_goes_on_and_counts_its_steps() {
    let mut search = Search::new(&target(u64::MAX / 2), u64::MAX, SEED).unwrap();
    assert_eq!(search.progress().steps_expected, Search::steps_expected(u64::MAX));
    assert_eq!(search.step(100_000), Outcome::Open);
    assert!(search.progress().steps_done >= 100_000);
}

#[test]
fn giant_steps_prove_that_a_value_beyond_the_bound_is_absent() {
    for v in [1 << 16, (1 << 16) + 1, (1 << 16) + 600, 1 << 20, u64::MAX] {
        assert_eq!(solve(v, (1 << 16) - 1), Outcome::Absent, "{v}");
    }
    for point in strange_points() {
        let search = Search::new(&point, (1 << 16) - 1, SEED).unwrap();
        assert_eq!(finish(search), Outcome::Absent);
    }
}

#[test]
fn kangaroos_find_nothing_beyond_the_bound() {
    let bound = (1 << 20) - 1;
    for v in [bound + 1, bound + 100, bound * 3, u64::MAX] {
        let outcome = solve_by_kangaroo(v, bound);
        assert!(matches!(outcome, Outcome::Absent | Outcome::Exhausted), "{v}: {outcome:?}");
    }
    for point in strange_points() {
        let outcome = finish(Search::kangaroo(&point, bound, 1, SEED).unwrap());
        assert!(matches!(outcome, Outcome::Absent | Outcome::Exhausted), "{outcome:?}");
    }
    let random = RistrettoPoint::hash_from_bytes::<sha2::Sha512>(b"nobody's multiple").compress();
    let search = Search::kangaroo(&random, bound, 1, SEED).unwrap();
    assert_eq!(finish(search), Outcome::Exhausted);
}

/// Multiples by -1, and by -1/2 (for which `w` is zero), and a half, and so on.
fn strange_points() -> impl Iterator<Item = CompressedRistretto> {
    let half = Scalar::from(2_u64).invert();
    let scalars = [-Scalar::ONE, -half, half, -Scalar::from(5_u64), -half - Scalar::from(1024_u64)];
    scalars.into_iter().map(|scalar| RistrettoPoint::mul_base(&scalar).compress())
}

#[test]
fn a_target_that_is_no_point_is_refused() {
    let bad = CompressedRistretto([0xff; 32]);
    assert_eq!(Search::new(&bad, 9, SEED).err(), Some(SearchError::Target));
    // An odd s is not canonical.
    let mut odd = [0; 32];
    odd[0] = 1;
    let odd = CompressedRistretto(odd);
    assert_eq!(Search::kangaroo(&odd, 9, 1, SEED).err(), Some(SearchError::Target));
}

#[test]
fn the_number_of_workers_is_limited() {
    for asked in [0, WORKERS_MAX + 1] {
        let expected = Some(SearchError::Workers { asked });
        assert_eq!(Search::with_workers(&target(1), 9, asked, SEED).err(), expected);
        assert_eq!(Search::kangaroo(&target(1), 9, asked, SEED).err(), expected);
    }
}

#[test]
fn workers_on_threads_find_what_one_finds() {
    let v = 3_333_333_333;
    let mut search = Search::kangaroo(&target(v), u64::from(u32::MAX), 3, SEED).unwrap();
    while search.collect() == Outcome::Open {
        std::thread::scope(|scope| {
            for worker in search.workers() {
                scope.spawn(|| worker.run(1 << 12));
            }
        });
    }
    assert_eq!(search.outcome(), Outcome::Found(v));
}

#[test]
fn the_same_arguments_take_the_same_course() {
    let course = |seed| {
        let mut search = Search::kangaroo(&target(77_777), 1 << 24, 2, seed).unwrap();
        search.step(3_000);
        search.to_bytes()
    };
    assert_eq!(course(SEED), course(SEED));
    assert_ne!(course(SEED), course([43; 32]));
}

#[test]
fn a_search_resumed_from_bytes_ends_as_without_a_break() {
    let v = 2_999_999_999;
    let bound = u64::from(u32::MAX);
    let searches = [
        Search::new(&target(v), bound, SEED).unwrap(),
        Search::kangaroo(&target(v), bound, 2, SEED).unwrap(),
    ];
    for mut search in searches {
        let mut breaks = 0;
        while search.step(9_000) == Outcome::Open {
            let before = search.progress();
            let bytes = search.to_bytes();
            search = Search::from_bytes(&bytes).unwrap();
            assert_eq!(search.progress(), before);
            assert_eq!(search.to_bytes(), bytes);
            breaks += 1;
        }
        assert_eq!(search.outcome(), Outcome::Found(v));
        assert!(breaks > 2, "the search ended before it was interrupted");
        let mut again = Search::from_bytes(&search.to_bytes()).unwrap();
        assert_eq!(again.step(1), Outcome::Found(v));
    }
}

#[test]
fn an_ended_search_keeps_its_outcome_in_its_bytes() {
    for point in strange_points().chain([target(1 << 30)]) {
        for mut search in [
            Search::new(&point, 1 << 16, SEED).unwrap(),
            Search::kangaroo(&point, 1 << 16, 1, SEED).unwrap(),
        ] {
            let outcome = search.step(u64::MAX);
            assert_eq!(Search::from_bytes(&search.to_bytes()).unwrap().step(1), outcome);
        }
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_checkpoint_is_refused() {
    let mut search = Search::kangaroo(&target(5), 1 << 20, 1, SEED).unwrap();
    search.step(100);
    let bytes = search.to_bytes();
    for length in 0..bytes.len() {
        assert_eq!(Search::from_bytes(&bytes[..length]).err(), Some(CheckpointError::Damaged));
    }
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Search::from_bytes(&damaged).err(), Some(CheckpointError::Damaged));
    }
    let long = vec![0; CHECKPOINT_BYTES_MAX + 1];
    assert_eq!(Search::from_bytes(&long).err(), Some(CheckpointError::TooLong(long.len())));
}

#[test]
fn a_checkpoint_with_a_good_hash_and_bad_content_is_refused() {
    let snapshot = |bound, ended, progress| {
        let target = target(5).to_bytes();
        Search::from_bytes(&Snapshot { target, bound, seed: SEED, ended, progress }.to_bytes())
            .err()
    };
    let giant = || checkpoint::Progress::Giant { rounds_done: u64::MAX };
    let herds = |herds| checkpoint::Progress::Kangaroo { herds, marks: [].into(), hops: 0 };
    let herd = |logs| HerdSnapshot { steps_done: u64::MAX, logs };
    let malformed = |part| Some(CheckpointError::Malformed(part));
    assert_eq!(snapshot(9, Ended::Not, giant()), None);
    assert_eq!(snapshot(9, Ended::Found(6), giant()), malformed("result"));
    assert_eq!(snapshot(4, Ended::Found(5), giant()), malformed("result"));
    assert_eq!(snapshot(u64::MAX, Ended::Not, giant()), malformed("bound"));
    assert_eq!(snapshot(9, Ended::Not, herds(vec![])), malformed("workers"));
    assert_eq!(snapshot(9, Ended::Not, herds(vec![herd(vec![])])), malformed("herds"));
    assert_eq!(snapshot(9, Ended::Not, herds(vec![herd(vec![1; 7])])), malformed("herds"));
    assert_eq!(snapshot(9, Ended::Not, herds(vec![herd(vec![u128::MAX; 8])])), malformed("herds"));
    assert_eq!(snapshot(9, Ended::Not, herds(vec![herd(vec![1; 8]), herd(vec![2; 8])])), None);
}

#[test]
fn debug_output_names_neither_target_nor_value() {
    let mut search = Search::new(&target(123_456), 1 << 20, SEED).unwrap();
    search.step(u64::MAX);
    let text = format!("{search:?}") + &format!("{:?}", search.workers());
    assert!(!text.contains("123456") && !text.contains("Found"), "{text}");
}

#[test]
fn a_full_search_of_64_bits_stays_within_its_stated_size() {
    for workers in [1, 2, 16, WORKERS_MAX] {
        for bound in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1, GIANT_BOUND_MAX + 1] {
            let plan = herd::Plan::new(bound, workers);
            let kangaroos = usize::try_from(plan.herd()).unwrap() * usize::from(workers);
            assert!(kangaroos <= 1 << 14);
            let bytes = 200 + kangaroos * 16 + usize::from(workers) * 12 + MARKS_MAX * 24;
            assert!(bytes <= CHECKPOINT_BYTES_MAX);
        }
    }
    let steps = Search::steps_expected(u64::MAX);
    assert!((1 << 33..(1 << 33) + (1 << 28)).contains(&steps), "{steps}");
}
