//! A report as one HTML page: no scripts, no other files, charts as inline SVG, all text escaped.

use std::fmt::{self, Write as _};

use super::report::{Break, BreakKind, Bucket, COLUMNS, Day, Report, State, cells};

/// How many breaks the page lists; the CSV has all.
const ROWS_MAX: usize = 1_000;
const STYLE: &str = "body{font:16px/1.5 system-ui,'Hiragino Sans','Yu Gothic','Noto Sans CJK JP','Noto Sans JP',sans-serif;max-width:96rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
    h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}.t{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.85rem}\
    th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #d5d9de;vertical-align:top;white-space:nowrap}\
    .w{white-space:normal;overflow-wrap:anywhere;min-width:9rem}.n{text-align:right;font-variant-numeric:tabular-nums}\
    .no{color:#b00020}.verdict{font-size:1.2rem;font-weight:700}\
    figure{display:inline-block;width:31%;min-width:18rem;margin:0 1% 1rem 0;vertical-align:top}figcaption{font-weight:600}\
    svg{width:100%;height:auto;font:12px system-ui,sans-serif}code{overflow-wrap:anywhere}\
    @media print{@page{size:A4 landscape;margin:10mm}body{margin:0;max-width:none;font-size:11px}.t{overflow:visible}\
    th,td{white-space:normal;overflow-wrap:anywhere;padding:.15rem .3rem}.n{white-space:nowrap}thead{display:table-header-group}tr,figure{break-inside:avoid}}";

/// Text with the characters that HTML would act on replaced.
struct Safe<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

/// The whole page. `hash` is the SHA-256 of the report's JSON, which is what is signed.
#[must_use]
pub fn page(report: &Report, hash: &str) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Reconciliation as of {0}</title>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <h1>Reconciliation of the register as of {0}</h1>\n",
        report.as_of
    );
    head(&mut page, report, hash);
    charts(&mut page, report);
    totals(&mut page, report);
    views(&mut page, report);
    breaks(&mut page, report);
    sources(&mut page, report);
    page.push_str("</body></html>\n");
    page
}

fn head(page: &mut String, report: &Report, hash: &str) {
    let counts = &report.counts;
    let verdict = match counts.open {
        0 => "<p class=\"verdict\">No open breaks.</p>".to_owned(),
        open => format!("<p class=\"verdict no\">{open} open breaks.</p>"),
    };
    let _ = writeln!(
        page,
        "{verdict}\n<p>{} rows of the register, {} compared: {} the same, {} within the tolerance, {} explained by trades under \
         way, {} accepted by two people. The oldest open break is {} business days old, by the calendar {}.</p>\n\
         <p>SHA-256 of <code>report.json</code>, which maker and checker sign: <code>{}</code></p>",
        report.register_rows,
        counts.compared,
        counts.matched,
        counts.within_tolerance,
        counts.explained,
        counts.accepted,
        report.oldest(),
        Safe(&report.calendar),
        Safe(hash)
    );
}

fn charts(page: &mut String, report: &Report) {
    let count = |is: &dyn Fn(&Break) -> bool| report.breaks.iter().filter(|one| is(one)).count();
    let open = |one: &Break| one.state == State::Open;
    let kinds = BreakKind::ALL.map(|kind| (kind.name(), count(&|one| one.kind == kind)));
    bars(page, "Breaks by kind", &kinds);
    let ages = Bucket::ALL.map(|age| (age.name(), count(&|one| one.bucket == age && open(one))));
    bars(page, "Open breaks by age in business days", &ages);
    trend(page, &report.trend);
}

/// Horizontal bars, each with its number.
fn bars(page: &mut String, title: &str, rows: &[(&str, usize)]) {
    const WIDTH: usize = 360;
    const LINE: usize = 22;
    const LEFT: usize = 130;
    let most = rows.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
    let height = rows.len().saturating_mul(LINE);
    let _ = write!(
        page,
        "<figure><figcaption>{0}</figcaption><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{0}\">",
        Safe(title)
    );
    for (place, (name, value)) in rows.iter().enumerate() {
        let top = place.saturating_mul(LINE);
        let text = top.saturating_add(15);
        // Nothing and next to nothing are told apart.
        let wide = value.saturating_mul(WIDTH.saturating_sub(LEFT).saturating_sub(50)) / most;
        let wide = wide.max((*value).min(2));
        let end = LEFT.saturating_add(wide).saturating_add(5);
        let _ = write!(
            page,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text><rect x=\"{LEFT}\" y=\"{}\" width=\"{wide}\" height=\"14\" \
             fill=\"#0b5cad\"/><text x=\"{end}\" y=\"{text}\">{value}</text>",
            LEFT.saturating_sub(6),
            Safe(name),
            top.saturating_add(4)
        );
    }
    page.push_str("</svg></figure>\n");
}

