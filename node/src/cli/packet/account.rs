//! `sudare packet account`: one account between two register snapshots.

use clap::Args;
use rand_core::OsRng;
use sudare_crypto::encoding::decode;
use sudare_crypto::{Bounded, Encoded, NodeId};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::access::Disclosed;
use sudare_ledger::custodian::Custodian;
use sudare_ledger::messages::Settlement;
use sudare_ledger::note::InvestorSeed;
use sudare_ledger::packet::{
    Content, ShownAccount, ShownEvent, ShownOutput, ShownSnapshot, still_held,
};
use sudare_ledger::snapshot::AccountEvent;
use sudare_ledger::tree::SignedCheckpoint;

use super::{AddressArgs, address, finish};
use crate::cli::account::Directory;
use crate::cli::connect::Connection;
use crate::cli::trade::text;
use crate::cli::{Failure, Output};
use crate::operator::{PeerAnswer, PeerQuery};

/// A packet of one account.
#[derive(Debug, Args)]
pub(in crate::cli) struct AccountArgs {
    #[command(flatten)]
    address: AddressArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The investor's pseudonym.
    #[arg(long)]
    investor: String,
    /// The snapshot that the period begins with; without one it begins with the asset.
    #[arg(long, value_name = "NUMBER")]
    from: Option<u32>,
    /// The snapshot that the period ends with; the newest without.
    #[arg(long, value_name = "NUMBER")]
    until: Option<u32>,
    /// Show no trade data.
    #[arg(long)]
    without_trade: bool,
}

/// An account at its registrar, seen under one checkpoint.
struct Source<'a> {
    connection: &'a Connection,
    registrar: NodeId,
    asset: AssetId,
    account: Encoded,
    seed: InvestorSeed,
    size: u64,
    with_trade: bool,
}

pub(super) async fn run(args: AccountArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.address.node.config)?;
    let terms = Directory::load(&connection).await?.terms(&args.asset)?.clone();
    let checkpoint = newest(&connection, &terms).await?;
    let custodian = Custodian {
        network: connection.node.network,
        key: connection.node.identity.key().clone(),
        master: connection.node.seed.clone(),
    };
    let seed = custodian.investor_seed(&text(&args.investor, "an investor's pseudonym")?);
    let asset = terms.terms.asset();
    let source = Source {
        connection: &connection,
        registrar: terms.terms.core.registrar,
        asset,
        account: seed.account(asset).public(),
        seed,
        size: checkpoint.unverified().size,
        with_trade: !args.without_trade,
    };
    let account = source.account;
    let shown = source.shown(args.from, args.until).await?;
    let content = Content::Account(Box::new(shown));
    let mut body = address(&connection, &args.address, &terms, checkpoint, content).await?;
    body.locate(&source.seed.account(asset), &mut OsRng)?;
    finish(&connection, body, (account, Disclosed::Account), &args.address, output).await
}

async fn newest(connection: &Connection, terms: &SignedTerms) -> Result<SignedCheckpoint, Failure> {
    let query = PeerQuery::AssetCheckpoint(terms.terms.asset());
    match connection.peer_query(&terms.terms.core.registrar, &query).await? {
        PeerAnswer::Checkpoint(checkpoint) => Ok(checkpoint),
        _ => Err(strange()),
    }
}

impl Source<'_> {
    async fn shown(&self, from: Option<u32>, until: Option<u32>) -> Result<ShownAccount, Failure> {
        let from = match from {
            Some(number) => Some(self.snapshot(Some(number)).await?),
            None => None,
        };
        let until = self.snapshot(until).await?;
        let events = self.events(until.leaf.chain.count).await?;
        let begin = from.as_ref().map_or(0, |from| from.leaf.chain.count);
        let begin = usize::try_from(begin).unwrap_or(usize::MAX);
        let (before, period) = events.split_at_checked(begin).ok_or_else(|| {
            Failure::CheckFailed("the period ends before it begins: choose a later --until".into())
        })?;
        let mut held = Vec::new();
        for event in still_held(before) {
            if let ShownEvent::Received(output) = self.event(&event).await? {
                held.push(*output);
            }
        }
        let mut shown = Vec::with_capacity(period.len());
        for event in period {
            shown.push(self.event(event).await?);
        }
        let too_many = |_| {
            let why = "the account has too many events for one packet: choose a shorter period, with --from and --until";
            Failure::CheckFailed(why.into())
        };
        let held = Bounded::new(held).map_err(too_many)?;
        let events = Bounded::new(shown).map_err(too_many)?;
        Ok(ShownAccount { from, until, held, events, own: Bounded::default() })
    }

    async fn snapshot(&self, number: Option<u32>) -> Result<ShownSnapshot, Failure> {
        let (asset, account, size) = (self.asset, self.account, self.size);
        let query = PeerQuery::AccountSnapshot { asset, account, number, size };
        let answer = self.connection.peer_query(&self.registrar, &query).await?;
        let PeerAnswer::AccountSnapshot(shown) = answer else { return Err(strange()) };
        shown.map(|shown| *shown).ok_or_else(|| {
            Failure::CheckFailed(
                "there is no such register snapshot, or the account had no event before it: leave out --from, or ask the registrar to take one with `sudare register snapshot`"
                    .into(),
            )
        })
    }

    /// The account's first events, so many.
    async fn events(&self, count: u64) -> Result<Vec<AccountEvent>, Failure> {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut events = Vec::new();
        while events.len() < count {
            let from = u64::try_from(events.len()).unwrap_or(u64::MAX);
            let query = PeerQuery::AccountEvents { asset: self.asset, account: self.account, from };
            let answer = self.connection.peer_query(&self.registrar, &query).await?;
            let PeerAnswer::AccountEvents(page) = answer else { return Err(strange()) };
            if page.is_empty() {
                return Err(Failure::CheckFailed(
                    "the registrar gives fewer events than its snapshot counts: ask it for the rest".into(),
                ));
            }
            events.extend(page);
        }
        events.truncate(count);
        Ok(events)
    }

    async fn event(&self, event: &AccountEvent) -> Result<ShownEvent, Failure> {
        let (entry, output) = match *event {
            AccountEvent::Received { entry, output, .. } => (entry, output),
            AccountEvent::Spent { entry, input, note } => {
                return Ok(ShownEvent::Spent { entry, input, note });
            }
        };
        let query = PeerQuery::OutputsAt { asset: self.asset, entry, size: self.size };
        let answer = self.connection.peer_query(&self.registrar, &query).await?;
        let PeerAnswer::Outputs(settlements) = answer else { return Err(strange()) };
        for bytes in &settlements {
            let settlement: Settlement = decode(bytes, "a settlement")?;
            for components in settlement.components.iter() {
                let (number, part) = components.output().map_err(|_| strange())?;
                if number == output {
                    let nonce = &part.slot.slot.context.nonce;
                    let secrets = self.seed.slot(self.asset, nonce);
                    let shown = ShownOutput::of(&settlement, components, &secrets, self.with_trade);
                    let shown = shown.map_err(|error| Failure::CheckFailed(error.to_string()))?;
                    return Ok(ShownEvent::Received(Box::new(shown)));
                }
            }
        }
        Err(Failure::CheckFailed(format!(
            "the registrar's chain of the account has output {output} of entry {entry}, which it does not give: ask it why"
        )))
    }
}

fn strange() -> Failure {
    Failure::Node("the registrar answered something else".into())
}
