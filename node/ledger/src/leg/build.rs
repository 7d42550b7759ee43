//! Building a leg: encrypt, seal, prove. The costly part of a transfer (about 15 ms with two outputs), done on the CPU pool.

use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::{times_b, times_b_blinding};
use sudare_crypto::proof::amount::{self, Opening};
use sudare_crypto::proof::range::OUTPUTS_MAX;
use sudare_crypto::proof::{balance, links, range, spend, wrap};
use sudare_crypto::{
    Bounded, Claims, Encoded, LedgerTranscript, Malformed, Rejected, Scalar, Secret, Text, pairs,
};
use sudare_disclosure::{AssetTerms, Epoch, Field, Section, SectionKind};

use super::check::{self, LegError};
use super::{Header, INPUTS_MAX, Input, Leg, LegSalt, Links, Output, Proofs, Purpose, TradeInfo};
use crate::note::{Note, SlotSecrets};
use crate::slot::SignedSlot;

/// What a leg is to do.
#[derive(Debug)]
pub struct LegRequest<'a> {
    /// The asset's terms in force.
    pub terms: &'a AssetTerms,
    /// The epoch in force.
    pub epoch: &'a Epoch,
    /// What it does to the supply.
    pub purpose: Purpose,
    /// Atomic units made.
    pub mint: u64,
    /// Atomic units ended.
    pub burn: u64,
    /// Notes to spend.
    pub inputs: Vec<SpendInput>,
    /// Slots to pay into, with the quantity of each.
    pub outputs: Vec<(SignedSlot, u64)>,
    /// The trade's data.
    pub trade: TradeInfo,
    /// A reference to the sending party, for readers with `parties`.
    pub sender: Text<64>,
}

/// A note with all that is needed to spend it.
#[allow(missing_debug_implementations, reason = "secret")]
pub struct SpendInput {
    /// The note.
    pub note: Note,
    /// Its opening.
    pub opening: Opening,
    /// What stands behind its owner part.
    pub secrets: SlotSecrets,
}

impl std::fmt::Debug for SpendInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SpendInput({:?}, ***)", self.note.id())
    }
}

/// A leg and what only its builder knows of it.
#[derive(Debug)]
pub struct BuiltLeg {
    /// The leg.
    pub leg: Leg,
    /// From which the salts of its components are derived.
    pub salt: LegSalt,
}

