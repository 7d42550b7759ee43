//! The demo's input: three CSV files of investors, opening positions and trades, taken all together or not at all.
//!
//! Every error of a file is found in one pass. References between the files are checked once the investors file is
//! sound, so that one wrong investor is one error and not one for each of its trades.

mod errors;
mod fields;
mod files;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use self::errors::Findings;
pub use self::errors::{ERRORS_MAX, InputError, InputErrors, Reason};
pub use self::fields::{corporate_check_digit, isin_check_digit};
use self::fields::{field, isin_shaped};
use self::files::{read_investors, read_names, read_positions, read_trades};

/// The most rows of a file, without the header.
pub const ROWS_MAX: usize = 100_000;
/// The longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most custodians of a set: each is a node.
pub const CUSTODIANS_MAX: usize = 16;
/// The most assets of a set.
pub const ASSETS_MAX: usize = 16;

/// One file: its name, for errors, and its bytes (UTF-8, with or without a byte-order mark, lines ended by LF or CRLF).
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What errors call it.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
}

/// What the demo is to do, checked: every reference but the parties of trades is to something that exists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scenario {
    /// The assets, by code.
    pub assets: BTreeMap<AssetCode, AssetSpec>,
    /// The investors, each with its one custodian.
    pub investors: BTreeMap<InvestorId, CustodianName>,
    /// The accounts to register.
    pub accounts: BTreeSet<Account>,
    /// The opening positions; never zero. An asset's sum fits a u64.
    pub positions: BTreeMap<Account, Amount>,
    /// The trades in the order of the file.
    pub trades: Vec<Trade>,
    /// Who the investors are, as far as told. It stays with whoever reads the file: no node gets it.
    pub names: BTreeMap<InvestorId, Names>,
}

/// A set of files.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// Investors, custodians, assets.
    pub investors: Source<'a>,
    /// Opening positions.
    pub positions: Source<'a>,
    /// Trades.
    pub trades: Source<'a>,
    /// Who the investors are.
    pub names: Option<Source<'a>>,
}

/// Who an investor is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// In Japanese.
    pub japanese: PersonName,
    /// In English.
    pub english: PersonName,
    /// 法人番号.
    pub corporate_number: CorporateNumber,
}

/// An account: one investor's holding of one asset.
#[derive(Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub struct Account {
    /// Whose.
    pub investor: InvestorId,
    /// Of what.
    pub asset: AssetCode,
}

/// An asset as its terms are going to describe it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AssetSpec {
    /// The [`AssetCode`] as text.
    pub code: String,
    /// A name for people.
    pub name: String,
    /// The unit's name.
    pub unit: String,
    /// How many decimals an atomic unit has; 0 for all that the demo makes.
    pub decimals: u8,
    /// Security or cash.
    pub kind: AssetKind,
}

/// What an asset is, by its code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AssetKind {
    /// Its code is an ISIN.
    Security,
    /// Its code is a ticker.
    Cash,
}

/// One row of the trades file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trade {
    /// The row's line in its file.
    pub line: u64,
    /// 取引ID; unique in the file.
    pub trade_id: TradeId,
    /// 受渡日.
    pub delivery_date: DeliveryDate,
    /// The asset that moves.
    pub asset: AssetCode,
    /// How much of it; never zero.
    pub quantity: Amount,
    /// Who delivers it; may be unknown.
    pub from: InvestorId,
    /// Where it goes, and what for.
    pub kind: TradeKind,
    /// What the demo does wrong on purpose; for transfers only.
    pub fault: Option<Fault>,
}

/// Where a trade's asset goes, and what for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TradeKind {
    /// Free of payment.
    Transfer {
        /// Who receives; may be unknown.
        to: InvestorId,
    },
    /// Delivery versus payment.
    Dvp {
        /// Who receives the security and pays; may be unknown.
        to: InvestorId,
        /// The cash that `to` pays to `from`.
        cash_asset: AssetCode,
        /// How much of it; never zero.
        cash_quantity: Amount,
    },
    /// Back to the registrar, and out of the supply.
    Redeem,
}

impl TradeKind {
    /// Its name in the file.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Transfer { .. } => "transfer",
            Self::Dvp { .. } => "dvp",
            Self::Redeem => "redeem",
        }
    }

    /// Who receives; none for a redemption.
    #[must_use]
    pub const fn to(&self) -> Option<&InvestorId> {
        match self {
            Self::Transfer { to } | Self::Dvp { to, .. } => Some(to),
            Self::Redeem => None,
        }
    }
}

