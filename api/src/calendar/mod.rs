#![doc = include_str!("../../../specs/calendar.md")]

mod date;
mod holidays;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::{Month, Weekday};

pub use date::BusinessDate;
use holidays::Laws;

/// Which version of a calendar computed a date.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CalendarId(&'static str);

impl fmt::Display for CalendarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One version of the calendar of Japanese banks: what the law said from a day on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Calendar {
    id: CalendarId,
    effective: BusinessDate,
    laws: Laws,
}

/// Versions by the day from which they are used. A new law adds one and changes none.
const VERSIONS: [Calendar; 2] = [
    Calendar {
        id: CalendarId("JP-BANK/1"),
        effective: BusinessDate::literal(2018, Month::December, 14),
        laws: Laws { games_put_off: false },
    },
    Calendar {
        id: CalendarId("JP-BANK/2"),
        effective: BusinessDate::literal(2020, Month::December, 28),
        laws: Laws { games_put_off: true },
    },
];

/// The first day that a calendar answers for: the law came into force.
const FIRST: BusinessDate = BusinessDate::literal(1948, Month::July, 20);
/// The last one: until then the formula for equinoxes holds.
const LAST: BusinessDate = BusinessDate::literal(2099, Month::December, 31);

/// What becomes of a date that is no business day (休日調整区分).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// It stays.
    None,
    /// The next business day.
    Following,
    /// The next business day, or the one before if that is in another month.
    ModifiedFollowing,
    /// The business day before.
    Preceding,
    /// The business day before, or the next if that is in another month.
    ModifiedPreceding,
}

impl Adjustment {
    /// All classes.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Following,
        Self::ModifiedFollowing,
        Self::Preceding,
        Self::ModifiedPreceding,
    ];

    /// The class's name, as masters write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Following => "following",
            Self::ModifiedFollowing => "modified_following",
            Self::Preceding => "preceding",
            Self::ModifiedPreceding => "modified_preceding",
        }
    }

    /// The class with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// A date with what it was computed from, so that a later law doesn't rewrite it [CAL-2].
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct ComputedDate {
    /// The date.
    pub date: BusinessDate,
    /// The date before the calendar was asked.
    pub nominal: BusinessDate,
    /// The version that was asked.
    pub calendar: CalendarId,
}

/// A product's record dates (権利確定日1, 権利確定日2) with its holiday adjustment class.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RecordDates {
    /// Record date 1 as the product's terms say it.
    pub first: Option<BusinessDate>,
    /// Record date 2.
    pub second: Option<BusinessDate>,
    /// What becomes of them.
    pub adjustment: Adjustment,
}

impl RecordDates {
    /// Record dates 1 and 2 as the register uses them.
    ///
    /// # Errors
    ///
    /// If the calendar doesn't reach a date.
    pub fn adjusted(
        &self,
        calendar: &Calendar,
    ) -> Result<[Option<ComputedDate>; 2], CalendarError> {
        let adjust = |date: BusinessDate| calendar.adjust(date, self.adjustment);
        Ok([self.first.map(adjust).transpose()?, self.second.map(adjust).transpose()?])
    }
}

/// Why there is no date.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum CalendarError {
    /// A text that is no date.
    #[error("not a date; write it as YYYY-MM-DD")]
    NoDate,
    /// A date, or one that the computation needs, for which the calendar has no rules.
    #[error("the calendar answers for 1948-07-20 to 2099-12-31; choose a date within")]
    OutOfReach,
}

