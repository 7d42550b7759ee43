//! A day of the calendar. It is not an instant: which day it is depends on where one asks.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use time::{Date, Duration, Month, Weekday};

use super::CalendarError;

/// A day by which business is dated: a trade, a settlement, a record date. Years 1 to 9999 of the Gregorian calendar.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BusinessDate(Date);

impl BusinessDate {
    /// The day with this year, month and day of the month, if there is one.
    #[must_use]
    pub fn of(year: i32, month: u8, day: u8) -> Option<Self> {
        let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
        (1..=9999).contains(&year).then_some(Self(date))
    }

    /// The day `days` after this one, or before it if `days` is negative.
    #[must_use]
    pub fn plus_days(self, days: i32) -> Option<Self> {
        let date = self.0.checked_add(Duration::days(days.into()))?;
        (1..=9999).contains(&date.year()).then_some(Self(date))
    }

    /// The year.
    #[must_use]
    pub const fn year(self) -> i32 {
        self.0.year()
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> u8 {
        self.0.month().into()
    }

    /// The day of the month.
    #[must_use]
    pub const fn day(self) -> u8 {
        self.0.day()
    }

    /// A day written in the code; one that there isn't gives the calendar's end, which tests would show.
    pub(super) const fn literal(year: i32, month: Month, day: u8) -> Self {
        match Date::from_calendar_date(year, month, day) {
            Ok(date) => Self(date),
            Err(_) => Self(Date::MAX),
        }
    }

    pub(super) const fn weekday(self) -> Weekday {
        self.0.weekday()
    }
}

impl fmt::Display for BusinessDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year(), self.month(), self.day())
    }
}

impl FromStr for BusinessDate {
    type Err = CalendarError;

    /// Reads `YYYY-MM-DD` and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |range| {
            let digits: &str = text.get(range)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
        };
        let date = || {
            let date = Self::of(
                number(0..4)?.into(),
                number(5..7)?.try_into().ok()?,
                number(8..10)?.try_into().ok()?,
            )?;
            (date.to_string() == text).then_some(date)
        };
        date().ok_or(CalendarError::NoDate)
    }
}

impl Serialize for BusinessDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
