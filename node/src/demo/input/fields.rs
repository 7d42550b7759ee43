//! What one field of a row may hold.

use super::errors::Reason;
use super::{
    Amount, AssetCode, CorporateNumber, CustodianName, DeliveryDate, Fault, InvestorId, PersonName,
    TradeId,
};

/// A type that one field of a row holds.
pub(super) trait Field: Sized {
    /// The most characters.
    const CHARS_MAX: usize;
    /// What is permitted, for people.
    const EXPECTED: &'static str;
    /// Refuses characters that are wider than they should be.
    fn check_width(value: &str) -> Result<(), Reason> {
        let wide = |letter: char| ('\u{ff01}'..='\u{ff5e}').contains(&letter);
        if value.chars().any(|letter| ('０'..='９').contains(&letter)) {
            return Err(Reason::FullWidthDigits);
        }
        if value.chars().any(|letter| wide(letter) || letter == '\u{3000}') {
            return Err(Reason::FullWidth);
        }
        Ok(())
    }
    /// Parses a value that [`field`] has checked.
    fn read(value: &str) -> Result<Self, Reason>;
}

/// Parses a field that may not be empty: checks that are the same for all types, then the type's own.
pub(super) fn field<T: Field>(value: &str) -> Result<T, Reason> {
    if value.is_empty() {
        return Err(Reason::Empty);
    }
    T::check_width(value)?;
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
            let must = isin_check_digit(body);
            if last != must.to_string() {
                return Err(Reason::CheckDigit(must));
            }
        }
        Ok(Self(code))
    }
}

/// Two letters, nine letters or digits, a digit (ISO 6166).
pub(super) fn isin_shaped(code: &str) -> bool {
    code.len() == 12
        && code.chars().take(2).all(|c| c.is_ascii_uppercase())
        && code.ends_with(|c: char| c.is_ascii_digit())
}

/// The check digit of an ISIN's first 11 characters: letters count 10 to 35, then Luhn over the digits.
#[must_use]
pub fn isin_check_digit(body: &str) -> u32 {
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

impl Field for PersonName {
    const CHARS_MAX: usize = 80;
    const EXPECTED: &'static str = "a name of 1 to 80 characters";

    fn check_width(_: &str) -> Result<(), Reason> {
        Ok(())
    }

    fn read(value: &str) -> Result<Self, Reason> {
        named(value, |c| !c.is_control()).map(Self)
    }
}

impl Field for CorporateNumber {
    const CHARS_MAX: usize = 13;
    const EXPECTED: &'static str = "13 digits 0-9, the first the check digit of the others";

    fn read(value: &str) -> Result<Self, Reason> {
        let number = named(value, |c| c.is_ascii_digit())?;
        let Some((first, body)) = number.split_at_checked(1).filter(|_| number.len() == 13) else {
            return Err(Reason::Form);
        };
        let must = corporate_check_digit(body);
        if first != must.to_string() {
            return Err(Reason::CheckDigit(must));
        }
        Ok(Self(number))
    }
}

/// The check digit of a 法人番号's other 12 digits: 9 less the weighted sum modulo 9, weights 1 and 2 by turns from the right.
#[must_use]
pub fn corporate_check_digit(body: &str) -> u32 {
    let digits = body.chars().rev().filter_map(|c| c.to_digit(10)).enumerate();
    let weighed = digits.map(|(place, digit)| if place % 2 == 0 { digit } else { digit * 2 });
    9 - weighed.sum::<u32>() % 9
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
pub(super) enum KindName {
    Transfer,
    Dvp,
    Redeem,
}

impl KindName {
    pub(super) const fn text(self) -> &'static str {
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
    const EXPECTED: &'static str =
        "nothing, expired-slot, double-spend, late, cancelled, frozen or closed";

    fn read(value: &str) -> Result<Self, Reason> {
        match value {
            "expired-slot" => Ok(Self::ExpiredSlot),
            "double-spend" => Ok(Self::DoubleSpend),
            "late" => Ok(Self::Late),
            "cancelled" => Ok(Self::Cancelled),
            "frozen" => Ok(Self::Frozen),
            "closed" => Ok(Self::Closed),
            _ => Err(Reason::Form),
        }
    }
}
