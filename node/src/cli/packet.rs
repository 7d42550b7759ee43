//! `sudare packet`: disclosing what is a customer's to somebody who holds no key.

mod account;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rand_core::OsRng;
use serde::Serialize;
use sudare_api::packet::PacketView;
use sudare_crypto::Encoded;
use sudare_crypto::encoding::{Version, decode};
use sudare_disclosure::{AssetTerms, SignedTerms};
use sudare_ledger::access::{Disclosed, Disclosure, sha256};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::custodian::{Custodian, Side, TradeKey, TradeView};
use sudare_ledger::leg::TearOff;
use sudare_ledger::messages::Settlement;
use sudare_ledger::note::SlotSecrets;
use sudare_ledger::packet::{Anchor, Body, Content, Expected, Packet, ShownOutput};
use sudare_ledger::tree::{ConsistencyProof, SignedCheckpoint};

use super::account::Directory;
use super::asset::write_new;
use super::connect::Connection;
use super::trade::{find, key_of, text};
use super::verify::read_checkpoint;
use super::{Failure, NodeArgs, Output};
use crate::access;
use crate::clock::now_ms;
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery};

/// `sudare packet`.
#[derive(Debug, Subcommand)]
pub(super) enum PacketCommand {
    /// Show one transfer that a customer received: amount and trade data, with all that proves them.
    Transfer(TransferArgs),
    /// Show one account between two register snapshots: every event, what it held at both ends, and that nothing is missing.
    Account(account::AccountArgs),
}

/// To whom a packet is made, and where it goes.
#[derive(Debug, Args)]
pub(super) struct AddressArgs {
    #[command(flatten)]
    pub node: NodeArgs,
    /// What the recipient calls itself.
    #[arg(long)]
    pub recipient: String,
    /// The nonce that the recipient chose.
    #[arg(long)]
    pub nonce: String,
    /// What it is for: the legal basis, the case.
    #[arg(long, default_value = "")]
    pub purpose: String,
    /// The checkpoint that the recipient holds: the packet shows that its own extends it.
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// The file to write.
    #[arg(long)]
    pub out: PathBuf,
}

/// A packet of one transfer.
#[derive(Debug, Args)]
pub(super) struct TransferArgs {
    #[command(flatten)]
    address: AddressArgs,
    /// 取引ID.
    #[arg(long)]
    trade_id: String,
    /// Show the amount alone.
    #[arg(long)]
    without_trade: bool,
}

pub(super) async fn run(command: PacketCommand, output: &Output) -> Result<(), Failure> {
    match command {
        PacketCommand::Transfer(args) => transfer(args, output).await,
        PacketCommand::Account(args) => account::run(args, output).await,
    }
}

async fn transfer(args: TransferArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.address.node.config)?;
    let trade = received(&connection, &args.trade_id).await?;
    let terms = terms_of(&connection, &trade).await?;
    let (settlement, components, secrets) = paid(&connection, &trade, &terms).await?;
    let shown = ShownOutput::of(&settlement, &components, &secrets, !args.without_trade);
    let shown = shown.map_err(|error| Failure::CheckFailed(error.to_string()))?;
    let checkpoint = checkpoint(&settlement.entry.checkpoint)?;
    let content = Content::Transfer(Box::new(shown));
    let body = address(&connection, &args.address, &terms, checkpoint, content).await?;
    let account = secrets.account.public();
    finish(&connection, body, (account, Disclosed::Transfer), &args.address, output).await
}

/// What every packet says about itself.
pub(super) async fn address(
    connection: &Connection,
    args: &AddressArgs,
    terms: &SignedTerms,
    checkpoint: SignedCheckpoint,
    content: Content,
) -> Result<Body, Failure> {
    if args.recipient.is_empty() || args.nonce.is_empty() {
        return Err(Failure::Usage("recipient and nonce must not be empty".into()));
    }
    Ok(Body {
        version: Version,
        custodian: connection.own(),
        recipient: text(&args.recipient, "a recipient")?,
        nonce: text(&args.nonce, "a nonce")?,
        purpose: text(&args.purpose, "a purpose")?,
        made_at: now_ms(),
        core: terms.terms.core.clone(),
        extends: extends(connection, args, terms, &checkpoint).await?,
        checkpoint,
        content,
    })
}

/// A packet, and where the custodian's access log says that it is handed out.
#[derive(Serialize)]
struct Handed {
    #[serde(flatten)]
    packet: PacketView,
    access_entry: u64,
}

