//! Statements about the register, from one of its snapshots or two: by a custodian of its own accounts, or by the registrar of any.

use std::collections::BTreeMap;

use clap::Args;
use rand_core::OsRng;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::{Encoded, Hash, Secret};
use sudare_disclosure::{AssetId, AssetTerms};
use sudare_ledger::note::InvestorSeed;
use sudare_ledger::registrar::SnapshotSecrets;
use sudare_ledger::statement::{
    Maker, Register, ShownHeading, ShownLeaf, Statement, Subject, Term, Wanted, Witnessed,
};

use super::{MakeArgs, failed};
use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::cli::trade::text;
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery};

/// Of which snapshots and accounts a statement about the register is.
#[derive(Debug, Args)]
pub(super) struct RegisterArgs {
    /// State it of this register snapshot instead of notes.
    #[arg(long, value_name = "NUMBER")]
    snapshot: Option<u32>,
    /// State it of the change since this earlier snapshot.
    #[arg(long, value_name = "NUMBER", requires = "snapshot")]
    since: Option<u32>,
    /// At the registrar: an account, 64 hexadecimal digits; may be given several times.
    #[arg(long, value_name = "HEX", requires = "snapshot")]
    account: Vec<String>,
    /// Less what this investor holds; may be given several times.
    #[arg(long, value_name = "INVESTOR", requires = "snapshot")]
    less_investor: Vec<String>,
    /// At the registrar: less what this account holds; may be given several times.
    #[arg(long, value_name = "HEX", requires = "snapshot")]
    less_account: Vec<String>,
}

impl RegisterArgs {
    /// Which snapshot, if it is one.
    pub(super) const fn snapshot(&self) -> Option<u32> {
        self.snapshot
    }
}

/// A registrar as whoever makes a statement meets it.
struct Source<'a> {
    connection: &'a Connection,
    terms: &'a AssetTerms,
    asset: AssetId,
    size: u64,
    maker: Maker,
    snapshots: BTreeMap<u32, Seen>,
}

/// A snapshot of the statement.
struct Seen {
    shown: ShownHeading,
    /// Of the registrar alone.
    secrets: Option<SnapshotSecrets>,
}

/// An account, with its key if it is the custodian's.
#[derive(Clone)]
struct Account {
    point: Encoded,
    key: Option<Secret>,
}

