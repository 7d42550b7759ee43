//! Entries of an access log.

use sudare_ledger::access::{AccessEvent, LoggedEntry};

use super::super::access::EntryLine;
use super::super::grant::read_desk;
use super::{Failure, Output, Report, VerifyArgs, failed};
use crate::access::NOT_LOGGED;

const KIND: &str = "entry of an access log";

pub(super) fn verify(
    args: &VerifyArgs,
    shown: &LoggedEntry,
    output: &Output,
) -> Result<(), Failure> {
    args.only(KIND, &["--desk", "--node"])?;
    let (node, verified) = match (&args.desk, args.node()?) {
        (Some(desk), None) => {
            let desk = read_desk(desk)?;
            shown.verify(&desk).map_err(|error| failed(&args.file, error))?;
            let what = "the entry under the log's checkpoint, the reader's signature, and of a use the officers' under its grant";
            (desk.reader, what.to_owned())
        }
        (None, Some(node)) => {
            let checked = match shown.entry.event {
                AccessEvent::Handled(_) => shown.handled(node).map(drop),
                _ => shown.disclosed(node).map(drop),
            };
            checked.map_err(|error| failed(&args.file, error))?;
            (node, "the entry under the log's checkpoint, the node's signature".to_owned())
        }
        _ => {
            return Err(Failure::Usage(
                "an entry of an access log is verified with --desk FILE, the officers of its reader when the grant was given, or that of another node with --node ID".into(),
            ));
        }
    };
    let line = EntryLine::of(shown.index, &shown.entry);
    let text = format!("{}\nin the access log of node {node}", line.text());
    Report { kind: KIND, view: line, text, verified, not_shown: NOT_LOGGED }.print(output)
}
