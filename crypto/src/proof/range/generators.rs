//! The generators of the range proof: those of the `bulletproofs` crate, which shares only half of its own.

use std::sync::OnceLock;

use curve25519_dalek::ristretto::RistrettoPoint;
use sha3::Shake256;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use sudare_kernels::{Kernel, PublicPoint};

use super::{BITS, OUTPUTS_MAX};

/// The generators of one value's bits.
#[derive(Debug)]
pub(crate) struct Chain<P = RistrettoPoint> {
    /// `G` of each bit.
    pub(crate) g: Vec<P>,
    /// `H` of each bit.
    pub(crate) h: Vec<P>,
}

/// The generators of a value, counted from 0; none beyond [`OUTPUTS_MAX`]. They are made when first asked for, in about 2 ms.
pub(crate) fn of_value(value: u8) -> Option<&'static Chain> {
    static CHAINS: [OnceLock<Chain>; OUTPUTS_MAX] = [const { OnceLock::new() }; OUTPUTS_MAX];
    let once = CHAINS.get(usize::from(value))?;
    Some(once.get_or_init(|| Chain { g: chain(b'G', value), h: chain(b'H', value) }))
}

/// As [`of_value`], in the form of a kernel, for verifying: 25 KB a value.
pub(crate) fn public_of_value(kernel: Kernel, value: u8) -> Option<&'static Chain<PublicPoint>> {
    static CHAINS: [[OnceLock<Chain<PublicPoint>>; OUTPUTS_MAX]; Kernel::COUNT] =
        [const { [const { OnceLock::new() }; OUTPUTS_MAX] }; Kernel::COUNT];
    let once = CHAINS.get(kernel.number())?.get(usize::from(value))?;
    let Chain { g, h } = of_value(value)?;
    Some(once.get_or_init(|| Chain { g: kernel.points(g), h: kernel.points(h) }))
}

/// SHAKE-256 of the letter and the value's number, 64 bytes a point.
fn chain(letter: u8, value: u8) -> Vec<RistrettoPoint> {
    let mut shake = Shake256::default();
    shake.update(b"GeneratorsChain");
    shake.update(&[letter, value, 0, 0, 0]);
    let mut bytes = shake.finalize_xof();
    (0..BITS)
        .map(|_| {
            let mut wide = [0; 64];
            bytes.read(&mut wide);
            RistrettoPoint::from_uniform_bytes(&wide)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use bulletproofs::BulletproofGens;

    use super::*;

    #[test]
    fn the_generators_are_the_crates() {
        let crates = BulletproofGens::new(BITS, OUTPUTS_MAX);
        let mut seen = Vec::new();
        assert!(of_value(u8::try_from(OUTPUTS_MAX).unwrap()).is_none());
        for (value, index) in crate::numbered(0..OUTPUTS_MAX) {
            let chain = of_value(value).unwrap();
            let its: Vec<_> = crates.share(index).G(BITS).copied().collect();
            assert_eq!(chain.g, its, "value {value}");
            // Its `H` shows in its proofs alone.
            seen.extend([&chain.g, &chain.h].map(|points| points[0].compress().to_bytes()));
        }
        assert_eq!(seen.len(), 2 * OUTPUTS_MAX);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 2 * OUTPUTS_MAX);
    }
}
