//! One output of a final leg, as its receiver's custodian shows it.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::point::commit;
use sudare_crypto::{Encoded, NodeId, Secret};
use sudare_disclosure::{AssetCore, ContentKey, Section, SectionKind};

use super::{PacketError, ShownLeg};
use crate::leg::{ComponentKind, Header, OpenError, Purpose, TearOff, TradeInfo};
use crate::messages::Settlement;
use crate::note::{Note, NoteId, SlotSecrets};
use crate::transaction::TxId;
use crate::tree::Checkpoint;

/// An output with all that shows that it is final, and the keys of the sections that are disclosed.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct ShownOutput {
    /// The leg that made it.
    pub leg: ShownLeg,
    /// Header, output, its opening, and the trade section if that is disclosed.
    pub components: TearOff,
    /// Opens the opening section.
    pub opening: ContentKey,
    /// Opens the trade section, if that is disclosed.
    pub trade: Option<ContentKey>,
}

/// What a shown output says, as read from the ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadOutput {
    /// Its entry in the asset log.
    pub entry: u64,
    /// Its transaction.
    pub tx: TxId,
    /// Which leg of it.
    pub leg: u8,
    /// Which output of the leg.
    pub output: u8,
    /// When the notary recorded it, ms since the Unix epoch.
    pub time: u64,
    /// What the leg does.
    pub purpose: Purpose,
    /// The custodian in whose slot it is.
    pub custodian: NodeId,
    /// The note.
    pub note: NoteId,
    /// Atomic units.
    pub quantity: u64,
    /// The trade's data, if disclosed.
    pub trade: Option<TradeInfo>,
}

impl ShownOutput {
    /// Shows the output of `components`, one of the settlement's, with the secrets of its slot.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the components are not whole or the secrets are of another slot.
    pub fn of(
        settlement: &Settlement,
        components: &TearOff,
        secrets: &SlotSecrets,
        with_trade: bool,
    ) -> Result<Self, OpenError> {
        let (header, (index, output)) = (components.header()?, components.output()?);
        if output.slot.slot.owner != secrets.owner() {
            return Err(OpenError::Slot);
        }
        let opening = components.section(SectionKind::Opening(index))?;
        let trade = components.section(SectionKind::Trade)?;
        let mut shown = components.clone();
        if !with_trade {
            shown.components = without(components, &trade)?;
        }
        let trade = with_trade.then(|| memo_key(&trade, &header, secrets)).transpose()?;
        Ok(Self {
            leg: ShownLeg::of(settlement),
            components: shown,
            opening: memo_key(&opening, &header, secrets)?,
            trade,
        })
    }

    /// Checks that the output is final, in the log and of this asset, and reads it.
    ///
    /// Enforces [PKT-4]: what is read comes from the ledger's ciphertexts and fits the commitment.
    ///
    /// # Errors
    ///
    /// [`PacketError`].
    pub fn read(&self, core: &AssetCore, under: &Checkpoint) -> Result<ReadOutput, PacketError> {
        self.leg.check(core, under, &self.components)?;
        let (header, (index, output)) = (self.components.header()?, self.components.output()?);
        let slot = &output.slot.slot.context;
        if slot.asset != core.id() {
            return Err(PacketError::OtherLeg);
        }
        if !output.slot.is_signed() {
            return Err(PacketError::OtherCustodian);
        }
        let context = encode(&header);
        let section = self.components.section(SectionKind::Opening(index))?;
        let content = section.open_by(&self.opening, &context).map_err(|_| PacketError::Opening)?;
        let opening = decode(&content, "an opening").map_err(|_| PacketError::Opening)?;
        let (quantity, blinding): (u64, Secret) = opening;
        if Encoded::of(&commit(quantity, &blinding.0)) != output.commitment {
            return Err(PacketError::Opening);
        }
        let trade = self.trade.as_ref().map(|key| self.read_trade(key, &context)).transpose()?;
        let note =
            Note { asset: core.id(), owner: output.slot.slot.owner, commitment: output.commitment };
        Ok(ReadOutput {
            entry: self.leg.place.entry,
            tx: self.leg.receipt.tx,
            leg: self.leg.index,
            output: index,
            time: self.leg.receipt.entry.time,
            purpose: header.purpose,
            custodian: slot.receiver,
            note: note.id(),
            quantity,
            trade,
        })
    }

    fn read_trade(&self, key: &ContentKey, context: &[u8]) -> Result<TradeInfo, PacketError> {
        let section = self.components.section(SectionKind::Trade)?;
        let content = section.open_by(key, context).map_err(|_| PacketError::Trade)?;
        decode(&content, "a trade").map_err(|_| PacketError::Trade)
    }
}

/// The content key as the slot's memo key unwraps it; the receiver tries all places, as it does not know its own.
fn memo_key(
    section: &Section,
    header: &Header,
    secrets: &SlotSecrets,
) -> Result<ContentKey, OpenError> {
    let context = encode(header);
    (0..section.wraps.len())
        .rev()
        .find_map(|place| section.key_for(place, &secrets.memo, &context).ok())
        .ok_or(OpenError::Section(section.kind))
}

type Components = sudare_crypto::Bounded<crate::leg::Component, 8>;

fn without(components: &TearOff, section: &Section) -> Result<Components, OpenError> {
    let body = encode(section);
    let kept = components.components.iter();
    let kept = kept.filter(|one| one.kind != ComponentKind::Section || *one.body != *body);
    Ok(kept.cloned().collect::<Vec<_>>().try_into()?)
}
