//! The law of national holidays (国民の祝日に関する法律) as it stood at each time, and the laws for single days.

use time::{Month, Weekday};

use super::date::BusinessDate;

/// On which day of a year a holiday falls.
#[derive(Clone, Copy)]
enum On {
    /// Month and day.
    Day(u8, u8),
    /// The n-th Monday of a month.
    Monday(u8, u8),
    /// The day of the vernal equinox, as computed.
    Spring,
    /// The day of the autumnal equinox, as computed.
    Autumn,
}

/// A holiday with the first and the last year in which it is one by this line.
type Rule = (&'static str, i32, i32, On);

const NO_END: i32 = i32::MAX;

/// The law with its amendments. It came into force on 20 July 1948.
const RULES: &[Rule] = &[
    ("元日", 1949, NO_END, On::Day(1, 1)),
    ("成人の日", 1949, 1999, On::Day(1, 15)),
    ("成人の日", 2000, NO_END, On::Monday(1, 2)),
    ("建国記念の日", 1967, NO_END, On::Day(2, 11)),
    ("天皇誕生日", 2020, NO_END, On::Day(2, 23)),
    ("春分の日", 1949, NO_END, On::Spring),
    ("天皇誕生日", 1949, 1988, On::Day(4, 29)),
    ("みどりの日", 1989, 2006, On::Day(4, 29)),
    ("昭和の日", 2007, NO_END, On::Day(4, 29)),
    ("憲法記念日", 1949, NO_END, On::Day(5, 3)),
    ("みどりの日", 2007, NO_END, On::Day(5, 4)),
    ("こどもの日", 1949, NO_END, On::Day(5, 5)),
    ("海の日", 1996, 2002, On::Day(7, 20)),
    ("海の日", 2003, NO_END, On::Monday(7, 3)),
    ("山の日", 2016, NO_END, On::Day(8, 11)),
    ("敬老の日", 1966, 2002, On::Day(9, 15)),
    ("敬老の日", 2003, NO_END, On::Monday(9, 3)),
    ("秋分の日", 1948, NO_END, On::Autumn),
    ("体育の日", 1966, 1999, On::Day(10, 10)),
    ("体育の日", 2000, 2019, On::Monday(10, 2)),
    ("スポーツの日", 2020, NO_END, On::Monday(10, 2)),
    ("文化の日", 1948, NO_END, On::Day(11, 3)),
    ("勤労感謝の日", 1948, NO_END, On::Day(11, 23)),
    ("天皇誕生日", 1989, 2018, On::Day(12, 23)),
];

/// Days of the imperial house, each by a law of its own.
const SINGLE: &[(&str, i32, u8, u8)] = &[
    ("皇太子明仁親王の結婚の儀", 1959, 4, 10),
    ("昭和天皇の大喪の礼", 1989, 2, 24),
    ("即位礼正殿の儀", 1990, 11, 12),
    ("皇太子徳仁親王の結婚の儀", 1993, 6, 9),
    ("天皇の即位の日", 2019, 5, 1),
    ("即位礼正殿の儀", 2019, 10, 22),
];

/// Holidays of one year moved for the Olympic games: name, year, the day it moves to.
type Moved = (&'static str, i32, u8, u8);

/// By the law of 2018.
const GAMES_2020: [Moved; 3] =
    [("海の日", 2020, 7, 23), ("スポーツの日", 2020, 7, 24), ("山の日", 2020, 8, 10)];

/// By the law of 2020, when the games were put off.
const GAMES_2021: [Moved; 3] =
    [("海の日", 2021, 7, 22), ("スポーツの日", 2021, 7, 23), ("山の日", 2021, 8, 8)];

/// From here on a holiday on a Sunday has a substitute.
const SUBSTITUTES: BusinessDate = BusinessDate::literal(1973, Month::April, 12);
/// From here on a day between two holidays is one.
const BETWEEN: BusinessDate = BusinessDate::literal(1985, Month::December, 27);
/// From here on both rules are as they are today.
const AMENDED: BusinessDate = BusinessDate::literal(2007, Month::January, 1);

/// Which of the laws a version of the calendar knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Laws {
    /// Whether it knows that the games of 2020 were put off to 2021.
    pub(super) games_put_off: bool,
}

impl Laws {
    /// The name of the holiday, if the day is one by law; a Sunday alone is none.
    pub(super) fn holiday(self, date: BusinessDate) -> Option<&'static str> {
        self.national(date)
            .or_else(|| single(date))
            .or_else(|| self.is_substitute(date).then_some("振替休日"))
            .or_else(|| self.is_between(date).then_some("国民の休日"))
    }

    /// A national holiday proper (国民の祝日).
    fn national(self, date: BusinessDate) -> Option<&'static str> {
        let year = date.year();
        let moved = |name: &str| {
            let put_off = self.games_put_off.then_some(GAMES_2021).into_iter().flatten();
            GAMES_2020.into_iter().chain(put_off).find(|moved| moved.0 == name && moved.1 == year)
        };
        let falls = |&&(name, first, last, on): &&Rule| {
            let day = match moved(name) {
                Some((_, _, month, day)) => Some((month, day)),
                None => on.month_and_day(year),
            };
            (first..=last).contains(&year) && day == Some((date.month(), date.day()))
        };
        RULES.iter().find(falls).map(|rule| rule.0)
    }

    /// The day off for a holiday on a Sunday (振替休日). Since 12 April 1973 it is the Monday; since 2007 it is the first day after
    /// the Sunday that is no holiday.
    fn is_substitute(self, date: BusinessDate) -> bool {
        if self.national(date).is_some() || date < SUBSTITUTES {
            return false;
        }
        let mut day = date;
        while let Some(before) = day.plus_days(-1).filter(|day| self.national(*day).is_some()) {
            if before.weekday() == Weekday::Sunday {
                return true;
            }
            if date < AMENDED {
                return false;
            }
            day = before;
        }
        false
    }

    /// A day between two holidays (国民の休日), since 27 December 1985; until 2006 no Sunday. The days of 2019 count as holidays
    /// for this.
    fn is_between(self, date: BusinessDate) -> bool {
        let counts = |days| {
            let day = date.plus_days(days);
            day.is_some_and(|day| {
                self.national(day).is_some() || (day.year() == 2019 && single(day).is_some())
            })
        };
        let sunday = date.weekday() == Weekday::Sunday && date < AMENDED;
        date >= BETWEEN && !sunday && counts(-1) && counts(1)
    }
}

