//! Planted breaks are all found, and nothing else is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::iso20022::{Message, When};

const DAY: &str = "2026-11-27";

fn date(text: &str) -> BusinessDate {
    text.parse().unwrap()
}

fn holding(asset: &str, account: &str, quantity: u64) -> Holding {
    Holding { asset: asset.into(), account: account.into(), quantity }
}

/// Who has what, without breaks: `holders` accounts with one to three assets, at three custodians; a fifth are a partner's.
fn book(holders: u64) -> (Vec<Registered>, Vec<View>, Vec<Proven>) {
    let assets = ["ZZ0000DEMO11", "ZZ0000DEMO29", "DJPY"];
    let mut register = Vec::new();
    for number in 0..holders {
        for (place, asset) in assets.iter().enumerate() {
            let place = u64::try_from(place).unwrap();
            if number % (place + 1) != 0 {
                continue;
            }
            let quantity = number.wrapping_mul(2_654_435_761) % 100_000 + place + 100;
            register.push(Registered {
                holding: holding(asset, &format!("INV-{number:06}"), quantity),
                custodian: format!("custodian-{}", number % 3),
                partner: number.is_multiple_of(5).then(|| "broker-x".to_owned()),
            });
        }
    }
    let rows = |is: &dyn Fn(&Registered) -> bool| -> Vec<Holding> {
        register.iter().filter(|row| is(row)).map(|row| row.holding.clone()).collect()
    };
    let mut views: Vec<View> = (0..3)
        .map(|number| {
            let name = format!("custodian-{number}");
            let rows = rows(&|row| row.custodian == name);
            View { covers: Covers::Custodian(name.clone()), name, rows, declared: BTreeMap::new() }
        })
        .collect();
    views.push(View {
        name: "broker-x".into(),
        covers: Covers::Partner("broker-x".into()),
        rows: rows(&|row| row.partner.is_some()),
        declared: BTreeMap::new(),
    });
    let sum = |asset: &str| {
        let rows = register.iter().filter(|row| row.holding.asset == asset);
        rows.map(|row| row.holding.quantity).sum()
    };
    let proven =
        assets.map(|asset| Proven { asset: asset.into(), units: sum(asset), by: "a test".into() });
    (register, views, proven.into())
}

#[derive(Default)]
struct World {
    register: Vec<Registered>,
    views: Vec<View>,
    proven: Vec<Proven>,
    pending: Vec<Pending>,
    rules: Rules,
    earlier: EarlierReport,
    accepted: Vec<Accepted>,
}

impl World {
    fn of(holders: u64) -> Self {
        let (register, views, proven) = book(holders);
        Self { register, views, proven, ..Self::default() }
    }

    fn report(&self, as_of: &str) -> Report {
        let question = Question {
            as_of: date(as_of),
            calendar: &Calendar::newest(),
            register: &self.register,
            views: &self.views,
            proven: &self.proven,
            pending: &self.pending,
            rules: &self.rules,
            earlier: &self.earlier,
            accepted: &self.accepted,
        };
        reconcile(&question, |_, _| ()).unwrap()
    }
}

/// Kind, view, asset, account.
type Expected = BTreeSet<(BreakKind, String, String, String)>;

fn found(report: &Report) -> Expected {
    let breaks = report.breaks.iter();
    let key = |one: &Break| {
        let account = one.account.clone().unwrap_or_default();
        (one.kind, one.view.clone(), one.asset.clone(), account)
    };
    let keys: Expected = breaks.map(key).collect();
    assert_eq!(keys.len(), report.breaks.len(), "no break twice");
    keys
}

