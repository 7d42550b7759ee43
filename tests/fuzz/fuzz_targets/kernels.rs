//! Encodings and scalars of every kind: all kernels of this processor decode and multiply as `curve25519-dalek` does.
//!
//! Each term is 66 bytes: what the encoding and the scalar are made of, then 32 bytes for each.
#![no_main]

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use libfuzzer_sys::fuzz_target;
use sudare_kernels::{Kernel, PublicPoint, PublicScalar, multiply};

/// More would only make one run slower.
const TERMS_MAX: usize = 160;

fuzz_target!(|data: &[u8]| {
    let (terms, _) = data.as_chunks::<66>();
    let (mut encodings, mut scalars) = (Vec::new(), Vec::new());
    for [kind, scale, rest @ ..] in terms.iter().take(TERMS_MAX) {
        let (encoding, scalar) = rest.split_at(32);
        let last = encodings.last().copied().unwrap_or_default();
        encodings.push(encoding_of(*kind, encoding.try_into().unwrap(), last));
        scalars.push(scalar_of(*scale, scalar.try_into().unwrap()));
    }
    let expected: Vec<Option<RistrettoPoint>> =
        encodings.iter().map(|bytes| CompressedRistretto(*bytes).decompress()).collect();
    let good =
        expected.iter().zip(&scalars).filter_map(|(point, scalar)| Some((scalar, (*point)?)));
    let (by, points): (Vec<&Scalar>, Vec<RistrettoPoint>) = good.unzip();
    let sum = RistrettoPoint::vartime_multiscalar_mul(by, points);
    for kernel in Kernel::all() {
        let points = kernel.decode(&encodings);
        let decodes = points.iter().map(Option::is_some);
        assert!(decodes.eq(expected.iter().map(Option::is_some)), "{}", kernel.name());
        let good = points.iter().zip(&scalars).filter_map(|(point, scalar)| {
            Some((PublicScalar::of_bytes(scalar.to_bytes()), point.as_ref()?))
        });
        let good: Vec<(PublicScalar, &PublicPoint)> = good.collect();
        assert_eq!(multiply(&good), sum, "{}", kernel.name());
    }
});

/// As given, with its sign and top bit cleared, a point made of it, the one before, its opposite, or a number next to `p`.
fn encoding_of(kind: u8, bytes: [u8; 32], last: [u8; 32]) -> [u8; 32] {
    let point = |wide: [u8; 32]| {
        RistrettoPoint::from_uniform_bytes(&[wide, wide].concat().try_into().unwrap())
    };
    match kind % 7 {
        0 => bytes,
        1 => {
            let mut bytes = bytes;
            bytes[0] &= 0xfe;
            bytes[31] &= 0x7f;
            bytes
        }
        2 | 3 => point(bytes).compress().to_bytes(),
        4 => last,
        5 => CompressedRistretto(last)
            .decompress()
            .map_or(last, |point| (-point).compress().to_bytes()),
        _ => {
            let mut near = [0xff; 32];
            near[0] = bytes[0];
            near[31] = 0x7f;
            near
        }
    }
}

/// As given, small, the opposite of a small one, or one digit alone.
fn scalar_of(scale: u8, bytes: [u8; 32]) -> Scalar {
    let number = Scalar::from_bytes_mod_order(bytes);
    let mut low = [0; 32];
    low[..16].copy_from_slice(&bytes[..16]);
    match scale % 6 {
        0 | 1 => number,
        2 => Scalar::from(u64::from(bytes[0])),
        3 => -Scalar::from(u64::from(bytes[0])),
        4 => Scalar::from_bytes_mod_order(low),
        _ => {
            let mut one = [0; 32];
            one[usize::from(bytes[0] % 32)] = bytes[1];
            Scalar::from_bytes_mod_order(one)
        }
    }
}
