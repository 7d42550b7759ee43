//! What a measurement says: a table for people, one JSON object for programs.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use serde::Serialize;
use serde_json::{Map, json};

use super::{Plot, Topic};

/// The width of the table, in characters.
const WIDTH: u16 = 118;

/// One measured quantity.
#[derive(Clone, Debug)]
pub struct Value {
    /// The object of its own in which its key stands, if it is one of several measured alike.
    pub part: Option<&'static str>,
    /// Its key in the JSON object.
    pub key: &'static str,
    /// The number.
    pub number: f64,
    /// The unit; empty for a ratio.
    pub unit: &'static str,
    /// What it is.
    pub what: String,
}

/// The machine that measured.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The CPU's model, as the system names it.
    pub cpu: String,
    /// How many cores this process may use.
    pub cores: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// How many processes wanted a core in the last minute, on average: what else was going on.
    pub load: f64,
}

/// The result of one topic.
#[derive(Clone, Debug)]
pub struct Report {
    topic: Topic,
    title: String,
    machine: Machine,
    values: Vec<Value>,
    plot: Option<Plot>,
}

impl Report {
    /// An empty report.
    pub(super) fn new(topic: Topic, title: impl Into<String>) -> Self {
        Self {
            topic,
            title: title.into(),
            machine: Machine::this(),
            values: Vec::new(),
            plot: None,
        }
    }

    /// Adds a quantity.
    pub(super) fn value(
        &mut self,
        key: &'static str,
        number: f64,
        unit: &'static str,
        what: impl Into<String>,
    ) {
        self.values.push(Value { part: None, key, number, unit, what: what.into() });
    }

    /// Adds quantities of one of several things that are measured alike.
    pub(super) const fn part(&mut self, name: &'static str) -> Part<'_> {
        Part { report: self, name }
    }

    /// Adds a drawing.
    pub(super) fn draw(&mut self, plot: Plot) {
        self.plot = Some(plot);
    }

    /// The drawing, if the topic has one.
    #[must_use]
    pub const fn plot(&self) -> Option<&Plot> {
        self.plot.as_ref()
    }

    /// The quantities, in order.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// As a table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
        table.set_header(["", "", "unit", "what"]);
        for value in &self.values {
            let number = Cell::new(shown(value.number)).set_alignment(CellAlignment::Right);
            table.add_row([
                Cell::new(value.name()),
                number,
                Cell::new(value.unit),
                Cell::new(&value.what),
            ]);
        }
        let Machine { cpu, cores, memory_bytes, load } = &self.machine;
        let memory = memory_bytes / (1024 * 1024);
        let (title, profile) = (&self.title, profile());
        format!(
            "{title}\n{table}\n{cpu}, {cores} cores, {memory} MiB, load average before {load}; {profile} build"
        )
    }

    /// As JSON on one line: `topic`, `machine`, `profile`, and every quantity under its key.
    #[must_use]
    pub fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("topic".into(), json!(self.topic.name()));
        object.insert("machine".into(), json!(self.machine));
        object.insert("profile".into(), json!(profile()));
        for value in &self.values {
            // By way of its text, so that a count is a whole number there too.
            let number = shown(value.number).parse::<serde_json::Number>();
            let number = json!(number.ok());
            match value.part {
                None => object.insert(value.key.into(), number),
                Some(part) => {
                    let part = object.entry(part).or_insert_with(|| json!({}));
                    part.as_object_mut().and_then(|part| part.insert(value.key.into(), number))
                }
            };
        }
        serde_json::Value::Object(object).to_string()
    }
}

/// A part of a report.
#[derive(Debug)]
pub(super) struct Part<'a> {
    report: &'a mut Report,
    name: &'static str,
}

impl Part<'_> {
    /// Adds a quantity.
    pub(super) fn value(
        &mut self,
        key: &'static str,
        number: f64,
        unit: &'static str,
        what: impl Into<String>,
    ) {
        let (part, what) = (Some(self.name), what.into());
        self.report.values.push(Value { part, key, number, unit, what });
    }
}

impl Value {
    /// Its key, after that of its part.
    fn name(&self) -> String {
        match self.part {
            None => self.key.to_owned(),
            Some(part) => format!("{part}.{}", self.key),
        }
    }
}

impl Machine {
    /// The machine this runs on.
    #[must_use]
    pub fn this() -> Self {
        let field = |file: &str, name: &str| -> Option<String> {
            let text = std::fs::read_to_string(file).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kib = field("/proc/meminfo", "MemTotal").unwrap_or_default();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let kib: u64 = kib.trim_end_matches(" kB").parse().unwrap_or(0);
        Self {
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".into()),
            cores: cores(),
            memory_bytes: kib.saturating_mul(1024),
            load: load.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0),
        }
    }
}

/// How many cores this process may use.
pub(super) fn cores() -> u64 {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u64::try_from(cores).unwrap_or(1)
}

const fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// Four digits are more than any of this is worth; whole numbers stay whole.
fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() || number.fract() == 0.0 {
        return number;
    }
    let scale = 10f64.powf(3.0 - number.abs().log10().floor());
    (number * scale).round() / scale
}

fn shown(number: f64) -> String {
    rounded(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_four_digits_and_counts_whole() {
        let cases = [(1_234_567.0, "1234567"), (12.345_67, "12.35"), (0.000_123_45, "0.0001235")];
        for (number, expected) in cases {
            assert_eq!(shown(number), expected);
        }
        assert_eq!(shown(0.0), "0");
        assert_eq!(shown(123_456.7), "123500");
    }

    #[test]
    fn the_json_object_is_one_line_with_topic_machine_profile_and_every_quantity() {
        let mut report = Report::new(Topic::Leg, "a title");
        report.value("points", 60.0, "", "what");
        report.value("ratio", 1.5, "", "what");
        for (part, number) in [("one", 1.0), ("other", 2.0)] {
            report.part(part).value("rate", number, "1/s", "what");
        }
        let json = report.json();
        assert!(!json.contains('\n'));
        let object: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(object["topic"], "leg");
        assert_eq!(object["points"], 60);
        assert_eq!(object["ratio"], 1.5);
        assert_eq!((&object["one"]["rate"], &object["other"]["rate"]), (&json!(1), &json!(2)));
        assert_eq!(object["profile"], profile());
        assert!(object["machine"]["cores"].as_u64().unwrap() > 0);
        assert!(object["machine"]["cpu"].is_string());
        assert!(object["machine"]["memory_bytes"].is_u64());
        assert!(report.table().contains("points") && report.table().contains("other.rate"));
    }
}
