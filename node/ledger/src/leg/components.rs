//! A leg as a tree of salted components, so that a party gets some of them with their paths and nothing else.
//!
//! `leaf = SHA-256(0x00 | salt | version | kind | leg | index | length | body)`, nodes as in RFC 6962 (specs/leg.md).

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Bounded, Hash, Malformed};
use sudare_disclosure::{Section, SectionKind};

use super::{Header, Leg, Output};
use crate::tree::{InclusionProof, MemoryTree, TreeError, list_root};

/// The most components that a party gets of a leg.
pub(super) const COMPONENTS_MAX: usize = 8;
/// The longest component in bytes.
pub(super) const COMPONENT_BYTES_MAX: usize = 32 * 1024;

/// 32 random bytes from which the salts of a leg's components are derived: whoever has them and the leg can check its root.
#[derive(Clone, Copy, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct LegSalt(pub [u8; 32]);

impl std::fmt::Debug for LegSalt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LegSalt(***)")
    }
}

/// What a component is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum ComponentKind {
    /// The header.
    Header,
    /// An input.
    Input,
    /// An output.
    Output,
    /// A memo section.
    Section,
    /// All proofs.
    Proofs,
}

/// One component with the salt and path that tie it to the leg's root.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Component {
    /// What it is.
    pub kind: ComponentKind,
    /// Which of its kind.
    pub index: u8,
    /// 32 bytes without which nobody can guess what stands behind a leaf.
    pub salt: [u8; 32],
    /// Canonical bytes.
    pub body: Bounded<u8, COMPONENT_BYTES_MAX>,
    /// Its place in the tree.
    pub position: u32,
    /// The path to the root.
    pub path: InclusionProof,
}

/// The components of one leg that a party may see.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct TearOff {
    /// How many components the leg has.
    pub size: u32,
    /// The components shown.
    pub components: Bounded<Component, COMPONENTS_MAX>,
}

