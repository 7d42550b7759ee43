//! The demo's input: three CSV files of investors, opening positions and trades, taken all together or not at all.
//!
//! Every error of a file is found in one pass. References between the files are checked once the investors file is
//! sound, so that one wrong investor is one error and not one for each of its trades.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The most rows of a file, without the header.
pub const ROWS_MAX: usize = 100_000;
/// The longest file, in bytes.
pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most custodians of a set: each is a node.
pub const CUSTODIANS_MAX: usize = 16;
/// The most assets of a set.
pub const ASSETS_MAX: usize = 16;
/// The most errors that are reported one by one; the rest are counted.
pub const ERRORS_MAX: usize = 1_000;
/// How much of a refused value an error shows, in characters.
const VALUE_CHARS_MAX: usize = 32;

const INVESTORS: [&str; 3] = ["investor", "custodian", "asset"];
const POSITIONS: [&str; 3] = ["investor", "asset", "quantity"];
const TRADES: [&str; 10] = [
    "trade_id",
    "kind",
    "delivery_date",
    "asset",
    "quantity",
    "from",
    "to",
    "cash_asset",
    "cash_quantity",
    "fault",
];

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

/// Why a set of files is not accepted: every error, file by file in the order of lines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InputErrors {
    /// The errors, at most [`ERRORS_MAX`].
    pub list: Vec<InputError>,
    /// How many more there are.
    pub unlisted: u64,
}

impl std::error::Error for InputErrors {}

impl fmt::Display for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the input is not accepted; correct every line named here and start again:")?;
        for error in &self.list {
            write!(f, "\n  {error}")?;
        }
        if self.unlisted > 0 {
            write!(f, "\n  and {} more errors", self.unlisted)?;
        }
        Ok(())
    }
}

/// One error of a file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{file} line {line}{}: {value:?} {reason}; expected {expected}", place(*.column))]
pub struct InputError {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column's name; none for the whole line.
    pub column: Option<&'static str>,
    /// The refused value, shortened.
    pub value: String,
    /// What is wrong with it.
    pub reason: Reason,
    /// What would be right.
    pub expected: &'static str,
}

fn place(column: Option<&str>) -> String {
    column.map(|name| format!(", column {name}")).unwrap_or_default()
}

