//! What a message says, as tables for people.

use std::collections::BTreeMap;

use super::xml::Node;
use super::*;

/// What a message says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// The standard's name of the message.
    pub name: &'static str,
    /// Every value by its element; of statements what stands before the rows.
    pub values: Vec<(String, String)>,
    /// Of a statement, the heads of its rows' columns.
    pub columns: &'static [&'static str],
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

impl Message {
    /// The standard's name of the message.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Custody(_) => "SecuritiesBalanceCustodyReport",
            Self::Accounting(_) => "SecuritiesBalanceAccountingReport",
            Self::Postings(_) => "SecuritiesTransactionPostingReport",
            Self::Pending(_) => "SecuritiesTransactionPendingReport",
            Self::CancellationRequest(_) => "SecuritiesTransactionCancellationRequest",
            Self::Instruction(_) => "SecuritiesSettlementTransactionInstruction",
            Self::Status(_) => "SecuritiesSettlementTransactionStatusAdvice",
            Self::Confirmation(_) => "SecuritiesSettlementTransactionConfirmation",
            Self::CancellationAdvice(_) => "SecuritiesTransactionCancellationRequestStatusAdvice",
            Self::EventNotification(_) => "CorporateActionNotification",
            Self::EventConfirmation(_) => "CorporateActionMovementConfirmation",
        }
    }

    /// What it says.
    #[must_use]
    pub fn said(&self) -> Said {
        // Elements that rows are made of.
        let (columns, rows, apart): (&'static [&'static str], Vec<Vec<String>>, &[&str]) =
            match self {
                Self::Custody(report) => (
                    &["account", "asset", "quantity", "available", "of it"],
                    custody(report),
                    &["BalForAcct", "SubAcctDtls"],
                ),
                Self::Accounting(report) => (
                    &["account", "asset", "quantity", "value"],
                    accounting(report),
                    &["BalForAcct", "SubAcctDtls"],
                ),
                Self::Postings(report) => (
                    &["account", "asset", "trade", "movement", "quantity", "payment", "effective"],
                    postings(report),
                    &["FinInstrmDtls", "SubAcctDtls"],
                ),
                Self::Pending(report) => (
                    &["trade", "asset", "movement", "quantity", "payment", "settlement date"],
                    pending(report),
                    &["Sts", "Txs"],
                ),
                _ => (&[], Vec::new(), &[]),
            };
        let mut root = Node::new("Document");
        self.write_body(&mut root);
        let mut values = Vec::new();
        for body in &root.children {
            leaves(body, "", apart, &mut values);
        }
        Said { name: self.name(), values, columns, rows }
    }
}

/// Each value below an element, by its path.
fn leaves(node: &Node, above: &str, apart: &[&str], values: &mut Vec<(String, String)>) {
    let mut alike: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for child in &node.children {
        let (all, _) = alike.entry(&child.name).or_default();
        *all = all.saturating_add(1);
    }
    for child in &node.children {
        if apart.contains(&child.name.as_str()) {
            continue;
        }
        let slash = if above.is_empty() { "" } else { "/" };
        let mut path = format!("{above}{slash}{}", child.name);
        if let Some((2.., number)) = alike.get_mut(child.name.as_str()) {
            *number = number.saturating_add(1);
            path = format!("{path}[{number}]");
        }
        if child.children.is_empty() {
            let attributes: String =
                child.attributes.iter().map(|(_, value)| format!(" {value}")).collect();
            values.push((path, format!("{}{attributes}", child.text)));
        } else {
            leaves(child, &path, &[], values);
        }
    }
}

/// A value as it is written.
fn written(value: &impl codec::Content) -> String {
    let mut node = Node::new("Value");
    value.write(&mut node);
    let mut values = Vec::new();
    leaves(&node, "", &[], &mut values);
    match values.is_empty() {
        true => node.text,
        false => values.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(" "),
    }
}

fn number(account: Option<&Account>) -> String {
    account.map(|account| account.id.to_string()).unwrap_or_default()
}

fn of(security: &Security) -> String {
    security.code().map_or_else(|| written(security), str::to_owned)
}

