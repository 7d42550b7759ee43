//! What is asked for by an instruction: the values of its fields, and the items of its list if its kind has one.

use serde_json::{Value, json};

use super::Flow;
use crate::masters::{Field, FieldError, Values, validate_fields};

/// A list of items with fields of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct List {
    /// Its name in JSON.
    pub name: &'static str,
    /// The fields of an item.
    pub fields: &'static [Field],
    /// The most items; there is one at least.
    pub max: usize,
    /// What it is, for the documentation.
    pub about: &'static str,
}

/// What an instruction asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// The values of its fields.
    pub values: Values,
    /// The values of each item of its list; none if its kind has no list.
    pub items: Vec<Values>,
}

impl Request {
    /// Reads the body of an instruction.
    ///
    /// # Errors
    ///
    /// All fields that are wrong.
    pub fn parse(flow: Flow, body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut body = body.clone();
        let list = flow.list();
        let listed = list.and_then(|list| body.as_object_mut()?.remove(list.name));
        let mut errors = Vec::new();
        let values = validate_fields(flow.fields(), &body).unwrap_or_else(|wrong| {
            errors.extend(wrong);
            Values::new()
        });
        let items = match list {
            None => Vec::new(),
            Some(list) => items(list, listed.as_ref(), &mut errors),
        };
        if errors.is_empty() { Ok(Self { values, items }) } else { Err(errors) }
    }

    /// As it was asked for.
    #[must_use]
    pub fn json(&self, flow: Flow) -> Value {
        let mut body = json!(self.values);
        if let (Some(list), Value::Object(members)) = (flow.list(), &mut body) {
            members.insert(list.name.to_owned(), json!(self.items));
        }
        body
    }
}

fn items(list: List, listed: Option<&Value>, errors: &mut Vec<FieldError>) -> Vec<Values> {
    let Some(Value::Array(listed)) = listed else {
        let must = if listed.is_none() { "is required" } else { "must be a list" };
        errors.push(FieldError::new(list.name, must));
        return Vec::new();
    };
    if listed.is_empty() || listed.len() > list.max {
        errors.push(FieldError::new(list.name, format!("must have 1 to {} items", list.max)));
        return Vec::new();
    }
    let mut items = Vec::with_capacity(listed.len());
    for (number, item) in listed.iter().enumerate() {
        match validate_fields(list.fields.iter(), item) {
            Ok(values) => items.push(values),
            Err(wrong) => errors.extend(wrong.into_iter().map(|error| FieldError {
                pointer: format!("/{}/{number}{}", list.name, error.pointer),
                ..error
            })),
        }
    }
    items
}
