//! What the ledger proves of an asset's total, checked before it is compared.

use std::path::Path;

use rand_core::OsRng;
use sudare_api::reconciliation::Proven;
use sudare_crypto::proof::statement::Kind;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::statement::{Content, Known, Says, ShownHeading, Statement, Term};
use sudare_ledger::tree::ConsistencyProof;

use super::super::verify::read_checkpoint;
use super::files::{Sources, bad};
use super::{Failure, pair};

/// The total that a statement shows under a checkpoint, both given as STATEMENT=CHECKPOINT.
///
/// Enforces [REC-5].
pub(super) fn by_statement(
    text: &str,
    recipient: &str,
    sources: &mut Sources,
) -> Result<Proven, Failure> {
    let (file, checkpoint) = pair(text)?;
    let file = Path::new(file);
    let bytes = sources.read(&format!("proven by {}", file.display()), file)?;
    let bundle = Bundle::parse(&bytes).map_err(|error| bad(file, error))?;
    let Bundle::Statement(statement) = &bundle else {
        return Err(bad(file, format!("a {} proves no total: {MAKE}", bundle.name())));
    };
    let subject = &statement.subject;
    if subject.recipient.as_str() != recipient {
        let other =
            format!("[STM-6] it was made for {:?}, not {recipient:?}", subject.recipient.as_str());
        return Err(bad(file, other));
    }
    let known = Known {
        checkpoint: read_checkpoint(Path::new(checkpoint))?,
        consistency: ConsistencyProof::default(),
        earlier: false,
    };
    let verified = statement.verify(subject.core.id(), Some(&known), &mut OsRng);
    verified.map_err(|error| bad(file, error))?;
    let shown = supply(statement).ok_or_else(|| {
        bad(
            file,
            format!("[REC-5] it says something else than that all holdings are the supply: {MAKE}"),
        )
    })?;
    let checkpoint = subject.checkpoint.unverified();
    Ok(Proven {
        asset: subject.core.code.to_string(),
        units: shown.heading.supply,
        by: format!(
            "register snapshot {} of {} ms, under {} entries with root {}",
            shown.heading.number, shown.heading.at, checkpoint.size, checkpoint.root
        ),
    })
}

const MAKE: &str =
    "have the registrar make one with `sudare statement make --snapshot NUMBER --supply`";

/// The snapshot whose holdings are stated to be its supply, and nothing else is.
fn supply(statement: &Statement) -> Option<&ShownHeading> {
    let Content::Register(register) = &statement.content else { return None };
    let Says::Totals { kind: Kind::Differ { by: 0 }, left, right, .. } = &register.says else {
        return None;
    };
    match (&*left.terms, &*right.terms) {
        ([Term::Register(of)], [Term::Supply(supply)])
            if of == supply && left.clear == 0 && right.clear == 0 =>
        {
            register.snapshots.get(usize::from(*of))
        }
        _ => None,
    }
}
