//! What commands print: a table or sentence for people, one JSON value for programs.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Format;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    format: Format,
}

impl Output {
    /// Results in this format, on standard output.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Whether programs read the output.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints `value` as JSON, or else `text`.
    pub fn result(&self, value: &impl Serialize, text: &str) {
        match self.format {
            Format::Json => line(&serde_json::to_string_pretty(value).unwrap_or_default()),
            Format::Table => line(text),
        }
    }

    /// Prints a file's text as it is.
    pub fn file(&self, text: &str) {
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    /// Prints `rows` as JSON, or else as a table.
    pub fn rows<T: Serialize>(
        &self,
        rows: &[T],
        header: &[&str],
        cells: impl Fn(&T) -> Vec<String>,
    ) {
        if self.is_json() {
            return self.result(&rows, "");
        }
        if rows.is_empty() {
            return line("nothing to show");
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(header);
        for row in rows {
            table.add_row(cells(row));
        }
        line(&table.to_string());
    }

    /// Says on standard error how far a long command is; nothing for programs.
    pub fn progress(&self, text: &str) {
        if !self.is_json() && std::io::stderr().is_terminal() {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// A bar on standard error that shows how far a long command is; hidden for programs.
    pub fn bar(&self, steps: usize) -> ProgressBar {
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(0));
        if self.is_json() || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
            return bar;
        }
        let style = ProgressStyle::with_template(
            "[{bar:40}] {pos}/{len}  {elapsed} (ETA {eta})\n{wide_msg}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }

    /// Says something beside the result, on standard error.
    pub fn note(&self, text: &str) {
        if !self.is_json() {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Prints why a command failed.
    pub fn failure(&self, text: &str) {
        let text = match self.format {
            Format::Json => serde_json::json!({ "error": text }).to_string(),
            Format::Table => format!("error: {text}"),
        };
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// A closed pipe is no error: whoever read the output has seen enough.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
