use proptest::prelude::*;

use super::*;

fn date(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

#[test]
fn a_date_is_read_in_one_form_only() {
    for good in ["2026-11-28", "2024-02-29", "0001-01-01", "9999-12-31"] {
        assert_eq!(date(good).to_string(), good);
    }
    for bad in [
        "2026-11-31",
        "2023-02-29",
        "2026-1-1",
        "2026/11/28",
        "20261128",
        "+026-11-28",
        "0000-01-01",
        "2026-11-28Z",
        " 2026-11-28",
        "２026-11-28",
        "",
    ] {
        assert_eq!(bad.parse::<BusinessDate>(), Err(CalendarError::NoDate), "{bad:?}");
    }
}

/// [CAL-1] The Cabinet Office's list of 2026, the substitutes of 2026 and the day between holidays with it.
#[test]
fn the_holidays_of_2026_are_those_published() {
    let calendar = Calendar::newest();
    let mut found = Vec::new();
    let mut day = date("2026-01-01");
    while day.year() == 2026 {
        found.extend(calendar.holiday(day).unwrap().map(|name| (day.to_string(), name)));
        day = day.plus_days(1).unwrap();
    }
    let expected = [
        ("2026-01-01", "元日"),
        ("2026-01-12", "成人の日"),
        ("2026-02-11", "建国記念の日"),
        ("2026-02-23", "天皇誕生日"),
        ("2026-03-20", "春分の日"),
        ("2026-04-29", "昭和の日"),
        ("2026-05-03", "憲法記念日"),
        ("2026-05-04", "みどりの日"),
        ("2026-05-05", "こどもの日"),
        ("2026-05-06", "振替休日"),
        ("2026-07-20", "海の日"),
        ("2026-08-11", "山の日"),
        ("2026-09-21", "敬老の日"),
        ("2026-09-22", "国民の休日"),
        ("2026-09-23", "秋分の日"),
        ("2026-10-12", "スポーツの日"),
        ("2026-11-03", "文化の日"),
        ("2026-11-23", "勤労感謝の日"),
    ];
    let found: Vec<_> = found.iter().map(|(day, name)| (day.as_str(), *name)).collect();
    assert_eq!(found, expected);
}

/// [CAL-2] Whoever changes a version in use changes dates already computed.
#[test]
fn no_version_in_use_changes() {
    let seen: Vec<_> = Calendar::versions()
        .iter()
        .map(|version| {
            let hash: String = version.hash().iter().map(|byte| format!("{byte:02x}")).collect();
            (version.id().to_string(), version.effective().to_string(), hash)
        })
        .collect();
    let page = include_str!("../../../specs/calendar.md");
    for (id, effective, hash) in &seen {
        assert!(page.contains(&format!("| {id} | {effective} | `{hash}` |")), "{id} {hash}");
        assert_eq!(Calendar::by_id(id).unwrap().id().to_string(), *id);
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_law_that_moves_holidays_makes_a_version_and_leaves_the_older_one_as_it_was() {
    let [before, after] = VERSIONS;
    let mut differ = Vec::new();
    let mut day = FIRST;
    while day <= LAST {
        if before.holiday(day) != after.holiday(day) {
            differ.push(day.to_string());
        }
        day = day.plus_days(1).unwrap();
    }
    let moved = [
        "2021-07-19",
        "2021-07-22",
        "2021-07-23",
        "2021-08-08",
        "2021-08-09",
        "2021-08-11",
        "2021-10-11",
    ];
    assert_eq!(differ, moved);
    let nominal = date("2021-07-22");
    let old = before.adjust(nominal, Adjustment::Following).unwrap();
    assert_eq!((old.date, old.calendar.to_string()), (nominal, "JP-BANK/1".into()));
    let new = after.adjust(nominal, Adjustment::Following).unwrap();
    assert_eq!((new.date, new.calendar.to_string()), (date("2021-07-26"), "JP-BANK/2".into()));
}

/// [CAL-3]
#[test]
fn each_class_moves_a_date_as_it_says() {
    let calendar = Calendar::newest();
    // A date, and what none, following, modified following, preceding and modified preceding make of it.
    let rows = [
        ["2026-11-27", "2026-11-27", "2026-11-27", "2026-11-27", "2026-11-27", "2026-11-27"],
        ["2026-11-22", "2026-11-22", "2026-11-24", "2026-11-24", "2026-11-20", "2026-11-20"],
        ["2026-10-31", "2026-10-31", "2026-11-02", "2026-10-30", "2026-10-30", "2026-10-30"],
        ["2026-11-01", "2026-11-01", "2026-11-02", "2026-11-02", "2026-10-30", "2026-11-02"],
        ["2026-12-31", "2026-12-31", "2027-01-04", "2026-12-30", "2026-12-30", "2026-12-30"],
        ["2027-01-02", "2027-01-02", "2027-01-04", "2027-01-04", "2026-12-30", "2027-01-04"],
        ["2026-05-03", "2026-05-03", "2026-05-07", "2026-05-07", "2026-05-01", "2026-05-01"],
    ];
    for [nominal, expected @ ..] in rows {
        let found = Adjustment::ALL.map(|class| {
            let computed = calendar.adjust(date(nominal), class).unwrap();
            assert_eq!(computed.nominal, date(nominal));
            computed.date.to_string()
        });
        assert_eq!(found, expected, "{nominal}");
    }
    for class in Adjustment::ALL {
        assert_eq!(Adjustment::parse(class.name()), Some(class));
    }
}

#[test]
fn record_dates_are_adjusted_each_by_the_class_of_the_product() {
    let dates = RecordDates {
        first: Some(date("2026-10-31")),
        second: Some(date("2027-04-30")),
        adjustment: Adjustment::ModifiedFollowing,
    };
    let [first, second] = dates.adjusted(&Calendar::newest()).unwrap();
    assert_eq!(first.unwrap().date, date("2026-10-30"));
    assert_eq!(second.unwrap().date, date("2027-04-30"));
    let json = serde_json::to_value(first).unwrap();
    let expected = serde_json::json!({
        "date": "2026-10-30", "nominal": "2026-10-31", "calendar": "JP-BANK/2"
    });
    assert_eq!(json, expected);
    let none = RecordDates { first: None, second: None, ..dates };
    assert_eq!(none.adjusted(&Calendar::newest()), Ok([None, None]));
}

#[test]
fn business_days_are_added_over_holidays_and_not_beyond_the_calendar() {
    let calendar = Calendar::newest();
    let add = |from, days| calendar.add_business_days(date(from), days).map(|found| found.date);
    assert_eq!(add("2026-11-27", 2), Ok(date("2026-12-01")));
    assert_eq!(add("2026-05-01", 1), Ok(date("2026-05-07")));
    assert_eq!(add("2026-05-07", -1), Ok(date("2026-05-01")));
    assert_eq!(add("2026-05-03", 0), Ok(date("2026-05-07")));
    assert_eq!(add("2026-05-03", 1), Ok(date("2026-05-07")));
    assert_eq!(add("2026-05-03", -1), Ok(date("2026-05-01")));
    for (from, days) in
        [("2099-12-30", 1), ("1948-07-20", -1), ("1948-07-19", 0), ("2026-01-01", i32::MAX)]
    {
        assert_eq!(add(from, days), Err(CalendarError::OutOfReach), "{from} {days}");
    }
}

proptest! {
    #[test]
    fn days_added_are_the_days_between(offset in 0i32..50_000, days in 0i32..400) {
        let calendar = Calendar::newest();
        let from = FIRST.plus_days(offset).unwrap();
        let found = calendar.add_business_days(from, days).unwrap();
        prop_assert!(calendar.is_business_day(found.date).unwrap());
        if days > 0 {
            let between = calendar.business_days_between(from, found.date).unwrap();
            prop_assert_eq!(between, days.unsigned_abs());
        }
        prop_assert_eq!(calendar.business_days_between(found.date, from).unwrap(), 0);
    }
}