/// What the demo does wrong on purpose.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The receive slot has expired when the leg is approved.
    ExpiredSlot,
    /// Two commits race for one tag at the notary.
    DoubleSpend,
    /// The receiving side does not instruct until the instruction has expired.
    Late,
    /// Both sides' operators cancel the trade before it is signed.
    Cancelled,
    /// The registrar has frozen the delivering account.
    Frozen,
    /// The registrar has closed the asset.
    Closed,
}

/// A quantity in atomic units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub struct Amount(u64);

impl Amount {
    /// So many atomic units.
    #[must_use]
    pub const fn new(atomic_units: u64) -> Self {
        Self(atomic_units)
    }

    /// How many atomic units.
    #[must_use]
    pub const fn atomic_units(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A day that exists, shown as `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub struct DeliveryDate {
    year: u16,
    month: u8,
    day: u8,
}

impl fmt::Display for DeliveryDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl Scenario {
    /// The scenario that the program carries.
    ///
    /// # Errors
    ///
    /// [`InputErrors`], never in a tested build.
    pub fn embedded() -> Result<Self, InputErrors> {
        let source = |name, text: &'static str| Source { name, bytes: text.as_bytes() };
        Self::parse(
            source("demo/investors.csv", include_str!("../../../demo/investors.csv")),
            source("demo/positions.csv", include_str!("../../../demo/positions.csv")),
            source("demo/trades.csv", include_str!("../../../demo/trades.csv")),
        )
    }

    /// Parses and checks a set of files.
    ///
    /// # Errors
    ///
    /// [`InputErrors`] with every error of every file; then nothing of the set is taken.
    pub fn parse(
        investors: Source<'_>,
        positions: Source<'_>,
        trades: Source<'_>,
    ) -> Result<Self, InputErrors> {
        Self::of(Files { investors, positions, trades, names: None })
    }

    /// Parses and checks a set of files that may tell names.
    ///
    /// # Errors
    ///
    /// [`InputErrors`] with every error of every file; then nothing of the set is taken.
    pub fn of(files: Files<'_>) -> Result<Self, InputErrors> {
        let mut findings = Findings::default();
        let register = read_investors(files.investors, &mut findings);
        // References to a register with errors would be found wrong for no fault of their own.
        let sound = findings.list.is_empty().then_some(&register);
        let positions = read_positions(files.positions, sound, &mut findings);
        let trades = read_trades(files.trades, sound, &mut findings);
        let names = files.names.map(|names| read_names(names, sound, &mut findings));
        if !findings.list.is_empty() {
            return Err(InputErrors { list: findings.list, unlisted: findings.unlisted });
        }
        let specs = register.assets.iter().map(|code| (code.clone(), code.spec()));
        Ok(Self {
            assets: specs.collect(),
            investors: register.investors,
            accounts: register.accounts.into_keys().collect(),
            positions,
            trades,
            names: names.unwrap_or_default(),
        })
    }

    /// The custodian of an investor; none if the investor is unknown.
    #[must_use]
    pub fn custodian_of(&self, investor: &InvestorId) -> Option<&CustodianName> {
        self.investors.get(investor)
    }

    /// All custodians.
    #[must_use]
    pub fn custodians(&self) -> BTreeSet<&CustodianName> {
        self.investors.values().collect()
    }

    /// Whether the investor has an account in the asset.
    #[must_use]
    pub fn has_account(&self, investor: &InvestorId, asset: &AssetCode) -> bool {
        self.accounts.contains(&Account { investor: investor.clone(), asset: asset.clone() })
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Reason;
            fn from_str(value: &str) -> Result<Self, Reason> {
                field(value)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    )+};
}

names! {
    /// An investor's pseudonym: 1 to 35 of A-Z, 0-9 and `-`.
    InvestorId,
    /// A custodian's name: 1 to 32 of a-z, 0-9 and `-`.
    CustodianName,
    /// An asset's code: an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9.
    AssetCode,
    /// 取引ID: 1 to 35 letters, digits, `-`, `_`, `.` or `/`, the first a letter or digit.
    TradeId,
    /// A name of a person or company: 1 to 80 characters, none a control character.
    PersonName,
    /// 法人番号: 13 digits, the first a check digit.
    CorporateNumber,
}

impl AssetCode {
    /// Security if the code is an ISIN.
    #[must_use]
    pub fn kind(&self) -> AssetKind {
        if isin_shaped(&self.0) { AssetKind::Security } else { AssetKind::Cash }
    }

    /// What the demo's terms say of the asset.
    #[must_use]
    pub fn spec(&self) -> AssetSpec {
        let (code, kind) = (self.0.clone(), self.kind());
        let (name, unit) = match kind {
            AssetKind::Security => (format!("Demo security {code}"), "unit".to_owned()),
            AssetKind::Cash => (format!("Demo cash {code}"), code.clone()),
        };
        AssetSpec { code, name, unit, decimals: 0, kind }
    }
}
