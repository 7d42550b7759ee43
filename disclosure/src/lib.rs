//! Selective disclosure: asset terms and their policy, disclosure keys, epochs, sealed memo sections and
//! decryption; keys that several officers hold together. No I/O.
#![forbid(unsafe_code)]

pub mod dlog;
pub mod key;
pub mod policy;
pub mod section;
pub mod terms;
pub mod threshold;

pub use key::{DisclosureKey, DisclosureSecret, Field, Fields, KeyPurpose, Opens, Retirement};
pub use policy::{Epoch, Policy, PolicyError};
pub use section::{ContentKey, Section, SectionKind, Unreadable};
pub use terms::{AssetCore, AssetId, AssetTerms, SignedTerms, TermsError};
