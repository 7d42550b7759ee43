//! Points and secret scalars of ristretto255, and the three generators.

use std::io::{self, Read, Write};
use std::sync::{LazyLock, OnceLock};

use borsh::{BorshDeserialize, BorshSerialize};
use bulletproofs::PedersenGens;
use curve25519_dalek::constants::{RISTRETTO_BASEPOINT_POINT, RISTRETTO_BASEPOINT_TABLE};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use rand_core::CryptoRngCore;
use sha2::Sha512;
use sudare_kernels::{Kernel, PublicPoint};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encoding::{Malformed, invalid};

/// `B`, the base point: values are committed under it.
pub const B: RistrettoPoint = RISTRETTO_BASEPOINT_POINT;

/// `B~`, the blinding generator: `bulletproofs::PedersenGens::default().B_blinding`.
pub static B_BLINDING: LazyLock<RistrettoPoint> =
    LazyLock::new(|| PedersenGens::default().B_blinding);

/// `G`, the tag generator: `hash_from_bytes::<SHA-512>("sudare/generator/G/v1")` (RFC 9496 section 4.3.4).
pub static G: LazyLock<RistrettoPoint> =
    LazyLock::new(|| RistrettoPoint::hash_from_bytes::<Sha512>(b"sudare/generator/G/v1"));

/// Multiples of [`B_BLINDING`] and [`G`], 30 KiB each: a third of the time of a multiplication by any other point.
static B_BLINDING_TABLE: LazyLock<RistrettoBasepointTable> =
    LazyLock::new(|| RistrettoBasepointTable::create(&B_BLINDING));
static G_TABLE: LazyLock<RistrettoBasepointTable> =
    LazyLock::new(|| RistrettoBasepointTable::create(&G));

/// `scalar * B`, in constant time.
#[must_use]
pub fn times_b(scalar: &Scalar) -> RistrettoPoint {
    RISTRETTO_BASEPOINT_TABLE * scalar
}

/// `scalar * B~`, in constant time.
#[must_use]
pub fn times_b_blinding(scalar: &Scalar) -> RistrettoPoint {
    &*B_BLINDING_TABLE * scalar
}

/// `scalar * G`, in constant time.
#[must_use]
pub fn times_g(scalar: &Scalar) -> RistrettoPoint {
    &*G_TABLE * scalar
}

/// `scalar * point` in constant time if `point` is a generator.
pub(crate) fn times_generator(point: &Encoded, scalar: &Scalar) -> Option<RistrettoPoint> {
    if *point == *B_ENCODED {
        Some(times_b(scalar))
    } else if *point == *B_BLINDING_ENCODED {
        Some(times_b_blinding(scalar))
    } else if *point == *G_ENCODED {
        Some(times_g(scalar))
    } else {
        None
    }
}

/// The encoding of [`B`].
pub static B_ENCODED: LazyLock<Encoded> = LazyLock::new(|| Encoded::of(&B));
/// The encoding of [`B_BLINDING`].
pub static B_BLINDING_ENCODED: LazyLock<Encoded> = LazyLock::new(|| Encoded::of(&B_BLINDING));
/// The encoding of [`G`].
pub static G_ENCODED: LazyLock<Encoded> = LazyLock::new(|| Encoded::of(&G));

/// `B`, `B~` and `G` in the form of a kernel, for verifying. They are made when first asked for.
pub(crate) fn public_generators(kernel: Kernel) -> &'static [PublicPoint] {
    static GENERATORS: [OnceLock<Vec<PublicPoint>>; Kernel::COUNT] =
        [const { OnceLock::new() }; Kernel::COUNT];
    let points = || kernel.points(&[B, *B_BLINDING, *G]);
    GENERATORS.get(kernel.number()).map_or(&[], |once| once.get_or_init(points))
}

/// `Com(v, r) = v*B + r*B~`, in constant time.
#[must_use]
pub fn commit(value: u64, blinding: &Scalar) -> RistrettoPoint {
    times_b(&Scalar::from(value)) + times_b_blinding(blinding)
}

/// The 32 bytes of a point other than the identity.
///
/// Whether they are a canonical Ristretto encoding is decided once, when the equations that the point stands in are
/// accepted ([`crate::Claims::accept`]) or by [`Encoded::decompress`]; every point of the protocol stands in one.
#[derive(Clone, Copy, Eq, PartialEq, PartialOrd, Ord)]
pub struct Encoded([u8; 32]);