/// What is wrong with a value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Reason {
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// Digits as East Asian keyboards may type them.
    #[error("has full-width digits")]
    FullWidthDigits,
    /// Other full-width letters and signs.
    #[error("has full-width characters")]
    FullWidth,
    /// White space around the value.
    #[error("starts or ends with a space")]
    Space,
    /// Too long.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// Characters outside the permitted ones, or too few of them.
    #[error("is not of the permitted form")]
    Form,
    /// Not digits only.
    #[error("is not a whole number")]
    NotANumber,
    /// `007`.
    #[error("has a leading zero")]
    LeadingZero,
    /// Nothing would move.
    #[error("is zero")]
    Zero,
    /// More than a u64.
    #[error("is more than {}", u64::MAX)]
    TooMuch,
    /// Not `YYYY-MM-DD`.
    #[error("is not a date")]
    NotADate,
    /// As in 30 February.
    #[error("is a day that does not exist")]
    NoSuchDay,
    /// A mistyped ISIN.
    #[error("has a wrong check digit, {0} would be right")]
    CheckDigit(u32),
    /// The same row again.
    #[error("is already on line {0}")]
    Duplicate(u64),
    /// The investor is at another custodian on an earlier line.
    #[error("is not the investor's custodian, which is {0}")]
    OtherCustodian(CustodianName),
    /// Too many different ones.
    #[error("is one more than the {0} that are permitted")]
    TooMany(usize),
    /// No account holds this asset.
    #[error("is no asset of the investors file")]
    UnknownAsset,
    /// The investor has no account in the asset.
    #[error("has no account in this asset in the investors file")]
    NoAccount,
    /// The asset's positions don't fit a u64.
    #[error("makes the sum of the asset's positions more than {}", u64::MAX)]
    Sum,
    /// Security for cash or cash for security.
    #[error("is not of the right kind of asset")]
    Kind,
    /// Both sides are one.
    #[error("is the same investor as from")]
    SameInvestor,
    /// A value where none belongs.
    #[error("is not permitted in a {0}")]
    NotInKind(&'static str),
    /// The header is another.
    #[error("is not the name of this column")]
    Header,
    /// A row has too few or too many fields.
    #[error("has {0} fields")]
    Fields(usize),
    /// The file has a header only.
    #[error("has no rows")]
    NoRows,
    /// The file has too many rows.
    #[error("has more than {ROWS_MAX} rows")]
    Rows,
    /// The file is too long.
    #[error("is longer than {FILE_BYTES_MAX} bytes")]
    Bytes,
    /// The file is not UTF-8 from this line on.
    #[error("is not UTF-8")]
    Encoding,
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
            source("demo/investors.csv", include_str!("../../demo/investors.csv")),
            source("demo/positions.csv", include_str!("../../demo/positions.csv")),
            source("demo/trades.csv", include_str!("../../demo/trades.csv")),
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
        let mut findings = Findings::default();
        let register = read_investors(investors, &mut findings);
        // References to a register with errors would be found wrong for no fault of their own.
        let sound = findings.list.is_empty().then_some(&register);
        let positions = read_positions(positions, sound, &mut findings);
        let trades = read_trades(trades, sound, &mut findings);
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

/// The investors file, with the lines of its accounts.
#[derive(Default)]
struct Register {
    investors: BTreeMap<InvestorId, CustodianName>,
    custodians: BTreeSet<CustodianName>,
    assets: BTreeSet<AssetCode>,
    accounts: BTreeMap<Account, u64>,
}

fn read_investors(source: Source<'_>, findings: &mut Findings) -> Register {
    let mut register = Register::default();
    for row in rows(source, &INVESTORS, findings) {
        let investor = findings.field::<InvestorId>(&row, "investor");
        let custodian = findings.field::<CustodianName>(&row, "custodian");
        let asset = findings.field::<AssetCode>(&row, "asset");
        let (Some(investor), Some(custodian), Some(asset)) = (investor, custodian, asset) else {
            continue;
        };
        let known = register.investors.entry(investor.clone()).or_insert_with(|| custodian.clone());
        if *known != custodian {
            let reason = Reason::OtherCustodian(known.clone());
            findings.refuse(&row, "custodian", reason, "one custodian for each investor");
        }
        register.custodians.insert(custodian);
        if register.custodians.len() > CUSTODIANS_MAX {
            findings.refuse(&row, "custodian", Reason::TooMany(CUSTODIANS_MAX), "fewer custodians");
        }
        register.assets.insert(asset.clone());
        if register.assets.len() > ASSETS_MAX {
            findings.refuse(&row, "asset", Reason::TooMany(ASSETS_MAX), "fewer assets");
        }
        let account = Account { investor, asset };
        if let Some(line) = register.accounts.get(&account) {
            findings.refuse(&row, "asset", Reason::Duplicate(*line), "one row for each account");
        } else {
            register.accounts.insert(account, row.line);
        }
    }
    register
}

fn read_positions(
    source: Source<'_>,
    register: Option<&Register>,
    findings: &mut Findings,
) -> BTreeMap<Account, Amount> {
    let mut positions = BTreeMap::new();
    let mut lines = BTreeMap::new();
    let mut sums: BTreeMap<AssetCode, u64> = BTreeMap::new();
    for row in rows(source, &POSITIONS, findings) {
        let investor = findings.field::<InvestorId>(&row, "investor");
        let asset = findings.field::<AssetCode>(&row, "asset");
        let quantity = findings.field::<Amount>(&row, "quantity");
        let (Some(investor), Some(asset)) = (investor, asset) else { continue };
        let account = Account { investor, asset };
        if register.is_some_and(|register| !register.accounts.contains_key(&account)) {
            findings.refuse(
                &row,
                "investor",
                Reason::NoAccount,
                "an account of the investors file",
            );
        }
        if let Some(line) = lines.get(&account) {
            findings.refuse(&row, "investor", Reason::Duplicate(*line), "one position an account");
            continue;
        }
        lines.insert(account.clone(), row.line);
        let Some(quantity) = quantity else { continue };
        let sum = sums.entry(account.asset.clone()).or_default();
        match sum.checked_add(quantity.0) {
            Some(more) => *sum = more,
            None => findings.refuse(&row, "quantity", Reason::Sum, "positions that add up to less"),
        }
        positions.insert(account, quantity);
    }
    positions
}

fn read_trades(
    source: Source<'_>,
    register: Option<&Register>,
    findings: &mut Findings,
) -> Vec<Trade> {
    let mut trades = Vec::new();
    let mut lines = BTreeMap::new();
    for row in rows(source, &TRADES, findings) {
        let trade_id = findings.field::<TradeId>(&row, "trade_id");
        if let Some(trade_id) = &trade_id {
            match lines.get(trade_id) {
                Some(line) => {
                    let reason = Reason::Duplicate(*line);
                    findings.refuse(
                        &row,
                        "trade_id",
                        reason,
                        "a trade id of its own for each trade",
                    );
                }
                None => {
                    lines.insert(trade_id.clone(), row.line);
                }
            }
        }
        trades.extend(read_trade(&row, trade_id, register, findings));
    }
    trades
}

fn read_trade(
    row: &Row,
    trade_id: Option<TradeId>,
    register: Option<&Register>,
    findings: &mut Findings,
) -> Option<Trade> {
    let kind_name = findings.field::<KindName>(row, "kind");
    let delivery_date = findings.field::<DeliveryDate>(row, "delivery_date");
    let asset = findings.field::<AssetCode>(row, "asset");
    let quantity = findings.field::<Amount>(row, "quantity");
    let from = findings.field::<InvestorId>(row, "from");
    let kind = match kind_name {
        Some(name) => read_kind(row, name, from.as_ref(), register, findings),
        None => {
            findings.optional::<InvestorId>(row, "to");
            findings.optional::<AssetCode>(row, "cash_asset");
            findings.optional::<Amount>(row, "cash_quantity");
            None
        }
    };
    let fault = findings.optional::<Fault>(row, "fault");
    if let Some(asset) = &asset {
        findings.check_asset(row, "asset", asset, register);
        if kind_name == Some(KindName::Dvp) && asset.kind() != AssetKind::Security {
            findings.refuse(row, "asset", Reason::Kind, "a security, which is paid for in cash");
        }
    }
    if let (Some(name @ (KindName::Dvp | KindName::Redeem)), Some(_)) = (kind_name, &fault) {
        let reason = Reason::NotInKind(name.text());
        findings.refuse(row, "fault", reason, "a fault in transfers only");
    }
    Some(Trade {
        line: row.line,
        trade_id: trade_id?,
        delivery_date: delivery_date?,
        asset: asset?,
        quantity: quantity?,
        from: from?,
        kind: kind?,
        fault,
    })
}

/// Reads the columns whose use depends on the kind.
fn read_kind(
    row: &Row,
    name: KindName,
    from: Option<&InvestorId>,
    register: Option<&Register>,
    findings: &mut Findings,
) -> Option<TradeKind> {
    let to = if name == KindName::Redeem {
        findings.nothing(row, "to", name);
        None
    } else {
        findings.field::<InvestorId>(row, "to")
    };
    if to.is_some() && to.as_ref() == from {
        findings.refuse(row, "to", Reason::SameInvestor, "another investor");
    }
    if name != KindName::Dvp {
        findings.nothing(row, "cash_asset", name);
        findings.nothing(row, "cash_quantity", name);
        return match name {
            KindName::Redeem => Some(TradeKind::Redeem),
            KindName::Transfer | KindName::Dvp => Some(TradeKind::Transfer { to: to? }),
        };
    }
    let cash_asset = findings.field::<AssetCode>(row, "cash_asset");
    let cash_quantity = findings.field::<Amount>(row, "cash_quantity");
    if let Some(cash) = &cash_asset {
        findings.check_asset(row, "cash_asset", cash, register);
        if cash.kind() != AssetKind::Cash {
            findings.refuse(row, "cash_asset", Reason::Kind, "cash, which pays for a security");
        }
    }
    Some(TradeKind::Dvp { to: to?, cash_asset: cash_asset?, cash_quantity: cash_quantity? })
}

/// A row with as many fields as the header.
struct Row {
    file: String,
    line: u64,
    columns: &'static [&'static str],
    values: csv::StringRecord,
}

