//! Holdings as semt.002, in pages.

use std::collections::BTreeMap;

use super::input::{Declared, InputError, ROWS_MAX, is_name};
use super::{Holding, Registered};
use crate::iso20022::{
    Account, Balance, Basis, BasisType, Custody, CustodyBalance, CustodyFrequency,
    CustodyFrequencyType, CustodyStatement, CustodySubAccount, Evidence, FaultKind, Max35,
    PageNumber, Pagination, Quantity, Security, Side, SubBalance, SubBalanceKind,
    SubBalanceQuantity, SubBalanceType, Update, UpdateType, When, ledger,
};

/// Sub-accounts on a page.
pub const PAGE_ROWS: usize = 5_000;

/// What a statement is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heading {
    /// Its id, the same on all pages.
    pub id: Max35,
    /// As of when.
    pub at: When,
    /// Whose account: a member's name.
    pub owner: Max35,
    /// Who keeps it: a member's name.
    pub servicer: Max35,
    /// Decimals of assets that have any.
    pub decimals: BTreeMap<String, u8>,
}

/// A row with what is special about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// What is held.
    pub holding: Holding,
    /// Of it, what trades under way have locked.
    pub locked: u64,
    /// Whether the account is frozen, so that nothing of it can be delivered.
    pub frozen: bool,
}

impl From<Holding> for Held {
    fn from(holding: Holding) -> Self {
        Self { holding, locked: 0, frozen: false }
    }
}

/// Pages of a statement: accounts as sub-accounts in the order of their first row; on the first page, by asset, what all hold.
///
/// # Errors
///
/// If a name or number doesn't fit a message, or there are too many pages.
pub fn write(heading: &Heading, rows: &[Held]) -> Result<Vec<Custody>, FaultKind> {
    let decimals = |asset: &str| heading.decimals.get(asset).copied().unwrap_or(0);
    let balance = |asset: &str, units: u128| {
        Ok::<_, FaultKind>(CustodyBalance {
            security: Security::of_code(asset)?,
            total: Balance::of_atoms(units, decimals(asset))?,
            available: None,
            parts: Vec::new(),
            details: None,
            evidence: Evidence::default(),
        })
    };
    let mut sums: BTreeMap<&str, u128> = BTreeMap::new();
    let mut by_account: BTreeMap<&str, Vec<CustodyBalance>> = BTreeMap::new();
    for row in rows {
        let Holding { asset, account, quantity } = &row.holding;
        let sum = sums.entry(asset).or_default();
        *sum = sum.saturating_add(u128::from(*quantity));
        let balances = by_account.entry(account).or_default();
        let parts = parts(row, decimals(asset))?;
        balances.push(CustodyBalance { parts, ..balance(asset, u128::from(*quantity))? });
    }
    let mut sub_accounts = Vec::new();
    for (account, balances) in by_account {
        let account = Some(Account { id: account.parse()?, name: None });
        sub_accounts.push(CustodySubAccount { owner: None, account, activity: true, balances });
    }
    let mut totals = Vec::new();
    for (asset, units) in sums {
        totals.push(balance(asset, units)?);
    }
    let page_count = sub_accounts.len().div_ceil(PAGE_ROWS).max(1);
    let mut pages = Vec::new();
    let mut rest = sub_accounts.into_iter();
    for number in 1..=page_count {
        let page =
            u32::try_from(number).ok().and_then(PageNumber::new).ok_or(FaultKind::TooLong)?;
        pages.push(Custody {
            pagination: Pagination { page, last: number == page_count },
            statement: details(heading, !rows.is_empty()),
            owner: Some(ledger::party(heading.owner.as_str())?),
            servicer: Some(ledger::party(heading.servicer.as_str())?),
            account: Some(Account { id: heading.owner.clone(), name: None }),
            balances: std::mem::take(&mut totals),
            sub_accounts: rest.by_ref().take(PAGE_ROWS).collect(),
        });
    }
    Ok(pages)
}

fn details(heading: &Heading, activity: bool) -> CustodyStatement {
    CustodyStatement {
        report: None,
        query: None,
        id: Some(heading.id.clone()),
        at: heading.at.clone(),
        frequency: CustodyFrequencyType::Code(CustodyFrequency::AdHoc),
        update: UpdateType::Code(Update::Complete),
        basis: BasisType::Code(Basis::Settled),
        activity,
        has_sub_accounts: true,
    }
}

