//! Japanese business days: not a weekend, not a national holiday, not 31 December to 3 January.
//!
//! National holidays follow the law as it stands since 2022; days are counted from 1970-01-01.

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// The day in Japan at a time in ms since the Unix epoch.
    #[must_use]
    pub fn in_japan(now_ms: u64) -> Self {
        const NINE_HOURS_MS: u64 = 9 * 3_600_000;
        let days = now_ms.saturating_add(NINE_HOURS_MS) / (24 * 3_600_000);
        Self(i64::try_from(days).unwrap_or(0))
    }

    /// The day of a date of the Gregorian calendar.
    #[must_use]
    pub const fn of(year: i64, month: i64, day: i64) -> Self {
        // Years begin in March, so that the leap day is the last.
        let year = if month > 2 { year } else { year - 1 };
        let month = if month > 2 { month - 3 } else { month + 9 };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * month + 2) / 5 + day - 1;
        Self(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
    }

    /// Year, month and day.
    #[must_use]
    pub const fn date(self) -> (i64, i64, i64) {
        let days = self.0 + 719_468;
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year + era * 400;
        (if month > 2 { year } else { year + 1 }, month, day)
    }

    /// So many business days later; 0 gives this day, or the next business day if it is none.
    #[must_use]
    pub fn business_days_later(self, count: u32) -> Self {
        let next = |day: Self| {
            let mut day = day;
            while !day.is_business_day() {
                day = Self(day.0 + 1);
            }
            day
        };
        (0..count).fold(next(self), |day, _| next(Self(day.0 + 1)))
    }

    /// Whether banks and the exchange are open.
    #[must_use]
    pub fn is_business_day(self) -> bool {
        let (_, month, day) = self.date();
        let new_year = (month == 12 && day == 31) || (month == 1 && day <= 3);
        !(new_year || self.weekday() >= 5 || self.is_holiday())
    }

    /// 0 for Monday to 6 for Sunday.
    const fn weekday(self) -> i64 {
        (self.0 + 3).rem_euclid(7)
    }

    fn is_holiday(self) -> bool {
        let (before, after) = (Self(self.0 - 1), Self(self.0 + 1));
        self.is_named() || (before.is_named() && after.is_named()) || self.is_substitute()
    }

    /// The first day after a holiday on a Sunday that is no holiday itself (振替休日).
    fn is_substitute(self) -> bool {
        let mut day = Self(self.0 - 1);
        while day.is_named() {
            if day.weekday() == 6 {
                return true;
            }
            day = Self(day.0 - 1);
        }
        false
    }

    /// Whether the law names the day.
    fn is_named(self) -> bool {
        let (year, month, day) = self.date();
        let monday = |number| self.weekday() == 0 && (day - 1) / 7 + 1 == number;
        match month {
            1 => day == 1 || monday(2),
            2 => day == 11 || day == 23,
            3 => day == equinox(year, 20_843_100),
            4 => day == 29,
            5 => (3..=5).contains(&day),
            7 => monday(3),
            8 => day == 11,
            9 => monday(3) || day == equinox(year, 23_248_800),
            10 => monday(2),
            11 => day == 3 || day == 23,
            _ => false,
        }
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// The day of an equinox, by the usual approximation for 1980 to 2099, from its day of March or September 1980 in millionths.
const fn equinox(year: i64, of_1980: i64) -> i64 {
    let years = year - 1980;
    (of_1980 + 242_194 * years) / 1_000_000 - years / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same_both_ways() {
        assert_eq!(Day::of(1970, 1, 1), Day(0));
        assert_eq!(Day::of(2026, 11, 24).to_string(), "2026-11-24");
        for number in -200_000..200_000 {
            let (year, month, day) = Day(number).date();
            assert_eq!(Day::of(year, month, day), Day(number));
        }
    }

    /// The holidays of 2026 as the Cabinet Office publishes them, with substitute and sandwiched days.
    #[test]
    fn the_holidays_of_2026_are_those_published() {
        let published = [
            (1, 1),
            (1, 12),
            (2, 11),
            (2, 23),
            (3, 20),
            (4, 29),
            (5, 3),
            (5, 4),
            (5, 5),
            (5, 6),
            (7, 20),
            (8, 11),
            (9, 21),
            (9, 22),
            (9, 23),
            (10, 12),
            (11, 3),
            (11, 23),
        ];
        let first = Day::of(2026, 1, 1).0;
        let found: Vec<(i64, i64)> = (first..first + 365)
            .map(Day)
            .filter(|day| day.is_holiday())
            .map(|day| (day.date().1, day.date().2))
            .collect();
        assert_eq!(found, published);
    }

    #[test]
    fn business_days_skip_weekends_holidays_and_the_new_year() {
        let later = |year, month, day, count| {
            Day::of(year, month, day).business_days_later(count).to_string()
        };
        assert_eq!(later(2026, 11, 20, 2), "2026-11-25");
        assert_eq!(later(2026, 11, 21, 0), "2026-11-24");
        assert_eq!(later(2026, 12, 30, 1), "2027-01-04");
        assert_eq!(later(2026, 5, 1, 1), "2026-05-07");
    }
}
