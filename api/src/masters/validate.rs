//! Turns JSON into the values of a row, or says which fields are wrong and why.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime};

use super::identifiers::{is_bic, is_corporate_number, is_isin, is_lei, is_zengin_kana};
use super::{Field, Form, Kind};

/// The values of a row by the names of its fields; what is absent isn't there.
pub type Values = BTreeMap<&'static str, String>;

/// What is wrong with a field. Never repeats the value: it may be personal.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FieldError {
    /// Where, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What it must be.
    pub detail: String,
}

impl FieldError {
    /// An error of the field with this name.
    #[must_use]
    pub fn new(name: &str, detail: impl Into<String>) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self { pointer: format!("/{name}"), detail: detail.into() }
    }
}

/// [MST-1]: a row has every required field of its kind, no unknown one, and each is what its form says.
///
/// # Errors
///
/// All fields that are wrong.
pub fn validate(kind: Kind, body: &Value) -> Result<Values, Vec<FieldError>> {
    validate_fields(kind.fields(), body)
}

/// The same for any fields.
///
/// # Errors
///
/// All fields that are wrong.
pub fn validate_fields(
    fields: impl Iterator<Item = &'static Field>,
    body: &Value,
) -> Result<Values, Vec<FieldError>> {
    let fields: Vec<&Field> = fields.collect();
    let Value::Object(body) = body else {
        return Err(vec![FieldError {
            pointer: String::new(),
            detail: "must be an object".into(),
        }]);
    };
    let (mut values, mut errors) = (Values::new(), Vec::new());
    for field in &fields {
        match body.get(field.name) {
            Some(_) if field.guarded => {
                errors.push(FieldError::new(
                    field.name,
                    "is changed by two people: propose it to /v1/approvals",
                ));
            }
            None if field.required => errors.push(FieldError::new(field.name, "is required")),
            None => (),
            Some(Value::String(text)) => match check(field.form, text) {
                None => drop(values.insert(field.name, text.clone())),
                Some(must) => errors.push(FieldError::new(field.name, must)),
            },
            Some(_) => errors.push(FieldError::new(field.name, "must be a string")),
        }
    }
    for name in body.keys().filter(|name| fields.iter().all(|field| field.name != **name)) {
        let short: String = name.chars().take(64).collect();
        errors.push(FieldError::new(&short, "is no field of this"));
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

/// What the text must be, if it isn't.
fn check(form: Form, text: &str) -> Option<String> {
    let digits = |count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let (good, must) = match form {
        Form::Text(max) => (
            is_text(text, max),
            format!(
                "must be 1 to {max} characters, without control characters, not blank at either end"
            ),
        ),
        Form::Code(max) => (
            (1..=max).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
            format!("must be 1 to {max} visible ASCII characters"),
        ),
        Form::Choice(choices) => {
            (choices.contains(&text), format!("must be one of: {}", choices.join(", ")))
        }
        Form::Digits(count) => (digits(count), format!("must be {count} digits")),
        Form::Quantity => (
            text.parse::<u64>().is_ok_and(|number| number.to_string() == text),
            "must be a whole number below 2^64, as digits without leading zeros".into(),
        ),
        Form::Date => (
            text.len() == 10 && Date::parse(text, &Iso8601::DATE).is_ok(),
            "must be a date, YYYY-MM-DD".into(),
        ),
        Form::Kana(max) => (
            is_text(text, max) && is_zengin_kana(text),
            format!("must be 1 to {max} half-width characters of the Zengin formats"),
        ),
        Form::Email => (is_email(text), "must be an e-mail address".into()),
        Form::Phone => {
            (is_phone(text), "must be 6 to 20 digits and hyphens, + first allowed".into())
        }
        Form::PostalCode => (
            text.len() == 8
                && text.split_once('-').is_some_and(|(area, rest)| {
                    area.len() == 3
                        && [area, rest].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
                }),
            "must be NNN-NNNN".into(),
        ),
        Form::Isin => (is_isin(text), "must be an ISIN with its check digit".into()),
        Form::Lei => (is_lei(text), "must be an LEI with its check digits".into()),
        Form::Bic => (is_bic(text), "must be a BIC of 8 or 11 characters".into()),
        Form::CorporateNumber => (
            is_corporate_number(text),
            "must be a corporate number of 13 digits with its check digit".into(),
        ),
        Form::Login => (
            is_login(text),
            "must be 3 to 40 of a-z, 0-9, `.`, `_`, `-`, a letter or digit first".into(),
        ),
        Form::Id => (is_id(text), "must be an id of 32 hexadecimal digits".into()),
        Form::Sha256 => (
            text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
            "must be 64 lower-case hexadecimal digits".into(),
        ),
        Form::Instant => {
            (instant_of(text).is_some(), "must be an instant, as RFC 3339 writes it".into())
        }
        Form::Reference(of) => (is_id(text), format!("must be the id of one of the {}", of.path())),
    };
    (!good).then_some(must)
}

/// Whether a text has the form of a row's id: 32 hexadecimal digits.
#[must_use]
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The microseconds since the Unix epoch of an instant (RFC 3339).
#[must_use]
pub(crate) fn instant_of(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1000)).ok()
}

fn is_text(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.chars().count() <= max
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

fn is_login(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (3..=40).contains(&text.len())
        && text.bytes().next().is_some_and(plain)
        && text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_email(text: &str) -> bool {
    let plain = text.len() <= 254 && text.bytes().all(|byte| byte.is_ascii_graphic());
    plain
        && text.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.contains('@')
                && domain.split('.').all(|part| !part.is_empty())
        })
}

fn is_phone(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    (6..=20).contains(&text.len())
        && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && rest.starts_with(|first: char| first.is_ascii_digit())
        && rest.ends_with(|last: char| last.is_ascii_digit())
}