impl Encoded {
    /// The encoding of `point`. Only for points that are not the identity but with negligible probability.
    #[must_use]
    pub fn of(point: &RistrettoPoint) -> Self {
        Self(point.compress().to_bytes())
    }

    /// The encoding with these bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed::Point`] for the identity (32 zero bytes).
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, Malformed> {
        if bytes == [0; 32] { Err(Malformed::Point) } else { Ok(Self(bytes)) }
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The point. Costs about 4 us.
    ///
    /// # Errors
    ///
    /// [`Malformed::Point`] if the bytes are not a canonical encoding of a point other than the identity.
    pub fn decompress(&self) -> Result<RistrettoPoint, Malformed> {
        match CompressedRistretto(self.0).decompress() {
            Some(point) if !point.is_identity() => Ok(point),
            _ => Err(Malformed::Point),
        }
    }
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl BorshSerialize for Encoded {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(&self.0)
    }
}

impl BorshDeserialize for Encoded {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        Self::from_bytes(<[u8; 32]>::deserialize_reader(reader)?)
            .map_err(|_| invalid("the identity point"))
    }
}

/// A secret scalar: wiped on drop, never printed, compared in constant time as scalars are.
#[derive(Clone, Eq, PartialEq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(pub Scalar);

impl Secret {
    /// A uniformly random secret.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        Self(Scalar::random(rng))
    }

    /// `secret * B`.
    #[must_use]
    pub fn public(&self) -> Encoded {
        Encoded::of(&times_b(&self.0))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl BorshSerialize for Secret {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.0.as_bytes())
    }
}

impl BorshDeserialize for Secret {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        scalar(<[u8; 32]>::deserialize_reader(reader)?).map(Self)
    }
}

/// Decodes a scalar that must be reduced.
pub(crate) fn scalar(bytes: [u8; 32]) -> io::Result<Scalar> {
    Scalar::from_canonical_bytes(bytes)
        .into_option()
        .ok_or_else(|| invalid("a scalar that is not reduced"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::decode;

    #[test]
    fn the_tables_of_the_generators_give_what_multiplication_gives() {
        let rng = &mut rand_core::OsRng;
        let scalars =
            [Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(u64::MAX), Scalar::random(rng)];
        for scalar in scalars {
            assert_eq!(times_b(&scalar), B * scalar);
            assert_eq!(times_b_blinding(&scalar), *B_BLINDING * scalar);
            assert_eq!(times_g(&scalar), *G * scalar);
        }
        for (encoded, point) in
            [(*B_ENCODED, B), (*B_BLINDING_ENCODED, *B_BLINDING), (*G_ENCODED, *G)]
        {
            assert_eq!(times_generator(&encoded, &scalars[4]), Some(point * scalars[4]));
        }
        assert_eq!(times_generator(&Encoded::of(&(B + *G)), &scalars[4]), None);
    }

    #[test]
    fn the_generators_are_the_published_constants() {
        let hex = |point: &Encoded| format!("{point:?}");
        assert_eq!(
            hex(&B_ENCODED),
            "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
        );
        assert_eq!(
            hex(&B_BLINDING_ENCODED),
            "8c9240b456a9e6dc65c377a1048d745f94a08cdb7f44cbcd7b46f34048871134"
        );
        assert_eq!(
            hex(&G_ENCODED),
            "2c97bfc8256b305a1a991b4e9fc1087f59a312b197ece43d9887808d64d65c7a"
        );
    }

    #[test]
    fn the_identity_and_non_canonical_encodings_are_refused() {
        assert!(decode::<Encoded>(&[0; 32], "point").is_err());
        let p_plus_1: [u8; 32] = {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xee;
            bytes[31] = 0x7f;
            bytes
        };
        for bad in [[0xff; 32], p_plus_1] {
            assert_eq!(Encoded::from_bytes(bad).unwrap().decompress(), Err(Malformed::Point));
        }
    }

    #[test]
    fn a_scalar_that_is_not_reduced_is_refused() {
        let l_minus_1 = (-Scalar::ONE).to_bytes();
        assert!(decode::<Secret>(&l_minus_1, "scalar").is_ok());
        let mut l = l_minus_1;
        l[0] += 1;
        assert!(decode::<Secret>(&l, "scalar").is_err());
        assert!(decode::<Secret>(&[0xff; 32], "scalar").is_err());
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret(Scalar::from(7u64))), "Secret(***)");
    }
}