impl On {
    fn month_and_day(self, year: i32) -> Option<(u8, u8)> {
        match self {
            Self::Day(month, day) => Some((month, day)),
            Self::Monday(month, which) => {
                let first = BusinessDate::of(year, month, 1)?.weekday();
                let to_monday = 7u8.checked_sub(first.number_days_from_monday())? % 7;
                Some((month, to_monday.checked_add(which.checked_mul(7)?)?.checked_sub(6)?))
            }
            Self::Spring => equinox(year, 20_835_700, 20_843_100).map(|day| (3, day)),
            Self::Autumn => equinox(year, 23_258_800, 23_248_800).map(|day| (9, day)),
        }
    }
}

/// The day of an equinox by the usual formula (新こよみ便利帳), which holds from 1900 to 2099: a day in millionths that drifts by
/// 0.242194 a year and loses one each leap year. The first constant is for years before 1980.
fn equinox(year: i32, before_1980: i32, since_1980: i32) -> Option<u8> {
    let (constant, years) =
        (if year < 1980 { before_1980 } else { since_1980 }, year.checked_sub(1980)?);
    let drift = years.checked_mul(242_194)?.checked_add(constant)?;
    u8::try_from(drift.div_euclid(1_000_000).checked_sub(years.div_euclid(4))?).ok()
}

fn single(date: BusinessDate) -> Option<&'static str> {
    let is = |day: &&(&str, i32, u8, u8)| {
        (day.1, day.2, day.3) == (date.year(), date.month(), date.day())
    };
    SINGLE.iter().find(is).map(|day| day.0)
}
