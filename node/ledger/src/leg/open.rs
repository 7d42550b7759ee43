//! Reading a leg: what the receiver, the registrar and a disclosure key can open of it.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::decode;
use sudare_crypto::point::{commit, times_b};
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::{Encoded, Hash, Malformed, RistrettoPoint, Scalar, Secret, Text, pairs};
use sudare_disclosure::{
    AssetTerms, DisclosureSecret, Epoch, Field, Fields, Opens, Section, SectionKind,
};

use super::{Header, Leg, Links, Output, TearOff, TearOffError, TradeInfo};
use crate::note::{Note, SlotSecrets};

/// A leg as its registrar reads it: everything, checked against the commitments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// The account of each input.
    pub senders: Vec<Encoded>,
    /// The account of each output.
    pub receivers: Vec<Encoded>,
    /// The quantity of each output, atomic units.
    pub amounts: Vec<u64>,
    /// The blinding of each output's commitment.
    pub blindings: Vec<Secret>,
    /// The note each input spends, with the proof to be checked; none without inputs.
    pub links: Option<Links>,
    /// The trade's data.
    pub trade: TradeInfo,
    /// The reference to the sending party.
    pub sender: Text<64>,
}

/// What a receiver gets of a leg.
#[allow(missing_debug_implementations, reason = "holds a note's opening")]
pub struct Received {
    /// The header.
    pub header: Header,
    /// Which output it is.
    pub index: u8,
    /// The output.
    pub output: Output,
    /// Its opening.
    pub opening: Opening,
    /// The trade's data.
    pub trade: TradeInfo,
}

/// A quantity as a disclosure key reads it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Amount {
    /// The memo's value, which the ciphertext confirms; the memo opens the commitment.
    Known(u64),
    /// The memo's value, which the ciphertext confirms; but its blinding is wrong, so that the receiver can't spend the note.
    Unspendable(u64),
    /// The memo is wrong or unreadable: the value is the discrete logarithm of this point.
    Hidden(Encoded),
}

/// What one disclosure key reads of a leg: none where it lacks the field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Disclosed {
    /// The quantity of each output.
    pub amounts: Option<Vec<Amount>>,
    /// The account of each input and of each output.
    pub parties: Option<(Vec<Encoded>, Vec<Encoded>)>,
    /// The reference to the sending party; none inside if the section does not open.
    pub sender: Option<Option<Text<64>>>,
    /// The trade's data; none if sender and registrar let a section pass that does not open.
    pub trade: Option<Option<TradeInfo>>,
    /// The note each input spends, with its proof; none inside if the section does not open, or without inputs.
    pub links: Option<Option<Links>>,
}

/// Why a leg can't be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// A point does not decode.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// A section does not open, does not decode, or does not fit what the leg commits to.
    #[error("the {0:?} section does not open to what the leg commits to")]
    Section(SectionKind),
    /// The key is not in force in the leg's epoch.
    #[error("this key is not one of the leg's epoch")]
    Scope,
    /// The tear-off is not whole.
    #[error("{0}")]
    TearOff(#[from] TearOffError),
    /// The output is not for this slot.
    #[error("the output is not for the slot that was given out")]
    Slot,
}

