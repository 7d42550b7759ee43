//! What institutions know about the parties and products of the ledger: the masters. They stand in SQL only, never on the
//! ledger, and can be erased there.
//!
//! One table of fields a kind is the source of checks, SQL and the OpenAPI document.

mod fields;
pub mod identifiers;
mod validate;

pub use fields::{Field, Form, Kind};
pub use validate::{FieldError, Values, validate, validate_fields};
pub(crate) use validate::{instant_of, is_id};
