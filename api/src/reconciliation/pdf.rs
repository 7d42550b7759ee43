//! A report as PDF: A4, one font that every Japanese reader brings (a character collection of Adobe-Japan1), so that no font has
//! to be shipped. In its encoding Latin letters and half-width kana are half as wide as the others: columns line up.

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use super::report::{BreakKind, Bucket, COLUMNS, Report, State, cells};

/// How many breaks the document lists; the CSV has all.
const ROWS_MAX: usize = 1_000;
/// A4, lying; in points.
const WIDTH: u16 = 842;
const HEIGHT: u16 = 595;
const MARGIN: u16 = 36;
const SIZE: u16 = 7;
const LINE: u16 = 10;
const FONT: Name<'static> = Name(b"F1");
/// What stands for a character that the encoding lacks, as in Japanese print.
const GETA: u16 = 0x3013;
/// Where columns of breaks begin, in half-width characters, and how many they have.
const BREAKS: [(u16, u16); 14] = [
    (0, 9),
    (10, 19),
    (30, 18),
    (49, 12),
    (62, 18),
    (81, 20),
    (102, 20),
    (123, 20),
    (144, 6),
    (151, 10),
    (162, 4),
    (167, 6),
    (174, 9),
    (184, 36),
];
/// Of these the numbers, which stand at the right.
const NUMBERS: [usize; 5] = [5, 6, 7, 8, 10];
/// The whole width, in half-width characters.
const ALL: u16 = 220;

/// The document.
#[must_use]
pub fn document(report: &Report, hash: &str) -> Vec<u8> {
    let mut pages = Pages::default();
    head(&mut pages, report, hash);
    charts(&mut pages, report);
    totals(&mut pages, report);
    breaks(&mut pages, report);
    pages.finish(&format!("Reconciliation as of {}", report.as_of), hash)
}

/// Pages under way.
#[derive(Default)]
struct Pages {
    done: Vec<Vec<u8>>,
    content: Option<Content>,
    /// From the top.
    at: u16,
}

impl Pages {
    /// A line with texts at half-width characters from the left, each with its longest length in them.
    fn line(&mut self, size: u16, texts: &[(u16, u16, &str)]) {
        self.reserve(LINE);
        let baseline = HEIGHT.saturating_sub(MARGIN).saturating_sub(self.at);
        let content = self.content.get_or_insert_with(Content::new);
        for (column, length, text) in texts {
            let left = MARGIN.saturating_add(column.saturating_mul(SIZE) / 2);
            content.begin_text();
            content.set_font(FONT, size.into());
            content.next_line(left.into(), baseline.into());
            content.show(Str(&encode(text, (*length).into())));
            content.end_text();
        }
    }

    /// A bar beside its name and number.
    fn bar(&mut self, name: &str, value: usize, most: usize) {
        const LENGTH: usize = 300;
        self.line(SIZE, &[(0, 20, name), (110, 20, &value.to_string())]);
        let top = HEIGHT.saturating_sub(MARGIN).saturating_sub(self.at);
        if value == 0 {
            return;
        }
        // Nothing and next to nothing are told apart.
        let wide = (value.saturating_mul(LENGTH) / most.max(1)).max(2);
        let wide = u16::try_from(wide).unwrap_or(u16::MAX);
        let left = MARGIN.saturating_add(75);
        let content = self.content.get_or_insert_with(Content::new);
        content.set_fill_rgb(0.04, 0.36, 0.68);
        content.rect(left.into(), top.into(), wide.into(), 6.0);
        content.fill_nonzero();
        content.set_fill_rgb(0.0, 0.0, 0.0);
    }

    fn gap(&mut self) {
        self.at = self.at.saturating_add(LINE / 2);
    }

    /// Whether this page has room.
    fn has_room(&self, height: u16) -> bool {
        let room = HEIGHT.saturating_sub(MARGIN.saturating_mul(2));
        self.at.saturating_add(height) <= room
    }

