//! Points and scalars that everybody may see, as a verifier's are: decoded many at once, multiplied and added up. **Variable time**:
//! branches and addresses depend on both, so no secret may come here. Types say so, and each of their constructors.
//!
//! There is a [`Kernel`] for each kind of processor; all give the same answers.

#[cfg(target_arch = "x86_64")]
mod ifma;
#[cfg(target_arch = "x86_64")]
mod order;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;

#[cfg(target_arch = "x86_64")]
use crate::processor::Ifma;

/// The variable of the environment that names the kernel to use, for whoever measures, tests or doubts one.
pub const VARIABLE: &str = "SUDARE_KERNEL";

/// How many points `curve25519-dalek` multiplies at once: with more, its tables leave the processor's cache.
const PORTABLE_TOGETHER: usize = 4_096;

/// A way to calculate. Having one means that this processor can.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Kernel(Way);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Ifma(Ifma),
}

/// [`VARIABLE`] names no kernel that this processor has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownKernel(String);

impl std::fmt::Display for UnknownKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = Kernel::all().map(Kernel::name).collect();
        let names = names.join(", ");
        write!(f, "{VARIABLE} is {:?}; this processor has {names}: name one or none", self.0)
    }
}

impl std::error::Error for UnknownKernel {}

impl Kernel {
    /// `curve25519-dalek`, on every processor.
    pub const PORTABLE: Self = Self(Way::Portable);
    /// How many there are, on whatever processor.
    pub const COUNT: usize = 2;

    /// All that this processor has, the fastest last.
    pub fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let ifma = Ifma::detect().map(|ifma| Self(Way::Ifma(ifma)));
        #[cfg(not(target_arch = "x86_64"))]
        let ifma = None;
        [Self::PORTABLE].into_iter().chain(ifma)
    }

    /// The one that [`VARIABLE`] names.
    ///
    /// # Errors
    ///
    /// [`UnknownKernel`] if it names none of this processor.
    pub fn named_by_the_environment() -> Result<Option<Self>, UnknownKernel> {
        let Some(name) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let found = Self::all().find(|kernel| name == kernel.name());
        found.map(Some).ok_or_else(|| UnknownKernel(name.to_string_lossy().into_owned()))
    }

    /// The one that [`VARIABLE`] names, otherwise the fastest. A name that is none of them is said on standard error, once; a program
    /// that would rather not start asks [`Self::named_by_the_environment`] first.
    #[must_use]
    pub fn chosen() -> Self {
        static CHOSEN: LazyLock<Kernel> = LazyLock::new(|| {
            let fastest = Kernel::all().last().unwrap_or(Kernel::PORTABLE);
            match Kernel::named_by_the_environment() {
                Ok(named) => named.unwrap_or(fastest),
                Err(unknown) => {
                    eprintln!("{unknown}; taking {}", fastest.name());
                    fastest
                }
            }
        });
        *CHOSEN
    }

    /// Its name in [`VARIABLE`] and in measurements.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Way::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Way::Ifma(_) => "ifma",
        }
    }

    /// Its number, below [`Self::COUNT`].
    #[must_use]
    pub const fn number(self) -> usize {
        match self.0 {
            Way::Portable => 0,
            #[cfg(target_arch = "x86_64")]
            Way::Ifma(_) => 1,
        }
    }

    /// The proof that the processor has the instructions, if this is the kernel that needs them.
    #[cfg(target_arch = "x86_64")]
    #[must_use]
    pub const fn ifma(self) -> Option<Ifma> {
        match self.0 {
            Way::Portable => None,
            Way::Ifma(ifma) => Some(ifma),
        }
    }

    /// These points in the form of this kernel, unlike what [`Self::decode`] gives without a doubt. **Public data only**: variable time.
    ///
    /// # Panics
    ///
    /// Only if the arithmetic is wrong: if the encoding of a point does not decode.
    #[must_use]
    pub fn points(self, points: &[RistrettoPoint]) -> Vec<PublicPoint> {
        if self == Self::PORTABLE {
            return points.iter().map(|point| PublicPoint(Form::Dalek(*point))).collect();
        }
        let encodings: Vec<[u8; 32]> =
            points.iter().map(|point| point.compress().to_bytes()).collect();
        let decoded = self.decode(&encodings).into_iter();
        decoded.map(|point| point.expect("what was just encoded decodes")).collect()
    }

    /// The points with these encodings (RFC 9496, section 4.3.1); zeros are the identity's. **Public data only**: variable time.
    #[must_use]
    pub fn decode(self, encodings: &[[u8; 32]]) -> Vec<Option<PublicPoint>> {
        match self.0 {
            Way::Portable => encodings
                .iter()
                .map(|bytes| CompressedRistretto(*bytes).decompress())
                .map(|point| point.map(|point| PublicPoint(Form::Dalek(point))))
                .collect(),
            #[cfg(target_arch = "x86_64")]
            Way::Ifma(ifma) => {
                let rows = ifma::decode(ifma, encodings).into_iter();
                rows.map(|row| row.map(|row| PublicPoint(Form::Ifma(ifma, row)))).collect()
            }
        }
    }
}