/// Signs the packet, verifies it as its recipient will, has it recorded whose it is and for whom, and writes it.
pub(super) async fn finish(
    connection: &Connection,
    body: Body,
    (account, what): (Encoded, Disclosed),
    args: &AddressArgs,
    output: &Output,
) -> Result<(), Failure> {
    let packet: Packet = body.sign(connection.node.identity.key());
    let anchor = match &args.since {
        Some(file) => Anchor::Checkpoint(Box::new(read_checkpoint(file)?)),
        None => Anchor::Asset(packet.body.core.id()),
    };
    let (recipient, nonce) = (args.recipient.clone(), args.nonce.clone());
    let verified = packet.verify(&Expected { recipient, nonce, anchor }, &mut OsRng);
    let verified = verified.map_err(|error| Failure::CheckFailed(error.to_string()))?;
    let view = PacketView::of(&packet, &verified);
    let Body { recipient, purpose, .. } = packet.body.clone();
    let bytes = Bundle::Packet(Box::new(packet)).to_bytes();
    let (asset, file) = (verified.asset, sha256(&bytes));
    let disclosure = Disclosure { asset, account, what, recipient, purpose, file };
    let access_entry = access::disclose(connection, disclosure).await?;
    write_new(&args.out, &bytes)?;
    let text = format!(
        "packet for {:?} written to {}; entry {access_entry} of this node's access log says so",
        args.recipient,
        args.out.display()
    );
    output.result(&Handed { packet: view, access_entry }, &text);
    Ok(())
}

/// The trade with this id that a customer of this custodian received something in.
async fn received(connection: &Connection, id: &str) -> Result<TradeView, Failure> {
    let trades = find(connection, id).await?;
    let received = trades.into_iter().find(|trade| trade.receive.is_some() && trade.tx.is_some());
    received.ok_or_else(|| {
        Failure::CheckFailed(format!(
            "no customer here received anything in a settled trade {id}: see `sudare tx list`; what a customer delivered is shown by who received it"
        ))
    })
}

async fn terms_of(connection: &Connection, trade: &TradeView) -> Result<SignedTerms, Failure> {
    let asset = trade.receive.map(|(asset, _)| asset.to_string()).unwrap_or_default();
    Ok(Directory::load(connection).await?.terms(&asset)?.clone())
}

/// The output that the trade paid to this side, in the registrar's copy of its settlement, with the secrets of its slot.
async fn paid(
    connection: &Connection,
    trade: &TradeView,
    terms: &SignedTerms,
) -> Result<(Settlement, TearOff, SlotSecrets), Failure> {
    let nothing = || {
        let why = "the registrar has no final output of this trade: has it settled?";
        Failure::CheckFailed(why.into())
    };
    let tx = trade.tx.ok_or_else(nothing)?;
    let registrar = terms.terms.core.registrar;
    let answer = connection.peer_query(&registrar, &PeerQuery::Outputs(tx)).await?;
    let PeerAnswer::Outputs(settlements) = answer else {
        return Err(Failure::Node("the registrar answered something else".into()));
    };
    // The initiator sends leg 0 and is paid by leg 1; everybody else is paid by leg 0.
    let paid_by = u8::from(trade.side == Side::Initiator);
    for bytes in &settlements {
        let settlement: Settlement = decode(bytes, "a settlement")?;
        for components in settlement.components.iter().filter(|_| settlement.index == paid_by) {
            let (key, secrets) = slot(connection, &terms.terms, components).await?;
            if key == key_of(trade) {
                return Ok((settlement.clone(), components.clone(), secrets));
            }
        }
    }
    Err(nothing())
}

/// The trade and the secrets of the slot that an output is in.
async fn slot(
    connection: &Connection,
    terms: &AssetTerms,
    components: &TearOff,
) -> Result<(TradeKey, SlotSecrets), Failure> {
    let (_, output) = components.output().map_err(|error| Failure::Node(error.to_string()))?;
    let slot = &output.slot.slot;
    let answer = connection.query(&OperatorQuery::Slot(slot.owner)).await?;
    let OperatorAnswer::Slot(Some((investor, trade))) = answer else {
        return Err(Failure::CheckFailed(
            "an output is in a slot that this node does not remember: recover it first with `sudare keys recover`"
                .into(),
        ));
    };
    let custodian = Custodian {
        network: connection.node.network,
        key: connection.node.identity.key().clone(),
        master: connection.node.seed.clone(),
    };
    let seed = custodian.investor_seed(&investor);
    Ok((trade, seed.slot(terms.asset(), &slot.context.nonce)))
}

fn checkpoint(text: &[u8]) -> Result<SignedCheckpoint, Failure> {
    let parsed = SignedCheckpoint::parse(text);
    parsed.map_err(|error| Failure::Node(format!("the registrar's checkpoint: {error}")))
}

/// The proof that the packet's checkpoint extends the recipient's.
async fn extends(
    connection: &Connection,
    args: &AddressArgs,
    terms: &SignedTerms,
    checkpoint: &SignedCheckpoint,
) -> Result<ConsistencyProof, Failure> {
    let Some(file) = &args.since else { return Ok(ConsistencyProof::default()) };
    let (old, new) = (read_checkpoint(file)?.unverified().size, checkpoint.unverified().size);
    if old >= new {
        return Ok(ConsistencyProof::default());
    }
    let query = PeerQuery::Consistency { asset: terms.terms.asset(), old, new };
    match connection.peer_query(&terms.terms.core.registrar, &query).await? {
        PeerAnswer::Consistency(proof) => Ok(proof),
        _ => Err(Failure::Node("the registrar answered something else".into())),
    }
}
