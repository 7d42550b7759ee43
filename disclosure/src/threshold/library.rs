//! Distributed key generation and refresh by the `frost` library (Komlo and Goldberg 2020, figure 1; RFC 9591's group).
//!
//! The library's secrets between its parts are functions of the ceremony's seed, so nothing of them is kept: each step makes
//! them again. That is safe because a dealer deals for one set of commitments only ([THR-5]).

use std::collections::BTreeMap;

use frost_ristretto255::keys::dkg::{self, round1, round2};
use frost_ristretto255::keys::{
    KeyPackage, PublicKeyPackage, SigningShare, VerifiableSecretSharingCommitment, VerifyingShare,
    refresh,
};
use frost_ristretto255::{Error, Identifier, Signature, VerifyingKey};
use rand_core::{CryptoRng, RngCore};
use sudare_crypto::derive::Seed;
use sudare_crypto::{Encoded, Secret};

use super::message::Polynomial;
use super::{CeremonyError, Group};

/// One dealer's part in making or refreshing one key.
pub(super) struct Dealing<'a> {
    /// The seed of the dealer's draws for this key.
    pub seed: Seed,
    /// The dealer's index.
    pub index: u8,
    /// How many officers.
    pub officers: u8,
    /// The threshold.
    pub threshold: u8,
    /// The key as it is, with its epoch and the dealer's share; none for a new key.
    pub old: Option<(&'a Group, u8, &'a Secret)>,
}

/// What other dealers said about one key, by index.
pub(super) type Polynomials<'a> = BTreeMap<u8, &'a Polynomial>;

impl Dealing<'_> {
    /// The dealer's commitments, without the constant one for a refresh, and the library's proof.
    pub(super) fn commit(&self) -> Result<(Vec<Encoded>, [u8; 64]), CeremonyError> {
        let (_, package) = self.part1()?;
        let commitments = package.commitment().coefficients().iter();
        let commitments = commitments.map(|one| Encoded::of(&one.value())).collect();
        let proof = package.proof_of_knowledge().serialize().map_err(failed)?;
        let proof = proof.try_into().map_err(|_| CeremonyError::Library("a proof".into()))?;
        Ok((commitments, proof))
    }

    /// The sub-share for each other officer. Checks the others' proofs.
    pub(super) fn deal(&self, others: &Polynomials<'_>) -> Result<BTreeMap<u8, Secret>, Culprit> {
        let (_, packages) = self.part2(&wire(others)?)?;
        let mut shares = BTreeMap::new();
        for index in others.keys() {
            let package = packages.get(&identifier(*index)?).ok_or(Error::PackageNotFound)?;
            shares.insert(*index, Secret(package.signing_share().to_scalar()));
        }
        Ok(shares)
    }

    /// The dealer's own share, from the others' sub-shares.
    pub(super) fn finish(
        &self,
        others: &Polynomials<'_>,
        shares: &BTreeMap<u8, Secret>,
    ) -> Result<Secret, Culprit> {
        let round1 = wire(others)?;
        let (secret, _) = self.part2(&round1)?;
        let mut round2 = BTreeMap::new();
        for (index, share) in shares {
            let package = round2::Package::new(SigningShare::new(share.0));
            round2.insert(identifier(*index)?, package);
        }
        let (package, _) = match &self.old {
            None => dkg::part3(&secret, &round1, &round2)?,
            Some((group, epoch, share)) => {
                let public = public_package(group, *epoch)?;
                let own = key_package(group, *epoch, self.index, share)?;
                refresh::refresh_dkg_shares(&secret, &round1, &round2, public, own)?
            }
        };
        Ok(Secret(package.signing_share().to_scalar()))
    }

    fn part1(&self) -> Result<(round1::SecretPackage, round1::Package), CeremonyError> {
        let (index, draws) = (identifier(self.index).map_err(failed)?, Draws::new(&self.seed));
        let (officers, threshold) = (self.officers.into(), self.threshold.into());
        match self.old {
            None => dkg::part1(index, officers, threshold, draws),
            Some(_) => refresh::refresh_dkg_part1(index, officers, threshold, draws),
        }
        .map_err(failed)
    }

    #[allow(clippy::type_complexity, reason = "the library's own pair")]
    fn part2(
        &self,
        round1: &BTreeMap<Identifier, round1::Package>,
    ) -> Result<(round2::SecretPackage, BTreeMap<Identifier, round2::Package>), Culprit> {
        let (secret, _) = self.part1().map_err(Culprit::Unknown)?;
        Ok(match self.old {
            None => dkg::part2(secret, round1)?,
            Some(_) => refresh::refresh_dkg_part2(secret, round1)?,
        })
    }
}

