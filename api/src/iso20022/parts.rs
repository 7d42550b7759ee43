//! Parts that several messages share.

use super::codec::{Field, choice, codes, record};
use super::values::{
    Amount, Bic, Code4, DateTime, Decimal, Isin, Lei, Max35, Number, PageNumber, Text,
};
use super::xml::Node;
use super::{Fault, FaultKind};
use crate::calendar::BusinessDate;

record! {
    /// Which page of how many; only the last one says that there is no other.
    Pagination {
        /// From 1.
        page: PageNumber = "PgNb",
        /// Whether it is the last.
        last: bool = "LastPgInd",
    }
}

choice! {
    /// A day, or an instant.
    When {
        /// A business date.
        Day(BusinessDate) = "Dt",
        /// A date with a time of day.
        Time(DateTime) = "DtTm",
    }
}

impl When {
    /// The day.
    #[must_use]
    pub const fn date(&self) -> BusinessDate {
        match self {
            Self::Day(date) => *date,
            Self::Time(time) => time.date(),
        }
    }
}

record! {
    /// A proprietary code of four characters.
    OwnCode {
        /// The code.
        id: Code4 = "Id",
        /// Who gives it.
        issuer: Max35 = "Issr",
        /// Of which scheme.
        scheme: Option<Max35> = "SchmeNm",
    }
}

record! {
    /// A proprietary identification.
    OwnId {
        /// The identification.
        id: Max35 = "Id",
        /// Who gives it.
        issuer: Max35 = "Issr",
        /// Of which scheme.
        scheme: Option<Max35> = "SchmeNm",
    }
}

choice! {
    /// An institution, by BIC or its own identification.
    PartyId {
        /// BIC.
        Bic(Bic) = "AnyBIC",
        /// Another identification, such as a member's name on the ledger.
        Own(OwnId) = "PrtryId",
    }
}

impl PartyId {
    /// Who gives the identification of a member: its name on the ledger.
    pub const ISSUER: &str = "SUDARE";

    /// The member with this name.
    ///
    /// # Errors
    ///
    /// If the name is too long for a message.
    pub fn of_member(name: &str) -> Result<Self, FaultKind> {
        let issuer = Self::ISSUER.parse()?;
        Ok(Self::Own(OwnId { id: name.parse()?, issuer, scheme: None }))
    }

    /// The member's name, if the message names it so.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        match self {
            Self::Own(OwnId { id, issuer, .. }) if issuer.as_str() == Self::ISSUER => {
                Some(id.as_str())
            }
            _ => None,
        }
    }
}

record! {
    /// A party, such as an account's owner or the one that keeps it.
    Party {
        /// Who.
        id: PartyId = "Id",
        /// Its LEI.
        lei: Option<Lei> = "LEI",
    }
}

record! {
    /// A safekeeping account.
    Account {
        /// Its number: for a sub-account, an investor's pseudonym.
        id: Max35 = "Id",
        /// Its name; never a person's.
        name: Option<Text<70>> = "Nm",
    }
}

choice! {
    /// By which scheme a security is identified, if not by ISIN.
    IdSource {
        /// A code of ISO's list.
        Code(Text<4>) = "Cd",
        /// One's own.
        Own(Max35) = "Prtry",
    }
}

record! {
    /// An identification that is no ISIN, such as an asset's ticker.
    OtherId {
        /// The identification.
        id: Max35 = "Id",
        /// Its suffix.
        suffix: Option<Text<16>> = "Sfx",
        /// By which scheme.
        source: IdSource = "Tp",
    }
}

record! {
    /// A security: at least one of its three says which.
    Security {
        /// ISIN.
        isin: Option<Isin> = "ISIN",
        /// Other identifications.
        other: Vec<OtherId> = "OthrId",
        /// In words.
        description: Option<Text<140>> = "Desc",
    }
}

impl Security {
    /// The scheme of [`OtherId`] for codes of assets on the ledger.
    pub const SCHEME: &str = "SUDARE";

    /// The asset with this code: an ISIN, or a ticker for cash.
    ///
    /// # Errors
    ///
    /// If the code is too long for a message.
    pub fn of_code(code: &str) -> Result<Self, FaultKind> {
        let none = Self { isin: None, other: Vec::new(), description: None };
        if let Ok(isin) = code.parse() {
            return Ok(Self { isin: Some(isin), ..none });
        }
        let source = IdSource::Own(Self::SCHEME.parse()?);
        let other = OtherId { id: code.parse()?, suffix: None, source };
        Ok(Self { other: vec![other], ..none })
    }

    /// The asset's code on the ledger, if the message says one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        if let Some(isin) = &self.isin {
            return Some(isin.as_str());
        }
        let ours = |other: &&OtherId| matches!(&other.source, IdSource::Own(scheme) if scheme.as_str() == Self::SCHEME);
        self.other.iter().find(ours).map(|other| other.id.as_str())
    }
}

choice! {
    /// How much of a security.
    Quantity {
        /// Units of a security.
        Units(Number<18, 17>) = "Unit",
        /// Face amount of a debt.
        Face(Number<18, 5>) = "FaceAmt",
        /// Amortised value of a debt.
        Amortised(Number<18, 5>) = "AmtsdVal",
        /// Units of a digital token, which may have more digits.
        Tokens(Number<30, 29>) = "DgtlTknUnit",
    }
}

impl Quantity {
    /// Atomic units of an asset of which `decimals` places are the fraction of a unit. Units if they fit, else tokens.
    ///
    /// # Errors
    ///
    /// If the number has more digits than a message holds.
    pub fn of_atoms(atoms: u128, decimals: u8) -> Result<Self, FaultKind> {
        let number = Decimal::of_atoms(atoms, decimals).ok_or(FaultKind::Digits(30, 29))?;
        match (Number::new(number), Number::new(number)) {
            (Some(units), _) => Ok(Self::Units(units)),
            (None, Some(tokens)) => Ok(Self::Tokens(tokens)),
            (None, None) => Err(FaultKind::Digits(30, 29)),
        }
    }