impl Row {
    fn value(&self, column: &str) -> &str {
        let index = self.columns.iter().position(|name| *name == column);
        index.and_then(|index| self.values.get(index)).unwrap_or_default()
    }
}

/// The rows of a file whose header is right; rows with too few or too many fields are findings.
fn rows(source: Source<'_>, columns: &'static [&'static str], findings: &mut Findings) -> Vec<Row> {
    const FILE: &str =
        "a UTF-8 file of at most 100000 rows and 16 MiB, with its header and at least one row";
    let mut whole = |line, reason| findings.add(source.name, line, None, "the file", reason, FILE);
    if source.bytes.len() > FILE_BYTES_MAX {
        whole(1, Reason::Bytes);
        return Vec::new();
    }
    let bytes = source.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(source.bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            whole(Lines::default().advance(before, before.len()), Reason::Encoding);
            return Vec::new();
        }
    };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut rows, mut lines, mut headed) = (Vec::new(), Lines::default(), false);
    for record in reader.records() {
        // Only I/O and UTF-8 could fail, and the text is in memory and UTF-8.
        let Ok(values) = record else { break };
        let start = values.position().map_or(0, csv::Position::byte);
        let line = lines.of_record(text.as_bytes(), start);
        if !headed {
            if !is_header(source.name, line, &values, columns, findings) {
                return Vec::new();
            }
            headed = true;
        } else if rows.len() == ROWS_MAX {
            findings.add(source.name, line, None, "the file", Reason::Rows, FILE);
            return rows;
        } else if values.len() == columns.len() {
            rows.push(Row { file: source.name.to_owned(), line, columns, values });
        } else {
            let reason = Reason::Fields(values.len());
            let shown: Vec<&str> = values.iter().collect();
            let expected = "as many fields as the header has";
            findings.add(source.name, line, None, &shown.join(","), reason, expected);
        }
    }
    if rows.is_empty() && findings.list.iter().all(|error| error.file != source.name) {
        findings.add(source.name, 1, None, "the file", Reason::NoRows, FILE);
    }
    rows
}

fn is_header(
    file: &str,
    line: u64,
    found: &csv::StringRecord,
    columns: &'static [&'static str],
    findings: &mut Findings,
) -> bool {
    if found.iter().eq(columns.iter().copied()) {
        return true;
    }
    const EXPECTED: &str = "the header as in the example files, names and order alike";
    for (index, column) in columns.iter().enumerate() {
        let value = found.get(index).unwrap_or_default();
        if value != *column {
            findings.add(file, line, Some(column), value, Reason::Header, EXPECTED);
        }
    }
    if found.len() > columns.len() {
        let shown: Vec<&str> = found.iter().collect();
        findings.add(file, line, None, &shown.join(","), Reason::Fields(found.len()), EXPECTED);
    }
    false
}

/// Counts lines up to a byte; the CSV reader's own count is one behind after CRLF and blank lines.
struct Lines {
    offset: usize,
    line: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self { offset: 0, line: 1 }
    }
}

impl Lines {
    /// The line of a record that starts at a byte, or after the line ends that follow it.
    fn of_record(&mut self, text: &[u8], start: u64) -> u64 {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let ends = text.get(start..).unwrap_or_default();
        let ends = ends.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.advance(text, start.saturating_add(ends))
    }

    fn advance(&mut self, text: &[u8], end: usize) -> u64 {
        let passed = text.get(self.offset..end).unwrap_or_default();
        for byte in passed {
            self.line = self.line.saturating_add(u64::from(*byte == b'\n'));
        }
        self.offset = self.offset.max(end);
        self.line
    }
}

#[derive(Default)]
struct Findings {
    list: Vec<InputError>,
    unlisted: u64,
}

impl Findings {
    fn add(
        &mut self,
        file: &str,
        line: u64,
        column: Option<&'static str>,
        value: &str,
        reason: Reason,
        expected: &'static str,
    ) {
        if self.list.len() >= ERRORS_MAX {
            self.unlisted = self.unlisted.saturating_add(1);
            return;
        }
        let (file, value) = (file.to_owned(), shortened(value));
        self.list.push(InputError { file, line, column, value, reason, expected });
    }

