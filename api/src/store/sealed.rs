//! What is sealed in the database: values of rows, their history, signed requests, under the key of the row that they are about.

use std::collections::BTreeMap;

use serde_json::json;

use super::StoreError;
use crate::masters::{Kind, Values};
use crate::personal::{DataKey, KeyBook, Recorded};

/// What a row's personal data is sealed under; none if it has none.
pub(super) type Lock<'a> = Option<&'a DataKey>;

/// What stands for required values of erased rows.
pub(super) const ERASED: &str = "erased";

/// What a row's key is kept for in the book of keys.
pub(super) fn subject(table: &str, id: &str) -> String {
    format!("{table}/{id}")
}

/// The columns that a kind's values are in.
pub(super) fn names(kind: Kind) -> Vec<&'static str> {
    let plain = kind.fields().filter(|field| !kind.seals(field)).map(|field| field.name);
    plain.chain(kind.is_sealed().then_some("personal")).collect()
}

/// What stands in these columns in a version of a row.
pub(super) fn columns(
    kind: Kind,
    (id, version): (&str, i64),
    values: &Values,
    lock: Lock<'_>,
) -> Result<Vec<Option<String>>, StoreError> {
    let plain = kind.fields().filter(|field| !kind.seals(field));
    let mut columns: Vec<_> = plain.map(|field| values.get(field.name).cloned()).collect();
    if kind.is_sealed() {
        let lock = lock.ok_or(StoreError::KeyMissing)?;
        let sealed: BTreeMap<&str, &String> = kind
            .fields()
            .filter(|field| kind.seals(field))
            .filter_map(|field| Some((field.name, values.get(field.name)?)))
            .collect();
        let place = row_place(kind.table(), id, version);
        columns.push(Some(sealed_text(&place, &json!(sealed).to_string(), lock)?));
    }
    Ok(columns)
}

/// What is sealed in a version of a row. Of an erased one no more than that.
pub(super) fn personal(
    keys: &KeyBook,
    kind: Kind,
    (id, version): (&str, i64),
    sealed: Option<&str>,
    recorded: &Recorded,
) -> Result<Values, StoreError> {
    let place = row_place(kind.table(), id, version);
    let text = match sealed {
        Some(sealed) => opened_text(keys, (kind.table(), id), &place, sealed, recorded)?,
        None => None,
    };
    let own = kind.fields().filter(|field| kind.seals(field));
    let Some(text) = text else {
        let required = own.filter(|field| field.required);
        return Ok(required.map(|field| (field.name, ERASED.to_owned())).collect());
    };
    let mut found: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|_| StoreError::Damaged(kind.table()))?;
    Ok(own.filter_map(|field| Some((field.name, found.remove(field.name)?))).collect())
}

/// The content of a version in a row's history.
pub(super) fn sealed_content(
    (table, id, version): (&str, &str, i64),
    values: &Values,
    lock: Lock<'_>,
) -> Result<String, StoreError> {
    let text = json!(values).to_string();
    match lock {
        Some(lock) => sealed_text(&history_place(table, id, version), &text, lock),
        None => Ok(text),
    }
}

/// Whether the content of a version is sealed: an object's text begins with a brace, and base64 has none.
pub(super) fn is_sealed(content: &str) -> bool {
    !content.starts_with('{')
}

/// The same as it was before it was sealed; none after an erasure.
pub(super) fn opened_content(
    keys: &KeyBook,
    (table, id, version): (&str, &str, i64),
    content: Option<String>,
    recorded: &Recorded,
) -> Result<Option<String>, StoreError> {
    match content {
        Some(content) if is_sealed(&content) => {
            let place = history_place(table, id, version);
            opened_text(keys, (table, id), &place, &content, recorded)
        }
        plain => Ok(plain),
    }
}

pub(super) fn sealed_text(place: &str, text: &str, lock: &DataKey) -> Result<String, StoreError> {
    Ok(lock.seal_text(place, text)?)
}

/// A text that was sealed under the key of a row; none if that was destroyed. A database that was put back from an older copy
/// holds such texts, which no key opens. [ACC-6]: the access log says who it is opened for.
pub(super) fn opened_text(
    keys: &KeyBook,
    (table, id): (&str, &str),
    place: &str,
    sealed: &str,
    _: &Recorded,
) -> Result<Option<String>, StoreError> {
    let subject = subject(table, id);
    match keys.key(&subject) {
        Some(key) => Ok(Some(key.open_text(place, sealed)?)),
        None if keys.is_destroyed(&subject) => Ok(None),
        None => Err(StoreError::KeyMissing),
    }
}

fn row_place(table: &str, id: &str, version: i64) -> String {
    format!("{table}/{id}/{version}")
}

fn history_place(table: &str, id: &str, version: i64) -> String {
    format!("{table}/{id}/{version}/history")
}
