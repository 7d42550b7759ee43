//! `sudare statement`: what a custodian's clients hold, stated without showing it, and verified offline (specs/statements.md).

mod joint;
mod register;

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use rand_core::{OsRng, RngCore};
use sudare_crypto::encoding::{Version, decode};
use sudare_crypto::proof::statement::Kind;
use sudare_crypto::{Encoded, Hash};
use sudare_disclosure::AssetTerms;
use sudare_ledger::access::{Disclosed, Disclosure, sha256};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::messages::Settlement;
use sudare_ledger::note::InvestorSeed;
use sudare_ledger::statement::{Notes, Owned, Shown, Statement, StatementError, Subject};
use sudare_ledger::tree::SignedCheckpoint;

use super::asset::write_new;
use super::connect::Connection;
use super::trade::text;
use super::verify::{StatementView, VerifyArgs};
use super::{Failure, NodeArgs, Output};
use crate::access;
use crate::operator::{PeerAnswer, PeerQuery};

/// `sudare statement`.
#[derive(Debug, Subcommand)]
pub(super) enum StatementCommand {
    /// State something of what investors hold: of notes that the registrar counts as live now, or of a register snapshot.
    Make(MakeArgs),
    /// Offer another custodian to state together that what your customers hold in a register snapshot differs by a number: neither
    /// shows the other its total.
    Offer(joint::OfferArgs),
    /// Answer another custodian's offer.
    Answer(joint::AnswerArgs),
    /// Close an offer with the answer to it, if what it states is true.
    Close(joint::EndArgs),
    /// Make the statement of the closing that answers yours.
    Finish(joint::EndArgs),
    /// The same as `sudare verify`.
    Verify(VerifyArgs),
}

/// What to state, of what, and for whom.
#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// An investor's pseudonym; of a snapshot several may be given, and what they hold together counts.
    #[arg(long)]
    investor: Vec<String>,
    #[command(flatten)]
    register: register::RegisterArgs,
    #[command(flatten)]
    says: SaysArgs,
    /// For whom, and to what question: part of what is proved.
    #[arg(long)]
    recipient: String,
    /// 64 hex digits from whoever asked, so that the statement can't have been made before; random without.
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

/// What to state.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("kind").required(true).args(["at_least", "at_most", "between", "exactly", "share", "supply", "absent"])))]
pub(super) struct SaysArgs {
    /// That it is at least this many atomic units; of a change also below zero.
    #[arg(long, value_name = "UNITS", allow_hyphen_values = true)]
    at_least: Option<i128>,
    /// That it is at most this many atomic units.
    #[arg(long, value_name = "UNITS", allow_hyphen_values = true)]
    at_most: Option<i128>,
    /// That it is from LOW to HIGH atomic units.
    #[arg(long, value_name = "LOW,HIGH", allow_hyphen_values = true)]
    between: Option<String>,
    /// That it is this many atomic units; with --less-investor or --less-account, that two totals differ by that, or are equal.
    #[arg(long, value_name = "UNITS", allow_hyphen_values = true)]
    exactly: Option<i128>,
    /// That it is at least P/Q of the units given with --of, or of a snapshot's supply.
    #[arg(long, value_name = "P/Q")]
    share: Option<String>,
    /// The atomic units that --share is of; in clear in the statement.
    #[arg(long, value_name = "UNITS", requires = "share")]
    of: Option<u64>,
    /// At the registrar: that all holdings of a snapshot are what was minted less what was burned.
    #[arg(long, requires = "snapshot")]
    supply: bool,
    /// That none of the accounts has a leaf in the snapshot: nothing ever happened to it before.
    #[arg(long, requires = "snapshot")]
    absent: bool,
}

pub(super) async fn run(command: StatementCommand, output: &Output) -> Result<(), Failure> {
    match command {
        StatementCommand::Make(args) => make(&args, output).await,
        StatementCommand::Offer(args) => joint::offer(&args, output).await,
        StatementCommand::Answer(args) => joint::answer(&args, output).await,
        StatementCommand::Close(args) => joint::close(&args, output).await,
        StatementCommand::Finish(args) => joint::finish(&args, output).await,
        StatementCommand::Verify(args) => super::verify::run(&args, output),
    }
}