/// What of a balance is locked or frozen.
fn parts(row: &Held, decimals: u8) -> Result<Vec<SubBalance>, FaultKind> {
    let all = [
        (SubBalanceKind::PendingDelivery, row.locked),
        (SubBalanceKind::Blocked, if row.frozen { row.holding.quantity } else { 0 }),
    ];
    let some = all.into_iter().filter(|(_, units)| *units > 0);
    let part = |(kind, units): (SubBalanceKind, u64)| {
        Ok(SubBalance {
            kind: SubBalanceType::Code(kind),
            side: Some(Side::Long),
            quantity: SubBalanceQuantity::Quantity(Quantity::of_atoms(units.into(), decimals)?),
            details: None,
        })
    };
    some.map(part).collect()
}

/// A custodian's part of a register.
#[must_use]
pub fn of_custodian(register: &[Registered], custodian: &str) -> Vec<Held> {
    let rows = register.iter().filter(|row| row.custodian == custodian);
    rows.map(|row| row.holding.clone().into()).collect()
}

/// The rows of a whole statement, and what it declares of the account as a whole.
///
/// # Errors
///
/// If pages are missing, out of order or of several statements, or a balance isn't a whole number of atomic units.
pub fn read(
    pages: &[Custody],
    decimals: &BTreeMap<String, u8>,
) -> Result<(Vec<Holding>, Declared), InputError> {
    let (mut rows, mut declared) = (Vec::new(), Declared::new());
    for (index, page) in pages.iter().enumerate() {
        let number = index.saturating_add(1);
        let wrong = |what| InputError::Page { page: number, what };
        check(page, pages, number).map_err(wrong)?;
        let by_sub_account = pages.iter().any(|page| !page.sub_accounts.is_empty());
        if by_sub_account {
            for balance in &page.balances {
                let (asset, units) = units(balance, decimals).map_err(wrong)?;
                let sum = declared.entry(asset).or_default();
                *sum = sum.saturating_add(units.into());
            }
        }
        let whole = page.account.as_ref().map(|account| (account, &page.balances));
        let parts = page.sub_accounts.iter();
        let parts = parts.filter_map(|part| Some((part.account.as_ref()?, &part.balances)));
        if page.sub_accounts.iter().any(|part| part.account.is_none()) {
            return Err(wrong("a sub-account without a number"));
        }
        for (account, balances) in whole.filter(|_| !by_sub_account).into_iter().chain(parts) {
            let account = account.id.as_str();
            if !is_name(account) {
                return Err(wrong("an account's number has a blank"));
            }
            for balance in balances {
                let (asset, quantity) = units(balance, decimals).map_err(wrong)?;
                rows.push(Holding { asset, account: account.to_owned(), quantity });
                if rows.len() > ROWS_MAX {
                    return Err(InputError::TooLong);
                }
            }
        }
    }
    Ok((rows, declared))
}

fn check(page: &Custody, pages: &[Custody], number: usize) -> Result<(), &'static str> {
    let first = pages.first().map(|first| (&first.statement.id, &first.statement.at));
    if first != Some((&page.statement.id, &page.statement.at)) {
        return Err("it is of another statement than the first");
    }
    if usize::try_from(page.pagination.page.number()).ok() != Some(number) {
        return Err("it has another number: give all pages in their order");
    }
    if page.pagination.last != (number == pages.len()) {
        return Err("pages are missing after it, or it is not the last");
    }
    match page.statement.update {
        UpdateType::Code(Update::Complete) => Ok(()),
        _ => Err("it says what changed, not what is held: ask for a complete statement"),
    }
}

fn units(
    balance: &CustodyBalance,
    decimals: &BTreeMap<String, u8>,
) -> Result<(String, u64), &'static str> {
    let asset = balance.security.code().filter(|code| is_name(code));
    let asset = asset.ok_or("a security without ISIN or code on the ledger")?.to_owned();
    let places = decimals.get(&asset).copied().unwrap_or(0);
    let units = balance.total.atoms(places);
    Ok((asset, units.ok_or("a balance that is no whole number of atomic units, or owed")?))
}
