//! Disclosure keys: what a regulator or registrar holds to read its fields of an asset's legs for one epoch.

use std::io::{self, Read, Write};

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::derive::Seed;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::times_b;
use sudare_crypto::proof::possession;
use sudare_crypto::{
    Claims, Encoded, Hash, Malformed, Rejected, RistrettoPoint, Secret, Text, encoding,
};

use crate::AssetId;

/// One kind of content that a key may read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub enum Field {
    /// Quantities.
    Amounts,
    /// The accounts on both sides.
    Parties,
    /// Trade id, delivery date, type and free text.
    Trade,
    /// Which note each input spends.
    Links,
}

impl Field {
    /// All fields, in the order of their bits.
    pub const ALL: [Self; 4] = [Self::Amounts, Self::Parties, Self::Trade, Self::Links];

    const fn bit(self) -> u8 {
        match self {
            Self::Amounts => 1,
            Self::Parties => 2,
            Self::Trade => 4,
            Self::Links => 8,
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Amounts => "amounts",
            Self::Parties => "parties",
            Self::Trade => "trade",
            Self::Links => "links",
        })
    }
}

/// A set of at least one field.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub struct Fields(u8);

impl Fields {
    /// All fields, as the registrar's key has.
    pub const ALL: Self = Self(15);

    /// The set of `fields`; none if it is empty.
    #[must_use]
    pub fn of(fields: &[Field]) -> Option<Self> {
        let bits = fields.iter().fold(0, |bits, field| bits | field.bit());
        (bits != 0).then_some(Self(bits))
    }

    /// Whether the set has `field`.
    #[must_use]
    pub fn has(self, field: Field) -> bool {
        self.0 & field.bit() != 0
    }
}

impl std::fmt::Display for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = Field::ALL
            .into_iter()
            .filter(|field| self.has(*field))
            .map(|f| f.to_string())
            .collect();
        f.write_str(&names.join(","))
    }
}

impl BorshSerialize for Fields {
    fn serialize<W: Write>(&self, writer: &mut W) -> io::Result<()> {
        self.0.serialize(writer)
    }
}

impl BorshDeserialize for Fields {
    fn deserialize_reader<R: Read>(reader: &mut R) -> io::Result<Self> {
        match u8::deserialize_reader(reader)? {
            bits @ 1..=15 => Ok(Self(bits)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "unknown or empty fields")),
        }
    }
}

/// What a disclosure key is for; its proof of possession signs this.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct KeyPurpose {
    /// The network.
    pub network: Hash,
    /// The asset.
    pub asset: AssetId,
    /// The epoch's number.
    pub epoch: u32,
    /// What the key reads.
    pub fields: Fields,
    /// Whose key it is.
    pub label: Text<32>,
}

/// How a key came to be used no more. Its holder signs this with the key itself, by a proof of possession for its label with a
/// mark before it, so that the terms that carry it need nobody's word for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Retirement {
    /// Not needed any more.
    Ended,
    /// Somebody else has it, or may have.
    Compromised,
}

impl Retirement {
    const ALL: [Self; 2] = [Self::Ended, Self::Compromised];

    /// What the label of such a key begins with.
    const fn mark(self) -> char {
        match self {
            Self::Ended => '-',
            Self::Compromised => '!',
        }
    }
}

impl std::fmt::Display for Retirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ended => "ended",
            Self::Compromised => "compromised",
        })
    }
}

impl KeyPurpose {
    /// What the holder of this key signs with it to retire it; none if its label has no room for the mark, or has one.
    #[must_use]
    pub fn retired(&self, how: Retirement) -> Option<Self> {
        let label = self.label.as_str();
        let marked = Retirement::ALL.iter().any(|how| label.starts_with(how.mark()));
        let label = Text::new(format!("{}{label}", how.mark())).ok().filter(|_| !marked)?;
        Some(Self { label, ..self.clone() })
    }
}

/// A public disclosure key with its proof of possession, as it stands in a policy.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct DisclosureKey {
    /// Whose key it is; the first key of an epoch is the registrar's.
    pub label: Text<32>,
    /// What it reads.
    pub fields: Fields,
    /// `K = k*B`.
    pub point: Encoded,
    /// Proof of possession over [`KeyPurpose`].
    pub possession: LinearProof,
}

impl DisclosureKey {
    /// Whether its holder retired it, and how: nothing is encrypted to it any more.
    #[must_use]
    pub fn retirement(&self) -> Option<Retirement> {
        let label = self.label.as_str();
        Retirement::ALL.into_iter().find(|how| label.starts_with(how.mark()))
    }

