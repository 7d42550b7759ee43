//! What this processor can do, asked at run time.

/// Proof that the processor, and its system, run the AVX-512 instructions F and IFMA.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ifma(());

#[cfg(target_arch = "x86_64")]
impl Ifma {
    /// The proof, if they do.
    #[must_use]
    pub fn detect() -> Option<Self> {
        let found = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        found.then_some(Self(()))
    }
}
