//! `sudare statement offer`, `answer`, `close` and `finish`: two custodians state together that what their customers hold differs by a
//! number, and neither shows the other its total (specs/statements/joint.md).

use std::fs::File;
use std::path::{Path, PathBuf};

use borsh::BorshDeserialize;
use clap::Args;
use rand_core::OsRng;
use sudare_crypto::Encoded;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::proof::amount::Opening;
use sudare_disclosure::AssetTerms;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::note::InvestorSeed;
use sudare_ledger::statement::{
    Agreed, Answer, Answered, Closing, Offer, Offered, OwnAccount, Part, ShownHeading, ShownLeaf,
    Subject,
};

use super::register::missing;
use super::{failed, newest, nonce, record};
use crate::cli::asset::{read, write_new};
use crate::cli::ceremony::{replace_private, write_private};
use crate::cli::connect::Connection;
use crate::cli::trade::text;
use crate::cli::verify::StatementView;
use crate::cli::{Failure, NodeArgs, Output};
use crate::operator::{PeerAnswer, PeerQuery};

/// What to offer.
#[derive(Debug, Args)]
pub(in crate::cli) struct OfferArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The register snapshot.
    #[arg(long, value_name = "NUMBER")]
    snapshot: u32,
    /// An investor's pseudonym; several may be given, and what they hold together counts.
    #[arg(long, required = true)]
    investor: Vec<String>,
    /// That they hold this many atomic units more than the other custodian's; whoever holds less answers.
    #[arg(long, value_name = "UNITS", default_value_t = 0)]
    by: u64,
    /// For whom the statement is, and to what question.
    #[arg(long)]
    recipient: String,
    /// 64 hex digits from whoever asked; random without.
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    #[command(flatten)]
    kept: KeptArgs,
}

/// What to answer.
#[derive(Debug, Args)]
pub(in crate::cli) struct AnswerArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The offer; read what it states before: whoever offered learns whether it is true.
    offer: PathBuf,
    /// An investor's pseudonym; several may be given, and what they hold together counts.
    #[arg(long, required = true)]
    investor: Vec<String>,
    #[command(flatten)]
    kept: KeptArgs,
}

/// What to close, or to finish.
#[derive(Debug, Args)]
pub(in crate::cli) struct EndArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The file that the other custodian sent: an answer to close with, or a closing to finish with.
    file: PathBuf,
    #[command(flatten)]
    kept: KeptArgs,
}

/// What is kept, and what goes out.
#[derive(Debug, Args)]
struct KeptArgs {
    /// What this custodian keeps for the next step: confidential, never to be copied, to be deleted in the end.
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// The file to write for the other custodian; in the end the statement.
    #[arg(long)]
    out: PathBuf,
}

/// A registrar, under one checkpoint of the asset's log.
struct Source<'a> {
    connection: &'a Connection,
    terms: &'a AssetTerms,
    size: u64,
    number: u32,
}

pub(super) async fn offer(args: &OfferArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let found = super::super::account::find_at(&connection, &registrar, &args.asset).await?;
    let terms = &found.terms;
    let checkpoint = newest(&connection, terms).await?;
    let (size, number) = (checkpoint.unverified().size, args.snapshot);
    let source = Source { connection: &connection, terms, size, number };
    let (snapshot, accounts) = source.own(&args.investor).await?;
    let subject = Subject {
        version: Version,
        core: terms.core.clone(),
        checkpoint,
        recipient: text(&args.recipient, "a recipient")?,
        nonce: nonce(args.nonce.as_deref())?,
    };
    let agreed = Agreed { snapshot, by: args.by };
    let offered = Offer::make(subject, agreed, accounts, &mut OsRng).map_err(failed)?;
    write_private(&args.kept.state, &encode(&offered))?;
    let offer = offered.offer();
    let what = format!("offer: {}", said(&offer.agreed, &offer.left, None));
    send(&connection, &args.kept, (&offer.subject, &offer.left), &what, &encode(offer), output)
        .await
}

pub(super) async fn answer(args: &AnswerArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let offer: Offer = decoded(&args.offer, "an offer of `sudare statement offer`")?;
    let core = &offer.subject.core;
    let found =
        super::super::account::find_at(&connection, &core.registrar, core.code.as_str()).await?;
    let terms = &found.terms;
    offer.check(terms.asset(), &mut OsRng).map_err(failed)?;
    let size = offer.subject.checkpoint.unverified().size;
    let number = offer.agreed.snapshot.heading.number;
    let source = Source { connection: &connection, terms, size, number };
    let (snapshot, accounts) = source.own(&args.investor).await?;
    if snapshot != offer.agreed.snapshot {
        let other = "the registrar shows you another register snapshot than the offer has: compare its checkpoints (`sudare checkpoint evidence`)";
        return Err(Failure::CheckFailed(other.into()));
    }
    let answered = offer.answer(accounts, &mut OsRng).map_err(failed)?;
    write_private(&args.kept.state, &encode(&answered))?;
    let (offer, answer) = (answered.offer(), answered.answer());
    let what = format!("answer: {}", said(&offer.agreed, &offer.left, Some(&answer.right)));
    let own = (&offer.subject, &answer.right);
    send(&connection, &args.kept, own, &what, &encode(answer), output).await
}