/// Makes what the arguments ask for, of the snapshot with this number.
pub(super) async fn make(
    args: &MakeArgs,
    connection: &Connection,
    terms: &AssetTerms,
    (subject, number): (Subject, u32),
) -> Result<Statement, Failure> {
    let own = terms.core.registrar == connection.own();
    let mut source = Source {
        connection,
        terms,
        asset: terms.asset(),
        size: subject.checkpoint.unverified().size,
        maker: if own { Maker::Registrar } else { Maker::Custodian },
        snapshots: BTreeMap::new(),
    };
    let mut numbers: Vec<u32> = args.register.since.into_iter().chain([number]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    if args.register.since.is_some_and(|since| since >= number) {
        return Err(Failure::Usage("--since is not before --snapshot".into()));
    }
    if own {
        for number in &numbers {
            source.open(*number).await?;
        }
    }
    let wanted = source.wanted(args, &numbers).await?;
    let shown = source.snapshots.into_values().map(|seen| seen.shown).collect();
    Register::make(subject, source.maker, shown, wanted, &mut OsRng).map_err(failed)
}

impl Source<'_> {
    async fn wanted(&mut self, args: &MakeArgs, numbers: &[u32]) -> Result<Wanted, Failure> {
        let RegisterArgs { since, account, less_investor, less_account, .. } = &args.register;
        let accounts = self.accounts(&args.investor, account)?;
        let less = self.accounts(less_investor, less_account)?;
        let last = numbers.last().copied().unwrap_or_default();
        let here = u8::from(since.is_some());
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for account in &accounts {
            left.push(self.located(account, last, here).await?);
        }
        for account in &less {
            right.push(self.located(account, last, here).await?);
        }
        if let Some(since) = since {
            for account in &accounts {
                right.push(self.located(account, *since, 0).await?);
            }
            for account in &less {
                left.push(self.located(account, *since, 0).await?);
            }
        }
        if args.says.absent {
            let alone = less.is_empty() && since.is_none();
            let usage = "--absent is said of accounts in one snapshot: leave out the others";
            return if alone {
                Ok(Wanted::Absent(left))
            } else {
                Err(Failure::Usage(usage.into()))
            };
        }
        let plain = |term| Witnessed { term, opening: None, secret: None };
        if args.says.supply {
            let usage = "--supply is said of a whole register by its registrar: name no account";
            let secrets = self.snapshots.get(&last).and_then(|seen| seen.secrets.as_ref());
            let Some(secrets) = secrets.filter(|_| left.is_empty() && right.is_empty()) else {
                return Err(Failure::Usage(usage.into()));
            };
            let (value, blinding) = (secrets.shown.heading.supply, secrets.blinding.0);
            let opening = Some(Opening { value, blinding });
            left.push(Witnessed { term: Term::Register(here), opening, secret: None });
            right.push(plain(Term::Supply(here)));
        }
        let (kind, clear) = args.says.kind()?;
        if args.says.is_share() && args.says.of.is_none() {
            right.push(plain(Term::Supply(here)));
        }
        Ok(Wanted::Totals(kind, (left, clear), (right, args.says.of.unwrap_or(0))))
    }

    /// The accounts that are named by investors, at a custodian, or by themselves, at the registrar.
    fn accounts(&self, investors: &[String], named: &[String]) -> Result<Vec<Account>, Failure> {
        let (foreign, usage) = match self.maker {
            Maker::Custodian => (named, "a custodian names its investors: use --investor"),
            Maker::Registrar => (investors, "a registrar names accounts: use --account"),
        };
        if !foreign.is_empty() {
            return Err(Failure::Usage(usage.into()));
        }
        let mut accounts = Vec::new();
        for investor in investors {
            let investor = text(investor, "an investor's pseudonym")?;
            let seed = InvestorSeed::of(&self.connection.node.seed, &investor);
            let key = seed.account(self.asset);
            accounts.push(Account { point: key.public(), key: Some(key) });
        }
        for hex in named {
            let usage =
                || Failure::Usage(format!("{hex} is not an account: 64 hexadecimal digits"));
            let bytes = Hash::from_hex(hex).ok_or_else(usage)?.0;
            let point = Encoded::from_bytes(bytes).map_err(|_| usage())?;
            accounts.push(Account { point, key: None });
        }
        Ok(accounts)
    }

    /// The registrar's own snapshot.
    async fn open(&mut self, number: u32) -> Result<(), Failure> {
        let (asset, size) = (self.asset, self.size);
        let query = OperatorQuery::SnapshotSecrets { asset, number, size };
        let OperatorAnswer::SnapshotSecrets(found) = self.connection.query(&query).await? else {
            return Err(Failure::Node("the node is not a registrar".into()));
        };
        let secrets = *found.ok_or_else(|| missing(number))?;
        let shown = secrets.shown.clone();
        self.snapshots.insert(number, Seen { shown, secrets: Some(secrets) });
        Ok(())
    }

    /// Where an account is in a snapshot, with all that its holder or the registrar knows of it.
    async fn located(
        &mut self,
        account: &Account,
        number: u32,
        here: u8,
    ) -> Result<Witnessed, Failure> {
        let (asset, size) = (self.asset, self.size);
        let query = PeerQuery::RegisterLeaf { asset, account: account.point, number, size };
        let registrar = self.terms.core.registrar;
        let answer = self.connection.peer_query(&registrar, &query).await?;
        let PeerAnswer::RegisterLeaf(found) = answer else {
            return Err(Failure::Node("the registrar answered something else".into()));
        };
        let ShownLeaf { shown, mut located, holding } = *found.ok_or_else(|| missing(number))?;
        let seen = self.snapshots.entry(number).or_insert(Seen { shown, secrets: None });
        let locating = seen.secrets.as_ref().map(|secrets| secrets.locating.clone());
        located.snapshot = here;
        let opening = holding.map(|(value, blinding)| Opening { value, blinding: blinding.0 });
        let secret = account.key.clone().or(locating);
        Ok(Witnessed { term: Term::Account(located), opening, secret })
    }
}

pub(super) fn missing(number: u32) -> Failure {
    Failure::CheckFailed(format!(
        "the registrar has no register snapshot {number}, or an account is not registered there: ask it to take one with `sudare register snapshot`, and see `sudare account list`"
    ))
}
