use super::*;

const HEADER: &str =
    "trade_id,kind,delivery_date,asset,quantity,from,to,cash_asset,cash_quantity,fault";

fn source<'a>(name: &'a str, text: &'a str) -> Source<'a> {
    Source { name, bytes: text.as_bytes() }
}

/// Parses a small sound set with one of its files replaced.
fn parse(name: &str, text: &str) -> Result<Scenario, InputErrors> {
    let investors = "investor,custodian,asset\nINV-1,custodian-a,ZZ0000DEMO11\n\
                     INV-1,custodian-a,DJPY\nINV-2,custodian-b,ZZ0000DEMO11\nINV-2,custodian-b,DJPY\n";
    let positions = "investor,asset,quantity\nINV-1,ZZ0000DEMO11,100\nINV-2,DJPY,5000\n";
    let trades = format!("{HEADER}\nT-1,transfer,2026-11-25,ZZ0000DEMO11,10,INV-1,INV-2,,,\n");
    let of = |file, sound| source(file, if file == name { text } else { sound });
    Scenario::parse(of("investors", investors), of("positions", positions), of("trades", &trades))
}

fn check(name: &str, text: &str, expect: &[&str]) {
    let errors = parse(name, text).expect_err(text);
    let found: Vec<String> = errors.list.iter().map(ToString::to_string).collect();
    assert_eq!(found, expect, "of {text:?}");
    let shown = errors.to_string();
    assert!(shown.starts_with("the input is not accepted; correct every line named here"));
    assert!(expect.iter().all(|line| shown.contains(&format!("\n  {line}"))), "{shown}");
}

/// Rows of the investors file, each with the one error that it must give, without file and line.
#[test]
fn each_error_of_an_investor_is_named() {
    let long = "I".repeat(36);
    let table = [
        (
            ",custodian-a,DJPY".to_owned(),
            r#"investor: "" is empty; expected 1 to 35 of A-Z, 0-9 and -"#,
        ),
        (
            format!("{long},custodian-a,DJPY"),
            r#"investor: "IIIIIIIIIIIIIIIIIIIIIIIIIIIIIIII…" is longer than 35 characters; expected 1 to 35 of A-Z, 0-9 and -"#,
        ),
        (
            "inv-1,custodian-a,DJPY".to_owned(),
            r#"investor: "inv-1" is not of the permitted form; expected 1 to 35 of A-Z, 0-9 and -"#,
        ),
        (
            "INV-１,custodian-a,DJPY".to_owned(),
            r#"investor: "INV-１" has full-width digits; expected 1 to 35 of A-Z, 0-9 and -"#,
        ),
        (
            "ＩNV-1,custodian-a,DJPY".to_owned(),
            r#"investor: "ＩNV-1" has full-width characters; expected 1 to 35 of A-Z, 0-9 and -"#,
        ),
        (
            "INV-1 ,custodian-a,DJPY".to_owned(),
            r#"investor: "INV-1 " starts or ends with a space; expected 1 to 35 of A-Z, 0-9 and -"#,
        ),
        (
            "INV\u{202e}1,custodian-a,DJPY".to_owned(),
            "investor: \"INV\u{fffd}1\" is not of the permitted form; expected 1 to 35 of A-Z, 0-9 and -",
        ),
        (
            "INV-3,Custodian A,DJPY".to_owned(),
            r#"custodian: "Custodian A" is not of the permitted form; expected 1 to 32 of a-z, 0-9 and -"#,
        ),
        (
            "INV-2,custodian-c,DJPY".to_owned(),
            r#"custodian: "custodian-c" is not the investor's custodian, which is custodian-b; expected one custodian for each investor"#,
        ),
        (
            "INV-3,custodian-a,JP3902900005".to_owned(),
            r#"asset: "JP3902900005" has a wrong check digit, 4 would be right; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
        ),
        (
            "INV-3,custodian-a,JP".to_owned(),
            r#"asset: "JP" is not of the permitted form; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
        ),
        (
            "INV-3,custodian-a,DEMOCASHTOKEN".to_owned(),
            r#"asset: "DEMOCASHTOKEN" is longer than 12 characters; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
        ),
        (
            "INV-2,custodian-b,ZZ0000DEMO11".to_owned(),
            r#"asset: "ZZ0000DEMO11" is already on line 2; expected one row for each account"#,
        ),
    ];
    for (row, error) in table {
        let text = format!("investor,custodian,asset\nINV-2,custodian-b,ZZ0000DEMO11\n{row}\n");
        check("investors", &text, &[&format!("investors line 3, column {error}")]);
    }
}

