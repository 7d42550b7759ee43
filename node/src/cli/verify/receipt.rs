//! Receipts: that a transaction is final.

use serde::Serialize;
use sudare_ledger::bundle::ReceiptFile;

use super::{Failure, Output, Report, VerifyArgs, failed};

const KIND: &str = "receipt";
const NOT_SHOWN: &str = "what was moved, between whom and for which trade: legs stand in it as roots over salted components; a packet shows them";

/// A final transaction.
#[derive(Debug, Serialize)]
struct ReceiptView {
    transaction: String,
    commit: String,
    notary: String,
    recorded_ms: u64,
    notary_entry: u64,
    registrars: Vec<String>,
    tags: usize,
}

pub(super) fn verify(
    args: &VerifyArgs,
    file: &ReceiptFile,
    output: &Output,
) -> Result<(), Failure> {
    args.only(KIND, &["--core", "--node"])?;
    let verified = match (args.core()?, args.node()?) {
        (Some(core), None) => file.verify_of(&core),
        (None, Some(notary)) => file.verify(notary),
        _ => {
            return Err(Failure::Usage(
                "a receipt is verified with --node ID, the notary, or with --core FILE, the definition of an asset, which names its notary and registrar".into(),
            ));
        }
    };
    verified.map_err(|error| failed(&args.file, error))?;
    let (transaction, receipt) = (&file.commit.transaction, &file.receipt);
    let view = ReceiptView {
        transaction: receipt.tx.to_string(),
        commit: receipt.entry.commit.to_string(),
        notary: transaction.notary.to_string(),
        recorded_ms: receipt.entry.time,
        notary_entry: receipt.index,
        registrars: transaction.legs.iter().map(|leg| leg.registrar.to_string()).collect(),
        tags: transaction.tags.len(),
    };
    let text = format!(
        "transaction {} is final: recorded by notary {} at {} ms as entry {} of its log\n{} leg(s), approved by {}",
        view.transaction,
        view.notary,
        view.recorded_ms,
        view.notary_entry,
        view.registrars.len(),
        view.registrars.join(", ")
    );
    let verified = "every approval under the commit; the notary's signature, for this commit, within its window".into();
    Report { kind: KIND, view, text, verified, not_shown: NOT_SHOWN }.print(output)
}
