//! Public points with AVX-512 IFMA, eight at a time. Variable time.
#![allow(unsafe_code, reason = "instructions that the processor was found to have")]

mod pippenger;
mod rows;
mod straus;

pub(super) use self::rows::Row;
use super::PublicScalar;
use super::order::LANES;
use crate::point8::Point8;
use crate::processor::Ifma;

/// Up to so many points each has a table of its own, which costs less than buckets for a few points each.
const FEW: usize = 96;

/// The points with these encodings.
pub(super) fn decode(ifma: Ifma, encodings: &[[u8; 32]]) -> Vec<Option<Row>> {
    let mut rows = Vec::with_capacity(encodings.len());
    let (sixteens, rest) = encodings.as_chunks::<{ 2 * LANES }>();
    for sixteen in sixteens {
        // SAFETY: the processor has the instructions, says `ifma`.
        rows.extend(unsafe { decode_sixteen(ifma, sixteen) }.as_flattened());
    }
    for some in rest.chunks(LANES) {
        // What is missing decodes to the identity, and is left out.
        let mut eight = [[0; 32]; LANES];
        if let Some(given) = eight.get_mut(..some.len()) {
            given.copy_from_slice(some);
        }
        // SAFETY: the processor has the instructions, says `ifma`.
        rows.extend(unsafe { decode_eight(ifma, &eight) }.iter().take(some.len()));
    }
    rows
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn decode_eight(ifma: Ifma, encodings: &[[u8; 32]; LANES]) -> [Option<Row>; LANES] {
    let (points, good) = Point8::decode(ifma, encodings);
    Row::of_each(ifma, points, good)
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn decode_sixteen(ifma: Ifma, encodings: &[[u8; 32]; 2 * LANES]) -> [[Option<Row>; LANES]; 2] {
    let [(one, good_one), (two, good_two)] = Point8::decode_two(ifma, encodings);
    [Row::of_each(ifma, one, good_one), Row::of_each(ifma, two, good_two)]
}

/// The encoding of the sum of the points, each times its scalar: zeros if it is the identity.
pub(super) fn multiply(ifma: Ifma, scalars: &[PublicScalar], rows: &[Row]) -> [u8; 32] {
    // SAFETY: the processor has the instructions, says `ifma`.
    unsafe { encoded_sum(ifma, scalars, rows) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn encoded_sum(ifma: Ifma, scalars: &[PublicScalar], rows: &[Row]) -> [u8; 32] {
    let lanes = if rows.len() <= FEW {
        straus::sum(ifma, scalars, rows)
    } else {
        pippenger::sum(ifma, scalars, rows)
    };
    let total = lanes.total(ifma);
    if total.is_identity().bits() & 1 == 1 {
        return [0; 32];
    }
    let [total, ..] = total.encode(ifma);
    total
}
