//! Statements about a register of a thousand accounts: what making and verifying each costs, and their bytes.

use sudare_crypto::encoding::Version;
use sudare_crypto::point::commit;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::statement::Kind;
use sudare_crypto::{Encoded, Hash, RistrettoPoint, Scalar, Secret};
use sudare_disclosure::{AssetId, AssetTerms};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::packet::Place;
use sudare_ledger::snapshot::{
    AccountRow, Chain, Heading, Leaves, SnapshotSeed, SumNode, SumPath, locator,
};
use sudare_ledger::statement::{
    Located, Maker, Register, ShownHeading, Statement, Subject, Term, Wanted, Witnessed,
};
use sudare_ledger::testing::{self, NOW, Network};
use sudare_ledger::tree::{Checkpoint, MemoryTree};

use super::clock::{Action, medians_of};
use super::depth::origin;
use super::{Failed, Report, fixture};

/// Accounts of the register, whose keys are 1, 2, and so on.
const ACCOUNTS: u64 = 1_000;
/// What each holds.
const HELD: u64 = 7;

/// What is stated, of the first accounts.
#[derive(Clone, Copy)]
enum Stated {
    /// Of so many together, that they hold at least something.
    AtLeast(u64),
    /// Of one, that it holds a share of the supply.
    Share,
    /// Of two, that they hold the same.
    Equal,
    /// Of one more, that it is no holder.
    Absent,
}

/// What is stated, with the names of what making it, verifying it and its bytes are.
const CASES: [(Stated, [&str; 3], &str); 5] = [
    (
        Stated::AtLeast(1),
        ["statement_bound_make_us", "statement_bound_verify_us", "statement_bound_bytes"],
        "an account holds at least",
    ),
    (
        Stated::Share,
        ["statement_share_make_us", "statement_share_verify_us", "statement_share_bytes"],
        "an account holds a share of the supply",
    ),
    (
        Stated::Equal,
        ["statement_equal_make_us", "statement_equal_verify_us", "statement_equal_bytes"],
        "two accounts hold the same",
    ),
    (
        Stated::Absent,
        ["statement_absent_make_us", "statement_absent_verify_us", "statement_absent_bytes"],
        "an account is no holder",
    ),
    (
        Stated::AtLeast(100),
        ["statement_sum_make_us", "statement_sum_verify_us", "statement_sum_bytes"],
        "a hundred accounts together hold at least",
    ),
];

/// A snapshot in a log of its own.
struct World {
    asset: AssetId,
    leaves: Leaves,
    seed: SnapshotSeed,
    shown: ShownHeading,
    subject: Subject,
}

