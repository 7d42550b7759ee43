//! Joint proofs of possession, by which keys begin and are retired: a FROST signature (RFC 9591) whose challenge is that of [`possession`], so that what comes out is
//! the proof that every disclosure key has. A ciphersuite of its own: RFC 9591's hashes for nonces, the project's transcript for
//! the challenge.

use std::collections::BTreeMap;

use frost_core::keys::{KeyPackage, PublicKeyPackage, SigningShare, VerifyingShare};
use frost_core::round1::{Nonce, NonceCommitment, SigningCommitments, SigningNonces};
use frost_core::round2::SignatureShare;
use frost_core::{
    Challenge, CheaterDetection, Ciphersuite, Error, Identifier, SigningPackage, VerifyingKey,
};
use frost_ristretto255::Ristretto255Sha512;
use sudare_crypto::encoding::encode;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::possession::{self, Statement};
use sudare_crypto::{Encoded, Malformed, RistrettoPoint, Scalar, Secret};

use super::Group;
use crate::{KeyPurpose, Retirement};

/// One officer's nonces for one key, `d` and `e`. Used for one signature.
pub(super) struct Nonces {
    pub hiding: Secret,
    pub binding: Secret,
}

/// All officers' nonce commitments `(D, E)` for one key, by index.
pub(super) type NonceCommitments = BTreeMap<u8, (Encoded, Encoded)>;

/// What is signed with which key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub group: &'a Group,
    pub epoch: u8,
    /// That the key is retired; none of a new key.
    pub how: Option<Retirement>,
}

impl Signed<'_> {
    /// The purpose that is signed.
    fn purpose(&self) -> Result<KeyPurpose, Failed> {
        let purpose = self.group.subject.purpose(self.epoch);
        self.how.map_or(Some(purpose.clone()), |how| purpose.retired(how)).ok_or(Failed(None))
    }

    fn key(&self) -> Result<VerifyingKey<Possession>, Failed> {
        let key = self.group.key(self.epoch).ok_or(Failed(None))?;
        Ok(VerifyingKey::deserialize(key.as_bytes())?)
    }

    fn package(&self, all: &NonceCommitments) -> Result<SigningPackage<Possession>, Failed> {
        let mut commitments = BTreeMap::new();
        for (index, (hiding, binding)) in all {
            let hiding = NonceCommitment::deserialize(hiding.as_bytes())?;
            let binding = NonceCommitment::deserialize(binding.as_bytes())?;
            commitments.insert(identifier(*index)?, SigningCommitments::new(hiding, binding));
        }
        Ok(SigningPackage::new(commitments, &encode(&self.purpose()?)))
    }

    /// One officer's part `z_i` of the proof.
    pub(super) fn respond(
        &self,
        (index, share): (u8, &Secret),
        nonces: &Nonces,
        all: &NonceCommitments,
    ) -> Result<Secret, Failed> {
        let own = SigningNonces::from_nonces(nonce(&nonces.hiding)?, nonce(&nonces.binding)?);
        let package = KeyPackage::new(
            identifier(index)?,
            SigningShare::new(share.0),
            VerifyingShare::new(self.group.public_share(self.epoch, index)?),
            self.key()?,
            self.group.threshold.into(),
        );
        let response = frost_core::round2::sign(&self.package(all)?, &own, &package)?;
        let bytes: [u8; 32] = response.serialize().try_into().map_err(|_| Failed(None))?;
        Ok(Secret(Scalar::from_canonical_bytes(bytes).into_option().ok_or(Failed(None))?))
    }

    /// The proof, from the parts of everybody whose nonces are among `all`.
    pub(super) fn assemble(
        &self,
        all: &NonceCommitments,
        responses: &BTreeMap<u8, Secret>,
    ) -> Result<LinearProof, Failed> {
        let (mut public, mut shares) = (BTreeMap::new(), BTreeMap::new());
        for (index, response) in responses {
            let share = VerifyingShare::new(self.group.public_share(self.epoch, *index)?);
            public.insert(identifier(*index)?, share);
            let share = SignatureShare::deserialize(response.0.as_bytes())?;
            shares.insert(identifier(*index)?, share);
        }
        let threshold = Some(self.group.threshold.into());
        let public = PublicKeyPackage::new(public, self.key()?, threshold);
        let cheaters = CheaterDetection::AllCheaters;
        let signature =
            frost_core::aggregate_custom(&self.package(all)?, &shares, &public, cheaters)?;
        Ok(possession::assemble(Encoded::of(signature.R()), *signature.z())?)
    }
}

/// A part that can't be made or used: by the fault of the officer with this index, if it is known.
#[derive(Debug)]
pub(super) struct Failed(pub Option<u8>);

impl From<Error<Possession>> for Failed {
    fn from(error: Error<Possession>) -> Self {
        Self(error.culprits().first().and_then(|one| one.serialize().first().copied()))
    }
}

impl From<Malformed> for Failed {
    fn from(_: Malformed) -> Self {
        Self(None)
    }
}

/// The ciphersuite.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Possession;

impl Ciphersuite for Possession {
    const ID: &'static str = "sudare/possession/v1";

    type Group = <Ristretto255Sha512 as Ciphersuite>::Group;
    type HashOutput = <Ristretto255Sha512 as Ciphersuite>::HashOutput;
    type SignatureSerialization = <Ristretto255Sha512 as Ciphersuite>::SignatureSerialization;

    fn H1(m: &[u8]) -> Scalar {
        Ristretto255Sha512::H1(m)
    }

    fn H2(m: &[u8]) -> Scalar {
        Ristretto255Sha512::H2(m)
    }

    fn H3(m: &[u8]) -> Scalar {
        Ristretto255Sha512::H3(m)
    }

    fn H4(m: &[u8]) -> Self::HashOutput {
        Ristretto255Sha512::H4(m)
    }

    fn H5(m: &[u8]) -> Self::HashOutput {
        Ristretto255Sha512::H5(m)
    }

    /// The message is the purpose's canonical bytes.
    fn challenge(
        commitment: &RistrettoPoint,
        key: &VerifyingKey<Self>,
        message: &[u8],
    ) -> Result<Challenge<Self>, Error<Self>> {
        let key = Encoded::of(&key.to_element());
        let statement = Statement { key, purpose: message.to_vec() };
        Ok(Challenge::from_scalar(possession::challenge(&statement, &Encoded::of(commitment))))
    }
}

fn identifier(index: u8) -> Result<Identifier<Possession>, Error<Possession>> {
    Identifier::try_from(u16::from(index))
}

fn nonce(secret: &Secret) -> Result<Nonce<Possession>, Error<Possession>> {
    Nonce::deserialize(secret.0.as_bytes())
}