/// Open breaks day by day, from the reports before.
fn trend(page: &mut String, days: &[Day]) {
    const WIDTH: usize = 360;
    const HEIGHT: usize = 132;
    let most = days.iter().map(|day| day.counts.open).max().unwrap_or(0).max(1);
    let step = WIDTH.saturating_sub(20) / days.len().max(1);
    let _ = write!(
        page,
        "<figure><figcaption>Open breaks day by day, at most {most}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Open breaks day by day\">"
    );
    for (place, day) in days.iter().enumerate() {
        let high = day.counts.open.saturating_mul(100) / most;
        let high = high.max(day.counts.open.min(2));
        let _ = write!(
            page,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{high}\" fill=\"#b34700\"><title>{}: {}</title></rect>",
            place.saturating_mul(step).saturating_add(10),
            110usize.saturating_sub(high),
            step.saturating_sub(1).clamp(1, 40),
            Safe(&day.as_of),
            day.counts.open
        );
    }
    if let (Some(first), Some(last)) = (days.first(), days.last()) {
        let _ = write!(
            page,
            "<text x=\"10\" y=\"128\">{}</text><text x=\"350\" y=\"128\" text-anchor=\"end\">{}</text>",
            Safe(&first.as_of),
            Safe(&last.as_of)
        );
    }
    page.push_str("</svg></figure>\n");
}

fn totals(page: &mut String, report: &Report) {
    page.push_str(
        "<h2>Totals</h2>\n<div class=\"t\"><table><thead><tr><th>Asset<th class=\"n\">Register<th class=\"n\">Proved<th>By\
         <th class=\"n\">Differences, gross<th class=\"n\">net</tr></thead>\n",
    );
    for row in &report.totals {
        let _ = writeln!(
            page,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"w\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
            Safe(&row.asset),
            Safe(&row.register),
            Safe(row.proven.as_deref().unwrap_or("not asked")),
            Safe(row.proven_by.as_deref().unwrap_or_default()),
            Safe(&row.gross_difference),
            Safe(&row.net_difference)
        );
    }
    page.push_str("</table></div>\n");
}

fn views(page: &mut String, report: &Report) {
    page.push_str(
        "<h2>Views</h2>\n<div class=\"t\"><table><thead><tr><th>Of<th class=\"n\">Rows<th class=\"n\">Compared<th class=\"n\">The same\
         <th class=\"n\">Within tolerance<th class=\"n\">Open<th class=\"n\">Explained<th class=\"n\">Accepted</tr></thead>\n",
    );
    for view in &report.views {
        let _ = write!(page, "<tr><td>{}", Safe(&view.name));
        let counts = &view.counts;
        for number in [
            view.rows,
            counts.compared,
            counts.matched,
            counts.within_tolerance,
            counts.open,
            counts.explained,
            counts.accepted,
        ] {
            let _ = write!(page, "<td class=\"n\">{number}");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

fn breaks(page: &mut String, report: &Report) {
    page.push_str("<h2>Breaks</h2>\n");
    let hidden = report.breaks.len().saturating_sub(ROWS_MAX);
    if hidden > 0 {
        let _ = writeln!(
            page,
            "<p>The first {ROWS_MAX}; <code>breaks.csv</code> has {hidden} more.</p>"
        );
    }
    page.push_str("<div class=\"t\"><table><thead><tr>");
    for column in COLUMNS {
        let _ = write!(page, "<th{}>{}", class(column), Safe(column));
    }
    page.push_str("</tr></thead>\n");
    for one in report.breaks.iter().take(ROWS_MAX) {
        page.push_str("<tr>");
        for (place, cell) in cells(one).iter().enumerate() {
            let column = COLUMNS.get(place).copied().unwrap_or_default();
            let _ = write!(page, "<td{}>{}", class(column), Safe(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

/// Numbers stand at the right and whole; what may be long goes on in another line.
fn class(column: &str) -> &'static str {
    match column {
        "register" | "said" | "difference" | "row" | "age" => " class=\"n\"",
        "id" | "note" => " class=\"w\"",
        _ => "",
    }
}

fn sources(page: &mut String, report: &Report) {
    page.push_str(
        "<h2>Files</h2>\n<div class=\"t\"><table><thead><tr><th>Read as<th>SHA-256</tr></thead>\n",
    );
    for (name, hash) in &report.sources {
        let _ = writeln!(page, "<tr><td>{}<td><code>{}</code></tr>", Safe(name), Safe(hash));
    }
    page.push_str("</table></div>\n");
}
