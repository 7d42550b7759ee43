//! `sudare asset amend`: the next version of an asset's terms, which adds epochs and keys, and leaves out keys that their holders
//! retired (specs/policy.md).

use std::path::PathBuf;

use clap::Args;
use rand_core::OsRng;
use serde::Serialize;
use sudare_crypto::encoding::decode;
use sudare_disclosure::{AssetTerms, DisclosureKey, DisclosureSecret, Epoch, Policy};
use sudare_ledger::registrar::Instruction;

use super::account::Directory;
use super::asset::{read, registrar_purpose};
use super::audit::AuthorityKeys;
use super::connect::Connection;
use super::retire::RetiredKeys;
use super::{Failure, NodeArgs, Output};
use crate::clock::now_ms;

const DAY_MS: u64 = 24 * 3_600_000;

/// What to change.
#[derive(Debug, Args)]
pub(super) struct AmendArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// A file of an authority's keys, from `sudare audit keys` or a ceremony, to be added; repeat for more.
    #[arg(long, value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// A file of keys that their holder retired, from `sudare audit retire`; repeat for more.
    #[arg(long, value_name = "FILE")]
    retire: Vec<PathBuf>,
    /// Keys are added from this epoch on; the one in force without.
    #[arg(long, value_name = "NUMBER")]
    from_epoch: Option<u32>,
    /// How many epochs there are to be in all; as many as there are without.
    #[arg(long)]
    epochs: Option<u32>,
    /// Days from one added epoch to the next; the first opens so long after the last there is, or now if that is over.
    #[arg(long, default_value_t = 30)]
    epoch_days: u64,
}

#[derive(Debug, Serialize)]
struct Amended {
    asset: String,
    terms: u32,
    epochs: usize,
    keys_added: usize,
    keys_retired: usize,
}

pub(super) async fn run(args: &AmendArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let old = Directory::load(&connection).await?.terms(&args.asset)?.terms.clone();
    let mut epochs = old.policy.epochs.to_vec();
    let in_force = old.policy.epoch_at(now_ms()).map_or(0, |epoch| epoch.number);
    let from = args.from_epoch.unwrap_or(in_force);
    let retired = retire(args, &old, &mut epochs)?;
    let published = epochs.len();
    extend(args, &connection, &old, &mut epochs)?;
    let added = add(args, &old, &mut epochs, from)?;
    provided(&epochs, published)?;
    let policy = Policy { grace_ms: old.policy.grace_ms, epochs: epochs.try_into()? };
    if policy == old.policy {
        return Err(Failure::Usage("nothing changes: give --keys, --retire or --epochs".into()));
    }
    if !policy.extends(&old.policy) {
        return Err(Failure::Usage(
            "[REG-3] the new version would change an epoch or key: keys are added, or retired by their holders".into(),
        ));
    }
    let number = old.number.saturating_add(1);
    let amended = Amended {
        asset: old.asset().to_string(),
        terms: number,
        epochs: policy.epochs.len(),
        keys_added: added,
        keys_retired: retired,
    };
    let terms = AssetTerms { core: old.core, number, policy };
    let signed = terms.sign(connection.node.identity.key());
    connection.instruct(&Instruction::UpdateTerms(Box::new(signed))).await?;
    let Amended { terms, epochs, .. } = &amended;
    let text = format!(
        "version {terms} of the terms is in force: {epochs} epoch(s), {added} key(s) added, {retired} retired; legs under the version before settle for {} s more",
        old.policy.grace_ms / 1000
    );
    output.result(&amended, &text);
    Ok(())
}

/// Puts keys that their holders retired in the places of those that they were.
fn retire(args: &AmendArgs, old: &AssetTerms, epochs: &mut [Epoch]) -> Result<usize, Failure> {
    let mut count = 0usize;
    for path in &args.retire {
        let file: RetiredKeys = decode(&read(path)?, "retired keys")?;
        if file.asset != old.asset() {
            return Err(Failure::Usage(format!("{} is for another asset", path.display())));
        }
        for (number, retired) in file.keys.iter() {
            let epoch = epochs.iter_mut().find(|epoch| epoch.number == *number);
            let found = epoch.and_then(|epoch| replace(epoch, retired));
            found.ok_or_else(|| {
                Failure::Usage(format!(
                    "{}: epoch {number} has no key {:?} that this retires: has it been retired already?",
                    path.display(),
                    retired.made_for()
                ))
            })?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

fn replace(epoch: &mut Epoch, retired: &DisclosureKey) -> Option<()> {
    let mut keys = epoch.keys.to_vec();
    let key = keys.iter_mut().find(|key| retired.retires(key))?;
    *key = retired.clone();
    epoch.keys = keys.try_into().ok()?;
    Some(())
}

/// Adds epochs with the registrar's own key.
fn extend(
    args: &AmendArgs,
    connection: &Connection,
    old: &AssetTerms,
    epochs: &mut Vec<Epoch>,
) -> Result<(), Failure> {
    let published = u32::try_from(epochs.len()).unwrap_or(u32::MAX);
    let length = args.epoch_days.max(1).saturating_mul(DAY_MS);
    for number in published..args.epochs.unwrap_or(published) {
        let purpose = registrar_purpose(connection, old.asset(), number)?;
        let secret = DisclosureSecret::derive(&connection.node.seed, &purpose);
        let last = epochs.last().map_or(0, |epoch| epoch.opens_at);
        let opens_at = last.saturating_add(length).max(now_ms());
        let keys = vec![secret.publish(&purpose, &mut OsRng)?].try_into()?;
        epochs.push(Epoch { number, opens_at, keys });
    }
    Ok(())
}

/// Adds authorities' keys to the epochs from one on that don't have them yet.
fn add(
    args: &AmendArgs,
    old: &AssetTerms,
    epochs: &mut [Epoch],
    from: u32,
) -> Result<usize, Failure> {
    let mut count = 0usize;
    for path in &args.keys {
        let file: AuthorityKeys = decode(&read(path)?, "an authority's keys")?;
        if file.asset != old.asset() {
            return Err(Failure::Usage(format!("{} is for another asset", path.display())));
        }
        for epoch in epochs.iter_mut().filter(|epoch| epoch.number >= from) {
            let key = file.key(epoch.number).ok_or_else(|| {
                Failure::Usage(format!("{} has no key for epoch {}", file.label, epoch.number))
            })?;
            if epoch.keys.iter().any(|one| one.point == key.point) {
                continue;
            }
            let mut keys = epoch.keys.to_vec();
            keys.push(key.clone());
            epoch.keys = keys.try_into()?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

/// That no authority is left out of the epochs that are new: an epoch without its key would be closed to it.
fn provided(epochs: &[Epoch], published: usize) -> Result<(), Failure> {
    let Some(last) = published.checked_sub(1).and_then(|last| epochs.get(last)) else {
        return Ok(());
    };
    let labels = last.keys.iter().filter(|key| !key.is_retired()).map(|key| key.made_for());
    let labels: Vec<&str> = labels.collect();
    for epoch in epochs.iter().skip(published) {
        let missing = labels.iter().find(|label| {
            let has = |key: &DisclosureKey| !key.is_retired() && key.made_for() == **label;
            !epoch.keys.iter().any(has)
        });
        if let Some(label) = missing {
            return Err(Failure::Usage(format!(
                "epoch {} would be closed to {label}: give its keys with --keys, made with `sudare audit keys --epochs {}` or more",
                epoch.number,
                epochs.len()
            )));
        }
    }
    Ok(())
}