impl Leg {
    /// Reads the leg as its registrar and checks every section against the commitments.
    ///
    /// (!) Only for legs whose proofs are verified.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, epoch: &Epoch, key: &DisclosureSecret) -> Result<Opened, OpenError> {
        let (disclosed, memos) = self.disclose_with_memos(epoch, key, Fields::ALL)?;
        let (Some(amounts), Some((senders, receivers))) = (disclosed.amounts, disclosed.parties)
        else {
            return Err(OpenError::Scope);
        };
        let (mut known, mut blindings) = (Vec::new(), Vec::new());
        let read = pairs(&amounts, &memos).ok_or(OpenError::Scope)?;
        for (index, one) in sudare_crypto::numbered(read) {
            let (Amount::Known(value), Some(blinding)) = one else {
                return Err(OpenError::Section(SectionKind::Opening(index)));
            };
            known.push(*value);
            blindings.push(blinding.clone());
        }
        let trade = disclosed.trade.flatten().ok_or(OpenError::Section(SectionKind::Trade))?;
        let sender = disclosed.sender.flatten().ok_or(OpenError::Section(SectionKind::Parties))?;
        let links = disclosed.links.ok_or(OpenError::Scope)?;
        if links.is_some() == self.inputs.is_empty() {
            return Err(OpenError::Section(SectionKind::Links));
        }
        Ok(Opened { senders, receivers, amounts: known, blindings, links, trade, sender })
    }

    /// Reads what `key` may read.
    ///
    /// (!) Only for final legs whose proofs are verified.
    ///
    /// # Errors
    ///
    /// [`OpenError`], if the key is not one of the leg's epoch or a point does not decode. An amount whose memo lies is not
    /// an error: [`Amount::Hidden`].
    pub fn disclose(&self, epoch: &Epoch, key: &impl Opens) -> Result<Disclosed, OpenError> {
        self.disclose_only(epoch, key, Fields::ALL)
    }

    /// Reads what `key` may read of these fields; the others it is not applied to.
    ///
    /// (!) Only for final legs whose proofs are verified.
    ///
    /// # Errors
    ///
    /// As [`Leg::disclose`].
    pub fn disclose_only(
        &self,
        epoch: &Epoch,
        key: &impl Opens,
        fields: Fields,
    ) -> Result<Disclosed, OpenError> {
        Ok(self.disclose_with_memos(epoch, key, fields)?.0)
    }

    /// What `key` may read of these fields, and the blindings that the memos give.
    fn disclose_with_memos(
        &self,
        epoch: &Epoch,
        key: &impl Opens,
        fields: Fields,
    ) -> Result<(Disclosed, Vec<Option<Secret>>), OpenError> {
        let point = key.point();
        if epoch.number != self.header.epoch || !epoch.keys.iter().any(|one| one.point == point) {
            return Err(OpenError::Scope);
        }
        let place = |field| epoch.position(field, &point).filter(|_| fields.has(field));
        let (amounts, memos) = match place(Field::Amounts) {
            Some(place) => {
                let (amounts, memos) = self.amounts(epoch, key, place)?;
                (Some(amounts), memos)
            }
            None => (None, Vec::new()),
        };
        let parties = match place(Field::Parties) {
            Some(place) => Some(self.parties(key, place)?),
            None => None,
        };
        let sender = place(Field::Parties).map(|_| {
            let content = self.read(epoch, key, SectionKind::Parties, Field::Parties).ok()?;
            decode(&content, "parties").ok()
        });
        let trade = place(Field::Trade).map(|_| {
            let content = self.read(epoch, key, SectionKind::Trade, Field::Trade).ok()?;
            decode(&content, "a trade").ok()
        });
        let links = place(Field::Links).map(|_| {
            let content = self.read(epoch, key, SectionKind::Links, Field::Links).ok()?;
            let links: Links = decode(&content, "links").ok()?;
            (links.notes.len() == self.inputs.len()).then_some(links)
        });
        Ok((Disclosed { amounts, parties, sender, trade, links }, memos))
    }

    /// The notes that the leg makes, in order.
    pub fn notes(&self) -> impl Iterator<Item = Note> + '_ {
        self.outputs.iter().map(|output| Note {
            asset: self.header.asset,
            owner: output.slot.slot.owner,
            commitment: output.commitment,
        })
    }

    /// The hash that stands for the leg where it need not be shown.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(b"sudare/leg-hash/v1", &[&sudare_crypto::encoding::encode(self)])
    }

    fn amounts(
        &self,
        epoch: &Epoch,
        key: &impl Opens,
        place: usize,
    ) -> Result<(Vec<Amount>, Vec<Option<Secret>>), OpenError> {
        let mut amounts = Vec::with_capacity(self.outputs.len());
        let mut blindings = Vec::with_capacity(self.outputs.len());
        for (index, output) in sudare_crypto::numbered(self.outputs.iter()) {
            let ciphertext = output.amounts.get(place).ok_or(OpenError::Scope)?;
            let point = key.decrypt(&output.ephemeral, ciphertext)?;
            let memo = self.read(epoch, key, SectionKind::Opening(index), Field::Amounts).ok();
            let memo = memo.and_then(|content| opening(&content));
            blindings.push(memo.as_ref().map(|memo| Secret(memo.blinding)));
            amounts.push(match memo {
                Some(Opening { value, blinding }) if times_b(&Scalar::from(value)) == point => {
                    let opens = Encoded::of(&commit(value, &blinding)) == output.commitment;
                    if opens { Amount::Known(value) } else { Amount::Unspendable(value) }
                }
                _ if point == RistrettoPoint::default() => Amount::Unspendable(0),
                _ => Amount::Hidden(Encoded::of(&point)),
            });
        }
        Ok((amounts, blindings))
    }

    fn parties(
        &self,
        key: &impl Opens,
        place: usize,
    ) -> Result<(Vec<Encoded>, Vec<Encoded>), OpenError> {
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for input in &self.inputs {
            let ciphertext = input.identities.get(place).ok_or(OpenError::Scope)?;
            senders.push(Encoded::of(&key.decrypt(&input.ephemeral, ciphertext)?));
        }
        for output in &self.outputs {
            let slot = &output.slot.slot;
            let ciphertext = slot.identities.get(place).ok_or(OpenError::Scope)?;
            receivers.push(Encoded::of(&key.decrypt(&slot.ephemeral, ciphertext)?));
        }
        Ok((senders, receivers))
    }

    fn read(
        &self,
        epoch: &Epoch,
        key: &impl Opens,
        kind: SectionKind,
        field: Field,
    ) -> Result<Vec<u8>, OpenError> {
        let place = epoch.position(field, &key.point()).ok_or(OpenError::Scope)?;
        let section = self.sections.iter().find(|section| section.kind == kind);
        let section = section.ok_or(OpenError::Section(kind))?;
        let wrap = section.wraps.get(place).ok_or(OpenError::Section(kind))?;
        let message = key.decrypt(&section.ephemeral, wrap)?;
        section.open(&message, &self.context()).map_err(|_| OpenError::Section(kind))
    }

    fn context(&self) -> Vec<u8> {
        sudare_crypto::encoding::encode(&self.header)
    }
}

