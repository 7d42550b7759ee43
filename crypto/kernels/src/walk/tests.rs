use ark_ed25519::Fq;
use ark_ff::{BigInteger, PrimeField, UniformRand};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

fn place(rng: &mut ChaCha20Rng, log: u128) -> Place {
    let bytes =
        |rng: &mut ChaCha20Rng| Fq::rand(rng).into_bigint().to_bytes_le().try_into().unwrap();
    Place { x: bytes(rng), y: bytes(rng), log }
}

/// The step in plain field arithmetic, which needs no point to be on a curve.
fn next(place: &Place, steps: &[Place; STEPS]) -> Place {
    let step = steps[usize::from(place.x[0] & 63)];
    let [x, y, step_x, step_y] =
        [place.x, place.y, step.x, step.y].map(|bytes| Fq::from_le_bytes_mod_order(&bytes));
    let slope = (step_y - y) / (step_x - x);
    let new_x = slope.square() - x - step_x;
    let new_y = slope * (x - new_x) - y;
    let bytes = |one: Fq| one.into_bigint().to_bytes_le().try_into().unwrap();
    Place { x: bytes(new_x), y: bytes(new_y), log: place.log + step.log }
}

#[test]
fn many_walks_go_where_each_alone_would_and_are_marked_by_their_places() {
    let Some(ifma) = Ifma::detect() else { return };
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let steps: [Place; STEPS] = core::array::from_fn(|_| {
        let size = rng.next_u64();
        place(rng, size.into())
    });
    for count in [1, 7, 8, 9, 40] {
        let mut expected: Vec<Place> =
            (0..count).map(|number| place(rng, u128::from(u64::MAX) - number)).collect();
        let mut walks = Walks::new(ifma, Steps::new(&steps), &expected);
        assert_eq!(walks.len(), expected.len());
        for round in 0..50 {
            assert_eq!(walks.advance(), Ok(()));
            for one in &mut expected {
                *one = next(one, &steps);
            }
            let moved = round % expected.len();
            expected[moved] = place(rng, u128::MAX >> 1);
            walks.put(moved, &expected[moved]);
            let bits = u32::try_from(round % 4).unwrap();
            let mut marked = Vec::new();
            walks.marked(bits, |index| marked.push(index));
            let is_mark = |one: &Place| one.x[8].trailing_zeros() >= bits;
            let wanted = (0..expected.len()).filter(|index| is_mark(&expected[*index]));
            assert_eq!(marked, wanted.collect::<Vec<_>>());
        }
        for (index, one) in expected.iter().enumerate() {
            assert_eq!(walks.place(index).unwrap(), *one);
        }
    }
}

#[test]
fn an_exceptional_addition_moves_nobody() {
    let Some(ifma) = Ifma::detect() else { return };
    let rng = &mut ChaCha20Rng::seed_from_u64(2);
    let steps = [place(rng, 1); STEPS];
    let places = [place(rng, 5), Place { log: 6, ..steps[0] }, place(rng, 7)];
    let mut walks = Walks::new(ifma, Steps::new(&steps), &places);
    assert_eq!(walks.advance(), Err(Exceptional));
    for (index, one) in places.iter().enumerate() {
        assert_eq!(walks.place(index).unwrap(), *one);
    }
    let mut nobody = Walks::new(ifma, Steps::new(&steps), &[]);
    assert_eq!((nobody.advance(), nobody.is_empty()), (Ok(()), true));
}