    fn refuse(&mut self, row: &Row, column: &'static str, reason: Reason, expected: &'static str) {
        self.add(&row.file, row.line, Some(column), row.value(column), reason, expected);
    }

    fn field<T: Field>(&mut self, row: &Row, column: &'static str) -> Option<T> {
        match field(row.value(column)) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(row, column, reason, T::EXPECTED);
                None
            }
        }
    }

    fn optional<T: Field>(&mut self, row: &Row, column: &'static str) -> Option<T> {
        if row.value(column).is_empty() { None } else { self.field(row, column) }
    }

    fn nothing(&mut self, row: &Row, column: &'static str, kind: KindName) {
        if !row.value(column).is_empty() {
            self.refuse(row, column, Reason::NotInKind(kind.text()), "an empty field");
        }
    }

    fn check_asset(
        &mut self,
        row: &Row,
        column: &'static str,
        asset: &AssetCode,
        register: Option<&Register>,
    ) {
        if register.is_some_and(|register| !register.assets.contains(asset)) {
            self.refuse(row, column, Reason::UnknownAsset, "an asset that some investor may hold");
        }
    }
}

/// A value as an error may show it: short, and without characters that a terminal would act on.
fn shortened(value: &str) -> String {
    let mut shown = String::new();
    for (index, letter) in value.chars().enumerate() {
        if index == VALUE_CHARS_MAX {
            shown.push('…');
            break;
        }
        let harmless = letter.is_ascii_graphic() || letter == ' ' || letter.is_alphanumeric();
        shown.push(if harmless { letter } else { '\u{fffd}' });
    }
    shown
}

/// A type that one field of a row holds.
trait Field: Sized {
    /// The most characters.
    const CHARS_MAX: usize;
    /// What is permitted, for people.
    const EXPECTED: &'static str;
    /// Parses a value that [`field`] has checked.
    fn read(value: &str) -> Result<Self, Reason>;
}

/// Parses a field that may not be empty: checks that are the same for all types, then the type's own.
fn field<T: Field>(value: &str) -> Result<T, Reason> {
    if value.is_empty() {
        return Err(Reason::Empty);
    }
    if value.chars().any(|letter| ('０'..='９').contains(&letter)) {
        return Err(Reason::FullWidthDigits);
    }
    if value
        .chars()
        .any(|letter| ('\u{ff01}'..='\u{ff5e}').contains(&letter) || letter == '\u{3000}')
    {
        return Err(Reason::FullWidth);
    }
    if value.trim() != value {
        return Err(Reason::Space);
    }
    if value.chars().count() > T::CHARS_MAX {
        return Err(Reason::TooLong(T::CHARS_MAX));
    }
    T::read(value)
}

fn named(value: &str, permitted: impl Fn(char) -> bool) -> Result<String, Reason> {
    if value.chars().all(permitted) { Ok(value.to_owned()) } else { Err(Reason::Form) }
}

impl Field for InvestorId {
    const CHARS_MAX: usize = 35;
    const EXPECTED: &'static str = "1 to 35 of A-Z, 0-9 and -";

    fn read(value: &str) -> Result<Self, Reason> {
        named(value, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-').map(Self)
    }
}

impl Field for CustodianName {
    const CHARS_MAX: usize = 32;
    const EXPECTED: &'static str = "1 to 32 of a-z, 0-9 and -";

    fn read(value: &str) -> Result<Self, Reason> {
        named(value, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-').map(Self)
    }
}

impl Field for TradeId {
    const CHARS_MAX: usize = 35;
    const EXPECTED: &'static str =
        "1 to 35 of A-Z, a-z, 0-9, -, _, . and /, a letter or digit first";

    fn read(value: &str) -> Result<Self, Reason> {
        if !value.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(Reason::Form);
        }
        named(value, |c| c.is_ascii_alphanumeric() || "-_./".contains(c)).map(Self)
    }
}

impl Field for AssetCode {
    const CHARS_MAX: usize = 12;
    const EXPECTED: &'static str =
        "an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9";

    fn read(value: &str) -> Result<Self, Reason> {
        let code = named(value, |c| c.is_ascii_uppercase() || c.is_ascii_digit())?;
        if code.len() < 3 {
            return Err(Reason::Form);
        }
        if isin_shaped(&code) {
            let (body, last) = code.split_at_checked(11).ok_or(Reason::Form)?;
            let must = check_digit(body);
            if last != must.to_string() {
                return Err(Reason::CheckDigit(must));
            }
        }
        Ok(Self(code))
    }
}

/// Two letters, nine letters or digits, a digit (ISO 6166).
fn isin_shaped(code: &str) -> bool {
    code.len() == 12
        && code.chars().take(2).all(|c| c.is_ascii_uppercase())
        && code.ends_with(|c: char| c.is_ascii_digit())
}

/// The check digit of an ISIN's first 11 characters: letters count 10 to 35, then Luhn over the digits.
fn check_digit(body: &str) -> u32 {
    let mut digits = Vec::new();
    for value in body.chars().filter_map(|c| c.to_digit(36)) {
        if value >= 10 {
            digits.push(value / 10);
        }
        digits.push(value % 10);
    }
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| {
        let value = if place % 2 == 0 { digit * 2 } else { *digit };
        value / 10 + value % 10
    });
    (10 - weighed.sum::<u32>() % 10) % 10
}

impl Field for Amount {
    const CHARS_MAX: usize = 20;
    const EXPECTED: &'static str =
        "atomic units as a whole number from 1 to 18446744073709551615, digits 0-9 only";