pub(super) async fn close(args: &EndArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let answer: Answer = decoded(&args.file, "an answer of `sudare statement answer`")?;
    // Two commands at once would both find the offer open ([JNT-3]).
    let _alone = alone(&args.kept.state)?;
    let mut offered: Offered = decoded(&args.kept.state, "what `sudare statement offer` keeps")?;
    let closing = offered.close(&answer, &mut OsRng).map_err(failed)?;
    // The state first: it says which answer the offer was closed with.
    replace_private(&args.kept.state, &encode(&offered))?;
    let offer = offered.offer();
    let what = format!("closing: {}", said(&offer.agreed, &offer.left, Some(&answer.right)));
    let own = (&offer.subject, &offer.left);
    send(&connection, &args.kept, own, &what, &encode(&closing), output).await
}

pub(super) async fn finish(args: &EndArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let closing: Closing = decoded(&args.file, "a closing of `sudare statement close`")?;
    let answered: Answered = decoded(&args.kept.state, "what `sudare statement answer` keeps")?;
    let statement = answered.finish(&closing, &mut OsRng).map_err(failed)?;
    let view = StatementView::of(&statement);
    let bytes = Bundle::Statement(Box::new(statement)).to_bytes();
    let own = (&answered.offer().subject, accounts(&answered.answer().right));
    let recorded = record(&connection, own, &view.statement, &bytes).await?;
    write_new(&args.kept.out, &bytes)?;
    let (said, not_shown, out) = (view.text(), view.not_shown(), args.kept.out.display());
    output.result(&view, &format!("{said}\nwritten to {out}; {recorded}\nnot shown: {not_shown}"));
    Ok(())
}

/// Has it recorded that a file leaves this custodian, and writes it.
async fn send(
    connection: &Connection,
    kept: &KeptArgs,
    (subject, part): (&Subject, &Part),
    what: &str,
    bytes: &[u8],
    output: &Output,
) -> Result<(), Failure> {
    let recorded = record(connection, (subject, accounts(part)), what, bytes).await?;
    write_new(&kept.out, bytes)?;
    let text = format!("{what}\nwritten to {}; {recorded}", kept.out.display());
    output.result(&what, &text);
    Ok(())
}

impl Source<'_> {
    /// The snapshot as the registrar shows it, and where this custodian's investors are in it.
    async fn own(&self, investors: &[String]) -> Result<(ShownHeading, Vec<OwnAccount>), Failure> {
        let (mut snapshot, mut accounts) = (None, Vec::new());
        for investor in investors {
            let investor = text(investor, "an investor's pseudonym")?;
            let seed = InvestorSeed::of(&self.connection.node.seed, &investor);
            let key = seed.account(self.terms.asset());
            let ShownLeaf { shown, located, holding } = self.leaf(key.public()).await?;
            let opening = holding.map(|(value, blinding)| Opening { value, blinding: blinding.0 });
            accounts.push(OwnAccount { located, opening, key });
            snapshot = Some(shown);
        }
        let none = || Failure::Usage("name at least one --investor".into());
        Ok((snapshot.ok_or_else(none)?, accounts))
    }

    async fn leaf(&self, account: Encoded) -> Result<ShownLeaf, Failure> {
        let (asset, number, size) = (self.terms.asset(), self.number, self.size);
        let query = PeerQuery::RegisterLeaf { asset, account, number, size };
        let answer = self.connection.peer_query(&self.terms.core.registrar, &query).await?;
        let PeerAnswer::RegisterLeaf(found) = answer else {
            return Err(Failure::Node("the registrar answered something else".into()));
        };
        found.map(|found| *found).ok_or_else(|| missing(number))
    }
}

fn accounts(part: &Part) -> Vec<Encoded> {
    part.accounts.iter().map(|located| located.account).collect()
}

fn said(agreed: &Agreed, left: &Part, right: Option<&Part>) -> String {
    let number = agreed.snapshot.heading.number;
    let left = left.accounts.len();
    let right = right.map_or("those of another custodian".to_owned(), |right| {
        format!("{} account(s) of another custodian", right.accounts.len())
    });
    format!("in snapshot {number} {left} account(s) hold what {right} hold and {} more", agreed.by)
}

/// Keeps every other command from using a state file meanwhile.
fn alone(path: &Path) -> Result<File, Failure> {
    let file = File::open(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    let used = |_| {
        Failure::CheckFailed(format!(
            "{}: another command is using it: wait for it",
            path.display()
        ))
    };
    file.try_lock().map_err(used)?;
    Ok(file)
}

fn decoded<T: BorshDeserialize>(path: &Path, what: &'static str) -> Result<T, Failure> {
    let bytes = read(path)?;
    decode(&bytes, what)
        .map_err(|_| Failure::CheckFailed(format!("{}: not {what}", path.display())))
}