/// Plants a break of a kind at a row of a view; says what must be found.
fn plant(world: &mut World, kind: BreakKind, view: usize, row: usize) -> Expected {
    let View { name, rows, .. } = &mut world.views[view];
    let Holding { asset, account, quantity } = rows[row].clone();
    let mut expected = Expected::new();
    let mut expect = |kind, asset: &str, account: &str| {
        expected.insert((kind, name.clone(), asset.to_owned(), account.to_owned()));
    };
    match kind {
        BreakKind::MissingInView => {
            rows.remove(row);
            expect(kind, &asset, &account);
        }
        BreakKind::Quantity => {
            rows[row].quantity += 1;
            expect(kind, &asset, &account);
        }
        BreakKind::DuplicateRow => {
            rows.push(holding(&asset, &account, quantity));
            expect(kind, &asset, &account);
        }
        BreakKind::UnknownAccount => {
            let stranger = format!("NOBODY-{view}-{row}");
            rows.push(holding(&asset, &stranger, 5));
            expect(kind, &asset, &stranger);
        }
        BreakKind::MissingInRegister => {
            rows.push(holding(&format!("OTHER-{asset}"), &account, 5));
            expect(kind, &format!("OTHER-{asset}"), &account);
        }
        BreakKind::Timing => {
            rows[row].quantity += 7;
            let trade = format!("T-{view}-{row}");
            let (asset, account) = (asset.clone(), account.clone());
            let (receives, quantity, delivery) = (true, 7, date(DAY));
            expect(kind, &asset, &account);
            world.pending.push(Pending { trade, asset, account, receives, quantity, delivery });
        }
        BreakKind::Total => {
            let sum = rows
                .iter()
                .filter(|row| row.asset == asset)
                .map(|row| u128::from(row.quantity))
                .sum::<u128>();
            let declared = &mut world.views[view].declared;
            declared.insert(asset.clone(), sum + 1);
            expected.insert((kind, world.views[view].name.clone(), asset, String::new()));
        }
    }
    expected
}

#[test]
fn a_book_that_agrees_has_no_breaks() {
    let report = World::of(500).report(DAY);
    assert_eq!(report.breaks, []);
    assert_eq!(report.counts.matched, report.counts.compared);
    assert!(report.totals.iter().all(|row| row.proven.as_ref() == Some(&row.register)));
}

