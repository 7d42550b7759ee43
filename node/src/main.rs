//! The `sudare` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    sudare::cli::main()
}