    /// Begins a page if this one has no room.
    fn reserve(&mut self, height: u16) {
        if !self.has_room(height) {
            self.turn();
        }
        self.at = self.at.saturating_add(height);
    }

    fn turn(&mut self) {
        if let Some(content) = self.content.take() {
            self.done.push(content.finish().to_vec());
        }
        self.at = 0;
    }

    fn finish(mut self, title: &str, hash: &str) -> Vec<u8> {
        self.turn();
        let count = self.done.len();
        for (place, page) in self.done.iter_mut().enumerate() {
            let number = place.saturating_add(1);
            page.extend(foot(&format!("{title}, page {number} of {count}; report.json {hash}")));
        }
        let mut pdf = Pdf::new();
        let mut next = Ref::new(1);
        let (catalog, tree, info) = (next.bump(), next.bump(), next.bump());
        let (font, cid_font, descriptor) = (next.bump(), next.bump(), next.bump());
        pdf.catalog(catalog).pages(tree);
        pdf.document_info(info).title(TextStr(title));
        self::font(&mut pdf, font, cid_font, descriptor);
        let mut kids = Vec::new();
        for content in &self.done {
            let (page, stream) = (next.bump(), next.bump());
            kids.push(page);
            pdf.stream(stream, content);
            let mut page = pdf.page(page);
            page.media_box(Rect::new(0.0, 0.0, WIDTH.into(), HEIGHT.into()));
            page.parent(tree).contents(stream);
            page.resources().fonts().pair(FONT, font);
            page.finish();
        }
        let count = i32::try_from(kids.len()).unwrap_or(i32::MAX);
        pdf.pages(tree).kids(kids).count(count);
        pdf.finish()
    }
}

/// What stands below every page, so that one that went astray is known.
fn foot(text: &str) -> Vec<u8> {
    let mut content = Content::new();
    content.begin_text();
    content.set_font(FONT, f32::from(SIZE));
    content.next_line(MARGIN.into(), f32::from(MARGIN / 2));
    content.show(Str(&encode(text, ALL.into())));
    content.end_text();
    [b"\n".to_vec(), content.finish().to_vec()].concat()
}

fn font(pdf: &mut Pdf, font: Ref, cid_font: Ref, descriptor: Ref) {
    const NAME: Name<'_> = Name(b"HeiseiKakuGo-W5");
    let info = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Japan1"), supplement: 2 };
    let mut type0 = pdf.type0_font(font);
    type0.base_font(NAME).encoding_predefined(Name(b"UniJIS-UCS2-HW-H"));
    type0.descendant_font(cid_font);
    type0.finish();
    let mut cid = pdf.cid_font(cid_font);
    cid.subtype(CidFontType::Type0).base_font(NAME).system_info(info);
    cid.font_descriptor(descriptor).default_width(1000.0);
    // Half-width Latin letters and kana of the collection.
    cid.widths().same(231, 389, 500.0);
    cid.finish();
    let mut about = pdf.font_descriptor(descriptor);
    about.name(NAME).flags(FontFlags::NON_SYMBOLIC).bbox(Rect::new(-92.0, -250.0, 1010.0, 922.0));
    about.italic_angle(0.0).ascent(752.0).descent(-221.0).cap_height(737.0).stem_v(114.0);
}

/// A text in UCS-2, cut to a length in half-width characters.
fn encode(text: &str, length: usize) -> Vec<u8> {
    let mut units = Vec::new();
    let mut used = 0usize;
    for char in text.chars() {
        let unit = u16::try_from(u32::from(char)).ok().filter(|_| !char.is_control());
        let unit = unit.unwrap_or(GETA);
        let half = matches!(unit, 0x20..=0x7e | 0xff61..=0xff9f);
        used = used.saturating_add(if half { 1 } else { 2 });
        if used > length {
            break;
        }
        units.push(unit);
    }
    units.iter().flat_map(|unit| unit.to_be_bytes()).collect()
}

