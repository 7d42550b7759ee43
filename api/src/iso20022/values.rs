//! What stands in messages as text: each type accepts what it names and nothing else.

use std::fmt;
use std::str::FromStr;

use super::codec::{Content, Simple};
use super::xml::Node;
use super::{Fault, FaultKind};
use crate::calendar::BusinessDate;
use crate::masters::identifiers;

/// A text of 1 to `MAX` characters, without control characters but tab and line feed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Text<const MAX: usize>(String);

/// A reference or name of at most 35 characters.
pub type Max35 = Text<35>;

impl<const MAX: usize> Text<MAX> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = FaultKind;

    fn from_str(text: &str) -> Result<Self, FaultKind> {
        let count = text.chars().count();
        let refused = |char: char| char.is_control() || matches!(char, '\u{fffe}' | '\u{ffff}');
        let allowed = |char| matches!(char, '\t' | '\n') || !refused(char);
        let good =
            (1..=MAX).contains(&count) && text.chars().all(allowed) && !text.trim().is_empty();
        if good { Ok(Self(text.to_owned())) } else { Err(FaultKind::Text(MAX)) }
    }
}

impl<const MAX: usize> Simple for Text<MAX> {
    fn from_text(text: &str) -> Result<Self, FaultKind> {
        text.parse()
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text type that one function decides.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $is:expr, $fault:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = FaultKind;

            fn from_str(text: &str) -> Result<Self, FaultKind> {
                if $is(text) { Ok(Self(text.to_owned())) } else { Err($fault) }
            }
        }

        impl Simple for $name {
            fn from_text(text: &str) -> Result<Self, FaultKind> {
                text.parse()
            }

