//! Entries of an access log.

use sudare_ledger::access::LoggedEntry;

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
    args.only(KIND, &["--desk"])?;
    let Some(desk) = &args.desk else {
        return Err(Failure::Usage(
            "an entry of an access log is verified with --desk FILE: the officers of its reader when the grant was given".into(),
        ));
    };
    let desk = read_desk(desk)?;
    shown.verify(&desk).map_err(|error| failed(&args.file, error))?;
    let line = EntryLine::of(shown.index, &shown.entry);
    let text = format!("{}\nin the access log of node {}", line.text(), desk.reader);
    let verified = "the entry under the log's checkpoint, the reader's signature, and of a use the officers' under its grant".into();
    Report { kind: KIND, view: line, text, verified, not_shown: NOT_LOGGED }.print(output)
}