/// Why a tear-off was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TearOffError {
    /// A path does not lead to the leg's root.
    #[error("a component is not in the leg: {0}")]
    Path(#[from] TreeError),
    /// A component does not decode.
    #[error("a component does not decode: {0}")]
    Malformed(#[from] Malformed),
    /// A component that should be there is not.
    #[error("the {0:?} component is missing")]
    Missing(ComponentKind),
}

/// A component before it is torn off: kind, index, salt, body and leaf hash.
type Leaf = (ComponentKind, u8, [u8; 32], Vec<u8>, Hash);

impl Leg {
    /// The root of the leg as the leg with number `leg` of its transaction.
    #[must_use]
    pub fn root(&self, leg: u8, salt: &LegSalt) -> Hash {
        list_root(
            &self.leaves(leg, salt).into_iter().map(|(_, _, _, _, leaf)| leaf).collect::<Vec<_>>(),
        )
    }

    /// What the receiver of the output with this index gets: header, output, its opening and the trade section.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there is no such output.
    pub fn tear_off(&self, leg: u8, salt: &LegSalt, output: u8) -> Result<TearOff, Malformed> {
        if usize::from(output) >= self.outputs.len() {
            return Err(Malformed::Encoding("a leg: no such output"));
        }
        let leaves = self.leaves(leg, salt);
        let hashes: Vec<Hash> = leaves.iter().map(|(_, _, _, _, leaf)| *leaf).collect();
        let tree = MemoryTree::from_leaves(&hashes);
        let tree = tree.map_err(|_| Malformed::Encoding("a leg: too large"))?;
        let wanted = |kind: ComponentKind, index: u8| match kind {
            ComponentKind::Header => true,
            ComponentKind::Output => index == output,
            ComponentKind::Section => {
                let section = self.sections.get(usize::from(index)).map(|section| section.kind);
                matches!(section, Some(SectionKind::Trade))
                    || section == Some(SectionKind::Opening(output))
            }
            ComponentKind::Input | ComponentKind::Proofs => false,
        };
        let mut components = Vec::new();
        for (position, (kind, index, salt, body, _)) in sudare_crypto::numbered(leaves) {
            let position = u32::from(position);
            if wanted(kind, index) {
                let path = tree.inclusion(u64::from(position), tree.size());
                let path = path.map_err(|_| Malformed::Encoding("a component's place"))?;
                let body = body.try_into()?;
                components.push(Component { kind, index, salt, body, position, path });
            }
        }
        let size =
            u32::try_from(hashes.len()).map_err(|_| Malformed::Encoding("a leg: too large"))?;
        Ok(TearOff { size, components: components.try_into()? })
    }

    /// All components in canonical order, with their salts and leaf hashes.
    fn leaves(&self, leg: u8, salt: &LegSalt) -> Vec<Leaf> {
        let mut bodies = vec![(ComponentKind::Header, 0, encode(&self.header))];
        for (index, input) in sudare_crypto::numbered(self.inputs.iter()) {
            bodies.push((ComponentKind::Input, index, encode(input)));
        }
        for (index, output) in sudare_crypto::numbered(self.outputs.iter()) {
            bodies.push((ComponentKind::Output, index, encode(output)));
        }
        for (index, section) in sudare_crypto::numbered(self.sections.iter()) {
            bodies.push((ComponentKind::Section, index, encode(section)));
        }
        bodies.push((ComponentKind::Proofs, 0, encode(&self.proofs)));
        let leaves = bodies.into_iter().map(|(kind, index, body)| {
            let salt = Seed(salt.0).child(b"component", &encode(&(kind, index))).0;
            let hash = leaf(&salt, kind, leg, index, &body);
            (kind, index, salt, body, hash)
        });
        leaves.collect()
    }
}

impl TearOff {
    /// Checks every path against the leg's root.
    ///
    /// # Errors
    ///
    /// [`TearOffError::Path`].
    pub fn check(&self, leg: u8, root: Hash) -> Result<(), TearOffError> {
        for component in &self.components {
            let hash = leaf(&component.salt, component.kind, leg, component.index, &component.body);
            let (position, size) = (u64::from(component.position), u64::from(self.size));
            component.path.verify(&hash, position, size, &root)?;
        }
        Ok(())
    }

    /// The header.
    ///
    /// # Errors
    ///
    /// [`TearOffError`] if it is missing or does not decode.
    pub fn header(&self) -> Result<Header, TearOffError> {
        Ok(decode(&self.find(ComponentKind::Header)?.body, "a header")?)
    }

    /// The output, with its index.
    ///
    /// # Errors
    ///
    /// [`TearOffError`] if it is missing or does not decode.
    pub fn output(&self) -> Result<(u8, Output), TearOffError> {
        let component = self.find(ComponentKind::Output)?;
        Ok((component.index, decode(&component.body, "an output")?))
    }

    /// The section of this kind.
    ///
    /// # Errors
    ///
    /// [`TearOffError`] if it is missing or does not decode.
    pub fn section(&self, kind: SectionKind) -> Result<Section, TearOffError> {
        for component in self.components.iter().filter(|one| one.kind == ComponentKind::Section) {
            let section: Section = decode(&component.body, "a section")?;
            if section.kind == kind {
                return Ok(section);
            }
        }
        Err(TearOffError::Missing(ComponentKind::Section))
    }

    fn find(&self, kind: ComponentKind) -> Result<&Component, TearOffError> {
        self.components.iter().find(|one| one.kind == kind).ok_or(TearOffError::Missing(kind))
    }
}

fn leaf(salt: &[u8; 32], kind: ComponentKind, leg: u8, index: u8, body: &[u8]) -> Hash {
    const VERSION: u8 = 1;
    let kind = match kind {
        ComponentKind::Header => 0u8,
        ComponentKind::Input => 1,
        ComponentKind::Output => 2,
        ComponentKind::Section => 3,
        ComponentKind::Proofs => 4,
    };
    let mut state = Sha256::new();
    state.update([0x00]);
    state.update(salt);
    state.update([VERSION, kind, leg, index]);
    state.update(u64::try_from(body.len()).unwrap_or(u64::MAX).to_le_bytes());
    state.update(body);
    Hash(state.finalize().into())
}