/// Why the library refused: by somebody's fault, if it says whose.
#[derive(Debug)]
pub(super) enum Culprit {
    /// The dealer with this index.
    Dealer(u8),
    /// It does not say.
    Unknown(CeremonyError),
}

impl From<Error> for Culprit {
    fn from(error: Error) -> Self {
        // An identifier is its index as a scalar, so the first byte says which.
        let index = error.culprits().first().and_then(|one| one.serialize().first().copied());
        index.map_or_else(|| Self::Unknown(failed(error)), Self::Dealer)
    }
}

fn failed(error: Error) -> CeremonyError {
    CeremonyError::Library(error.to_string())
}

fn identifier(index: u8) -> Result<Identifier, Error> {
    Identifier::try_from(u16::from(index))
}

fn wire(others: &Polynomials<'_>) -> Result<BTreeMap<Identifier, round1::Package>, Culprit> {
    let mut packages = BTreeMap::new();
    for (index, polynomial) in others {
        let package = package(polynomial).map_err(|_| Culprit::Dealer(*index))?;
        packages.insert(identifier(*index)?, package);
    }
    Ok(packages)
}

fn package(polynomial: &Polynomial) -> Result<round1::Package, Error> {
    let commitments = polynomial.commitments.iter().map(Encoded::as_bytes);
    let commitments = VerifiableSecretSharingCommitment::deserialize(commitments)?;
    // A refresh has no constant coefficient that could be known or not; the library does not look at its proof.
    let proof = match &polynomial.fresh {
        Some(fresh) => Signature::deserialize(&fresh.proof)?,
        None => Signature::new(sudare_crypto::point::B, sudare_crypto::Scalar::ZERO),
    };
    Ok(round1::Package::new(commitments, proof))
}

fn public_package(group: &Group, epoch: u8) -> Result<PublicKeyPackage, Error> {
    let mut shares = BTreeMap::new();
    for (place, _) in sudare_crypto::numbered(group.officers.iter()) {
        let index = place.saturating_add(1);
        let share = group.public_share(epoch, index).map_err(|_| Error::UnknownIdentifier)?;
        shares.insert(identifier(index)?, VerifyingShare::new(share));
    }
    let threshold = Some(group.threshold.into());
    Ok(PublicKeyPackage::new(shares, verifying_key(group, epoch)?, threshold))
}

fn key_package(group: &Group, epoch: u8, index: u8, share: &Secret) -> Result<KeyPackage, Error> {
    let public = group.public_share(epoch, index).map_err(|_| Error::UnknownIdentifier)?;
    Ok(KeyPackage::new(
        identifier(index)?,
        SigningShare::new(share.0),
        VerifyingShare::new(public),
        verifying_key(group, epoch)?,
        group.threshold.into(),
    ))
}

fn verifying_key(group: &Group, epoch: u8) -> Result<VerifyingKey, Error> {
    let key = group.key(epoch).ok_or(Error::UnknownIdentifier)?;
    VerifyingKey::deserialize(key.as_bytes())
}

/// Random bytes that a seed says: HKDF in counter mode. Wiped with the seed.
struct Draws {
    seed: Seed,
    drawn: u64,
}

impl Draws {
    fn new(seed: &Seed) -> Self {
        Self { seed: seed.clone(), drawn: 0 }
    }
}

impl RngCore for Draws {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for chunk in dest.chunks_mut(32) {
            let block = self.seed.child(b"ceremony draw", &self.drawn.to_le_bytes());
            self.drawn = self.drawn.wrapping_add(1);
            let (block, _) = block.0.split_at(chunk.len().min(32));
            chunk.copy_from_slice(block);
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Draws {}