            fn to_text(&self) -> String {
                self.0.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identifier!(
    /// An ISIN with its check digit (ISO 6166).
    Isin, identifiers::is_isin, FaultKind::Form("an ISIN with its check digit")
);
identifier!(
    /// A BIC of 8 or 11 characters (ISO 9362).
    Bic, identifiers::is_bic, FaultKind::Form("a BIC of 8 or 11 characters")
);
identifier!(
    /// An LEI with its check digits (ISO 17442).
    Lei, identifiers::is_lei, FaultKind::Form("an LEI with its check digits")
);
identifier!(
    /// A currency's code (ISO 4217): three capitals.
    Currency, |text: &str| is_made_of(text, 3, u8::is_ascii_uppercase),
    FaultKind::Form("a currency's code: three capitals")
);
identifier!(
    /// A country's code (ISO 3166): two capitals.
    Country,
    |text: &str| is_made_of(text, 2, u8::is_ascii_uppercase),
    FaultKind::Form("a country's code: two capitals")
);
identifier!(
    /// A proprietary code of four letters or digits.
    Code4, |text: &str| is_made_of(text, 4, u8::is_ascii_alphanumeric),
    FaultKind::Form("four letters or digits")
);
identifier!(
    /// An option's number: three digits.
    OptionNumber, |text: &str| is_made_of(text, 3, u8::is_ascii_digit),
    FaultKind::Form("three digits")
);

fn is_made_of(text: &str, length: usize, is: fn(&u8) -> bool) -> bool {
    text.len() == length && text.as_bytes().iter().all(is)
}

/// A page's number: 1 to 5 digits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PageNumber(u32);

impl PageNumber {
    /// The last there can be.
    pub const MAX: u32 = 99_999;

    /// The page's number, if it has at most 5 digits.
    #[must_use]
    pub const fn new(number: u32) -> Option<Self> {
        if number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl Simple for PageNumber {
    fn from_text(text: &str) -> Result<Self, FaultKind> {
        let digits =
            (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or(FaultKind::Form("1 to 5 digits"))
    }

    fn to_text(&self) -> String {
        self.0.to_string()
    }
}

impl Simple for bool {
    fn from_text(text: &str) -> Result<Self, FaultKind> {
        match text.trim() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(FaultKind::Form("`true` or `false`")),
        }
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// A decimal number that isn't negative, of at most 30 digits, without zeros at the end of its fraction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decimal {
    digits: u128,
    fraction: u8,
}

impl Decimal {
    /// The most digits that a message's number may have.
    pub const DIGITS_MAX: usize = 30;

    /// `atoms` atomic units, of which `decimals` places are the fraction of a unit.
    #[must_use]
    pub fn of_atoms(atoms: u128, decimals: u8) -> Option<Self> {
        let (mut digits, mut fraction) = (atoms, decimals);
        while fraction > 0 && digits.is_multiple_of(10) {
            (digits, fraction) = (digits / 10, fraction.saturating_sub(1));
        }
        let fits = usize::from(fraction) < Self::DIGITS_MAX
            && digits.to_string().len() <= Self::DIGITS_MAX;
        fits.then_some(Self { digits, fraction })
    }

    /// The number in atomic units, if it is a whole number of them below 2^64.
    #[must_use]
    pub fn to_atoms(self, decimals: u8) -> Option<u64> {
        let shift = decimals.checked_sub(self.fraction)?;
        let atoms = self.digits.checked_mul(10u128.checked_pow(shift.into())?)?;
        atoms.try_into().ok()
    }

    /// Whether it can be written with so many digits in all, and of them in its fraction.
    #[must_use]
    pub fn fits(self, digits: usize, fraction: u8) -> bool {
        let written = self.digits.to_string().len().max(self.fraction.into());
        written <= digits && self.fraction <= fraction
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0>1$}", self.digits, usize::from(self.fraction).saturating_add(1));
        match digits
            .len()
            .checked_sub(self.fraction.into())
            .and_then(|at| digits.split_at_checked(at))
        {
            Some((whole, fraction)) if !fraction.is_empty() => write!(f, "{whole}.{fraction}"),
            _ => f.write_str(&digits),
        }
    }
}

impl FromStr for Decimal {
    type Err = FaultKind;

    fn from_str(text: &str) -> Result<Self, FaultKind> {
        let fault = FaultKind::Form("a decimal number of at most 30 digits that isn't negative");
        let text = text.trim();
        let text = text.strip_prefix('+').unwrap_or(text);
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || whole.len().max(fraction.len()) == 0 {
            return Err(fault);
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        if whole.len().saturating_add(fraction.len()) > Self::DIGITS_MAX {
            return Err(fault);
        }
        let digits = format!("0{whole}{fraction}").parse().ok();
        let fraction = u8::try_from(fraction.len()).ok();
        digits.and_then(|digits| Some(Self { digits, fraction: fraction? })).ok_or(fault)
    }
}

/// A number with its limits in the schema: digits in all, and of them in the fraction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Number<const DIGITS: usize, const FRACTION: u8>(Decimal);

impl<const DIGITS: usize, const FRACTION: u8> Number<DIGITS, FRACTION> {
    /// The number, if it is within the limits.
    #[must_use]
    pub fn new(number: Decimal) -> Option<Self> {
        number.fits(DIGITS, FRACTION).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

impl<const DIGITS: usize, const FRACTION: u8> Simple for Number<DIGITS, FRACTION> {
    fn from_text(text: &str) -> Result<Self, FaultKind> {
        Self::new(text.parse()?).ok_or(FaultKind::Digits(DIGITS, FRACTION))
    }

    fn to_text(&self) -> String {
        self.0.to_string()
    }
}

/// An amount of money that isn't negative; its direction stands beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Amount<const FRACTION: u8> {
    /// The number.
    pub value: Number<18, FRACTION>,
    /// In which currency.
    pub currency: Currency,
}

impl<const FRACTION: u8> Content for Amount<FRACTION> {
    fn read(node: &Node) -> Result<Self, Fault> {
        let currency = match node.attributes.as_slice() {
            [(name, value)] if name == "Ccy" => value.parse()?,
            _ => return Err(Fault::at(FaultKind::Missing, &["@Ccy"])),
        };
        if let Some(child) = node.children.first() {
            return Err(Fault::at(FaultKind::Unexpected, &[&child.name]));
        }
        Ok(Self { value: Number::from_text(&node.text)?, currency })
    }

    fn write(&self, node: &mut Node) {
        node.attributes.push(("Ccy".to_owned(), self.currency.to_text()));
        node.text = self.value.to_text();
    }
}

impl Simple for BusinessDate {
    fn from_text(text: &str) -> Result<Self, FaultKind> {
        let fault = FaultKind::Form("a date as YYYY-MM-DD, without time zone");
        text.trim().parse().map_err(|_| fault)
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// A date and time of day as it is written: with its offset from UTC, or without one if the sender didn't say it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DateTime {
    date: BusinessDate,
    /// Of the day.
    microseconds: u64,
    /// From UTC, in minutes.
    offset: Option<i16>,
}

const SECOND: u64 = 1_000_000;

impl DateTime {
    /// An instant in UTC, in microseconds since the Unix epoch.
    #[must_use]
    pub fn of_unix(microseconds: u64) -> Option<Self> {
        const DAY: u64 = 24 * 3600 * SECOND;
        let epoch = BusinessDate::of(1970, 1, 1)?;
        let date = epoch.plus_days(i32::try_from(microseconds / DAY).ok()?)?;
        Some(Self { date, microseconds: microseconds % DAY, offset: Some(0) })
    }

    /// The day as its sender writes it.
    #[must_use]
    pub const fn date(self) -> BusinessDate {
        self.date
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.microseconds / SECOND, self.microseconds % SECOND);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{}T{hours:02}:{minutes:02}:{:02}", self.date, seconds % 60)?;
        if rest > 0 {
            write!(f, ".{}", format!("{rest:06}").trim_end_matches('0'))?;
        }
        match self.offset {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

impl FromStr for DateTime {
    type Err = FaultKind;

    fn from_str(text: &str) -> Result<Self, FaultKind> {
        let fault = FaultKind::Form(
            "a date and time as YYYY-MM-DDThh:mm:ss, with at most six digits after, and Z or ±hh:mm",
        );
        read_time(text.trim()).ok_or(fault)
    }
}

fn read_time(text: &str) -> Option<DateTime> {
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    let (date, time) = text.split_once('T')?;
    let (clock, rest) = time.split_at_checked(8)?;
    let zone = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (fraction, zone) = rest.split_at_checked(zone)?;
    let [hours, minutes, seconds] =
        <[&str; 3]>::try_from(clock.split(':').collect::<Vec<_>>()).ok()?;
    let (hours, minutes, seconds) = (two(hours)?, two(minutes)?, two(seconds)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let micros = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits)
            if (1..=6).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            format!("{digits:0<6}").parse::<u64>().ok()?
        }
        _ => return None,
    };
    let offset = match zone.split_at_checked(1) {
        None => None,
        Some(("Z", "")) => Some(0),
        Some((sign @ ("+" | "-"), text)) => {
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes) = (two(hours)?, two(minutes)?);
            let all = i16::try_from(hours.checked_mul(60)?.checked_add(minutes)?).ok()?;
            if minutes > 59 || all > 14 * 60 {
                return None;
            }
            Some(if sign == "-" { all.checked_neg()? } else { all })
        }
        Some(_) => return None,
    };
    let seconds =
        hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    let microseconds = seconds.checked_mul(SECOND)?.checked_add(micros)?;
    Some(DateTime { date: date.parse().ok()?, microseconds, offset })
}

impl Simple for DateTime {
    fn from_text(text: &str) -> Result<Self, FaultKind> {
        text.parse()
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}
