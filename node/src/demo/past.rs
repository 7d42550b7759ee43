//! A network that has been used before: what it has when a day begins.

use std::collections::{BTreeMap, BTreeSet};

use sudare_ledger::custodian::AccountState;

use super::input::{Account, Amount, CustodianName, InvestorId, Scenario};
use super::running::custodians;
use super::setup::Desk;
use crate::cli::Failure;
use crate::network::Made;

/// How many ids that are taken are shown.
const TAKEN_SHOWN: usize = 5;

/// What a network has when a day begins; nothing if it is fresh.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// What each account holds, and at which custodian it is.
    accounts: BTreeMap<Account, (CustodianName, Amount)>,
    /// The ids of all trades that any custodian knows.
    trade_ids: BTreeSet<String>,
}

impl Past {
    /// Asks all custodians. Accounts whose names no file could have are left out: no day can touch them.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub(super) async fn of(desk: &Desk, made: &Made) -> Result<Self, Failure> {
        let mut past = Self::default();
        for custodian in custodians(made) {
            let node = desk.node(&custodian)?;
            let trades = node.trades().await?;
            past.trade_ids.extend(trades.iter().map(|trade| trade.trade_id.to_string()));
            for view in node.accounts().await? {
                let code = desk.code_of(&view.asset);
                let names =
                    (view.investor.as_str().parse(), code.map(str::parse), custodian.parse());
                let (Ok(investor), Some(Ok(asset)), Ok(custodian)) = names else { continue };
                if view.state == AccountState::Registered {
                    let units = view.balance.live.saturating_add(view.balance.locked);
                    let account = Account { investor, asset };
                    past.accounts.insert(account, (custodian, Amount::new(units)));
                }
            }
        }
        Ok(past)
    }

    /// Whether an account is there already.
    pub(super) fn has(&self, account: &Account) -> bool {
        self.accounts.contains_key(account)
    }

    /// Whether any trade's id begins so.
    pub(super) fn has_trades_of(&self, beginning: &str) -> bool {
        let mut after = self.trade_ids.range(beginning.to_owned()..);
        after.next().is_some_and(|id| id.starts_with(beginning))
    }

    /// That a day can be carried out on top of this.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] saying what to change in the files.
    pub(super) fn check(&self, scenario: &Scenario, made: &Made) -> Result<(), Failure> {
        let custodians = custodians(made);
        for custodian in scenario.custodians() {
            if !custodians.iter().any(|name| name == custodian.as_str()) {
                return Err(Failure::Usage(format!(
                    "this network has no custodian {custodian}; it has {}: change the investors file",
                    custodians.join(", ")
                )));
            }
        }
        for (account, (custodian, _)) in &self.accounts {
            let other = scenario.custodian_of(&account.investor).filter(|name| *name != custodian);
            if let Some(other) = other {
                return Err(Failure::Usage(format!(
                    "{} is a customer of {custodian} in this network, and of {other} in the investors file: change that",
                    account.investor
                )));
            }
        }
        let ids = scenario.trades.iter().map(|trade| trade.trade_id.as_str());
        let taken: Vec<&str> =
            ids.filter(|id| self.trade_ids.contains(*id)).take(TAKEN_SHOWN).collect();
        if taken.is_empty() {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "this network has had trades with these ids before: {} ...; give them others in the trades file, or a made-up day another --seed",
            taken.join(", ")
        )))
    }

    /// The day as it begins here: with all accounts there are, and what they hold with the day's opening positions on top.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] if a position exceeds the range of quantities.
    pub(super) fn under(&self, scenario: &Scenario) -> Result<Scenario, Failure> {
        let mut whole = scenario.clone();
        for (account, (custodian, amount)) in &self.accounts {
            let investor: &InvestorId = &account.investor;
            whole.investors.insert(investor.clone(), custodian.clone());
            whole.assets.entry(account.asset.clone()).or_insert_with(|| account.asset.spec());
            whole.accounts.insert(account.clone());
            let issued = scenario.positions.get(account).map_or(0, |amount| amount.atomic_units());
            let sum = amount.atomic_units().checked_add(issued).ok_or_else(|| {
                Failure::Usage(format!(
                    "{investor} holds {amount} of {} before the day: with {issued} more that is beyond 18446744073709551615",
                    account.asset
                ))
            })?;
            if sum > 0 {
                whole.positions.insert(account.clone(), Amount::new(sum));
            }
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(investor: &str, asset: &str) -> Account {
        Account { investor: investor.parse().unwrap(), asset: asset.parse().unwrap() }
    }

    fn past(rows: &[(&str, &str, &str, u64)]) -> Past {
        let rows = rows.iter().map(|(investor, asset, custodian, units)| {
            let held = (custodian.parse().unwrap(), Amount::new(*units));
            (account(investor, asset), held)
        });
        let trade_ids = BTreeSet::from(["D1-000001".to_owned(), "T-1".to_owned()]);
        Past { accounts: rows.collect(), trade_ids }
    }

    #[test]
    fn a_day_begins_with_what_there_is_and_its_own_positions_on_top() {
        let scenario = Scenario::embedded().unwrap();
        let (own, other) = (account("INV-01", "DJPY"), account("OLD-1", "DJPY"));
        let past =
            past(&[("INV-01", "DJPY", "custodian-a", 7), ("OLD-1", "DJPY", "custodian-b", 5)]);
        let whole = past.under(&scenario).unwrap();
        let issued = scenario.positions.get(&own).map_or(0, |amount| amount.atomic_units());
        assert_eq!(whole.positions[&own].atomic_units(), issued + 7);
        assert_eq!(whole.positions[&other].atomic_units(), 5);
        assert_eq!(whole.custodian_of(&other.investor).unwrap().as_str(), "custodian-b");
        assert_eq!(whole.accounts.len(), scenario.accounts.len() + 1);
        assert_eq!(Past::default().under(&scenario).unwrap(), scenario);
        let full = self::past(&[("INV-01", "DJPY", "custodian-a", u64::MAX)]);
        let text = full.under(&scenario).unwrap_err().to_string();
        assert!(text.contains("INV-01") && text.contains("beyond"), "{text}");
    }

    #[test]
    fn seeds_whose_ids_are_taken_are_known() {
        let past = past(&[]);
        assert!(
            past.has_trades_of("D1-") && !past.has_trades_of("D2-") && !past.has_trades_of("D-")
        );
    }
}
