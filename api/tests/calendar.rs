//! The calendar against packages made by others: see `tests/oracle/`.

#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

mod oracle;

use std::collections::BTreeMap;

use sudare_api::calendar::{BusinessDate, Calendar};

/// [CAL-1]
#[test]
fn every_day_of_1950_to_2050_is_what_independent_packages_say() {
    let said = oracle::run("calendar_days.py", "");
    let said: BTreeMap<BusinessDate, Vec<&str>> = said
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().unwrap().parse().unwrap(), words.collect())
        })
        .collect();
    let calendar = Calendar::newest();
    let (mut day, mut days, mut only_jpholiday) = (date(1950, 1, 1), 0, Vec::new());
    while day.year() <= 2050 {
        let marks = said.get(&day).map_or(&["-", "-", "-"][..], Vec::as_slice);
        let [holidays, jpholiday, bank] = marks else { panic!("{day}: {marks:?}") };
        let ours = calendar.holiday(day).unwrap();
        assert_eq!(ours.is_some(), *holidays != "-", "{day} {ours:?}");
        if *holidays == "-" && *jpholiday != "-" {
            only_jpholiday.push(day);
        }
        assert!(*holidays == "-" || *jpholiday != "-", "{day}");
        let new_year = matches!((day.month(), day.day()), (12, 31) | (1, 1..=3));
        assert_eq!(new_year, *bank != "-", "{day}");
        if new_year {
            assert_eq!(calendar.is_business_day(day), Ok(false), "{day}");
        }
        day = day.plus_days(1).unwrap();
        days += 1;
    }
    assert_eq!(days, 36_890);
    // It applies rules to years before they were law: that for days between, of 1985, to 4 May; that for substitutes, of
    // April 1973, to a holiday in February. On a Sunday or as a substitute the 4th was no day between.
    let early = |day: &BusinessDate| {
        let between = (day.month(), day.day()) == (5, 4) && day.year() < 1986;
        between || *day == date(1973, 2, 12)
    };
    assert!(only_jpholiday.iter().all(early), "{only_jpholiday:?}");
    assert_eq!(only_jpholiday.len(), 31);
}

fn date(year: i32, month: u8, day: u8) -> BusinessDate {
    BusinessDate::of(year, month, day).unwrap()
}