    fn read(value: &str) -> Result<Self, Reason> {
        if value.is_empty() || !value.chars().all(|c| c.is_ascii_digit()) {
            return Err(Reason::NotANumber);
        }
        if value.len() > 1 && value.starts_with('0') {
            return Err(Reason::LeadingZero);
        }
        match value.parse() {
            Ok(0) => Err(Reason::Zero),
            Ok(units) => Ok(Self(units)),
            Err(_) => Err(Reason::TooMuch),
        }
    }
}

impl Field for DeliveryDate {
    const CHARS_MAX: usize = 10;
    const EXPECTED: &'static str = "a day that exists as YYYY-MM-DD, 1900 to 9999";

    fn read(value: &str) -> Result<Self, Reason> {
        let parts: Vec<&str> = value.split('-').collect();
        let [year, month, day] = parts.as_slice() else { return Err(Reason::NotADate) };
        let digits =
            |part: &str, length| part.len() == length && part.chars().all(|c| c.is_ascii_digit());
        if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
            return Err(Reason::NotADate);
        }
        let (Ok(year), Ok(month), Ok(day)) = (year.parse(), month.parse(), day.parse()) else {
            return Err(Reason::NotADate);
        };
        if year < 1900 || day == 0 || day > days(year, month) {
            return Err(Reason::NoSuchDay);
        }
        Ok(Self { year, month, day })
    }
}

/// How many days a month has; 0 if there is no such month.
const fn days(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum KindName {
    Transfer,
    Dvp,
    Redeem,
}

impl KindName {
    const fn text(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Dvp => "dvp",
            Self::Redeem => "redeem",
        }
    }
}

impl Field for KindName {
    const CHARS_MAX: usize = 16;
    const EXPECTED: &'static str = "transfer, dvp or redeem";

    fn read(value: &str) -> Result<Self, Reason> {
        [Self::Transfer, Self::Dvp, Self::Redeem]
            .into_iter()
            .find(|kind| kind.text() == value)
            .ok_or(Reason::Form)
    }
}

impl Field for Fault {
    const CHARS_MAX: usize = 16;
    const EXPECTED: &'static str = "nothing, expired-slot or double-spend";