    /// Whether nothing is encrypted to it any more.
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.retirement().is_some()
    }

    /// The label that it was made with.
    #[must_use]
    pub fn made_for(&self) -> &str {
        let label = self.label.as_str();
        let bare = self.retirement().and_then(|how| label.strip_prefix(how.mark()));
        bare.unwrap_or(label)
    }

    /// Whether this is the key `before`, which its holder retired. That the holder signed it is its proof of possession.
    #[must_use]
    pub fn retires(&self, before: &Self) -> bool {
        let same = self.point == before.point && self.fields == before.fields;
        same && self.is_retired()
            && !before.is_retired()
            && self.made_for() == before.label.as_str()
    }

    /// The equation that holds if whoever made this key for this asset and epoch held `k`.
    ///
    /// # Errors
    ///
    /// [`Rejected::Shape`] if the proof has the wrong number of parts.
    pub fn claim(
        &self,
        network: Hash,
        asset: AssetId,
        epoch: u32,
        claims: &mut Claims,
    ) -> Result<(), Rejected> {
        let purpose =
            KeyPurpose { network, asset, epoch, fields: self.fields, label: self.label.clone() };
        let statement =
            possession::Statement { key: self.point, purpose: encoding::encode(&purpose) };
        possession::verify(&statement, &self.possession, claims)
    }
}

/// Whatever opens ciphertexts to a disclosure key: its secret, or points that officers opened together.
pub trait Opens {
    /// `K`.
    fn point(&self) -> Encoded;

    /// `ciphertext - k*ephemeral`.
    ///
    /// (!) Only for points of verified legs in scope; anything else makes its caller a decryption oracle.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a point does not decode, or was not opened.
    fn decrypt(
        &self,
        ephemeral: &Encoded,
        ciphertext: &Encoded,
    ) -> Result<RistrettoPoint, Malformed>;
}

impl Opens for DisclosureSecret {
    fn point(&self) -> Encoded {
        self.0.public()
    }

    fn decrypt(
        &self,
        ephemeral: &Encoded,
        ciphertext: &Encoded,
    ) -> Result<RistrettoPoint, Malformed> {
        Self::decrypt(self, ephemeral, ciphertext)
    }
}

/// A disclosure key's secret `k`. Wiped on drop, never printed.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct DisclosureSecret(Secret);

impl DisclosureSecret {
    /// The secret of a master seed for one purpose (hardened: no key says anything of another).
    #[must_use]
    pub fn derive(master: &Seed, purpose: &KeyPurpose) -> Self {
        Self(master.scalar(b"disclosure key", &encoding::encode(purpose)))
    }

    /// The public key with its proof of possession.
    ///
    /// # Errors
    ///
    /// [`Malformed`] never in practice.
    pub fn publish(
        &self,
        purpose: &KeyPurpose,
        rng: &mut impl CryptoRngCore,
    ) -> Result<DisclosureKey, Malformed> {
        let statement =
            possession::Statement { key: self.0.public(), purpose: encoding::encode(purpose) };
        Ok(DisclosureKey {
            label: purpose.label.clone(),
            fields: purpose.fields,
            point: statement.key,
            possession: possession::prove(&statement, &self.0, rng)?,
        })
    }

    /// `K`.
    #[must_use]
    pub fn point(&self) -> Encoded {
        self.0.public()
    }

    /// `ciphertext - k*ephemeral`: the account of an identity ciphertext, `v*B` of an amount's, `M` of a wrapped key.
    ///
    /// (!) Only for points of verified legs in scope; anything else makes its caller a decryption oracle.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a point does not decode.
    pub fn decrypt(
        &self,
        ephemeral: &Encoded,
        ciphertext: &Encoded,
    ) -> Result<RistrettoPoint, Malformed> {
        Ok(ciphertext.decompress()? - ephemeral.decompress()? * self.0.0)
    }

    /// The value of an amount ciphertext if it is `expected`: compares `v*B` without solving a discrete logarithm.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a point does not decode.
    pub fn amount_is(
        &self,
        ephemeral: &Encoded,
        ciphertext: &Encoded,
        expected: u64,
    ) -> Result<bool, Malformed> {
        Ok(self.decrypt(ephemeral, ciphertext)? == times_b(&sudare_crypto::Scalar::from(expected)))
    }
}
