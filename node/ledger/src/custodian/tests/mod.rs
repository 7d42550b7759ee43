//! Tests of the custodian alone; each file asks one question.

mod notes;
mod promises;
