//! Disclosure packets.

use rand_core::OsRng;
use sudare_api::packet::{
    AccountPacketView, CheckpointView, EventView, OutputView, PacketView, SnapshotView,
};
use sudare_ledger::packet::{Anchor, Expected, Packet, Shown};

use super::{Failure, Output, Report, VerifyArgs, failed, read_checkpoint};

const KIND: &str = "disclosure packet";
const OUTPUT_NOT_SHOWN: &str =
    "anything about other transfers, earlier or later, or whether this note was spent since";
const ACCOUNT_NOT_SHOWN: &str = "that the registrar's snapshots are true, which a replay with parties and links shows; other accounts of the customer";

pub(super) fn verify(args: &VerifyArgs, packet: &Packet, output: &Output) -> Result<(), Failure> {
    args.only(KIND, &["--recipient", "--nonce", "--asset", "--checkpoint", "--from", "--until"])?;
    let (Some(recipient), Some(nonce)) = (args.recipient.clone(), args.nonce.clone()) else {
        return Err(Failure::Usage(
            "a packet is verified with --recipient and --nonce: who you are, and the nonce that you gave its custodian".into(),
        ));
    };
    let verified = packet.verify(&Expected { recipient, nonce, anchor: anchor(args)? }, &mut OsRng);
    let verified = verified.map_err(|error| failed(&args.file, error))?;
    if let Shown::Account(account) = &verified.shown {
        let covers = account.covers(args.from, args.until);
        covers.map_err(|error| failed(&args.file, error))?;
    } else if args.from.is_some() || args.until.is_some() {
        return Err(Failure::Usage(
            "--from and --until ask for an account's period, the packet shows one transfer".into(),
        ));
    }
    let view = PacketView::of(packet, &verified);
    let text = text(&view);
    let (verified, not_shown) = match &view.account {
        None => (
            "the custodian's signature for this recipient and nonce; every approval; the notary's receipt; the components under the leg's root; the entry under the registrar's checkpoint; the amount against the ledger's commitment".to_owned(),
            OUTPUT_NOT_SHOWN,
        ),
        Some(account) => (
            format!(
                "the custodian's signature for this recipient and nonce; both snapshots in the asset's log; {} events, none missing, by the account's chain in the snapshots; what was received as final and in the log, each amount against the ledger's commitment; the holdings at both ends against the snapshots' commitments",
                account.events.len()
            ),
            ACCOUNT_NOT_SHOWN,
        ),
    };
    Report { kind: KIND, view, text, verified, not_shown }.print(output)
}

fn anchor(args: &VerifyArgs) -> Result<Anchor, Failure> {
    if let Some(file) = &args.checkpoint {
        return Ok(Anchor::Checkpoint(Box::new(read_checkpoint(file)?)));
    }
    args.asset()?.map(Anchor::Asset).ok_or_else(|| {
        Failure::Usage(
            "a packet is verified with --checkpoint FILE, a checkpoint that you trust, or at least --asset ID".into(),
        )
    })
}

fn text(view: &PacketView) -> String {
    let PacketView { code, asset, registrar, notary, custodian, .. } = view;
    let CheckpointView { entries, root, .. } = &view.checkpoint;
    let shown = match (&view.output, &view.account) {
        (Some(output), _) => output_text(output),
        (None, Some(account)) => account_text(account),
        (None, None) => String::new(),
    };
    format!(
        "by custodian {custodian}\n\
         for {:?}, nonce {:?}, purpose {:?}, made at {} ms\n\
         asset {code} ({asset}), registrar {registrar}, notary {notary}\n\
         under a checkpoint of {entries} entries of the asset's log, root {root}\n\
         {shown}",
        view.recipient, view.nonce, view.purpose, view.made_at_ms
    )
}

fn output_text(view: &OutputView) -> String {
    let OutputView { entry, transaction, leg, output, time_ms, quantity, .. } = view;
    let trade = match &view.trade {
        Some(trade) => format!(
            "trade {}, delivery date {}, {} {}",
            trade.trade_id, trade.delivery_date, trade.kind, trade.note
        ),
        None => "trade data: not disclosed".to_owned(),
    };
    format!(
        "received: {quantity} atomic units, recorded by the notary at {time_ms} ms\n\
         {trade}\n\
         transaction {transaction}, leg {leg}, output {output}, entry {entry}"
    )
}

fn account_text(view: &AccountPacketView) -> String {
    let name =
        |SnapshotView { number, at_ms }: &SnapshotView| format!("snapshot {number} ({at_ms} ms)");
    let from = view.from.as_ref().map_or_else(|| "the asset's first entry".to_owned(), name);
    let event = |event: &EventView| match event {
        EventView::Received(OutputView { entry, time_ms, quantity, trade, .. }) => {
            let trade = trade.as_ref().map(|trade| format!(", trade {}", trade.trade_id));
            let trade = trade.unwrap_or_default();
            format!("  entry {entry}: received {quantity}, recorded at {time_ms} ms{trade}\n")
        }
        EventView::Spent { entry, quantity, .. } => format!("  entry {entry}: spent {quantity}\n"),
    };
    let events: String = view.events.iter().map(event).collect();
    let AccountPacketView { account, opening, closing, .. } = view;
    format!(
        "account {account}, from {from} until {}\n\
         held at the beginning: {opening} atomic units\n\
         {events}held at the end: {closing} atomic units",
        name(&view.until),
    )
}
