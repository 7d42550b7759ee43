//! Each of the three files, row by row.

use std::collections::{BTreeMap, BTreeSet};

use super::errors::{Findings, Reason};
use super::fields::KindName;
use super::rows::{Row, rows};
use super::{
    ASSETS_MAX, Account, Amount, AssetCode, AssetKind, CUSTODIANS_MAX, CorporateNumber,
    CustodianName, DeliveryDate, Fault, InvestorId, Names, PersonName, Source, Trade, TradeId,
    TradeKind,
};

const INVESTORS: [&str; 3] = ["investor", "custodian", "asset"];
const POSITIONS: [&str; 3] = ["investor", "asset", "quantity"];
const NAMES: [&str; 4] = ["investor", "name_ja", "name_en", "corporate_number"];
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

/// The investors file, with the lines of its accounts.
#[derive(Default)]
pub(super) struct Register {
    pub(super) investors: BTreeMap<InvestorId, CustodianName>,
    pub(super) custodians: BTreeSet<CustodianName>,
    pub(super) assets: BTreeSet<AssetCode>,
    pub(super) accounts: BTreeMap<Account, u64>,
}

pub(super) fn read_investors(source: Source<'_>, findings: &mut Findings) -> Register {
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

pub(super) fn read_positions(
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

pub(super) fn read_names(
    source: Source<'_>,
    register: Option<&Register>,
    findings: &mut Findings,
) -> BTreeMap<InvestorId, Names> {
    let mut all = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for row in rows(source, &NAMES, findings) {
        let investor = findings.field::<InvestorId>(&row, "investor");
        let japanese = findings.field::<PersonName>(&row, "name_ja");
        let english = findings.field::<PersonName>(&row, "name_en");
        let corporate_number = findings.field::<CorporateNumber>(&row, "corporate_number");
        let Some(investor) = investor else { continue };
        if register.is_some_and(|register| !register.investors.contains_key(&investor)) {
            let reason = Reason::UnknownInvestor;
            findings.refuse(&row, "investor", reason, "an investor of the investors file");
        }
        if let Some(line) = lines.get(&investor) {
            findings.refuse(&row, "investor", Reason::Duplicate(*line), "one row an investor");
            continue;
        }
        lines.insert(investor.clone(), row.line);
        if let (Some(japanese), Some(english), Some(corporate_number)) =
            (japanese, english, corporate_number)
        {
            all.insert(investor, Names { japanese, english, corporate_number });
        }
    }
    all
}

pub(super) fn read_trades(
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
