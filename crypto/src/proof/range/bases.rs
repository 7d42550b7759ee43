//! The generators of the inner product argument and the sums over them, with either kernel.

use sudare_kernels::Kernel;

use super::portable;
#[cfg(target_arch = "x86_64")]
use super::vector;
use crate::Scalar;
use crate::field::Fr;
pub(super) use crate::threads::together;

/// The generators of a round, `G` and `H`.
pub(super) enum Bases {
    /// `curve25519-dalek`, on every processor.
    Portable(portable::Bases),
    /// Tables of the generators, eight points at a time, with AVX-512 IFMA.
    #[cfg(target_arch = "x86_64")]
    Vector(vector::Bases),
}

impl Bases {
    /// Those of so many values; none for more than there are.
    pub(super) fn of(values: usize, (kernel, threads): (Kernel, usize)) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if let Some(ifma) = kernel.ifma() {
            return vector::Bases::of(values, (ifma, threads)).map(Self::Vector);
        }
        portable::Bases::of(values, threads).map(Self::Portable)
    }

    /// The encoding of `blinding*B~ + <left, G> + <right, H>`, in constant time.
    pub(super) fn masks(
        &self,
        blinding: &Scalar,
        left: &[Scalar],
        right: &[Scalar],
    ) -> Option<[u8; 32]> {
        match self {
            Self::Portable(bases) => {
                Some(bases.masks(blinding, left, right)?.compress().to_bytes())
            }
            #[cfg(target_arch = "x86_64")]
            Self::Vector(bases) => bases.masks(blinding, left, right),
        }
    }

    /// Makes `inverse^k * H_k` of each `H_k`.
    pub(super) fn divide_h(&mut self, inverse: Fr) {
        match self {
            Self::Portable(bases) => bases.divide_h(inverse),
            #[cfg(target_arch = "x86_64")]
            Self::Vector(bases) => bases.divide_h(inverse),
        }
    }

    /// The encodings of a round's `L = <a_l, G_r> + <b_r, H_l> + <a_l, b_r>*w*B` and `R = <a_r, G_l> + <b_l, H_r> + <a_r, b_l>*w*B`.
    pub(super) fn round(&self, a: &[Fr], b: &[Fr], w: Fr) -> Option<([u8; 32], [u8; 32])> {
        match self {
            Self::Portable(bases) => {
                let [left, right] = bases.round(a, b, w)?;
                Some((left.compress().to_bytes(), right.compress().to_bytes()))
            }
            #[cfg(target_arch = "x86_64")]
            Self::Vector(bases) => bases.round(a, b, w),
        }
    }

    /// Goes on with half as many generators: `G' = u^-1*G_l + u*G_r`, `H' = u*H_l + u^-1*H_r`.
    pub(super) fn next_round(&mut self, u: Fr, inverse: Fr) -> Option<()> {
        match self {
            Self::Portable(bases) => bases.next_round(u, inverse),
            #[cfg(target_arch = "x86_64")]
            Self::Vector(bases) => bases.next_round(u, inverse)?,
        }
        Some(())
    }
}
