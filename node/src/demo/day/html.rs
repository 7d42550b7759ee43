//! The day's report as one HTML page: no scripts, no other files, all charts as inline SVG, all text escaped.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::timeline::{Load, Stretch, Timeline};
use crate::demo::input::Scenario;
use crate::demo::report::DemoReport;

/// How many stretches of time the charts show at most.
const STRETCHES_MAX: u64 = 120;
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}\
    h1{font-size:1.6rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%;font-size:.9rem}\
    th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #d5d9de;vertical-align:top}\
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.no{color:#b00020;font-weight:700}\
    svg{width:100%;height:auto;font:12px system-ui,sans-serif}.verdict{font-size:1.2rem;font-weight:700}";

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

/// The whole page.
pub(super) fn page(report: &DemoReport, timeline: &Timeline, scenario: &Scenario) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sudare: a trading day</title>\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <h1>A trading day on Sudare</h1>\n"
    );
    head(&mut page, report);
    outcomes(&mut page, report);
    let ms = (timeline.took_ms / STRETCHES_MAX).max(1_000).next_multiple_of(1_000);
    let stretches = timeline.stretches(ms);
    throughput(&mut page, &stretches, ms);
    latency(&mut page, &stretches, ms);
    let bytes = report
        .parties
        .iter()
        .map(|party| (party.name.as_str(), party.bytes_in.saturating_add(party.bytes_out) / 1024));
    bars(&mut page, "Bytes by party", "KiB received and sent", &bytes.collect::<Vec<_>>());
    let cpu = report.pace.cpu_ms.iter().map(|(role, ms)| (role.as_str(), *ms));
    bars(&mut page, "Processor time by role", "ms", &cpu.collect::<Vec<_>>());
    loads(&mut page, &timeline.loads(ms), ms);
    parties(&mut page, report);
    checks(&mut page, report);
    positions(&mut page, timeline, scenario);
    page.push_str("</body></html>\n");
    page
}

fn head(page: &mut String, report: &DemoReport) {
    let pace = &report.pace;
    let (class, verdict) =
        if report.all_held() { ("", "All held.") } else { ("no", "NOT all held.") };
    let _ = write!(
        page,
        "<p class=\"verdict {class}\">{verdict}</p>\n<p>{} trades settled in {} s: {} a second.",
        pace.settled,
        pace.took_ms / 1000,
        Safe(&pace.rate())
    );
    if let Some(latency) = report.latency {
        let _ = write!(
            page,
            " From instruction to both books: {} ms at the median, {} ms at the 99th percentile, {} ms at most.",
            latency.p50_ms, latency.p99_ms, latency.max_ms
        );
    }
    if pace.kills > 0 {
        let _ = write!(page, " Meanwhile a node was killed {} times.", pace.kills);
    }
    page.push_str("</p>\n");
}

fn outcomes(page: &mut String, report: &DemoReport) {
    page.push_str("<h2>How the trades ended</h2>\n<table><tr><th>Outcome<th class=\"n\">Trades<th class=\"n\">Must be<th></tr>\n");
    for row in &report.outcomes {
        let _ = writeln!(
            page,
            "<tr><td>{}<td class=\"n\">{}<td class=\"n\">{}<td>{}</tr>",
            Safe(&row.outcome),
            row.count,
            row.expected,
            yes(row.count == row.expected)
        );
    }
    page.push_str("</table>\n");
    if !report.deviations.is_empty() {
        page.push_str("<p class=\"no\">Ended in another way than they must:</p><table>\n");
        for row in &report.deviations {
            let _ = writeln!(
                page,
                "<tr><td>{}<td>{}<td>must be {}</tr>",
                Safe(&row.trade_id),
                Safe(row.outcome.as_deref().unwrap_or("unfinished")),
                Safe(&row.expected)
            );
        }
        page.push_str("</table>\n");
    }
}

fn throughput(page: &mut String, stretches: &[Stretch], ms: u64) {
    let a_second = |one: &Stretch| one.settled.saturating_mul(1_000).checked_div(ms).unwrap_or(0);
    let values: Vec<Option<u64>> = stretches.iter().map(|one| Some(a_second(one))).collect();
    chart(page, "Settled trades a second", "a second", ms, &[("settled", "#0b5cad", values)]);
}

