//! The business day: whether the market is open, until when instructions of a kind settle, and what becomes of the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{Date, OffsetDateTime, UtcOffset};

use super::Flow;
use crate::calendar::{BusinessDate, Calendar};

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// Japan's time is so far ahead of UTC, in seconds.
const JAPAN_S: i64 = 9 * 3600;

/// The `[api.market]` table of a node's configuration.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MarketConfig {
    /// Until when of its delivery date an instruction of a kind can settle, as `HH:MM` of Japan's time; the day's end if absent.
    #[serde(default)]
    pub cut_offs: BTreeMap<String, String>,
    /// How often an instruction is carried over to the next business day before it lapses.
    #[serde(default = "five")]
    pub carry_overs: u32,
}

const fn five() -> u32 {
    5
}

/// A cut-off that is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the API's market: the cut-off of {0:?} must be for a kind of trade, as in `transfers = \"15:00\"`"
)]
pub struct CutOffError(String);

/// The rules of the business day.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Market {
    cut_offs: BTreeMap<Flow, u16>,
    carry_overs: u32,
}

impl Market {
    /// The rules of a configuration.
    ///
    /// # Errors
    ///
    /// [`CutOffError`].
    pub fn new(config: &MarketConfig) -> Result<Self, CutOffError> {
        let mut cut_offs = BTreeMap::new();
        for (kind, time) in &config.cut_offs {
            let flow = Flow::named(kind).filter(|flow| flow.is_dated());
            let (Some(flow), Some(minutes)) = (flow, minutes(time)) else {
                return Err(CutOffError(kind.clone()));
            };
            cut_offs.insert(flow, minutes);
        }
        Ok(Self { cut_offs, carry_overs: config.carry_overs })
    }

    /// Until when an instruction can settle on a day, in microseconds since the Unix epoch.
    #[must_use]
    pub fn cut_off(&self, flow: Flow, date: BusinessDate) -> i64 {
        let minutes = self.cut_offs.get(&flow).copied().unwrap_or(DAY);
        let midnight = days_of(date).saturating_mul(86_400).saturating_sub(JAPAN_S);
        midnight.saturating_add(i64::from(minutes).saturating_mul(60)).saturating_mul(1_000_000)
    }

    /// `HH:MM` of each kind that has a date.
    #[must_use]
    pub fn cut_offs(&self) -> BTreeMap<&'static str, String> {
        let of = |flow: Flow| {
            let minutes = self.cut_offs.get(&flow).copied().unwrap_or(DAY);
            (flow.path(), format!("{:02}:{:02}", minutes / 60, minutes % 60))
        };
        Flow::ALL.into_iter().filter(|flow| flow.is_dated()).map(of).collect()
    }

    /// [MKT-2]: the day on which an instruction is to settle that came at `now` for `wanted`; none if that is past or no
    /// business day.
    #[must_use]
    pub fn first_day(&self, flow: Flow, wanted: BusinessDate, now: i64) -> Option<BusinessDate> {
        if wanted < today(now) || !Calendar::newest().is_business_day(wanted).ok()? {
            return None;
        }
        if now < self.cut_off(flow, wanted) { Some(wanted) } else { next_day(wanted) }
    }

    /// [MKT-3]: the day to which an instruction goes that was not settled on `date`, if it may go on.
    #[must_use]
    pub fn carried(&self, date: BusinessDate, times: u32) -> Option<BusinessDate> {
        if times < self.carry_overs { next_day(date) } else { None }
    }
}

/// The next business day.
fn next_day(date: BusinessDate) -> Option<BusinessDate> {
    Calendar::newest().add_business_days(date, 1).ok().map(|computed| computed.date)
}

/// The day in Japan at an instant, in microseconds since the Unix epoch.
#[must_use]
pub fn today(now: i64) -> BusinessDate {
    let seconds = now.div_euclid(1_000_000).saturating_add(JAPAN_S);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let date = at.to_offset(UtcOffset::UTC).date();
    let first = BusinessDate::of(date.year(), date.month().into(), date.day());
    first.unwrap_or(Calendar::newest().effective())
}