impl Calendar {
    /// All versions, oldest first.
    #[must_use]
    pub const fn versions() -> &'static [Self] {
        &VERSIONS
    }

    /// The newest version.
    #[must_use]
    pub const fn newest() -> Self {
        let [.., newest] = VERSIONS;
        newest
    }

    /// The version with this id, to compute again what was computed with it.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        VERSIONS.into_iter().find(|version| version.id.0 == id)
    }

    /// The version's id.
    #[must_use]
    pub const fn id(&self) -> CalendarId {
        self.id
    }

    /// The day from which the version is used.
    #[must_use]
    pub const fn effective(&self) -> BusinessDate {
        self.effective
    }

    /// SHA-256 over all that the version says: see the page.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(format!("{}\n{}\n", self.id, self.effective));
        let days = std::iter::successors(Some(FIRST), |date| date.plus_days(1));
        for date in days.take_while(|date| *date <= LAST) {
            if !is_weekend(date) && !self.is_open(date) {
                hash.update(format!("{date}\n"));
            }
        }
        hash.finalize().into()
    }

    /// The name of the holiday by law, if the day is one. Weekends and the banks' New Year are none.
    ///
    /// # Errors
    ///
    /// If the calendar doesn't reach the date.
    pub fn holiday(&self, date: BusinessDate) -> Result<Option<&'static str>, CalendarError> {
        Ok(self.laws.holiday(within(date)?))
    }

    /// Whether banks work on this day [CAL-1].
    ///
    /// # Errors
    ///
    /// If the calendar doesn't reach the date.
    pub fn is_business_day(&self, date: BusinessDate) -> Result<bool, CalendarError> {
        Ok(self.is_open(within(date)?))
    }

    /// The date by its adjustment class [CAL-3].
    ///
    /// # Errors
    ///
    /// If the calendar doesn't reach the dates.
    pub fn adjust(
        &self,
        nominal: BusinessDate,
        class: Adjustment,
    ) -> Result<ComputedDate, CalendarError> {
        let other_month = |date: BusinessDate| date.month() != nominal.month();
        let date = match class {
            Adjustment::None => within(nominal)?,
            Adjustment::Following => self.nearest(nominal, 1)?,
            Adjustment::Preceding => self.nearest(nominal, -1)?,
            Adjustment::ModifiedFollowing => match self.nearest(nominal, 1) {
                Ok(date) if !other_month(date) => date,
                _ => self.nearest(nominal, -1)?,
            },
            Adjustment::ModifiedPreceding => match self.nearest(nominal, -1) {
                Ok(date) if !other_month(date) => date,
                _ => self.nearest(nominal, 1)?,
            },
        };
        Ok(ComputedDate { date, nominal, calendar: self.id })
    }

    /// The date so many business days later, or earlier if `days` is negative; 0 gives the date itself if it is a business day,
    /// otherwise the next one. A date that is no business day counts as none.
    ///
    /// # Errors
    ///
    /// If the calendar doesn't reach the dates.
    pub fn add_business_days(
        &self,
        nominal: BusinessDate,
        days: i32,
    ) -> Result<ComputedDate, CalendarError> {
        let direction = if days < 0 { -1 } else { 1 };
        let mut date = if days == 0 { self.nearest(nominal, 1)? } else { within(nominal)? };
        for _ in 0..days.unsigned_abs() {
            date = self.nearest(step(date, direction)?, direction)?;
        }
        Ok(ComputedDate { date, nominal, calendar: self.id })
    }

    /// How many business days lie after `from` up to and with `to`; 0 if `to` isn't later.
    ///
    /// # Errors
    ///
    /// If the calendar doesn't reach the dates.
    pub fn business_days_between(
        &self,
        from: BusinessDate,
        to: BusinessDate,
    ) -> Result<u32, CalendarError> {
        let (mut date, to, mut count) = (within(from)?, within(to)?, 0u32);
        while date < to {
            date = step(date, 1)?;
            count = count.saturating_add(self.is_business_day(date)?.into());
        }
        Ok(count)
    }

    fn is_open(&self, date: BusinessDate) -> bool {
        let new_year = matches!((date.month(), date.day()), (12, 31) | (1, 1..=3));
        !new_year && !is_weekend(date) && self.laws.holiday(date).is_none()
    }

    /// The date itself or the first business day from it in a direction.
    fn nearest(&self, from: BusinessDate, direction: i32) -> Result<BusinessDate, CalendarError> {
        let mut date = from;
        while !self.is_business_day(date)? {
            date = step(date, direction)?;
        }
        Ok(date)
    }
}

fn is_weekend(date: BusinessDate) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn within(date: BusinessDate) -> Result<BusinessDate, CalendarError> {
    if (FIRST..=LAST).contains(&date) { Ok(date) } else { Err(CalendarError::OutOfReach) }
}

fn step(date: BusinessDate, days: i32) -> Result<BusinessDate, CalendarError> {
    date.plus_days(days).ok_or(CalendarError::OutOfReach)
}
