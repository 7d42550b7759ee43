//! Evidence of a fork: two checkpoints that convict a registrar.

use serde::Serialize;
use sudare_ledger::packet::{Fork, NodeFork};

use super::{Failure, Output, Report, VerifyArgs, failed};

const KIND: &str = "evidence of a fork";
const NOT_SHOWN: &str = "which of the two histories is the true one, and who was shown which";

/// A registrar that is convicted.
#[derive(Debug, Serialize)]
struct ForkView {
    code: String,
    asset: String,
    registrar: String,
    entries: u64,
    roots: Vec<String>,
}

/// Evidence against a node for a log of its own.
#[derive(Debug, Serialize)]
struct NodeForkView {
    node: String,
    log: String,
    entries: u64,
    roots: Vec<String>,
}

pub(super) fn verify_node(
    args: &VerifyArgs,
    fork: &NodeFork,
    output: &Output,
) -> Result<(), Failure> {
    args.only(KIND, &["--node"])?;
    let (entries, roots) = fork.verify().map_err(|error| failed(&args.file, error))?;
    if args.node()?.is_some_and(|expected| expected != fork.node) {
        let other = format!("the evidence is against another node, {}", fork.node);
        return Err(failed(&args.file, other));
    }
    let view = NodeForkView {
        node: fork.node.to_string(),
        log: fork.one.unverified().origin.to_string(),
        entries,
        roots: roots.iter().map(ToString::to_string).collect(),
    };
    let text = format!(
        "node {} forked its log {}: it signed two roots of {entries} entries,\n  {}",
        view.node,
        view.log,
        view.roots.join("\n  ")
    );
    let verified = "the node's signature under both, whose name the log has".into();
    Report { kind: KIND, view, text, verified, not_shown: NOT_SHOWN }.print(output)
}

pub(super) fn verify(args: &VerifyArgs, fork: &Fork, output: &Output) -> Result<(), Failure> {
    args.only(KIND, &["--asset"])?;
    let (entries, roots) = fork.verify().map_err(|error| failed(&args.file, error))?;
    let core = &fork.core;
    if args.asset()?.is_some_and(|expected| expected != core.id()) {
        let other = format!("the evidence is about another asset, {}", core.id());
        return Err(failed(&args.file, other));
    }
    let view = ForkView {
        code: core.code.to_string(),
        asset: core.id().to_string(),
        registrar: core.registrar.to_string(),
        entries,
        roots: roots.iter().map(ToString::to_string).collect(),
    };
    let text = format!(
        "registrar {} forked the log of {} ({}): it signed two roots of {entries} entries,\n  {}",
        view.registrar,
        view.code,
        view.asset,
        view.roots.join("\n  ")
    );
    let verified =
        "the registrar's signature under both, whose key the asset's identity fixes".into();
    Report { kind: KIND, view, text, verified, not_shown: NOT_SHOWN }.print(output)
}