/// Why a leg could not be built.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BuildError {
    /// Inputs and mint do not equal outputs and burn, or a sum is above u64.
    #[error("inputs and mint must equal outputs and burn")]
    Unbalanced,
    /// More inputs or outputs than a leg has room for.
    #[error("a leg has at most {max} {what}, not {asked}: make several legs")]
    TooMany {
        /// Inputs or outputs.
        what: &'static str,
        /// How many were asked for.
        asked: usize,
        /// [`INPUTS_MAX`] or [`OUTPUTS_MAX`].
        max: usize,
    },
    /// A part of the request is out of bounds or does not decode.
    #[error("the leg can't be built: {0}")]
    Malformed(#[from] Malformed),
    /// The finished leg does not check.
    #[error("the finished leg does not check: {0}")]
    Leg(#[from] LegError),
    /// A proof of the finished leg does not verify.
    #[error("a proof of the finished leg does not verify: {0}")]
    Proof(#[from] Rejected),
}

/// Blindings chosen for one leg.
struct Chosen {
    openings: Vec<Opening>,
    /// One an input: `d` and `u'`.
    inputs: Vec<(Secret, Secret)>,
}

impl BuiltLeg {
    /// Builds the leg and checks it as a registrar would, so that a fault never leaves this node.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn build(
        request: &LegRequest<'_>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, BuildError> {
        fits("inputs", request.inputs.len(), INPUTS_MAX)?;
        fits("outputs", request.outputs.len(), OUTPUTS_MAX)?;
        balanced(request)?;
        let chosen = Chosen {
            openings: request
                .outputs
                .iter()
                .map(|(_, value)| Opening { value: *value, blinding: Scalar::random(rng) })
                .collect(),
            inputs: request
                .inputs
                .iter()
                .map(|_| (Secret::random(rng), Secret::random(rng)))
                .collect(),
        };
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let header = Header {
            version: Version,
            network: request.terms.core.network,
            asset: request.terms.asset(),
            terms: request.terms.hash(),
            epoch: request.epoch.number,
            purpose: request.purpose,
            mint: request.mint,
            burn: request.burn,
            nonce,
        };
        let inputs = inputs(request, &chosen)?;
        let outputs = outputs(request, &chosen)?;
        let mut leg = Leg {
            header,
            inputs: inputs.try_into()?,
            outputs: outputs.try_into()?,
            sections: Bounded::default(),
            proofs: empty_proofs(),
        };
        let links = links(request, &leg, &chosen, rng)?;
        let (sections, ephemerals) = sections(request, &leg.header, &chosen, &links, rng)?;
        leg.sections = sections.try_into()?;
        leg.proofs = prove(request, &leg, &chosen, &ephemerals, rng)?;

        let mut claims = Claims::new();
        leg.check(request.terms, &mut claims)?;
        if let Some(links) = &links {
            let notes: Vec<Note> = request.inputs.iter().map(|input| input.note).collect();
            leg.check_links(&notes, &links.proof, &mut claims)?;
        }
        claims.accept(rng)?;
        let mut salt = LegSalt([0; 32]);
        rng.fill_bytes(&mut salt.0);
        Ok(Self { leg, salt })
    }
}

const fn fits(what: &'static str, asked: usize, max: usize) -> Result<(), BuildError> {
    if asked > max { Err(BuildError::TooMany { what, asked, max }) } else { Ok(()) }
}

fn balanced(request: &LegRequest<'_>) -> Result<(), BuildError> {
    let mut inputs = request.inputs.iter().map(|input| input.opening.value);
    let mut outputs = request.outputs.iter().map(|(_, value)| *value);
    let left = inputs.try_fold(request.mint, u64::checked_add);
    let right = outputs.try_fold(request.burn, u64::checked_add);
    if left.is_some() && left == right { Ok(()) } else { Err(BuildError::Unbalanced) }
}

fn inputs(request: &LegRequest<'_>, chosen: &Chosen) -> Result<Vec<Input>, Malformed> {
    let keys = request.epoch.keys_with(Field::Parties);
    let mut inputs = Vec::with_capacity(request.inputs.len());
    for (input, (rerandomisation, identity)) in each(&request.inputs, &chosen.inputs)? {
        let account = times_b(&input.secrets.account.0);
        let mut identities = Vec::with_capacity(keys.len());
        for key in &keys {
            identities.push(Encoded::of(&(account + key.decompress()? * identity.0)));
        }
        let commitment = input.note.commitment.decompress()? + times_b_blinding(&rerandomisation.0);
        inputs.push(Input {
            tag: input.secrets.spend_key().tag(),
            commitment: Encoded::of(&commitment),
            ephemeral: identity.public(),
            identities: identities.try_into()?,
        });
    }
    Ok(inputs)
}

fn outputs(request: &LegRequest<'_>, chosen: &Chosen) -> Result<Vec<Output>, Malformed> {
    let keys = request.epoch.keys_with(Field::Amounts);
    let mut outputs = Vec::with_capacity(request.outputs.len());
    for ((slot, _), opening) in each(&request.outputs, &chosen.openings)? {
        let ciphertext = opening.encrypt(&keys)?;
        outputs.push(Output {
            slot: slot.clone(),
            commitment: ciphertext.commitment,
            ephemeral: ciphertext.ephemeral,
            amounts: ciphertext.amounts.try_into()?,
        });
    }
    Ok(outputs)
}

fn sections(
    request: &LegRequest<'_>,
    header: &Header,
    chosen: &Chosen,
    links: &Option<Links>,
    rng: &mut impl CryptoRngCore,
) -> Result<(Vec<Section>, Vec<Secret>), Malformed> {
    let context = encode(header);
    let memo_keys: Vec<Encoded> =
        request.outputs.iter().map(|(slot, _)| slot.slot.memo_key).collect();
    let (mut sections, mut ephemerals) = (Vec::new(), Vec::new());
    for (kind, readers) in check::readers(request.epoch, &memo_keys, !request.inputs.is_empty()) {
        let content = match kind {
            SectionKind::Opening(index) => {
                let opening = chosen.openings.get(usize::from(index));
                let opening = opening.ok_or(Malformed::Encoding("an opening"))?;
                encode(&(opening.value, Secret(opening.blinding)))
            }
            SectionKind::Parties => encode(&request.sender),
            SectionKind::Trade => encode(&request.trade),
            SectionKind::Links => {
                encode(links.as_ref().ok_or(Malformed::Encoding("a links section without inputs"))?)
            }
            SectionKind::Snapshot => return Err(Malformed::Encoding("a leg's section")),
        };
        let (section, ephemeral) = Section::seal(kind, &content, &readers, &context, rng)?;
        sections.push(section);
        ephemerals.push(ephemeral);
    }
    Ok((sections, ephemerals))
}

fn prove(
    request: &LegRequest<'_>,
    leg: &Leg,
    chosen: &Chosen,
    ephemerals: &[Secret],
    rng: &mut impl CryptoRngCore,
) -> Result<Proofs, BuildError> {
    let statements = leg.statements(request.epoch)?;
    let mut transcript = leg.transcript();
    let spend = match &statements.spend {
        Some(statement) => {
            let witnesses: Vec<spend::Witness> = each(&request.inputs, &chosen.inputs)?
                .map(|(input, (_, identity))| spend::Witness {
                    account: input.secrets.account.0,
                    tag: input.secrets.tag.0,
                    ephemeral: identity.0,
                })
                .collect();
            Some(spend::prove(statement, &witnesses, &mut transcript, rng)?)
        }
        None => None,
    };
    let amount = match &statements.amount {
        Some(statement) => Some(amount::prove(statement, &chosen.openings, &mut transcript, rng)?),
        None => None,
    };
    let wrap = wrap::prove(&statements.wrap, ephemerals, &mut transcript, rng)?;
    let excess = excess(request, chosen);
    let balance = balance::prove(&statements.balance, &excess, &mut transcript, rng)?;
    let range = range_proof(chosen, &mut transcript, rng)?;
    Ok(Proofs { spend, amount, wrap, balance, range: range.try_into()? })
}

fn range_proof(
    chosen: &Chosen,
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<u8>, Malformed> {
    if chosen.openings.is_empty() {
        return Ok(Vec::new());
    }
    range::prove(&chosen.openings, transcript, rng)
}

/// The notes spent with the proof that they are; none without inputs.
fn links(
    request: &LegRequest<'_>,
    leg: &Leg,
    chosen: &Chosen,
    rng: &mut impl CryptoRngCore,
) -> Result<Option<Links>, BuildError> {
    if request.inputs.is_empty() {
        return Ok(None);
    }
    let notes: Vec<Note> = request.inputs.iter().map(|input| input.note).collect();
    let witnesses: Vec<links::Witness> = each(&request.inputs, &chosen.inputs)?
        .map(|(input, (rerandomisation, _))| links::Witness {
            owner_blinding: input.secrets.blinding.0,
            rerandomisation: rerandomisation.0,
        })
        .collect();
    let statement = leg.links_statement(&notes)?;
    let proof = links::prove(&statement, &witnesses, &mut leg.links_transcript(), rng)?;
    let notes: Vec<_> = notes.iter().map(Note::id).collect();
    Ok(Some(Links { notes: notes.try_into()?, proof }))
}

/// The blinding of `sum C' - sum C`.
fn excess(request: &LegRequest<'_>, chosen: &Chosen) -> Secret {
    let mut excess = Secret(Scalar::ZERO);
    for input in &request.inputs {
        excess.0 += input.opening.blinding;
    }
    for (rerandomisation, _) in &chosen.inputs {
        excess.0 += rerandomisation.0;
    }
    for opening in &chosen.openings {
        excess.0 -= opening.blinding;
    }
    excess
}

/// What was chosen for each input or output, beside it.
fn each<'a, L, R>(
    left: &'a [L],
    right: &'a [R],
) -> Result<impl Iterator<Item = (&'a L, &'a R)>, Malformed> {
    pairs(left, right).ok_or(Malformed::Encoding("a leg's parts"))
}

fn empty_proofs() -> Proofs {
    Proofs {
        spend: None,
        amount: None,
        wrap: LinearProof::default(),
        balance: LinearProof::default(),
        range: Bounded::default(),
    }
}
