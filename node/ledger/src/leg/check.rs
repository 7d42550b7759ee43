//! Checking a leg: everything that can be decided from its bytes and the asset's terms.

use std::collections::BTreeSet;

use sudare_crypto::encoding::encode;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::{amount, balance, links, range, spend, wrap};
use sudare_crypto::{Claims, Encoded, LedgerTranscript, Rejected, numbered, pairs};
use sudare_disclosure::{AssetTerms, Epoch, Field, SectionKind};

use super::{Leg, Purpose};
use crate::note::Note;
use crate::slot::SlotError;

/// Why a leg was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LegError {
    /// Another asset, network or version of the terms.
    #[error("the leg is not bound to these terms: build it anew under the terms in force")]
    Terms,
    /// An epoch that the terms do not have.
    #[error("the leg names an epoch that the terms do not have")]
    Epoch,
    /// Purpose and mint, burn, inputs, outputs do not fit together.
    #[error("purpose, mint, burn, inputs and outputs do not fit together")]
    Purpose,
    /// Two inputs with one tag, two outputs with one owner, or an ephemeral used twice.
    #[error("a tag, an owner or an ephemeral stands in the leg twice")]
    Repeated,
    /// The sections are not exactly those that the policy asks for.
    #[error("the sections are not those that the policy asks for")]
    Sections,
    /// A slot is not valid.
    #[error("slot {0}: {1}")]
    Slot(u8, SlotError),
    /// A slot is for another asset, policy or epoch than the leg.
    #[error("slot {0} is not for this leg's asset, terms and epoch")]
    SlotContext(u8),
    /// A proof does not have the right shape.
    #[error("{0}")]
    Proof(#[from] Rejected),
}

/// The statements of a leg's proofs.
pub(super) struct Statements {
    pub(super) spend: Option<spend::Statement>,
    pub(super) amount: Option<amount::Statement>,
    pub(super) wrap: wrap::Statement,
    pub(super) balance: balance::Statement,
}

impl Leg {
    /// Checks the leg against its asset's terms; the equations of all proofs but the links go to `claims`.
    ///
    /// # Errors
    ///
    /// [`LegError`].
    pub fn check(&self, terms: &AssetTerms, claims: &mut Claims) -> Result<(), LegError> {
        let header = &self.header;
        if header.network != terms.core.network
            || header.asset != terms.asset()
            || header.terms != terms.hash()
        {
            return Err(LegError::Terms);
        }
        let epoch = terms.policy.epoch(header.epoch).ok_or(LegError::Epoch)?;
        self.check_purpose()?;
        self.check_slots(epoch, claims)?;
        let statements = self.statements(epoch)?;
        let mut transcript = self.transcript();
        match (&statements.spend, &self.proofs.spend) {
            (Some(statement), Some(proof)) => {
                spend::verify(statement, proof, &mut transcript, claims)?
            }
            (None, None) => (),
            _ => return Err(Rejected::Shape(spend::NAME).into()),
        }
        match (&statements.amount, &self.proofs.amount) {
            (Some(statement), Some(proof)) => {
                amount::verify(statement, proof, &mut transcript, claims)?
            }
            (None, None) => (),
            _ => return Err(Rejected::Shape(amount::NAME).into()),
        }
        wrap::verify(&statements.wrap, &self.proofs.wrap, &mut transcript, claims)?;
        balance::verify(&statements.balance, &self.proofs.balance, &mut transcript, claims)?;
        if self.outputs.is_empty() {
            let empty = self.proofs.range.is_empty();
            return if empty { Ok(()) } else { Err(Rejected::Shape(range::NAME).into()) };
        }
        let commitments: Vec<Encoded> =
            self.outputs.iter().map(|output| output.commitment).collect();
        Ok(range::verify(&commitments, &self.proofs.range, &mut transcript, claims)?)
    }

    /// Adds to `claims` that the inputs spend these notes, in order. For the registrar and readers with `links`.
    ///
    /// # Errors
    ///
    /// [`LegError`].
    pub fn check_links(
        &self,
        notes: &[Note],
        proof: &LinearProof,
        claims: &mut Claims,
    ) -> Result<(), LegError> {
        let mut transcript = self.links_transcript();
        Ok(links::verify(&self.links_statement(notes)?, proof, &mut transcript, claims)?)
    }

    /// The transcript of the links proof: it stands inside a section, so it can't absorb the sections.
    pub(super) fn links_transcript(&self) -> LedgerTranscript {
        let mut transcript = LedgerTranscript::new(b"sudare/leg-links/v1", &encode(&self.header));
        transcript.absorb(b"inputs", &encode(&self.inputs));
        transcript.absorb(b"outputs", &encode(&self.outputs));
        transcript
    }

    /// The leg's transcript before its first proof: header, inputs, outputs with their slots, sections.
    pub(super) fn transcript(&self) -> LedgerTranscript {
        let mut transcript = LedgerTranscript::new(b"sudare/leg/v1", &encode(&self.header));
        transcript.absorb(b"inputs", &encode(&self.inputs));
        transcript.absorb(b"outputs", &encode(&self.outputs));
        transcript.absorb(b"sections", &encode(&self.sections));
        transcript
    }