fn head(pages: &mut Pages, report: &Report, hash: &str) {
    let counts = &report.counts;
    let title = format!("Reconciliation of the register as of {}", report.as_of);
    pages.reserve(LINE);
    pages.line(14, &[(0, ALL, &title)]);
    pages.gap();
    let open = format!(
        "{} open breaks, {} explained by trades under way, {} accepted by two people. The oldest open break is {} business days old ({}).",
        counts.open,
        counts.explained,
        counts.accepted,
        report.oldest(),
        report.calendar
    );
    let compared = format!(
        "{} rows of the register, {} compared: {} the same, {} within the tolerance.",
        report.register_rows, counts.compared, counts.matched, counts.within_tolerance
    );
    let signed = format!("SHA-256 of report.json, which maker and checker sign: {hash}");
    for text in [open, compared, signed] {
        pages.line(SIZE, &[(0, ALL, &text)]);
    }
    pages.gap();
}

fn charts(pages: &mut Pages, report: &Report) {
    let kinds = BreakKind::ALL
        .map(|kind| (kind.name(), report.breaks.iter().filter(|one| one.kind == kind).count()));
    let ages = Bucket::ALL.map(|age| {
        let open = report.breaks.iter().filter(|one| one.bucket == age && one.state == State::Open);
        (age.name(), open.count())
    });
    let mut chart = |title: &str, rows: &[(&str, usize)]| {
        pages.line(SIZE, &[(0, 100, title)]);
        let most = rows.iter().map(|(_, value)| *value).max().unwrap_or(0);
        rows.iter().for_each(|(name, value)| pages.bar(name, *value, most));
        pages.gap();
    };
    chart("Breaks by kind", &kinds);
    chart("Open breaks by age in business days", &ages);
}

fn totals(pages: &mut Pages, report: &Report) {
    let row = |pages: &mut Pages, cells: [&str; 5]| {
        let mut texts = vec![(0u16, 39, cells.first().copied().unwrap_or_default().to_owned())];
        for (place, cell) in cells.iter().enumerate().skip(1) {
            let column = u16::try_from(place).unwrap_or(0).saturating_mul(44).saturating_sub(4);
            texts.push((column, 40, format!("{cell:>40}")));
        }
        let texts: Vec<_> =
            texts.iter().map(|(at, length, text)| (*at, *length, &**text)).collect();
        pages.line(SIZE, &texts);
    };
    row(pages, ["Asset", "Register", "Proved", "Differences, gross", "net"]);
    for one in &report.totals {
        let proven = one.proven.as_deref().unwrap_or("not asked");
        row(pages, [&one.asset, &one.register, proven, &one.gross_difference, &one.net_difference]);
        // By what may be long: a line of its own.
        if let Some(by) = &one.proven_by {
            pages.line(SIZE, &[(4, ALL.saturating_sub(4), &format!("proved by {by}"))]);
        }
    }
    pages.gap();
}

fn breaks(pages: &mut Pages, report: &Report) {
    let row = |pages: &mut Pages, cells: &[&str]| {
        let mut texts = Vec::new();
        for (place, (column, length)) in BREAKS.iter().enumerate() {
            let cell = cells.get(place).copied().unwrap_or_default();
            let width = if NUMBERS.contains(&place) { usize::from(*length) } else { 0 };
            texts.push((*column, *length, format!("{cell:>width$}")));
        }
        let texts: Vec<_> =
            texts.iter().map(|(at, length, text)| (*at, *length, &**text)).collect();
        pages.line(SIZE, &texts);
    };
    row(pages, &COLUMNS);
    for one in report.breaks.iter().take(ROWS_MAX) {
        // Every page says what its columns are.
        if !pages.has_room(LINE) {
            row(pages, &COLUMNS);
        }
        row(pages, &cells(one).each_ref().map(String::as_str));
    }
    let hidden = report.breaks.len().saturating_sub(ROWS_MAX);
    if hidden > 0 {
        pages.line(SIZE, &[(0, 100, &format!("{hidden} more in breaks.csv"))]);
    }
}