impl TearOff {
    /// Reads the output as its receiver: it must be for the slot of these secrets, and its opening must fit its commitment.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn receive(
        &self,
        terms: &AssetTerms,
        secrets: &SlotSecrets,
    ) -> Result<Received, OpenError> {
        let (header, (index, output)) = (self.header()?, self.output()?);
        if output.slot.slot.owner != secrets.owner() || header.asset != terms.asset() {
            return Err(OpenError::Slot);
        }
        let kind = SectionKind::Opening(index);
        let content = read_last(&self.section(kind)?, &header, &secrets.memo)?;
        let opening = opening(&content).ok_or(OpenError::Section(kind))?;
        if Encoded::of(&commit(opening.value, &opening.blinding)) != output.commitment {
            return Err(OpenError::Section(kind));
        }
        let section = self.section(SectionKind::Trade)?;
        let trade = read_any(&section, &header, &secrets.memo)?;
        let trade =
            decode(&trade, "a trade").map_err(|_| OpenError::Section(SectionKind::Trade))?;
        Ok(Received { header, index, output, opening, trade })
    }
}

/// The receiver is the last reader of its opening.
fn read_last(section: &Section, header: &Header, memo: &Secret) -> Result<Vec<u8>, OpenError> {
    let last = section.wraps.len().checked_sub(1).ok_or(OpenError::Section(section.kind))?;
    section
        .open_with(last, memo, &sudare_crypto::encoding::encode(header))
        .map_err(|_| OpenError::Section(section.kind))
}

/// A receiver does not know its place among the readers of the trade: it tries them.
fn read_any(section: &Section, header: &Header, memo: &Secret) -> Result<Vec<u8>, OpenError> {
    let context = sudare_crypto::encoding::encode(header);
    (0..section.wraps.len())
        .find_map(|place| section.open_with(place, memo, &context).ok())
        .ok_or(OpenError::Section(section.kind))
}

fn opening(content: &[u8]) -> Option<Opening> {
    let (value, blinding): (u64, Secret) = decode(content, "an opening").ok()?;
    Some(Opening { value, blinding: blinding.0 })
}
