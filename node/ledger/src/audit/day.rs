//! Days in Japan, where trades are due: nine hours ahead of UTC, without summer time.

const DAY_MS: u64 = 86_400_000;
const AHEAD_MS: u64 = 9 * 3_600_000;

/// The day in Japan at so many ms since the Unix epoch, `YYYY-MM-DD`.
pub(super) fn day_in_japan(ms: u64) -> String {
    let days = ms.saturating_add(AHEAD_MS) / DAY_MS;
    // Years that begin in March have their leap day last; eras of 400 years are all alike.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let leap_days = (day / 1_460) + (day / 146_096);
    let year = day.saturating_add(day / 36_524).saturating_sub(leap_days) / 365;
    let of_year =
        day.saturating_sub((365 * year).saturating_add(year / 4).saturating_sub(year / 100));
    let month = (5 * of_year).saturating_add(2) / 153;
    let date = of_year.saturating_sub((153 * month).saturating_add(2) / 5).saturating_add(1);
    let (month, next) =
        if month < 10 { (month.saturating_add(3), 0) } else { (month.saturating_sub(9), 1) };
    let year = (400 * era).saturating_add(year).saturating_add(next);
    format!("{year:04}-{month:02}-{date:02}")
}

#[cfg(test)]
mod tests {
    use super::day_in_japan;

    #[test]
    fn days_begin_at_midnight_in_japan() {
        // Seconds as `date -d 'TZ="Asia/Tokyo" DATE TIME' +%s` gives them.
        for (seconds, day) in [
            (0, "1970-01-01"),
            (54_000, "1970-01-02"),
            (53_999, "1970-01-01"),
            (951_750_000, "2000-02-29"),
            (951_836_400, "2000-03-01"),
            (1_798_729_199, "2026-12-31"),
            (1_798_729_200, "2027-01-01"),
            (1_835_362_800, "2028-02-29"),
            (4_107_510_000, "2100-03-01"),
        ] {
            assert_eq!(day_in_japan(seconds * 1000), day, "{seconds}");
        }
    }

    #[test]
    fn every_day_of_two_centuries_follows_the_one_before() {
        let (mut year, mut month, mut day) = (1970_u64, 1_usize, 1_u64);
        for number in 0..80_000_u64 {
            let found = day_in_japan(number * 86_400_000);
            assert_eq!(found, format!("{year:04}-{month:02}-{day:02}"));
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last =
                [31, 28 + u64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
            day += 1;
            if day > last {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }
}