    fn read(value: &str) -> Result<Self, Reason> {
        match value {
            "expired-slot" => Ok(Self::ExpiredSlot),
            "double-spend" => Ok(Self::DoubleSpend),
            _ => Err(Reason::Form),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "trade_id,kind,delivery_date,asset,quantity,from,to,cash_asset,cash_quantity,fault";

    fn source<'a>(name: &'a str, text: &'a str) -> Source<'a> {
        Source { name, bytes: text.as_bytes() }
    }

    /// Parses a small sound set with one of its files replaced.
    fn parse(name: &str, text: &str) -> Result<Scenario, InputErrors> {
        let investors = "investor,custodian,asset\nINV-1,custodian-a,ZZ0000DEMO11\n\
                         INV-1,custodian-a,DJPY\nINV-2,custodian-b,ZZ0000DEMO11\nINV-2,custodian-b,DJPY\n";
        let positions = "investor,asset,quantity\nINV-1,ZZ0000DEMO11,100\nINV-2,DJPY,5000\n";
        let trades = format!("{HEADER}\nT-1,transfer,2026-11-25,ZZ0000DEMO11,10,INV-1,INV-2,,,\n");
        let of = |file, sound| source(file, if file == name { text } else { sound });
        Scenario::parse(
            of("investors", investors),
            of("positions", positions),
            of("trades", &trades),
        )
    }

    fn check(name: &str, text: &str, expect: &[&str]) {
        let errors = parse(name, text).expect_err(text);
        let found: Vec<String> = errors.list.iter().map(ToString::to_string).collect();
        assert_eq!(found, expect, "of {text:?}");
        let shown = errors.to_string();
        assert!(shown.starts_with("the input is not accepted; correct every line named here"));
        assert!(expect.iter().all(|line| shown.contains(&format!("\n  {line}"))), "{shown}");
    }

    /// Rows of the investors file, each with the one error that it must give, without file and line.
    #[test]
    fn each_error_of_an_investor_is_named() {
        let long = "I".repeat(36);
        let table = [
            (
                ",custodian-a,DJPY".to_owned(),
                r#"investor: "" is empty; expected 1 to 35 of A-Z, 0-9 and -"#,
            ),
            (
                format!("{long},custodian-a,DJPY"),
                r#"investor: "IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII…" is longer than 35 characters; expected 1 to 35 of A-Z, 0-9 and -"#,
            ),
            (
                "inv-1,custodian-a,DJPY".to_owned(),
                r#"investor: "inv-1" is not of the permitted form; expected 1 to 35 of A-Z, 0-9 and -"#,
            ),
            (
                "INV-１,custodian-a,DJPY".to_owned(),
                r#"investor: "INV-１" has full-width digits; expected 1 to 35 of A-Z, 0-9 and -"#,
            ),
            (
                "ＩNV-1,custodian-a,DJPY".to_owned(),
                r#"investor: "ＩNV-1" has full-width characters; expected 1 to 35 of A-Z, 0-9 and -"#,
            ),
            (
                "INV-1 ,custodian-a,DJPY".to_owned(),
                r#"investor: "INV-1 " starts or ends with a space; expected 1 to 35 of A-Z, 0-9 and -"#,
            ),
            (
                "INV\u{202e}1,custodian-a,DJPY".to_owned(),
                "investor: \"INV\u{fffd}1\" is not of the permitted form; expected 1 to 35 of A-Z, 0-9 and -",
            ),
            (
                "INV-3,Custodian A,DJPY".to_owned(),
                r#"custodian: "Custodian A" is not of the permitted form; expected 1 to 32 of a-z, 0-9 and -"#,
            ),
            (
                "INV-2,custodian-c,DJPY".to_owned(),
                r#"custodian: "custodian-c" is not the investor's custodian, which is custodian-b; expected one custodian for each investor"#,
            ),
            (
                "INV-3,custodian-a,JP3902900005".to_owned(),
                r#"asset: "JP3902900005" has a wrong check digit, 4 would be right; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
            ),
            (
                "INV-3,custodian-a,JP".to_owned(),
                r#"asset: "JP" is not of the permitted form; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
            ),
            (
                "INV-3,custodian-a,DEMOCASHTOKEN".to_owned(),
                r#"asset: "DEMOCASHTOKEN" is longer than 12 characters; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
            ),
            (
                "INV-2,custodian-b,ZZ0000DEMO11".to_owned(),
                r#"asset: "ZZ0000DEMO11" is already on line 2; expected one row for each account"#,
            ),
        ];
        for (row, error) in table {
            let text = format!("investor,custodian,asset\nINV-2,custodian-b,ZZ0000DEMO11\n{row}\n");
            check("investors", &text, &[&format!("investors line 3, column {error}")]);
        }
    }

    #[test]
    fn each_error_of_a_position_is_named() {
        const UNITS: &str = "expected atomic units as a whole number from 1 to 18446744073709551615, digits 0-9 only";
        let table = [
            ("INV-2,DJPY,", format!(r#"quantity: "" is empty; {UNITS}"#)),
            ("INV-2,DJPY,0", format!(r#"quantity: "0" is zero; {UNITS}"#)),
            ("INV-2,DJPY,007", format!(r#"quantity: "007" has a leading zero; {UNITS}"#)),
            ("INV-2,DJPY,-5", format!(r#"quantity: "-5" is not a whole number; {UNITS}"#)),
            ("INV-2,DJPY,1.5", format!(r#"quantity: "1.5" is not a whole number; {UNITS}"#)),
            ("INV-2,DJPY,\"1,000\"", format!(r#"quantity: "1,000" is not a whole number; {UNITS}"#)),
            ("INV-2,DJPY,１００", format!(r#"quantity: "１００" has full-width digits; {UNITS}"#)),
            (
                "INV-2,DJPY,18446744073709551616",
                format!(r#"quantity: "18446744073709551616" is more than 18446744073709551615; {UNITS}"#),
            ),
            (
                "INV-2,DJPY,100000000000000000000",
                format!(r#"quantity: "100000000000000000000" is longer than 20 characters; {UNITS}"#),
            ),
            (
                "INV-2,DJPY,18446744073709551615",
                r#"quantity: "18446744073709551615" makes the sum of the asset's positions more than 18446744073709551615; expected positions that add up to less"#.to_owned(),
            ),
            (
                "INV-1,DJPY,5",
                r#"investor: "INV-1" is already on line 2; expected one position an account"#.to_owned(),
            ),
            (
                "INV-3,DJPY,5",
                r#"investor: "INV-3" has no account in this asset in the investors file; expected an account of the investors file"#.to_owned(),
            ),
        ];
        for (row, error) in table {
            let text = format!("investor,asset,quantity\nINV-1,DJPY,1\n{row}\n");
            check("positions", &text, &[&format!("positions line 3, column {error}")]);
        }
    }

    /// Checks rows of the trades file, each with the one error that it must give, without file and line.
    fn check_trades(table: impl IntoIterator<Item = (String, String)>) {
        for (row, error) in table {
            let text = format!("{HEADER}\nT-1,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,\n{row}\n");
            check("trades", &text, &[&format!("trades line 3, column {error}")]);
        }
    }

    #[test]
    fn each_error_of_a_trade_is_named() {
        const DAY: &str = "expected a day that exists as YYYY-MM-DD, 1900 to 9999";
        let with = |date: &str| format!("T-2,transfer,{date},DJPY,1,INV-1,INV-2,,,");
        let row = |text: &str| text.to_owned();
        let table = [
            (
                row("=T,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
                row(
                    r#"trade_id: "=T" is not of the permitted form; expected 1 to 35 of A-Z, a-z, 0-9, -, _, . and /, a letter or digit first"#,
                ),
            ),
            (
                row("T-1,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
                row(
                    r#"trade_id: "T-1" is already on line 2; expected a trade id of its own for each trade"#,
                ),
            ),
            (
                row("T-2,gift,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
                row(
                    r#"kind: "gift" is not of the permitted form; expected transfer, dvp or redeem"#,
                ),
            ),
            (with("25/11/2026"), format!(r#"delivery_date: "25/11/2026" is not a date; {DAY}"#)),
            (with("2026-11-2"), format!(r#"delivery_date: "2026-11-2" is not a date; {DAY}"#)),
            (
                with("2026-13-01"),
                format!(r#"delivery_date: "2026-13-01" is a day that does not exist; {DAY}"#),
            ),
            (
                with("2026-02-29"),
                format!(r#"delivery_date: "2026-02-29" is a day that does not exist; {DAY}"#),
            ),
            (
                with("2100-02-29"),
                format!(r#"delivery_date: "2100-02-29" is a day that does not exist; {DAY}"#),
            ),
            (
                with("２０２６-11-25"),
                format!(r#"delivery_date: "２０２６-11-25" has full-width digits; {DAY}"#),
            ),
            (
                row("T-2,transfer,2026-11-25,DUSD,1,INV-1,INV-2,,,"),
                row(
                    r#"asset: "DUSD" is no asset of the investors file; expected an asset that some investor may hold"#,
                ),
            ),
        ];
        check_trades(table);
    }

    #[test]
    fn each_error_of_what_a_kind_of_trade_needs_is_named() {
        let row = |text: &str| text.to_owned();
        let table = [
            (
                row("T-2,transfer,2026-11-25,DJPY,1,INV-1,,,,"),
                row(r#"to: "" is empty; expected 1 to 35 of A-Z, 0-9 and -"#),
            ),
            (
                row("T-2,transfer,2026-11-25,DJPY,1,inv-9,INV-2,,,"),
                row(
                    r#"from: "inv-9" is not of the permitted form; expected 1 to 35 of A-Z, 0-9 and -"#,
                ),
            ),
            (
                row("T-2,transfer,2026-11-25,DJPY,1,INV-1,INV-1,,,"),
                row(r#"to: "INV-1" is the same investor as from; expected another investor"#),
            ),
            (
                row("T-2,redeem,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
                row(r#"to: "INV-2" is not permitted in a redeem; expected an empty field"#),
            ),
            (
                row("T-2,transfer,2026-11-25,DJPY,1,INV-1,INV-2,DJPY,,"),
                row(
                    r#"cash_asset: "DJPY" is not permitted in a transfer; expected an empty field"#,
                ),
            ),
            (
                row("T-2,redeem,2026-11-25,DJPY,1,INV-1,,,7,"),
                row(r#"cash_quantity: "7" is not permitted in a redeem; expected an empty field"#),
            ),
            (
                row("T-2,dvp,2026-11-25,ZZ0000DEMO11,1,INV-1,INV-2,,5,"),
                row(
                    r#"cash_asset: "" is empty; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
                ),
            ),
            (
                row("T-2,dvp,2026-11-25,ZZ0000DEMO11,1,INV-1,INV-2,ZZ0000DEMO11,5,"),
                row(
                    r#"cash_asset: "ZZ0000DEMO11" is not of the right kind of asset; expected cash, which pays for a security"#,
                ),
            ),
            (
                row("T-2,dvp,2026-11-25,DJPY,1,INV-1,INV-2,DJPY,5,"),
                row(
                    r#"asset: "DJPY" is not of the right kind of asset; expected a security, which is paid for in cash"#,
                ),
            ),
            (
                row("T-2,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,late"),
                row(
                    r#"fault: "late" is not of the permitted form; expected nothing, expired-slot or double-spend"#,
                ),
            ),
            (
                row("T-2,redeem,2026-11-25,DJPY,1,INV-1,,,,expired-slot"),
                row(
                    r#"fault: "expired-slot" is not permitted in a redeem; expected a fault in transfers only"#,
                ),
            ),
        ];
        check_trades(table);
    }

    #[test]
    fn each_error_of_a_whole_file_is_named() {
        const FILE: &str = "expected a UTF-8 file of at most 100000 rows and 16 MiB, with its header and at least one row";
        check("positions", "", &[&format!(r#"positions line 1: "the file" has no rows; {FILE}"#)]);
        check(
            "positions",
            "investor,asset,quantity\n",
            &[&format!(r#"positions line 1: "the file" has no rows; {FILE}"#)],
        );
        check(
            "positions",
            "investor,quantity\n",
            &[
                r#"positions line 1, column asset: "quantity" is not the name of this column; expected the header as in the example files, names and order alike"#,
                r#"positions line 1, column quantity: "" is not the name of this column; expected the header as in the example files, names and order alike"#,
            ],
        );
        check(
            "positions",
            "investor,asset,quantity,note\nINV-1,DJPY,1,\n",
            &[
                r#"positions line 1: "investor,asset,quantity,note" has 4 fields; expected the header as in the example files, names and order alike"#,
            ],
        );
        check(
            "positions",
            "investor,asset,quantity\nINV-1,DJPY\n",
            &[
                r#"positions line 2: "INV-1,DJPY" has 2 fields; expected as many fields as the header has"#,
            ],
        );
        let rows = "INV-1,DJPY,1\n".repeat(ROWS_MAX + 1);
        let errors = parse("positions", &format!("investor,asset,quantity\n{rows}")).unwrap_err();
        assert_eq!(errors.list[0].reason, Reason::Rows);
        assert_eq!((errors.list[0].line, errors.list.len()), (100_002, ERRORS_MAX));
        assert_eq!(errors.unlisted, 99_000);
        assert!(errors.to_string().ends_with("\n  and 99000 more errors"));
        let errors = parse("positions", &" ".repeat(FILE_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(errors.list[0].reason, Reason::Bytes);
    }

    #[test]
    fn the_line_that_is_not_utf_8_is_named() {
        let bytes =
            b"investor,custodian,asset\nINV-1,custodian-a,DJPY\nINV-\x93\xfa,custodian-a,DJPY\n";
        let other = source("positions", "investor,asset,quantity\nINV-1,DJPY,1\n");
        let trades = format!("{HEADER}\nT-1,redeem,2026-11-25,DJPY,1,INV-1,,,,\n");
        let investors = Source { name: "investors", bytes };
        let errors = Scenario::parse(investors, other, source("trades", &trades)).unwrap_err();
        assert_eq!(errors.list.len(), 1);
        assert_eq!((errors.list[0].line, &errors.list[0].reason), (3, &Reason::Encoding));
    }

    #[test]
    fn too_many_custodians_or_assets_are_refused() {
        let mut text = "investor,custodian,asset\n".to_owned();
        for number in 0..=CUSTODIANS_MAX {
            text.push_str(&format!("INV-{number},custodian-{number},CASH{number}\n"));
        }
        check(
            "investors",
            &text,
            &[
                r#"investors line 18, column custodian: "custodian-16" is one more than the 16 that are permitted; expected fewer custodians"#,
                r#"investors line 18, column asset: "CASH16" is one more than the 16 that are permitted; expected fewer assets"#,
            ],
        );
    }

    #[test]
    fn all_errors_of_all_files_come_at_once_and_wrong_investors_are_not_blamed_on_trades() {
        let investors = "investor,custodian,asset\ninv,custodian-a,DJPY\nINV-2,custodian-a,D\n";
        let positions = "investor,asset,quantity\nINV-7,DJPY,x\nINV-8,DUSD,0\n";
        let trades = format!("{HEADER}\nT-1,gift,tomorrow,DJPY,no,a,b,-,1.0,late\n");
        let errors = Scenario::parse(
            source("investors", investors),
            source("positions", positions),
            source("trades", &trades),
        )
        .unwrap_err();
        let found: Vec<_> = errors
            .list
            .iter()
            .map(|e| (e.file.as_str(), e.line, e.column.unwrap_or("-")))
            .collect();
        let expect = [
            ("investors", 2, "investor"),
            ("investors", 3, "asset"),
            ("positions", 2, "quantity"),
            ("positions", 3, "quantity"),
            ("trades", 2, "kind"),
            ("trades", 2, "delivery_date"),
            ("trades", 2, "quantity"),
            ("trades", 2, "from"),
            ("trades", 2, "to"),
            ("trades", 2, "cash_asset"),
            ("trades", 2, "cash_quantity"),
            ("trades", 2, "fault"),
        ];
        assert_eq!(found, expect);
    }

    #[test]
    fn byte_order_mark_crlf_quotes_and_blank_lines_are_accepted_and_lines_still_counted() {
        let text = "\u{feff}investor,asset,quantity\r\n\r\n\"INV-1\",DJPY,100\r\nINV-2,DJPY,7\r\n";
        let scenario = parse("positions", text).unwrap();
        let quantities: Vec<u64> = scenario.positions.values().map(|a| a.atomic_units()).collect();
        assert_eq!(quantities, [100, 7]);
        let text = text.replace(",7", ",x").replace(",100", ",y");
        let errors = parse("positions", &text).unwrap_err();
        let lines: Vec<u64> = errors.list.iter().map(|error| error.line).collect();
        assert_eq!(lines, [3, 4]);
    }

    #[test]
    fn parties_of_trades_may_be_unknown() {
        let row = "T-1,transfer,2026-11-25,DJPY,1,INV-8,INV-9,,,";
        let scenario = parse("trades", &format!("{HEADER}\n{row}\n")).unwrap();
        let trade = &scenario.trades[0];
        assert_eq!(scenario.custodian_of(&trade.from), None);
        assert_eq!(trade.kind.to().map(InvestorId::as_str), Some("INV-9"));
    }

    #[test]
    fn published_isins_pass_the_check_digit() {
        for isin in ["JP3902900004", "JP3633400001", "US0378331005", "ZZ0000000008"] {
            assert_eq!(isin.parse::<AssetCode>().unwrap().kind(), AssetKind::Security);
            let (body, digit) = isin.split_at(11);
            let right: u32 = digit.parse().unwrap();
            for wrong in (0..10).filter(|digit| *digit != right) {
                let refused = format!("{body}{wrong}").parse::<AssetCode>();
                assert_eq!(refused, Err(Reason::CheckDigit(right)));
            }
        }
        assert_eq!("DJPY".parse::<AssetCode>().unwrap().kind(), AssetKind::Cash);
        assert_eq!("".parse::<AssetCode>(), Err(Reason::Empty));
    }

    #[test]
    fn a_row_becomes_a_trade_with_all_its_columns() {
        let row = "T/1,dvp,2028-02-29,ZZ0000DEMO11,10,INV-1,INV-2,DJPY,500,";
        let scenario = parse("trades", &format!("{HEADER}\n{row}\n")).unwrap();
        let trade = &scenario.trades[0];
        assert_eq!(trade.trade_id.as_str(), "T/1");
        assert_eq!(trade.delivery_date.to_string(), "2028-02-29");
        assert_eq!((trade.line, trade.quantity, trade.fault), (2, Amount::new(10), None));
        let to = "INV-2".parse().unwrap();
        let (cash_asset, cash_quantity) = ("DJPY".parse().unwrap(), Amount::new(500));
        assert_eq!(trade.kind, TradeKind::Dvp { to, cash_asset, cash_quantity });
    }

    #[test]
    fn the_embedded_files_are_sound_and_synthetic() {
        let scenario = Scenario::embedded().unwrap();
        let custodians: Vec<&str> =
            scenario.custodians().into_iter().map(CustodianName::as_str).collect();
        assert_eq!(custodians, ["custodian-a", "custodian-b", "custodian-c"]);
        assert_eq!((scenario.investors.len(), scenario.trades.len()), (12, 24));
        for spec in scenario.assets.values() {
            assert!(spec.kind == AssetKind::Cash || spec.code.starts_with("ZZ"), "{spec:?}");
        }
        for name in ["transfer", "dvp", "redeem"] {
            assert!(scenario.trades.iter().any(|trade| trade.kind.name() == name), "{name}");
        }
    }
}