/// When a day ends in Japan, in microseconds since the Unix epoch.
pub(crate) fn end_of(date: BusinessDate) -> i64 {
    let midnight = days_of(date).saturating_add(1).saturating_mul(86_400).saturating_sub(JAPAN_S);
    midnight.saturating_mul(1_000_000)
}

/// Days since 1970-01-01.
fn days_of(date: BusinessDate) -> i64 {
    let month = time::Month::try_from(date.month()).unwrap_or(time::Month::January);
    let day = Date::from_calendar_date(date.year(), month, date.day());
    let julian = day.map_or(0, |day| i64::from(day.to_julian_day()));
    julian.saturating_sub(i64::from(OffsetDateTime::UNIX_EPOCH.date().to_julian_day()))
}

/// Minutes of `HH:MM`, 00:01 to 24:00.
fn minutes(time: &str) -> Option<u16> {
    let (hours, rest) = time.split_once(':').filter(|_| time.len() == 5)?;
    let digits = time.bytes().filter(u8::is_ascii_digit).count() == 4;
    let (hours, rest): (u16, u16) = (hours.parse().ok()?, rest.parse().ok()?);
    let minutes = hours.checked_mul(60)?.checked_add(rest)?;
    (digits && rest < 60 && (1..=DAY).contains(&minutes)).then_some(minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(cut_off: &str) -> Result<Market, CutOffError> {
        let cut_offs = [("transfers".to_owned(), cut_off.to_owned())].into();
        Market::new(&MarketConfig { cut_offs, carry_overs: 2 })
    }

    /// Microseconds since the Unix epoch.
    fn at(text: &str) -> i64 {
        let format = time::format_description::well_known::Rfc3339;
        OffsetDateTime::parse(text, &format).unwrap().unix_timestamp() * 1_000_000
    }

    #[test]
    fn an_instruction_settles_on_its_date_until_the_cut_off_in_japan_and_then_on_the_next_business_day()
     {
        let market = market("13:50").unwrap();
        let day = |text: &str| text.parse::<BusinessDate>().unwrap();
        for (now, wanted, first) in [
            // A Thursday, before the cut-off, at it, and in the evening of UTC, when Friday has come to Japan.
            ("2026-02-19T04:49:59Z", "2026-02-19", Some("2026-02-19")),
            ("2026-02-19T04:50:00Z", "2026-02-19", Some("2026-02-20")),
            ("2026-02-19T15:00:00Z", "2026-02-19", None),
            ("2026-02-19T15:00:00Z", "2026-02-20", Some("2026-02-20")),
            // Friday is followed by Tuesday: Monday is the Emperor's birthday.
            ("2026-02-20T05:00:00Z", "2026-02-20", Some("2026-02-24")),
            ("2026-02-20T05:00:00Z", "2026-02-21", None),
            ("2026-02-20T05:00:00Z", "2026-02-23", None),
            ("2026-02-20T05:00:00Z", "2026-02-25", Some("2026-02-25")),
        ] {
            let found = market.first_day(Flow::Transfer, day(wanted), at(now));
            assert_eq!(found, first.map(day), "{wanted} at {now}");
        }
        assert_eq!(market.cut_off(Flow::Receipt, day("2026-02-19")), at("2026-02-19T15:00:00Z"));
        assert_eq!(market.carried(day("2026-02-20"), 1), Some(day("2026-02-24")));
        assert_eq!(market.carried(day("2026-02-20"), 2), None);
    }

    #[test]
    fn a_cut_off_that_is_no_time_or_of_no_trade_is_refused() {
        for wrong in ["24:01", "00:00", "12:60", "9:00", "+9:00", "noon", "12:00:00", ""] {
            assert!(market(wrong).is_err(), "{wrong}");
        }
        assert!(market("24:00").is_ok());
        let cut_offs = [("accounts".to_owned(), "12:00".to_owned())].into();
        assert!(Market::new(&MarketConfig { cut_offs, carry_overs: 1 }).is_err());
    }
}
