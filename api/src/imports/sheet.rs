//! The text of a file as rows: CSV (RFC 4180) in UTF-8, whose first line names fields.

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::ROWS_MAX;
use crate::masters::{FieldError, Kind, Values, validate};

/// A row of a file: its values, or what is wrong with them.
pub type Line = Result<Values, Vec<FieldError>>;

/// The rows of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sheet {
    /// In the file's order, with their numbers from 1.
    pub lines: Vec<(i64, Line)>,
}

/// Why a file has no rows that could be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SheetError {
    /// Not UTF-8, not CSV, or no file of messages.
    #[error("the file isn't CSV in UTF-8, or no document or business file of ISO 20022")]
    Text,
    /// The heading.
    #[error("the first line doesn't name fields of the target, each once")]
    Heading,
    /// None or too many.
    #[error("the file has no rows, or more than {ROWS_MAX}")]
    Count,
}

impl Sheet {
    /// Reads the rows of a kind. An empty cell is an absent value.
    ///
    /// # Errors
    ///
    /// [`SheetError`].
    pub fn parse(kind: Kind, bytes: &[u8]) -> Result<Self, SheetError> {
        let text = std::str::from_utf8(bytes).map_err(|_| SheetError::Text)?;
        // Spreadsheets put a mark before UTF-8.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let heading = reader.headers().map_err(|_| SheetError::Text)?.clone();
        let names: Vec<&str> = heading.iter().collect();
        let known = |name: &&str| kind.fields().any(|field| !field.guarded && field.name == *name);
        let once = |name: &&str| names.iter().filter(|one| *one == name).count() == 1;
        if names.is_empty() || !names.iter().all(|name| known(name) && once(name)) {
            return Err(SheetError::Heading);
        }
        let mut lines = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|_| SheetError::Text)?;
            if lines.len() == ROWS_MAX {
                return Err(SheetError::Count);
            }
            let number =
                lines.last().map_or(1, |(number, _): &(i64, Line)| number.saturating_add(1));
            lines.push((number, line(kind, &names, &record)));
        }
        if lines.is_empty() { Err(SheetError::Count) } else { Ok(Self { lines }) }
    }
}

fn line(kind: Kind, names: &[&str], record: &StringRecord) -> Line {
    let cells: Vec<&str> = record.iter().collect();
    let Some(cells) = sudare_crypto::pairs(names, &cells) else {
        return Err(vec![FieldError {
            pointer: String::new(),
            detail: "must have as many cells as the first line".into(),
        }]);
    };
    let values: Map<String, Value> = cells
        .filter(|(_, cell)| !cell.is_empty())
        .map(|(name, cell)| ((*name).to_owned(), (*cell).into()))
        .collect();
    validate(kind, &Value::Object(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(text: &str) -> Result<Vec<Line>, SheetError> {
        Sheet::parse(Kind::Settlor, text.as_bytes())
            .map(|sheet| sheet.lines.into_iter().map(|(_, line)| line).collect())
    }

    #[test]
    fn rows_are_read_with_quotes_and_whatever_ends_a_line() {
        let text = "\u{feff}name,address,bic\r\n\"Demo, \"\"One\"\"\",\"1 Demo\nStreet\",\r\nデモ,東京都,DEMOJPJT\n";
        let lines = sheet(text).unwrap();
        // A line break in a cell is a control character, which no text may have.
        assert_eq!(lines[0].as_ref().unwrap_err()[0].pointer, "/address");
        let values = lines[1].as_ref().unwrap();
        assert_eq!((values["name"].as_str(), values["bic"].as_str()), ("デモ", "DEMOJPJT"));
        let lines = sheet("name,address\n\"Demo, \"\"One\"\"\",x\n").unwrap();
        assert_eq!(lines[0].as_ref().unwrap()["name"], "Demo, \"One\"");
    }

    #[test]
    fn each_wrong_row_says_what_is_wrong_without_repeating_it() {
        let lines = sheet("name,address,lei\nx,y\nx,y,z,w\n,y,\nx,y,Planted\n").unwrap();
        let errors: Vec<String> = lines
            .iter()
            .map(|line| {
                let error = &line.as_ref().unwrap_err()[0];
                format!("{} {}", error.pointer, error.detail)
            })
            .collect();
        assert_eq!(
            errors,
            [
                " must have as many cells as the first line",
                " must have as many cells as the first line",
                "/name is required",
                "/lei must be an LEI with its check digits",
            ]
        );
    }

    #[test]
    fn files_that_are_no_sheet_are_refused_as_a_whole() {
        for (text, error) in [
            ("", SheetError::Heading),
            ("name,address\n", SheetError::Count),
            ("name,name\nx,y\n", SheetError::Heading),
            ("name,password\nx,y\n", SheetError::Heading),
            ("Demo,1 Demo Street\nx,y\n", SheetError::Heading),
        ] {
            assert_eq!(sheet(text), Err(error), "{text}");
        }
        assert_eq!(Sheet::parse(Kind::Settlor, b"name\n\xff\n"), Err(SheetError::Text));
        // The annotation of the register is no column: two people change it.
        let guarded = "name,kind,isin,status,holiday_adjustment,register_annotation\n";
        assert_eq!(
            Sheet::parse(Kind::BeneficialInterest, guarded.as_bytes()),
            Err(SheetError::Heading)
        );
        let many = format!("name,address\n{}", "x,y\n".repeat(ROWS_MAX + 1));
        assert_eq!(sheet(&many), Err(SheetError::Count));
    }
}