/// A point that everybody may see, in the form of the kernel that decoded it.
#[derive(Clone, Debug)]
pub struct PublicPoint(Form);

#[derive(Clone, Debug)]
enum Form {
    Dalek(RistrettoPoint),
    #[cfg(target_arch = "x86_64")]
    Ifma(Ifma, ifma::Row),
}

/// A scalar that everybody may see: 32 little-endian bytes, below the order of the group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublicScalar([u8; 32]);

/// The order of the group, `l`, the lowest word first.
const ORDER: [u64; 4] = [0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 1 << 60];

impl PublicScalar {
    /// Of a scalar that is no secret. **Public data only**: it is multiplied in variable time.
    #[must_use]
    pub const fn of(scalar: &Scalar) -> Self {
        Self(*scalar.as_bytes())
    }

    /// Of the number, modulo the order, that has these little-endian bytes and is no secret. **Public data only**: it is multiplied in
    /// variable time.
    #[must_use]
    pub fn of_bytes(bytes: [u8; 32]) -> Self {
        let number = Self(bytes);
        if number.words().iter().rev().lt(ORDER.iter().rev()) {
            number
        } else {
            Self::of(&Scalar::from_bytes_mod_order(bytes))
        }
    }

    /// As four words, the lowest first.
    fn words(&self) -> [u64; 4] {
        let (words, _) = self.0.as_chunks::<8>();
        let words: [[u8; 8]; 4] = words.try_into().unwrap_or_default();
        words.map(u64::from_le_bytes)
    }
}

/// The sum of the points, each times its scalar. **Public data only**: variable time.
///
/// Points are multiplied by the kernels that decoded them, which need not be one. Costs about 1 us a point of a thousand and more with
/// AVX-512 IFMA and four times that portable (specs/kernels.md).
///
/// # Panics
///
/// Only if the arithmetic is wrong: if the encoding of a sum does not decode.
#[must_use]
pub fn multiply(terms: &[(PublicScalar, &PublicPoint)]) -> RistrettoPoint {
    let mut sum = multiply_portable(terms);
    #[cfg(target_arch = "x86_64")]
    if let Some(ifma) = terms.iter().find_map(|(_, point)| point.ifma().map(|(ifma, _)| ifma)) {
        let own = terms.iter().filter_map(|(scalar, point)| Some((*scalar, *point.ifma()?.1)));
        let (scalars, rows): (Vec<PublicScalar>, Vec<ifma::Row>) = own.unzip();
        let total = ifma::multiply(ifma, &scalars, &rows);
        // Most sums of a verifier are the identity, and cost nothing more.
        if total != [0; 32] {
            sum += CompressedRistretto(total).decompress().expect("what was just encoded decodes");
        }
    }
    sum
}

fn multiply_portable(terms: &[(PublicScalar, &PublicPoint)]) -> RistrettoPoint {
    let dalek = terms.iter().filter_map(|(scalar, point)| Some((scalar, point.dalek()?)));
    let terms: Vec<(Scalar, RistrettoPoint)> =
        dalek.map(|(scalar, point)| (Scalar::from_bytes_mod_order(scalar.0), *point)).collect();
    let multiply = |terms: &[(Scalar, RistrettoPoint)]| {
        let scalars = terms.iter().map(|(scalar, _)| scalar);
        RistrettoPoint::vartime_multiscalar_mul(scalars, terms.iter().map(|(_, point)| point))
    };
    terms.chunks(PORTABLE_TOGETHER).map(multiply).sum()
}

impl PublicPoint {
    const fn dalek(&self) -> Option<&RistrettoPoint> {
        match &self.0 {
            Form::Dalek(point) => Some(point),
            #[cfg(target_arch = "x86_64")]
            Form::Ifma(..) => None,
        }
    }

    #[cfg(target_arch = "x86_64")]
    const fn ifma(&self) -> Option<(Ifma, &ifma::Row)> {
        match &self.0 {
            Form::Dalek(_) => None,
            Form::Ifma(ifma, row) => Some((*ifma, row)),
        }
    }
}