/// Measures each case.
pub(super) fn add(report: &mut Report, rounds: usize) -> Result<(), Failed> {
    let world = World::new()?;
    let mut files = Vec::new();
    for (stated, ..) in CASES {
        files.push(Bundle::Statement(Box::new(world.make(stated)?)).to_bytes());
    }
    let maker = |stated: Stated| {
        let world = &world;
        move || world.make(stated).map(drop)
    };
    let mut makers: Vec<_> = CASES.iter().map(|(stated, ..)| maker(*stated)).collect();
    let made: Vec<f64> =
        medians_of(rounds, makers.iter_mut().map(|one| one as Action<'_>))?.collect();
    let mut verifiers: Vec<_> = files.iter().map(|file| || world.verify(file)).collect();
    let verified: Vec<f64> =
        medians_of(rounds, verifiers.iter_mut().map(|one| one as Action<'_>))?.collect();
    let (mut made, mut verified) = (made.into_iter(), verified.into_iter());
    let mut files = files.iter();
    for (_, [make, verify, bytes], what) in CASES {
        let (made, verified) = (made.next(), verified.next());
        let made = made.unwrap_or(f64::NAN);
        report.value(make, made, "us", format!("stated of a register: {what}"));
        report.value(verify, verified.unwrap_or(f64::NAN), "us", "the same parsed and verified");
        let length = files.next().map_or(0, Vec::len);
        report.value(bytes, super::disclosure::count(length), "B", "its file");
    }
    Ok(())
}

fn key(number: u64) -> Secret {
    Secret(Scalar::from(number.saturating_add(1)))
}

fn wrong(error: impl std::fmt::Display) -> Failed {
    Failed::Wrong(error.to_string())
}

impl World {
    fn new() -> Result<Self, Failed> {
        let (network, mut rng) = (Network::new(), testing::rng(9));
        let terms: AssetTerms = fixture::terms(&network, 1, &mut rng);
        let seed = SnapshotSeed::random(&mut rng);
        let sum: RistrettoPoint = commit(HELD, &Scalar::ZERO);
        let row =
            |number| AccountRow { account: key(number).public(), chain: Chain::default(), sum };
        let rows: Vec<AccountRow> = (0..ACCOUNTS).map(row).collect();
        let leaves = seed.leaves(&rows).map_err(wrong)?;
        let supply = ACCOUNTS.saturating_mul(HELD);
        let heading = Heading {
            version: Version,
            network: terms.core.network,
            asset: terms.asset(),
            terms: terms.hash(),
            epoch: 0,
            number: 0,
            at: NOW,
            leaves: leaves.size(),
            minted: supply.into(),
            supply,
            locators: leaves.locators,
            root: leaves.root().ok_or_else(|| wrong("no root"))?,
            nonce: [1; 32],
        };
        let body = Hash::default();
        let log = MemoryTree::from_leaves(&[heading.leaf(body).hash()])?;
        let checkpoint = Checkpoint { origin: origin(&terms)?, size: 1, root: log.root(1)? };
        let registrar = &network.registrar;
        let checkpoint = checkpoint.sign(&registrar.id(), |text| registrar.sign_raw(text))?;
        let place = Place { entry: 0, body, path: log.inclusion(0, 1)? };
        let subject = Subject {
            version: Version,
            core: terms.core.clone(),
            checkpoint,
            recipient: testing::text("Example Authority"),
            nonce: [7; 32],
        };
        let shown = ShownHeading { heading, place };
        Ok(Self { asset: terms.asset(), leaves, seed, shown, subject })
    }

    fn make(&self, stated: Stated) -> Result<Statement, Failed> {
        let side = |range: std::ops::Range<u64>| {
            range.map(|number| self.account(number)).collect::<Result<Vec<_>, Failed>>()
        };
        let supply = Witnessed { term: Term::Supply(0), opening: None, secret: None };
        let wanted = match stated {
            Stated::AtLeast(many) => {
                let bound = many.saturating_mul(HELD);
                Wanted::Totals(Kind::AtLeast { bound }, (side(0..many)?, 0), (Vec::new(), 0))
            }
            Stated::Share => {
                let kind = Kind::Share { numerator: 1, denominator: 1_000 };
                Wanted::Totals(kind, (side(0..1)?, 0), (vec![supply], 0))
            }
            Stated::Equal => {
                Wanted::Totals(Kind::Differ { by: 0 }, (side(0..1)?, 0), (side(1..2)?, 0))
            }
            Stated::Absent => Wanted::Absent(side(ACCOUNTS..ACCOUNTS.saturating_add(1))?),
        };
        let (subject, shown) = (self.subject.clone(), vec![self.shown.clone()]);
        let rng = &mut testing::rng(10);
        Register::make(subject, Maker::Custodian, shown, wanted, rng).map_err(wrong)
    }

    /// An account where its search ends; it holds nothing if it is none of the register's.
    fn account(&self, number: u64) -> Result<Witnessed, Failed> {
        let key = key(number);
        let account = key.public();
        let shared = Encoded::of(&(account.decompress()? * self.seed.locating().0));
        let found = self.search(&locator(&account, &shared));
        let (leaf, place, path) = found.ok_or_else(|| wrong("no leaf"))?;
        let located = Located { snapshot: 0, account, shared, leaf, number: place, path };
        let opening = located
            .is_there()
            .then(|| Opening { value: HELD, blinding: self.seed.blinding(&account).0 });
        Ok(Witnessed { term: Term::Account(located), opening, secret: Some(key) })
    }

    fn search(&self, locator: &Hash) -> Option<(SumNode, u32, SumPath)> {
        let levels: Vec<&[SumNode]> = self.leaves.levels().collect();
        let (_, below) = levels.split_last()?;
        let (mut place, mut path) = (0usize, Vec::new());
        for level in below.iter().rev() {
            let left = place.checked_mul(2)?;
            let right = left.checked_add(1)?;
            let is_left = *locator < level.get(right)?.first;
            let (own, beside) = if is_left { (left, right) } else { (right, left) };
            path.push(*level.get(beside)?);
            place = own;
        }
        path.reverse();
        let leaf = *levels.first()?.get(place)?;
        Some((leaf, u32::try_from(place).ok()?, path.try_into().ok()?))
    }

    fn verify(&self, file: &[u8]) -> Result<(), Failed> {
        match Bundle::parse(file) {
            Ok(Bundle::Statement(statement)) => {
                let verified = statement.verify(self.asset, None, &mut testing::rng(11));
                verified.map(drop).map_err(wrong)
            }
            Ok(other) => Err(wrong(other.name())),
            Err(error) => Err(wrong(error)),
        }
    }
}
