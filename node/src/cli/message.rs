//! `sudare message`: ISO 20022 messages, read and written (specs/iso20022.md).

mod check;
mod write;

use clap::Subcommand;

use super::{Failure, Output};

/// `sudare message`.
#[derive(Debug, Subcommand)]
pub(super) enum MessageCommand {
    /// Say what a message is and what it says, or where it is wrong; needs no node.
    Check(check::CheckArgs),
    /// Write a message of what a node keeps.
    #[command(subcommand)]
    Write(write::WriteCommand),
}

pub(super) async fn run(command: MessageCommand, output: &Output) -> Result<(), Failure> {
    match command {
        MessageCommand::Check(args) => check::run(&args, output),
        MessageCommand::Write(command) => write::run(command, output).await,
    }
}