    /// The number, whatever it counts.
    #[must_use]
    pub const fn decimal(&self) -> Decimal {
        match self {
            Self::Units(number) => number.decimal(),
            Self::Face(number) | Self::Amortised(number) => number.decimal(),
            Self::Tokens(number) => number.decimal(),
        }
    }
}

record! {
    /// A debt's original and current value.
    OriginalAndCurrent {
        /// Face amount.
        face: Number<18, 5> = "FaceAmt",
        /// Amortised value.
        amortised: Number<18, 5> = "AmtsdVal",
    }
}

choice! {
    /// A quantity in one number or two.
    Settled {
        /// One.
        Quantity(Quantity) = "Qty",
        /// Original and current.
        Values(OriginalAndCurrent) = "OrgnlAndCurFace",
    }
}

codes! {
    /// Whether the account has, or owes.
    Side {
        /// It has.
        Long = "LONG",
        /// It owes.
        Short = "SHOR",
    }
}

choice! {
    /// A balance's quantity.
    BalanceQuantity {
        /// As a quantity.
        Quantity(Settled) = "Qty",
    }
}

record! {
    /// A balance.
    Balance {
        /// Has or owes.
        side: Side = "ShrtLngInd",
        /// How much.
        quantity: BalanceQuantity = "Qty",
    }
}

impl Balance {
    /// What an account has, in atomic units.
    ///
    /// # Errors
    ///
    /// If the number has more digits than a message holds.
    pub fn of_atoms(atoms: u128, decimals: u8) -> Result<Self, FaultKind> {
        let quantity = Settled::Quantity(Quantity::of_atoms(atoms, decimals)?);
        Ok(Self { side: Side::Long, quantity: BalanceQuantity::Quantity(quantity) })
    }

    /// What the account has, in atomic units; none if it owes, or if it is no whole number of them below 2^64.
    #[must_use]
    pub fn atoms(&self, decimals: u8) -> Option<u64> {
        let BalanceQuantity::Quantity(Settled::Quantity(quantity)) = &self.quantity else {
            return None;
        };
        let atoms = quantity.decimal().to_atoms(decimals)?;
        (self.side == Side::Long || atoms == 0).then_some(atoms)
    }
}

record! {
    /// Money with its sign.
    SignedMoney {
        /// How much.
        amount: Amount<5> = "Amt",
        /// True if it isn't negative.
        positive: bool = "Sgn",
    }
}

codes! {
    /// Whether a statement is whole or says what changed.
    Update {
        /// Whole.
        Complete = "COMP",
        /// Changes.
        Delta = "DELT",
    }
}

choice! {
    /// [`Update`], or one's own code.
    UpdateType {
        /// A code.
        Code(Update) = "Cd",
        /// One's own.
        Own(OwnCode) = "Prtry",
    }
}

choice! {
    /// A report's number.
    ReportNumber {
        /// Three digits.
        Short(super::values::OptionNumber) = "Shrt",
        /// Five digits.
        Long(Digits5) = "Lng",
    }
}

/// Five digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Digits5(String);

impl super::codec::Simple for Digits5 {
    fn from_text(text: &str) -> Result<Self, FaultKind> {
        let good = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        if good { Ok(Self(text.to_owned())) } else { Err(FaultKind::Form("five digits")) }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// Where in the ledger what a message says is proved: in its supplementary data, under a namespace of our own. Others'
/// supplementary data is left unread.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Evidence {
    /// What the values are of, such as `tx`, `root` or `entry`, and each value.
    pub values: Vec<(Max35, Text<350>)>,
}

/// The namespace of [`Evidence`].
pub const EVIDENCE_NAMESPACE: &str = "urn:sudare:evidence:1";

impl Field for Evidence {
    fn get(node: &Node, path: &[&str]) -> Result<Self, Fault> {
        let mut values = Vec::new();
        for data in path.iter().flat_map(|name| node.named(name)) {
            let Some(envelope) = data.named("Envlp").next() else { continue };
            let Some(evidence) = envelope.children.iter().find(|child| is_evidence(child)) else {
                continue;
            };
            [data, envelope, evidence].iter().for_each(|node| node.used.set(true));
            for value in evidence.named("Value") {
                value.used.set(true);
                let of = match value.attributes.as_slice() {
                    [(name, of)] if name == "of" => of.parse(),
                    _ => Err(FaultKind::Missing),
                };
                let of = of.map_err(|kind| Fault::at(kind, path))?;
                values.push((of, value.text.parse().map_err(|kind| Fault::at(kind, path))?));
            }
        }
        Ok(Self { values })
    }

    fn put(&self, node: &mut Node, path: &[&str]) {
        let [name] = path else { return };
        if self.values.is_empty() {
            return;
        }
        let mut evidence = Node::new("Evidence");
        evidence.namespace = Some(EVIDENCE_NAMESPACE.to_owned());
        for (of, text) in &self.values {
            let mut value = Node::new("Value");
            value.attributes.push(("of".to_owned(), of.to_string()));
            value.text = text.to_string();
            evidence.children.push(value);
        }
        let (mut envelope, mut data) = (Node::new("Envlp"), Node::new(name));
        envelope.children.push(evidence);
        data.children.push(envelope);
        node.children.push(data);
    }
}

fn is_evidence(node: &Node) -> bool {
    node.name == "Evidence" && node.namespace.as_deref() == Some(EVIDENCE_NAMESPACE)
}