fn trade(id: &Max35, trades: &[Text<52>]) -> String {
    trades.first().map_or_else(|| id.to_string(), Text::to_string)
}

fn balance(balance: &Balance) -> String {
    let sign = if balance.side == Side::Short { "-" } else { "" };
    format!("{sign}{}", written(&balance.quantity))
}

fn custody(report: &Custody) -> Vec<Vec<String>> {
    let whole = (number(report.account.as_ref()), &report.balances);
    let parts = report.sub_accounts.iter();
    let parts = parts.map(|part| (number(part.account.as_ref()), &part.balances));
    let rows = std::iter::once(whole).chain(parts).flat_map(|(account, balances)| {
        balances.iter().map(move |one| {
            let available = one.available.as_ref().map(|one| written(&one.quantity));
            let kinds = one
                .parts
                .iter()
                .map(|part| format!("{} {}", written(&part.quantity), written(&part.kind)));
            vec![
                account.clone(),
                of(&one.security),
                balance(&one.total),
                available.unwrap_or_default(),
                kinds.collect::<Vec<_>>().join(", "),
            ]
        })
    });
    rows.collect()
}

fn accounting(report: &Accounting) -> Vec<Vec<String>> {
    let whole = (number(report.account.as_ref()), &report.balances);
    let parts = report.sub_accounts.iter();
    let parts = parts.map(|part| (number(part.account.as_ref()), &part.balances));
    let rows = std::iter::once(whole).chain(parts).flat_map(|(account, balances)| {
        balances.iter().map(move |one| {
            let value = &one.values.holding;
            let sign = if value.positive { "" } else { "-" };
            vec![
                account.clone(),
                of(&one.security),
                balance(&one.total),
                format!("{sign}{} {}", written(&value.amount), value.amount.currency),
            ]
        })
    });
    rows.collect()
}

fn postings(report: &Postings) -> Vec<Vec<String>> {
    let whole = (number(report.account.as_ref()), &report.securities);
    let parts = report.sub_accounts.iter();
    let parts = parts.map(|part| (number(part.account.as_ref()), &part.securities));
    let mut rows = Vec::new();
    for (account, securities) in std::iter::once(whole).chain(parts) {
        for security in securities {
            for posting in &security.postings {
                let details = posting.details.as_ref();
                let amount = details.and_then(|one| one.amount.as_ref()).map(|one| &one.amount);
                rows.push(vec![
                    account.clone(),
                    of(&security.security),
                    trade(&posting.id, &posting.trades),
                    details.map(|one| one.movement.code()).unwrap_or_default().to_owned(),
                    details.map(|one| written(&one.quantity)).unwrap_or_default(),
                    paid(details.map(|one| one.payment), amount),
                    details.map(|one| written(&one.effective)).unwrap_or_default(),
                ]);
            }
        }
    }
    rows
}

fn pending(report: &PendingReport) -> Vec<Vec<String>> {
    let by_status = report.by_status.iter().flat_map(|group| &group.transactions);
    let by_status = by_status.map(|one| (&one.id, &one.trades, one.details.as_ref()));
    let each = report.transactions.iter();
    let each = each.map(|one| (&one.id, &one.trades, one.details.as_ref()));
    let rows = by_status.chain(each).map(|(id, trades, details)| {
        let amount = details.and_then(|one| one.amount.as_ref()).map(|one| &one.amount);
        vec![
            trade(id, trades),
            details.map(|one| of(&one.security)).unwrap_or_default(),
            details.map(|one| one.movement.code()).unwrap_or_default().to_owned(),
            details.map(|one| written(&one.quantity)).unwrap_or_default(),
            paid(details.map(|one| one.payment), amount),
            details.map(|one| written(&one.settlement)).unwrap_or_default(),
        ]
    });
    rows.collect()
}

fn paid(payment: Option<Payment>, amount: Option<&Amount<5>>) -> String {
    let code = payment.map(Payment::code).unwrap_or_default();
    match amount {
        Some(amount) => format!("{code} {} {}", written(&amount.value), amount.currency),
        None => code.to_owned(),
    }
}