/// [REC-1]
#[test]
fn planted_breaks_in_a_book_of_100_000_holders_are_all_found_and_no_others() {
    let mut world = World::of(100_000);
    let mut expected = Expected::new();
    // Declared sums last: they are of the rows as they stand then.
    let kinds = BreakKind::ALL.into_iter().filter(|kind| *kind != BreakKind::Total);
    for view in 0..4 {
        for (place, kind) in kinds.clone().enumerate() {
            for many in 0..25 {
                expected.extend(plant(&mut world, kind, view, 1 + place * 40 + many));
            }
        }
    }
    for view in 0..4 {
        expected.extend(plant(&mut world, BreakKind::Total, view, 5_000));
    }
    world.proven[0].units += 1;
    expected.insert((
        BreakKind::Total,
        "ledger".into(),
        world.proven[0].asset.clone(),
        String::new(),
    ));
    let report = world.report(DAY);
    let found = found(&report);
    let missed: Vec<_> = expected.difference(&found).collect();
    let false_ones: Vec<_> = found.difference(&expected).collect();
    assert!(missed.is_empty() && false_ones.is_empty(), "missed {missed:?}, false {false_ones:?}");
    assert_eq!(found.len(), 4 * 6 * 25 + 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// [REC-1]
    #[test]
    fn planted_breaks_are_all_found_and_no_others(
        plants in proptest::collection::vec((0usize..7, 0usize..4, 0usize..40), 0..12),
    ) {
        let mut world = World::of(300);
        let mut expected = Expected::new();
        let mut used = BTreeSet::new();
        let mut totals = Vec::new();
        for (kind, view, row) in plants {
            let kind = BreakKind::ALL[kind];
            let account = world.views[view].rows[row].account.clone();
            // One break for a holder in a view, so that each is expected by itself.
            if kind == BreakKind::Total {
                totals.push(view);
            } else if used.insert((view, account)) {
                expected.extend(plant(&mut world, kind, view, row));
            }
        }
        totals.dedup();
        for view in totals {
            expected.extend(plant(&mut world, BreakKind::Total, view, 0));
        }
        prop_assert_eq!(found(&world.report(DAY)), expected);
    }
}

/// [REC-2]
#[test]
fn a_break_ages_in_business_days_whatever_it_turns_into() {
    let mut world = World::of(30);
    plant(&mut world, BreakKind::Timing, 0, 2);
    let friday = world.report("2026-11-20");
    // 21 and 22 are a weekend, 23 a holiday.
    assert_eq!(friday.breaks[0].kind, BreakKind::Quantity, "the trade isn't due yet");
    world.earlier = EarlierReport::parse(friday.to_json().unwrap().as_bytes()).unwrap();
    for (as_of, age, kind) in [
        ("2026-11-23", 0, BreakKind::Quantity),
        ("2026-11-24", 1, BreakKind::Quantity),
        ("2026-11-27", 4, BreakKind::Timing),
        ("2026-11-30", 5, BreakKind::Quantity),
    ] {
        let report = world.report(as_of);
        let one = &report.breaks[0];
        assert_eq!((one.age, one.kind, one.bucket), (age, kind, Bucket::of(age)), "{as_of}");
        assert_eq!(one.id, friday.breaks[0].id);
        assert_eq!(report.trend.len(), 2);
    }
}

#[test]
fn a_tolerance_holds_for_its_asset_up_to_its_last_unit() {
    let mut world = World::of(30);
    let row = world.views[0].rows.iter().position(|row| row.asset == "DJPY").unwrap();
    world.rules.tolerance.insert("DJPY".into(), 100);
    world.views[0].rows[row].quantity += 100;
    let report = world.report(DAY);
    assert_eq!((report.breaks.len(), report.counts.within_tolerance), (0, 1));
    world.views[0].rows[row].quantity += 1;
    assert_eq!(world.report(DAY).breaks[0].difference, "101");
    world.views[0].rows[0].quantity += 1;
    assert_eq!(world.report(DAY).breaks.len(), 2);
}

/// [REC-3]
#[test]
fn an_accepted_difference_is_accepted_as_it_was_and_not_as_it_becomes() {
    let mut world = World::of(30);
    plant(&mut world, BreakKind::Quantity, 1, 0);
    let open = world.report(DAY).breaks.remove(0);
    world.accepted.push(Accepted {
        id: open.id,
        difference: open.difference,
        reason: "端数処理".into(),
        by: "maker".into(),
        approved_by: "checker".into(),
    });
    let report = world.report(DAY);
    assert_eq!((report.counts.open, report.counts.accepted), (0, 1));
    let json = report.to_json().unwrap();
    let earlier = EarlierReport::parse(json.as_bytes()).unwrap();
    assert_eq!(earlier.first_seen.len(), 1);
    assert!(json.contains("端数処理"));
    world.views[1].rows[0].quantity += 1;
    assert_eq!(world.report(DAY).counts.open, 1);
}

#[test]
fn a_trade_explains_what_it_moves_and_nothing_else() {
    for (moved, explained) in [(7, true), (6, false), (8, false), (14, false)] {
        let mut world = World::of(30);
        plant(&mut world, BreakKind::Timing, 0, 3);
        let row = &mut world.views[0].rows[3];
        row.quantity = row.quantity + moved - 7;
        let report = world.report(DAY);
        assert_eq!(report.counts.explained == 1, explained, "{moved}");
    }
}

#[test]
fn a_statement_in_pages_says_what_the_register_does() {
    let (register, ..) = book(12_000);
    let rows = statement::of_custodian(&register, "custodian-0");
    let heading = statement::Heading {
        id: "REG-1".parse().unwrap(),
        at: When::Day(date(DAY)),
        owner: "custodian-0".parse().unwrap(),
        servicer: "registrar".parse().unwrap(),
        decimals: BTreeMap::from([("DJPY".to_owned(), 2)]),
    };
    let pages = statement::write(&heading, &rows).unwrap();
    assert_eq!(pages.len(), 1);
    let many: Vec<statement::Held> = (0..12_000)
        .map(|number| holding("DJPY", &format!("I{number:05}"), number).into())
        .collect();
    let pages_of_many = statement::write(&heading, &many).unwrap();
    assert_eq!(pages_of_many.len(), 3);
    for (rows, pages) in [(rows, pages), (many, pages_of_many)] {
        let rows: Vec<Holding> = rows.into_iter().map(|row| row.holding).collect();
        let mut back = Vec::new();
        for page in pages {
            let text = Message::Custody(Box::new(page)).to_xml();
            let parsed = Message::parse(text.as_bytes()).unwrap();
            assert_eq!(parsed.unread, [""; 0]);
            let Message::Custody(page) = parsed.message else { panic!() };
            back.push(*page);
        }
        let (read, declared) = statement::read(&back, &heading.decimals).unwrap();
        let sorted = |mut rows: Vec<Holding>| {
            rows.sort_by(|one, other| {
                (&one.account, &one.asset).cmp(&(&other.account, &other.asset))
            });
            rows
        };
        let sum: u128 =
            rows.iter().filter(|row| row.asset == "DJPY").map(|row| u128::from(row.quantity)).sum();
        assert_eq!(declared["DJPY"], sum);
        assert_eq!(sorted(read), sorted(rows));
        if back.len() > 1 {
            assert!(statement::read(&back[1..], &heading.decimals).is_err());
            assert!(statement::read(&back[..2], &heading.decimals).is_err());
        }
    }
}

#[test]
fn tables_are_read_in_one_form_only() {
    let good = "\u{feff}asset,account,custodian,partner,quantity\r\nDJPY,INV-1,custodian-a,,5\r\n";
    assert_eq!(input::register(good.as_bytes()).unwrap().len(), 1);
    for (from, to, column) in [
        (",5", ",05", "quantity"),
        (",5", ",-5", "quantity"),
        (",5", ",18446744073709551616", "quantity"),
        (",5", ",5,6", "all"),
        ("INV-1", "INV 1", "account"),
        ("INV-1", "", "account"),
        ("custodian-a,", "custodian-a,\u{7}", "partner"),
    ] {
        let error = input::register(good.replace(from, to).as_bytes()).unwrap_err();
        assert!(
            matches!(error, InputError::Row { row: 1, column: found, .. } if found == column),
            "{error}"
        );
    }
    let header = good.replace("quantity", "units");
    assert!(matches!(input::register(header.as_bytes()), Err(InputError::Header(_))));
    let pending =
        "trade_id,asset,account,direction,quantity,delivery_date\nT-1,DJPY,INV-1,in,5,2026-11-27\n";
    assert_eq!(input::pending(pending.as_bytes()).unwrap()[0].delivery, date(DAY));
    assert!(input::pending(pending.replace(",in,", ",IN,").as_bytes()).is_err());
}

#[test]
fn a_page_and_a_table_show_what_others_wrote_as_text() {
    let mut world = World::of(30);
    world.views[0].rows.push(holding("=1+1", "<script>alert(1)</script>", 5));
    let report = world.report(DAY);
    let html = page(&report, "0");
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
    assert!(html.contains("<svg") && !html.contains("http://") && !html.contains("https://"));
    let csv = to_csv(&report);
    assert!(csv.contains(",'=1+1,"), "{csv}");
}

#[test]
fn a_document_and_a_workbook_hold_japanese_and_are_the_same_for_the_same_report() {
    let mut world = World::of(30);
    world.views[0].rows.push(holding("DJPY", "架空あけぼの商会𠮷", 5));
    let report = world.report(DAY);
    let document = pdf::document(&report, "0");
    assert!(document.starts_with(b"%PDF-") && document.ends_with(b"%%EOF"));
    // Big-endian UCS-2 as the font's encoding has it, what it lacks as a geta mark.
    let wanted: Vec<u8> = "架空あけぼの商会〓".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let escaped = |byte: &u8| -> Vec<u8> {
        match byte {
            b'(' | b')' | b'\\' => vec![b'\\', *byte],
            _ => vec![*byte],
        }
    };
    let escaped: Vec<u8> = wanted.iter().flat_map(escaped).collect();
    let hexadecimal: Vec<u8> =
        wanted.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect();
    let holds = |part: &[u8]| document.windows(part.len()).any(|window| window == part);
    assert!(holds(&escaped) || holds(&hexadecimal));
    assert_eq!(document, pdf::document(&report, "0"));
    let workbook = xlsx::workbook(&report, "0").unwrap();
    assert!(workbook.starts_with(b"PK"));
    assert_eq!(workbook, xlsx::workbook(&report, "0").unwrap());
}
