//! What a message says.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sudare_api::iso20022::{Fault, Message, Parsed};

use super::super::reconcile;
use super::{Failure, Output};

/// A message to read.
#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    /// The message: one document, or a business file (head.002) with many.
    file: PathBuf,
}

/// What is printed of each message.
#[derive(Debug, Serialize)]
struct MessageView {
    message: &'static str,
    name: &'static str,
    values: Vec<ValueView>,
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
    /// Elements that it has besides, of which nothing is above.
    unread: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ValueView {
    element: String,
    value: String,
}

pub(super) fn run(args: &CheckArgs, output: &Output) -> Result<(), Failure> {
    let bytes = reconcile::read(&args.file)?;
    let failed = |number: Option<usize>, fault: &Fault| {
        let line = fault.line().map(|line| format!(", line {line}")).unwrap_or_default();
        let of = number.map(|number| format!(", message {number}")).unwrap_or_default();
        let next = if fault.path().is_empty() { "" } else { "; have its sender correct it" };
        Failure::CheckFailed(format!("{}{of}{line}: {fault}{next}", args.file.display()))
    };
    let messages = Message::parse_file(&bytes).map_err(|fault| failed(None, &fault))?;
    let many = messages.len() > 1;
    let mut views = Vec::new();
    for (place, read) in messages.iter().enumerate() {
        let number = many.then(|| place.saturating_add(1));
        views.push(MessageView::of(read.as_ref().map_err(|fault| failed(number, fault))?));
    }
    if output.is_json() {
        output.result(&views, "");
        return Ok(());
    }
    if views.is_empty() {
        output.result(&views, "a business file without a message");
    }
    for view in &views {
        view.print(output);
    }
    Ok(())
}

impl MessageView {
    fn of(parsed: &Parsed) -> Self {
        let said = parsed.message.said();
        let value = |(element, value)| ValueView { element, value };
        Self {
            message: parsed.message.id(),
            name: said.name,
            values: said.values.into_iter().map(value).collect(),
            columns: said.columns,
            rows: said.rows,
            unread: parsed.unread.clone(),
        }
    }

    fn print(&self, output: &Output) {
        output.result(&(), &format!("{}, {}", self.message, self.name));
        output.rows(&self.values, &["element", "says"], |one| {
            vec![one.element.clone(), one.value.clone()]
        });
        if !self.columns.is_empty() {
            output.rows(&self.rows, self.columns, Vec::clone);
        }
        if !self.unread.is_empty() {
            let unread = self.unread.join("\n  ");
            let text = format!("it says more, which this program doesn't read:\n  {unread}");
            output.result(&(), &text);
        }
    }
}
