//! What a running node says on standard error: lines for a person at a terminal, else one JSON object a line.
//!
//! Lines name nodes, records, paths' patterns and errors; never amounts, investors or values of masters.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use super::Failure;

/// Says what passes `filter`, from now on.
///
/// # Errors
///
/// [`Failure::Usage`] if there is no such filter.
pub(super) fn start(filter: &str) -> Result<(), Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!("--log {filter}: {error}; try `info`, or `warn,sudare::net=debug`"))
    };
    let parsed = EnvFilter::builder().parse(filter).map_err(|error| wrong(&error))?;
    let lines = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(stderr);
    let set = if stderr().is_terminal() { lines.try_init() } else { lines.json().try_init() };
    set.map_err(|error| wrong(&error))
}