async fn make(args: &MakeArgs, output: &Output) -> Result<(), Failure> {
    let nonce = nonce(args.nonce.as_deref())?;
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let terms = super::account::find_at(&connection, &registrar, &args.asset).await?.terms;
    let recipient = text(&args.recipient, "a recipient")?;
    let core = terms.core.clone();
    let subject = |checkpoint| Subject { version: Version, core, checkpoint, recipient, nonce };
    let statement = match args.register.snapshot() {
        None => of_notes(args, &connection, &terms, subject).await?,
        Some(number) => {
            let subject = (subject(newest(&connection, &terms).await?), number);
            register::make(args, &connection, &terms, subject).await?
        }
    };
    statement.verify(terms.asset(), None, &mut OsRng).map_err(failed)?;
    finish(args, &connection, statement, output).await
}

/// The newest checkpoint of the asset's log.
async fn newest(connection: &Connection, terms: &AssetTerms) -> Result<SignedCheckpoint, Failure> {
    let query = PeerQuery::AssetCheckpoint(terms.asset());
    match connection.peer_query(&terms.core.registrar, &query).await? {
        PeerAnswer::Checkpoint(checkpoint) => Ok(checkpoint),
        _ => Err(Failure::Node("the registrar answered something else".into())),
    }
}

/// Has the statement recorded for each account that it is of, and writes it.
async fn finish(
    args: &MakeArgs,
    connection: &Connection,
    statement: Statement,
    output: &Output,
) -> Result<(), Failure> {
    let (view, accounts) = (StatementView::of(&statement), statement.accounts());
    let subject = statement.subject.clone();
    let bytes = Bundle::Statement(Box::new(statement)).to_bytes();
    let of = (&subject, accounts.into_iter().collect());
    let recorded = record(connection, of, &view.statement, &bytes).await?;
    write_new(&args.out, &bytes)?;
    let (said, not_shown) = (view.text(), view.not_shown());
    let out = args.out.display();
    output.result(&view, &format!("{said}\nwritten to {out}; {recorded}\nnot shown: {not_shown}"));
    Ok(())
}

/// Has a file that says something of these accounts recorded, for each of them, before it leaves; gives where.
async fn record(
    connection: &Connection,
    (subject, accounts): (&Subject, Vec<Encoded>),
    said: &str,
    bytes: &[u8],
) -> Result<String, Failure> {
    let asset = subject.core.id();
    let mut recorded = "no access log says so: it shows nobody's account".to_owned();
    for account in accounts {
        // The file says the rest.
        let said: String = said.chars().take(140).collect();
        let (what, purpose) = (Disclosed::Statement, text(&said, "what is stated")?);
        let (recipient, file) = (subject.recipient.clone(), sha256(bytes));
        let disclosure = Disclosure { asset, account, what, recipient, purpose, file };
        let entry = access::disclose(connection, disclosure).await?;
        recorded = format!("entry {entry} of this node's access log says so");
    }
    Ok(recorded)
}

/// A statement about all live notes of one investor.
async fn of_notes(
    args: &MakeArgs,
    connection: &Connection,
    terms: &AssetTerms,
    subject: impl FnOnce(SignedCheckpoint) -> Subject,
) -> Result<Statement, Failure> {
    let [investor] = args.investor.as_slice() else {
        let usage = "name one --investor, or several of a register snapshot with --snapshot";
        return Err(Failure::Usage(usage.into()));
    };
    if args.says.is_share() && args.says.of.is_none() {
        let usage = "--share of notes needs --of; of a snapshot it is of the supply";
        return Err(Failure::Usage(usage.into()));
    }
    let (kind, clear) = args.says.kind()?;
    let investor = text(investor, "an investor's pseudonym")?;
    let seed = InvestorSeed::of(&connection.node.seed, &investor);
    let Some((checkpoint, owned)) = live(connection, terms, &seed).await? else {
        return Err(Failure::Usage(format!("{investor} has no live notes of {}", args.asset)));
    };
    let account = Some(seed.account(terms.asset()).public());
    let right = (&[][..], args.says.of.unwrap_or(0));
    let left = (owned.as_slice(), clear);
    Notes::make(subject(checkpoint), account, kind, left, right, &mut OsRng).map_err(failed)
}