fn latency(page: &mut String, stretches: &[Stretch], ms: u64) {
    let of = |pick: fn(&crate::demo::report::Latency) -> u64| -> Vec<Option<u64>> {
        stretches.iter().map(|one| one.latency.as_ref().map(pick)).collect()
    };
    let lines = [
        ("median", "#0b5cad", of(|latency| latency.p50_ms)),
        ("99th percentile", "#b34700", of(|latency| latency.p99_ms)),
    ];
    chart(page, "From instruction to both books", "ms", ms, &lines);
}

/// Processor time and memory of each role over time.
fn loads(page: &mut String, loads: &BTreeMap<String, Load>, ms: u64) {
    const COLOURS: [&str; 4] = ["#0b5cad", "#6b2fa0", "#2e7d32", "#b34700"];
    const MIB: u64 = 1024 * 1024;
    let lines = |pick: fn(&Load) -> Vec<Option<u64>>| -> Vec<_> {
        let roles = loads.iter().enumerate();
        roles
            .map(|(place, (role, load))| {
                let colour = COLOURS.get(place % COLOURS.len()).copied().unwrap_or_default();
                (role.as_str(), colour, pick(load))
            })
            .collect()
    };
    let cpu = lines(|load| load.cpu_percent.clone());
    chart(page, "Busy processors, by role", "% of one processor", ms, &cpu);
    let memory =
        lines(|load| load.memory.iter().map(|bytes| bytes.map(|bytes| bytes / MIB)).collect());
    chart(page, "Memory, by role", "MiB", ms, &memory);
}

/// A line chart over time: a value a stretch, gaps where there is none.
fn chart(
    page: &mut String,
    title: &str,
    unit: &str,
    ms: u64,
    lines: &[(&str, &str, Vec<Option<u64>>)],
) {
    const WIDTH: u64 = 800;
    const HEIGHT: u64 = 160;
    const LEFT: u64 = 60;
    const TOP: u64 = 24;
    let all = || lines.iter().flat_map(|(_, _, values)| values.iter().flatten());
    let most = all().copied().max().unwrap_or(0).max(1);
    let count = lines.iter().map(|(_, _, values)| values.len()).max().unwrap_or(0);
    let count = u64::try_from(count).unwrap_or(0);
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    let _ = write!(
        page,
        "<h2>{0}</h2>\n<svg viewBox=\"0 0 900 210\" role=\"img\" aria-label=\"{0} over time\">\
         <path d=\"M{LEFT} {TOP}V{bottom}H{right}\" fill=\"none\" stroke=\"#8a929b\"/>\
         <text x=\"54\" y=\"{TOP}\" text-anchor=\"end\">{most}</text>\
         <text x=\"54\" y=\"{bottom}\" text-anchor=\"end\">0</text>\
         <text x=\"{LEFT}\" y=\"14\">{1}</text><text x=\"{LEFT}\" y=\"202\">0 s</text>\
         <text x=\"{right}\" y=\"202\" text-anchor=\"end\">{2} s</text>",
        Safe(title),
        Safe(unit),
        count.saturating_mul(ms) / 1000
    );
    for (place, (name, colour, values)) in lines.iter().enumerate() {
        let (mut path, mut pen) = (String::new(), 'M');
        // Each value stands in the middle of its stretch.
        let mut halves = 1;
        for value in values {
            let x = LEFT + (WIDTH * halves).checked_div(2 * count).unwrap_or(0);
            halves += 2;
            let Some(value) = value else {
                pen = 'M';
                continue;
            };
            let y = bottom - (HEIGHT * value).checked_div(most).unwrap_or(0).min(HEIGHT);
            // A dot, so that a value between two gaps is seen too.
            let _ = write!(path, "{pen}{x} {y}h.1");
            pen = 'L';
        }
        let at = 200 + place * 140;
        let _ = write!(
            page,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{0}\" stroke-width=\"2\" stroke-linecap=\"round\"/>\
             <text x=\"{at}\" y=\"14\" fill=\"{0}\">— {1}</text>",
            Safe(colour),
            Safe(name)
        );
    }
    page.push_str("</svg>\n");
}