#[test]
fn each_error_of_a_position_is_named() {
    const UNITS: &str =
        "expected atomic units as a whole number from 1 to 18446744073709551615, digits 0-9 only";
    let table = [
        ("INV-2,DJPY,", format!(r#"quantity: "" is empty; {UNITS}"#)),
        ("INV-2,DJPY,0", format!(r#"quantity: "0" is zero; {UNITS}"#)),
        ("INV-2,DJPY,007", format!(r#"quantity: "007" has a leading zero; {UNITS}"#)),
        ("INV-2,DJPY,-5", format!(r#"quantity: "-5" is not a whole number; {UNITS}"#)),
        ("INV-2,DJPY,1.5", format!(r#"quantity: "1.5" is not a whole number; {UNITS}"#)),
        ("INV-2,DJPY,\"1,000\"", format!(r#"quantity: "1,000" is not a whole number; {UNITS}"#)),
        ("INV-2,DJPY,１００", format!(r#"quantity: "１００" has full-width digits; {UNITS}"#)),
        (
            "INV-2,DJPY,18446744073709551616",
            format!(r#"quantity: "18446744073709551616" is more than 18446744073709551615; {UNITS}"#),
        ),
        (
            "INV-2,DJPY,100000000000000000000",
            format!(r#"quantity: "100000000000000000000" is longer than 20 characters; {UNITS}"#),
        ),
        (
            "INV-2,DJPY,18446744073709551615",
            r#"quantity: "18446744073709551615" makes the sum of the asset's positions more than 18446744073709551615; expected positions that add up to less"#.to_owned(),
        ),
        (
            "INV-1,DJPY,5",
            r#"investor: "INV-1" is already on line 2; expected one position an account"#.to_owned(),
        ),
        (
            "INV-3,DJPY,5",
            r#"investor: "INV-3" has no account in this asset in the investors file; expected an account of the investors file"#.to_owned(),
        ),
    ];
    for (row, error) in table {
        let text = format!("investor,asset,quantity\nINV-1,DJPY,1\n{row}\n");
        check("positions", &text, &[&format!("positions line 3, column {error}")]);
    }
}

/// Checks rows of the trades file, each with the one error that it must give, without file and line.
fn check_trades(table: impl IntoIterator<Item = (String, String)>) {
    for (row, error) in table {
        let text = format!("{HEADER}\nT-1,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,\n{row}\n");
        check("trades", &text, &[&format!("trades line 3, column {error}")]);
    }
}

#[test]
fn each_error_of_a_trade_is_named() {
    const DAY: &str = "expected a day that exists as YYYY-MM-DD, 1900 to 9999";
    let with = |date: &str| format!("T-2,transfer,{date},DJPY,1,INV-1,INV-2,,,");
    let row = |text: &str| text.to_owned();
    let table = [
        (
            row("=T,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
            row(
                r#"trade_id: "=T" is not of the permitted form; expected 1 to 35 of A-Z, a-z, 0-9, -, _, . and /, a letter or digit first"#,
            ),
        ),
        (
            row("T-1,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
            row(
                r#"trade_id: "T-1" is already on line 2; expected a trade id of its own for each trade"#,
            ),
        ),
        (
            row("T-2,gift,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
            row(r#"kind: "gift" is not of the permitted form; expected transfer, dvp or redeem"#),
        ),
        (with("25/11/2026"), format!(r#"delivery_date: "25/11/2026" is not a date; {DAY}"#)),
        (with("2026-11-2"), format!(r#"delivery_date: "2026-11-2" is not a date; {DAY}"#)),
        (
            with("2026-13-01"),
            format!(r#"delivery_date: "2026-13-01" is a day that does not exist; {DAY}"#),
        ),
        (
            with("2026-02-29"),
            format!(r#"delivery_date: "2026-02-29" is a day that does not exist; {DAY}"#),
        ),
        (
            with("2100-02-29"),
            format!(r#"delivery_date: "2100-02-29" is a day that does not exist; {DAY}"#),
        ),
        (
            with("２０２６-11-25"),
            format!(r#"delivery_date: "２０２６-11-25" has full-width digits; {DAY}"#),
        ),
        (
            row("T-2,transfer,2026-11-25,DUSD,1,INV-1,INV-2,,,"),
            row(
                r#"asset: "DUSD" is no asset of the investors file; expected an asset that some investor may hold"#,
            ),
        ),
    ];
    check_trades(table);
}

#[test]
fn each_error_of_what_a_kind_of_trade_needs_is_named() {
    let row = |text: &str| text.to_owned();
    let table = [
        (
            row("T-2,transfer,2026-11-25,DJPY,1,INV-1,,,,"),
            row(r#"to: "" is empty; expected 1 to 35 of A-Z, 0-9 and -"#),
        ),
        (
            row("T-2,transfer,2026-11-25,DJPY,1,inv-9,INV-2,,,"),
            row(
                r#"from: "inv-9" is not of the permitted form; expected 1 to 35 of A-Z, 0-9 and -"#,
            ),
        ),
        (
            row("T-2,transfer,2026-11-25,DJPY,1,INV-1,INV-1,,,"),
            row(r#"to: "INV-1" is the same investor as from; expected another investor"#),
        ),
        (
            row("T-2,redeem,2026-11-25,DJPY,1,INV-1,INV-2,,,"),
            row(r#"to: "INV-2" is not permitted in a redeem; expected an empty field"#),
        ),
        (
            row("T-2,transfer,2026-11-25,DJPY,1,INV-1,INV-2,DJPY,,"),
            row(r#"cash_asset: "DJPY" is not permitted in a transfer; expected an empty field"#),
        ),
        (
            row("T-2,redeem,2026-11-25,DJPY,1,INV-1,,,7,"),
            row(r#"cash_quantity: "7" is not permitted in a redeem; expected an empty field"#),
        ),
        (
            row("T-2,dvp,2026-11-25,ZZ0000DEMO11,1,INV-1,INV-2,,5,"),
            row(
                r#"cash_asset: "" is empty; expected an ISIN with its check digit, or a cash ticker of 3 to 12 of A-Z and 0-9"#,
            ),
        ),
        (
            row("T-2,dvp,2026-11-25,ZZ0000DEMO11,1,INV-1,INV-2,ZZ0000DEMO11,5,"),
            row(
                r#"cash_asset: "ZZ0000DEMO11" is not of the right kind of asset; expected cash, which pays for a security"#,
            ),
        ),
        (
            row("T-2,dvp,2026-11-25,DJPY,1,INV-1,INV-2,DJPY,5,"),
            row(
                r#"asset: "DJPY" is not of the right kind of asset; expected a security, which is paid for in cash"#,
            ),
        ),
        (
            row("T-2,transfer,2026-11-25,DJPY,1,INV-1,INV-2,,,tardy"),
            row(
                r#"fault: "tardy" is not of the permitted form; expected nothing, expired-slot, double-spend, late, cancelled, frozen or closed"#,
            ),
        ),
        (
            row("T-2,redeem,2026-11-25,DJPY,1,INV-1,,,,expired-slot"),
            row(
                r#"fault: "expired-slot" is not permitted in a redeem; expected a fault in transfers only"#,
            ),
        ),
    ];
    check_trades(table);
}

#[test]
fn each_error_of_a_whole_file_is_named() {
    const FILE: &str = "expected a UTF-8 file of at most 100000 rows and 16 MiB, with its header and at least one row";
    check("positions", "", &[&format!(r#"positions line 1: "the file" has no rows; {FILE}"#)]);
    check(
        "positions",
        "investor,asset,quantity\n",
        &[&format!(r#"positions line 1: "the file" has no rows; {FILE}"#)],
    );
    check(
        "positions",
        "investor,quantity\n",
        &[
            r#"positions line 1, column asset: "quantity" is not the name of this column; expected the header as in the example files, names and order alike"#,
            r#"positions line 1, column quantity: "" is not the name of this column; expected the header as in the example files, names and order alike"#,
        ],
    );
    check(
        "positions",
        "investor,asset,quantity,note\nINV-1,DJPY,1,\n",
        &[
            r#"positions line 1: "investor,asset,quantity,note" has 4 fields; expected the header as in the example files, names and order alike"#,
        ],
    );
    check(
        "positions",
        "investor,asset,quantity\nINV-1,DJPY\n",
        &[
            r#"positions line 2: "INV-1,DJPY" has 2 fields; expected as many fields as the header has"#,
        ],
    );
    let rows = "INV-1,DJPY,1\n".repeat(ROWS_MAX + 1);
    let errors = parse("positions", &format!("investor,asset,quantity\n{rows}")).unwrap_err();
    assert_eq!(errors.list[0].reason, Reason::Rows);
    assert_eq!((errors.list[0].line, errors.list.len()), (100_002, ERRORS_MAX));
    assert_eq!(errors.unlisted, 99_000);
    assert!(errors.to_string().ends_with("\n  and 99000 more errors"));
    let errors = parse("positions", &" ".repeat(FILE_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(errors.list[0].reason, Reason::Bytes);
}

#[test]
fn the_line_that_is_not_utf_8_is_named() {
    let bytes =
        b"investor,custodian,asset\nINV-1,custodian-a,DJPY\nINV-\x93\xfa,custodian-a,DJPY\n";
    let other = source("positions", "investor,asset,quantity\nINV-1,DJPY,1\n");
    let trades = format!("{HEADER}\nT-1,redeem,2026-11-25,DJPY,1,INV-1,,,,\n");
    let investors = Source { name: "investors", bytes };
    let errors = Scenario::parse(investors, other, source("trades", &trades)).unwrap_err();
    assert_eq!(errors.list.len(), 1);
    assert_eq!((errors.list[0].line, &errors.list[0].reason), (3, &Reason::Encoding));
}

#[test]
fn too_many_custodians_or_assets_are_refused() {
    let mut text = "investor,custodian,asset\n".to_owned();
    for number in 0..=CUSTODIANS_MAX {
        text.push_str(&format!("INV-{number},custodian-{number},CASH{number}\n"));
    }
    check(
        "investors",
        &text,
        &[
            r#"investors line 18, column custodian: "custodian-16" is one more than the 16 that are permitted; expected fewer custodians"#,
            r#"investors line 18, column asset: "CASH16" is one more than the 16 that are permitted; expected fewer assets"#,
        ],
    );
}

#[test]
fn all_errors_of_all_files_come_at_once_and_wrong_investors_are_not_blamed_on_trades() {
    let investors = "investor,custodian,asset\ninv,custodian-a,DJPY\nINV-2,custodian-a,D\n";
    let positions = "investor,asset,quantity\nINV-7,DJPY,x\nINV-8,DUSD,0\n";
    let trades = format!("{HEADER}\nT-1,gift,tomorrow,DJPY,no,a,b,-,1.0,tardy\n");
    let errors = Scenario::parse(
        source("investors", investors),
        source("positions", positions),
        source("trades", &trades),
    )
    .unwrap_err();
    let found: Vec<_> =
        errors.list.iter().map(|e| (e.file.as_str(), e.line, e.column.unwrap_or("-"))).collect();
    let expect = [
        ("investors", 2, "investor"),
        ("investors", 3, "asset"),
        ("positions", 2, "quantity"),
        ("positions", 3, "quantity"),
        ("trades", 2, "kind"),
        ("trades", 2, "delivery_date"),
        ("trades", 2, "quantity"),
        ("trades", 2, "from"),
        ("trades", 2, "to"),
        ("trades", 2, "cash_asset"),
        ("trades", 2, "cash_quantity"),
        ("trades", 2, "fault"),
    ];
    assert_eq!(found, expect);
}

#[test]
fn byte_order_mark_crlf_quotes_and_blank_lines_are_accepted_and_lines_still_counted() {
    let text = "\u{feff}investor,asset,quantity\r\n\r\n\"INV-1\",DJPY,100\r\nINV-2,DJPY,7\r\n";
    let scenario = parse("positions", text).unwrap();
    let quantities: Vec<u64> = scenario.positions.values().map(|a| a.atomic_units()).collect();
    assert_eq!(quantities, [100, 7]);
    let text = text.replace(",7", ",x").replace(",100", ",y");
    let errors = parse("positions", &text).unwrap_err();
    let lines: Vec<u64> = errors.list.iter().map(|error| error.line).collect();
    assert_eq!(lines, [3, 4]);
}

#[test]
fn parties_of_trades_may_be_unknown() {
    let row = "T-1,transfer,2026-11-25,DJPY,1,INV-8,INV-9,,,";
    let scenario = parse("trades", &format!("{HEADER}\n{row}\n")).unwrap();
    let trade = &scenario.trades[0];
    assert_eq!(scenario.custodian_of(&trade.from), None);
    assert_eq!(trade.kind.to().map(InvestorId::as_str), Some("INV-9"));
}

#[test]
fn published_isins_pass_the_check_digit() {
    for isin in ["JP3902900004", "JP3633400001", "US0378331005", "ZZ0000000008"] {
        assert_eq!(isin.parse::<AssetCode>().unwrap().kind(), AssetKind::Security);
        let (body, digit) = isin.split_at(11);
        let right: u32 = digit.parse().unwrap();
        for wrong in (0..10).filter(|digit| *digit != right) {
            let refused = format!("{body}{wrong}").parse::<AssetCode>();
            assert_eq!(refused, Err(Reason::CheckDigit(right)));
        }
    }
    assert_eq!("DJPY".parse::<AssetCode>().unwrap().kind(), AssetKind::Cash);
    assert_eq!("".parse::<AssetCode>(), Err(Reason::Empty));
}

#[test]
fn a_row_becomes_a_trade_with_all_its_columns() {
    let row = "T/1,dvp,2028-02-29,ZZ0000DEMO11,10,INV-1,INV-2,DJPY,500,";
    let scenario = parse("trades", &format!("{HEADER}\n{row}\n")).unwrap();
    let trade = &scenario.trades[0];
    assert_eq!(trade.trade_id.as_str(), "T/1");
    assert_eq!(trade.delivery_date.to_string(), "2028-02-29");
    assert_eq!((trade.line, trade.quantity, trade.fault), (2, Amount::new(10), None));
    let to = "INV-2".parse().unwrap();
    let (cash_asset, cash_quantity) = ("DJPY".parse().unwrap(), Amount::new(500));
    assert_eq!(trade.kind, TradeKind::Dvp { to, cash_asset, cash_quantity });
}

#[test]
fn the_embedded_files_are_sound_and_synthetic() {
    let scenario = Scenario::embedded().unwrap();
    let custodians: Vec<&str> =
        scenario.custodians().into_iter().map(CustodianName::as_str).collect();
    assert_eq!(custodians, ["custodian-a", "custodian-b", "custodian-c"]);
    assert_eq!((scenario.investors.len(), scenario.trades.len()), (12, 24));
    for spec in scenario.assets.values() {
        assert!(spec.kind == AssetKind::Cash || spec.code.starts_with("ZZ"), "{spec:?}");
    }
    for name in ["transfer", "dvp", "redeem"] {
        assert!(scenario.trades.iter().any(|trade| trade.kind.name() == name), "{name}");
    }
}
#[test]
fn names_are_checked_with_the_other_files_and_wide_letters_are_right_in_them() {
    let scenario = |names: &str| {
        let names = format!("investor,name_ja,name_en,corporate_number\n{names}");
        Scenario::of(Files {
            investors: source("investors", "investor,custodian,asset\nINV-1,custodian-a,DJPY\n"),
            positions: source("positions", "investor,asset,quantity\nINV-1,DJPY,1\n"),
            trades: source(
                "trades",
                &format!("{HEADER}\nT-1,redeem,2026-11-25,DJPY,1,INV-1,,,,\n"),
            ),
            names: Some(source("names", &names)),
        })
    };
    let sound = scenario("INV-1,株式会社Ａ例示,Example A,4011001098993\n").unwrap();
    assert_eq!(sound.names.len(), 1);
    let errors = scenario(
        "INV-1,株式会社例示,Example,1123456789012\nINV-1,名,N,4011001098993\n\
         INV-2,,N,401100109899\nINV-3,名,N,４011001098993\n",
    )
    .unwrap_err();
    let found: Vec<(u64, &str)> =
        errors.list.iter().map(|error| (error.line, error.column.unwrap())).collect();
    let expect = [
        (2, "corporate_number"),
        (3, "investor"),
        (4, "name_ja"),
        (4, "corporate_number"),
        (4, "investor"),
        (5, "corporate_number"),
        (5, "investor"),
    ];
    assert_eq!(found, expect);
}

#[test]
fn known_corporate_numbers_pass_the_check_digit() {
    for number in ["4011001098993", "7123456789012", "2120901007402"] {
        assert!(number.parse::<CorporateNumber>().is_ok(), "{number}");
    }
    assert_eq!("1123456789012".parse::<CorporateNumber>(), Err(Reason::CheckDigit(7)));
}
