//! Certificates of erasures: an institution's signed word that a person's data is gone.

use serde::Serialize;
use sudare_ledger::bundle::SignedErasure;

use super::{Failure, Output, Report, VerifyArgs, failed};

const KIND: &str = "certificate of an erasure";
const NOT_SHOWN: &str = "whose data it was; that nobody copied the key or the data elsewhere before: that is the institution's word";

/// What was erased.
#[derive(Debug, Serialize)]
struct ErasureView {
    house: String,
    network: String,
    row: String,
    institution: String,
    reason: String,
    approval: String,
    approved_ms: u64,
    destroyed_ms: u64,
    key: String,
    root: u64,
    items: u32,
    accounts: u32,
}

pub(super) fn verify(
    args: &VerifyArgs,
    signed: &SignedErasure,
    output: &Output,
) -> Result<(), Failure> {
    args.only(KIND, &["--node"])?;
    let house = args.node()?.ok_or_else(|| {
        Failure::Usage(
            "the certificate of an erasure is verified with --node ID, the institution's node that signed it"
                .into(),
        )
    })?;
    signed.verify(house).map_err(|error| failed(&args.file, error))?;
    let erasure = &signed.erasure;
    let view = ErasureView {
        house: erasure.house.to_string(),
        network: erasure.network.to_string(),
        row: erasure.row.to_string(),
        institution: erasure.institution.to_string(),
        reason: erasure.reason.to_string(),
        approval: erasure.approval.to_string(),
        approved_ms: erasure.approved_at,
        destroyed_ms: erasure.destroyed_at,
        key: erasure.key.to_string(),
        root: erasure.root,
        items: erasure.items,
        accounts: erasure.accounts,
    };
    let text = format!(
        "row {} of {}: its key {} was destroyed at {} ms with root key {}, and {} sealed items were deleted\n\
         reason: {}; approval {} by two people at {} ms; {} accounts, none with units",
        view.row,
        view.institution,
        view.key,
        view.destroyed_ms,
        view.root,
        view.items,
        view.reason,
        view.approval,
        view.approved_ms,
        view.accounts
    );
    let verified = format!("signed by node {house}");
    Report { kind: KIND, view, text, verified, not_shown: NOT_SHOWN }.print(output)
}
