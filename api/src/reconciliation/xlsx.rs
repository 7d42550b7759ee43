//! A report as a workbook. Quantities are texts: a cell's number has 15 digits, a quantity up to 20.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use super::report::{BreakKind, Bucket, COLUMNS, Report, State, cells};

/// The workbook's file; the same bytes for the same report.
///
/// # Errors
///
/// If the report has more breaks than a sheet has rows.
pub fn workbook(report: &Report, hash: &str) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let date = report.as_of;
    let year = u16::try_from(date.year()).unwrap_or(1970);
    let made = ExcelDateTime::from_ymd(year, date.month(), date.day())?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let bold = Format::new().set_bold();
    let counts = &report.counts;
    let number = |count: usize| count.to_string();
    let mut summary = vec![
        ["As of".to_owned(), date.to_string()],
        ["Calendar".into(), report.calendar.clone()],
        ["SHA-256 of report.json".into(), hash.to_owned()],
        ["Rows of the register".into(), number(report.register_rows)],
        ["Compared".into(), number(counts.compared)],
        ["The same".into(), number(counts.matched)],
        ["Within the tolerance".into(), number(counts.within_tolerance)],
        ["Open".into(), number(counts.open)],
        ["Explained".into(), number(counts.explained)],
        ["Accepted".into(), number(counts.accepted)],
    ];
    for kind in BreakKind::ALL {
        summary.push([format!("Open: {}", kind.name()), number(report.open(kind))]);
    }
    for age in Bucket::ALL {
        let open = report.breaks.iter().filter(|one| one.bucket == age && one.state == State::Open);
        summary.push([format!("Open, {} business days old", age.name()), number(open.count())]);
    }
    let totals = report.totals.iter().map(|row| {
        [
            row.asset.clone(),
            row.register.clone(),
            row.proven.clone().unwrap_or_default(),
            row.proven_by.clone().unwrap_or_default(),
            row.gross_difference.clone(),
            row.net_difference.clone(),
        ]
    });
    let header = ["Asset", "Register", "Proved", "By", "Differences, gross", "net"];
    sheet(&mut book, "Summary", &["Reconciliation", ""], summary.into_iter(), &bold)?;
    sheet(&mut book, "Totals", &header, totals, &bold)?;
    sheet(&mut book, "Breaks", &COLUMNS, report.breaks.iter().map(cells), &bold)?;
    book.save_to_buffer()
}

fn sheet<const COLUMNS: usize>(
    book: &mut Workbook,
    name: &str,
    header: &[&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
    bold: &Format,
) -> Result<(), XlsxError> {
    let sheet = book.add_worksheet();
    sheet.set_name(name)?;
    let mut column = 0u16;
    for text in header {
        sheet.write_string_with_format(0, column, *text, bold)?;
        column = column.saturating_add(1);
    }
    let mut place = 0u32;
    for row in rows {
        place = place.saturating_add(1);
        let mut column = 0u16;
        for text in row {
            sheet.write_string(place, column, text)?;
            column = column.saturating_add(1);
        }
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}