/// The live notes of an investor as the registrar shows them, all under one checkpoint; none if there is none.
async fn live(
    connection: &Connection,
    terms: &AssetTerms,
    seed: &InvestorSeed,
) -> Result<Option<(SignedCheckpoint, Vec<Owned>)>, Failure> {
    let asset = terms.asset();
    let mut found: Option<(SignedCheckpoint, Vec<Owned>)> = None;
    let mut from = 0;
    loop {
        let query = PeerQuery::OwnOutputs { asset, from };
        let answer = connection.peer_query(&terms.core.registrar, &query).await?;
        let PeerAnswer::OwnOutputs { settlements, next } = answer else {
            return Err(Failure::Node("the registrar answered something else".into()));
        };
        for bytes in &settlements {
            let settlement: Settlement = decode(bytes, "a settlement")?;
            let (checkpoint, shown) = Shown::of(&settlement).map_err(failed)?;
            let mut parts = settlement.components.iter();
            for shown in shown {
                let Some(part) = parts.next() else { break };
                let (_, output) = part.output().map_err(|_| bad_settlement())?;
                let nonce = output.slot.slot.context.nonce;
                let secrets = seed.slot(asset, &nonce);
                if secrets.owner() != output.slot.slot.owner {
                    continue;
                }
                let received = part.receive(terms, &secrets).map_err(|_| bad_settlement())?;
                let (under, owned) = found.get_or_insert_with(|| (checkpoint.clone(), Vec::new()));
                if *under != checkpoint {
                    let grew = "the asset's log grew meanwhile: run the command again";
                    return Err(Failure::Node(grew.into()));
                }
                owned.push(Owned { shown, opening: received.opening, secrets: Some(secrets) });
            }
        }
        if next == from {
            return Ok(found);
        }
        from = next;
    }
}

impl SaysArgs {
    const fn is_share(&self) -> bool {
        self.share.is_some()
    }

    /// The kind, and the units in clear that are added to the left total so that no bound is below zero.
    fn kind(&self) -> Result<(Kind, u64), Failure> {
        if let Some(bound) = self.at_least {
            let (bound, clear) = raised(bound)?;
            return Ok((Kind::AtLeast { bound }, clear));
        }
        if let Some(bound) = self.at_most {
            let (bound, clear) = raised(bound)?;
            return Ok((Kind::AtMost { bound }, clear));
        }
        if let Some(pair) = &self.between {
            let (low, high) = numbers(pair, ',')?;
            let (low, clear) = raised(low)?;
            let high = high.checked_add(clear.into()).and_then(|high| u64::try_from(high).ok());
            let high = high.ok_or_else(|| Failure::Usage(format!("{pair} is no range")))?;
            return Ok((Kind::Between { low, high }, clear));
        }
        if let Some(pair) = &self.share {
            let (numerator, denominator) = numbers(pair, '/')?;
            return Ok((Kind::Share { numerator, denominator }, 0));
        }
        let (by, clear) = raised(self.exactly.unwrap_or(0))?;
        Ok((Kind::Differ { by }, clear))
    }
}

/// A bound as it stands in a statement, and what is added to the left total for that.
fn raised(bound: i128) -> Result<(u64, u64), Failure> {
    let magnitude = u64::try_from(bound.unsigned_abs());
    let magnitude = magnitude.map_err(|_| Failure::Usage(format!("{bound} is beyond 64 bits")))?;
    Ok(if bound < 0 { (0, magnitude) } else { (magnitude, 0) })
}

fn numbers<T: std::str::FromStr>(pair: &str, between: char) -> Result<(T, T), Failure> {
    let usage = || Failure::Usage(format!("{pair} is not two numbers"));
    let (one, other) = pair.split_once(between).ok_or_else(usage)?;
    let number = |text: &str| text.trim().parse().map_err(|_| usage());
    Ok((number(one)?, number(other)?))
}

fn nonce(given: Option<&str>) -> Result<[u8; 32], Failure> {
    let Some(hex) = given else {
        let mut fresh = [0; 32];
        OsRng.fill_bytes(&mut fresh);
        return Ok(fresh);
    };
    let nonce = Hash::from_hex(hex);
    Ok(nonce.ok_or_else(|| Failure::Usage(format!("{hex} is not 64 hex digits")))?.0)
}

fn failed(error: StatementError) -> Failure {
    Failure::CheckFailed(error.to_string())
}

fn bad_settlement() -> Failure {
    Failure::Node("the registrar's copy of an output does not open: replay the asset's log".into())
}