/// A bar for each name.
fn bars(page: &mut String, title: &str, unit: &str, rows: &[(&str, u64)]) {
    let most = rows.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
    let height = rows.len() * 24 + 8;
    let _ = write!(
        page,
        "<h2>{0}</h2>\n<svg viewBox=\"0 0 900 {height}\" role=\"img\" aria-label=\"{0}\">",
        Safe(title)
    );
    for (place, (name, value)) in rows.iter().enumerate() {
        let (top, text) = (place * 24 + 4, place * 24 + 18);
        let width = value.saturating_mul(540).checked_div(most).unwrap_or(0);
        let _ = write!(
            page,
            "<text x=\"170\" y=\"{text}\" text-anchor=\"end\">{}</text>\
             <rect x=\"180\" y=\"{top}\" width=\"{width}\" height=\"18\" fill=\"#0b5cad\"/>\
             <text x=\"{}\" y=\"{text}\">{value} {}</text>",
            Safe(name),
            186 + width,
            Safe(unit)
        );
    }
    page.push_str("</svg>\n");
}

fn parties(page: &mut String, report: &DemoReport) {
    page.push_str(
        "<h2>Who saw what</h2>\n<table><tr><th>Party<th>Role<th>Could read<th>Never got</tr>\n",
    );
    for party in &report.parties {
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{}<td>{}</tr>",
            Safe(&party.name),
            Safe(&party.role),
            Safe(&party.saw.join(", ")),
            Safe(&party.never.join(", "))
        );
    }
    page.push_str("</table>\n");
}

fn checks(page: &mut String, report: &DemoReport) {
    page.push_str("<h2>What was checked</h2>\n<table>\n");
    for check in &report.checks {
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{}</tr>",
            Safe(&check.name),
            yes(check.held),
            Safe(&check.detail)
        );
    }
    page.push_str("</table>\n");
    for row in &report.mismatches {
        let _ = writeln!(
            page,
            "<p class=\"no\">{}: {} holds {} of {}, and must hold {}.</p>",
            Safe(&row.source),
            Safe(&row.investor),
            Safe(row.found.as_deref().unwrap_or("no account")),
            Safe(&row.asset),
            Safe(row.expected.as_deref().unwrap_or("none"))
        );
    }
}

fn positions(page: &mut String, timeline: &Timeline, scenario: &Scenario) {
    page.push_str(
        "<h2>Positions at the end, recomputed</h2>\n<p>Computed from the files alone; the books of custodians and registrars and \
         the regulator's replay are compared with them above.</p>\n<table><tr><th>Investor<th>Name<th>Asset<th class=\"n\">Units</tr>\n",
    );
    for (account, amount) in &timeline.positions {
        let names = scenario.names.get(&account.investor);
        let name = names.map(|names| format!("{} / {}", names.japanese, names.english));
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{}<td class=\"n\">{amount}</tr>",
            Safe(account.investor.as_str()),
            Safe(&name.unwrap_or_default()),
            Safe(account.asset.as_str())
        );
    }
    page.push_str("</table>\n");
}

const fn yes(held: bool) -> &'static str {
    if held { "as it must" } else { "<span class=\"no\">NO</span>" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::report::{Latency, PartySaw};

    #[test]
    fn no_text_can_act_as_markup() {
        const EVIL: &str = "<script>alert('x')</script>\"&";
        let mut report = DemoReport::default();
        report.check(EVIL, false, EVIL);
        report.parties.push(PartySaw {
            name: EVIL.to_owned(),
            role: EVIL.to_owned(),
            saw: vec![EVIL.to_owned()],
            ..PartySaw::default()
        });
        report.pace.cpu_ms.insert(EVIL.to_owned(), 5);
        let page = page(&report, &Timeline::default(), &Scenario::embedded().unwrap());
        assert!(!page.contains("<script") && !page.contains("alert('x')"), "{page}");
        let safe = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;";
        assert_eq!(page.matches(safe).count(), 7, "{page}");
        assert!(page.contains("NOT all held."));
    }

    #[test]
    fn a_chart_has_gaps_where_nothing_settled_and_stays_in_its_frame() {
        let of = |took: u64| Stretch { settled: 1, latency: Latency::of(vec![took]) };
        let gap = Stretch { settled: 0, latency: None };
        let mut page = String::new();
        latency(&mut page, &[of(10), gap, of(40), of(20)], 1_000);
        assert!(page.contains("d=\"M160 144h.1M560 24h.1L760 104h.1\""), "{page}");
    }
}