    pub(super) fn statements(&self, epoch: &Epoch) -> Result<Statements, LegError> {
        let parties = epoch.keys_with(Field::Parties);
        let amounts = epoch.keys_with(Field::Amounts);
        let inputs = self.inputs.iter().map(|input| spend::Spender {
            tag: input.tag,
            ephemeral: input.ephemeral,
            identities: input.identities.to_vec(),
        });
        let outputs = self.outputs.iter().map(|output| amount::Ciphertext {
            commitment: output.commitment,
            ephemeral: output.ephemeral,
            amounts: output.amounts.to_vec(),
        });
        let (inputs, outputs): (Vec<_>, Vec<_>) = (inputs.collect(), outputs.collect());
        Ok(Statements {
            balance: balance::Statement {
                inputs: self.inputs.iter().map(|input| input.commitment).collect(),
                outputs: self.outputs.iter().map(|output| output.commitment).collect(),
                mint: self.header.mint,
                burn: self.header.burn,
            },
            wrap: self.wrap_statement(epoch)?,
            spend: (!inputs.is_empty()).then_some(spend::Statement { inputs, keys: parties }),
            amount: (!outputs.is_empty()).then_some(amount::Statement { outputs, keys: amounts }),
        })
    }

    pub(super) fn links_statement(&self, notes: &[Note]) -> Result<links::Statement, LegError> {
        let pairs = pairs(&self.inputs, notes).ok_or(Rejected::Shape(links::NAME))?;
        let links = pairs.map(|(input, note)| links::Link {
            owner: note.owner,
            commitment: note.commitment,
            tag: input.tag,
            rerandomised: input.commitment,
        });
        Ok(links::Statement { links: links.collect() })
    }

    fn wrap_statement(&self, epoch: &Epoch) -> Result<wrap::Statement, LegError> {
        let memo_keys: Vec<Encoded> =
            self.outputs.iter().map(|output| output.slot.slot.memo_key).collect();
        let wanted = readers(epoch, &memo_keys, !self.inputs.is_empty());
        let mut sections = Vec::with_capacity(wanted.len());
        for (section, (kind, readers)) in
            pairs(&self.sections, &wanted).ok_or(LegError::Sections)?
        {
            if section.kind != *kind {
                return Err(LegError::Sections);
            }
            sections.push(section.wrapped(readers));
        }
        Ok(wrap::Statement { sections })
    }

    fn check_purpose(&self) -> Result<(), LegError> {
        let header = &self.header;
        let fits = match header.purpose {
            Purpose::Issue => {
                self.inputs.is_empty()
                    && !self.outputs.is_empty()
                    && header.mint > 0
                    && header.burn == 0
            }
            Purpose::Transfer => {
                !self.inputs.is_empty()
                    && !self.outputs.is_empty()
                    && header.mint == 0
                    && header.burn == 0
            }
            Purpose::Redeem => !self.inputs.is_empty() && header.mint == 0 && header.burn > 0,
        };
        let tags: BTreeSet<_> = self.inputs.iter().map(|input| input.tag).collect();
        let owners: BTreeSet<_> =
            self.outputs.iter().map(|output| output.slot.slot.owner).collect();
        // An ephemeral has one use: `W = R` would open an amount to whoever guesses it, `U' = R` would publish `A - v*B`.
        let ephemerals = self.inputs.iter().map(|input| input.ephemeral);
        let ephemerals = ephemerals.chain(self.outputs.iter().map(|output| output.ephemeral));
        let ephemerals =
            ephemerals.chain(self.outputs.iter().map(|output| output.slot.slot.ephemeral));
        let ephemerals: Vec<_> =
            ephemerals.chain(self.sections.iter().map(|section| section.ephemeral)).collect();
        let distinct: BTreeSet<_> = ephemerals.iter().collect();
        if tags.len() != self.inputs.len()
            || owners.len() != self.outputs.len()
            || distinct.len() != ephemerals.len()
        {
            return Err(LegError::Repeated);
        }
        if fits { Ok(()) } else { Err(LegError::Purpose) }
    }

    fn check_slots(&self, epoch: &Epoch, claims: &mut Claims) -> Result<(), LegError> {
        for (index, output) in numbered(self.outputs.iter()) {
            let context = &output.slot.slot.context;
            if context.network != self.header.network
                || context.asset != self.header.asset
                || context.terms != self.header.terms
            {
                return Err(LegError::SlotContext(index));
            }
            output.slot.check(epoch, claims).map_err(|error| LegError::Slot(index, error))?;
        }
        Ok(())
    }
}

/// The sections that a leg must have, in order, each with its readers.
pub(super) fn readers(
    epoch: &Epoch,
    memo_keys: &[Encoded],
    has_inputs: bool,
) -> Vec<(SectionKind, Vec<Encoded>)> {
    let mut sections = Vec::new();
    for (index, memo_key) in numbered(memo_keys) {
        let mut readers = epoch.keys_with(Field::Amounts);
        readers.push(*memo_key);
        sections.push((SectionKind::Opening(index), readers));
    }
    sections.push((SectionKind::Parties, epoch.keys_with(Field::Parties)));
    let mut readers = epoch.keys_with(Field::Trade);
    readers.extend(memo_keys);
    sections.push((SectionKind::Trade, readers));
    if has_inputs {
        sections.push((SectionKind::Links, epoch.keys_with(Field::Links)));
    }
    sections
}
