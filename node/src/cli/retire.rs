//! `sudare audit retire` and `seed`: what the holder of a disclosure key does that was stolen or lost (specs/policy.md).

use std::path::PathBuf;

use borsh::{BorshDeserialize, BorshSerialize};
use clap::{Args, ValueEnum};
use rand_core::{OsRng, RngCore};
use sudare_crypto::encoding::encode;
use sudare_crypto::{Bounded, NodeKey};
use sudare_disclosure::policy::{EPOCHS_MAX, KEYS_MAX};
use sudare_disclosure::{AssetId, DisclosureKey, DisclosureSecret, KeyPurpose, Retirement};

use super::asset::write_new;
use super::connect::Connection;
use super::{Failure, NodeArgs, Output};
use crate::net::certificate;

/// Keys that their holder retires, each with its epoch.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct RetiredKeys {
    /// The asset.
    pub asset: AssetId,
    /// Epoch and key; the key's proof of possession is for its label with the mark of a retired key.
    pub keys: Bounded<(u32, DisclosureKey), { EPOCHS_MAX * KEYS_MAX }>,
}

/// Which keys to retire.
#[derive(Debug, Args)]
pub(super) struct RetireArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The name of the asset's registrar.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The keys' label.
    #[arg(long, default_value = "regulator")]
    label: String,
    /// The first epoch in which nothing is to be encrypted to them any more.
    #[arg(long, value_name = "NUMBER")]
    from_epoch: u32,
    /// Why, as the asset's log says for ever.
    #[arg(long)]
    reason: Reason,
    /// The file to write, for the registrar's `sudare asset amend --retire`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why keys are retired. A lost key can't sign that: its holder gets another beside it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Reason {
    /// Somebody else has them, or may have.
    Compromised,
    /// They are not needed any more.
    Ended,
}

impl From<Reason> for Retirement {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Compromised => Self::Compromised,
            Reason::Ended => Self::Ended,
        }
    }
}

/// Where to put a seed.
#[derive(Debug, Args)]
pub(super) struct SeedArgs {
    /// The file to write (mode 0600). Name it as `seed` in the node's configuration, and the one before in `former_seeds`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) async fn run(args: &RetireArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let terms = super::account::find_at(&connection, &registrar, &args.asset).await?.terms;
    let how = Retirement::from(args.reason);
    let mut retired = Vec::new();
    for epoch in terms.policy.epochs.iter().filter(|epoch| epoch.number >= args.from_epoch) {
        let own = epoch.keys.iter().filter(|key| key.label.as_str() == args.label);
        for key in own {
            let (network, asset) = (connection.node.network, terms.asset());
            let (fields, label) = (key.fields, key.label.clone());
            let purpose = KeyPurpose { network, asset, epoch: epoch.number, fields, label };
            let secrets = connection.node.seeds();
            let mut secrets = secrets.map(|seed| DisclosureSecret::derive(seed, &purpose));
            let Some(secret) = secrets.find(|secret| secret.point() == key.point) else { continue };
            let purpose = purpose.retired(how).ok_or_else(|| {
                Failure::Usage(format!("{:?} is too long a label to be retired", args.label))
            })?;
            retired.push((epoch.number, secret.publish(&purpose, &mut OsRng)?));
        }
    }
    if retired.is_empty() {
        return Err(Failure::Usage(format!(
            "no key {:?} of this node's seeds is in an epoch from {} on: see `sudare asset list`",
            args.label, args.from_epoch
        )));
    }
    let (asset, count) = (terms.asset(), retired.len());
    write_new(&args.out, &encode(&RetiredKeys { asset, keys: retired.try_into()? }))?;
    let text = format!(
        "{count} key(s) retired from epoch {} on once the registrar amends the terms with {}; what was encrypted to them until then stays readable with them",
        args.from_epoch,
        args.out.display()
    );
    output.result(&count, &text);
    Ok(())
}

pub(super) fn seed(args: &SeedArgs, output: &Output) -> Result<(), Failure> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    OsRng.fill_bytes(seed.as_mut());
    certificate::write_key(&args.out, &NodeKey::from_seed(&seed))?;
    let written = args.out.display().to_string();
    let text = format!(
        "written to {written}: name it as `seed` in the node's configuration, and the one before in `former_seeds`"
    );
    output.result(&written, &text);
    Ok(())
}
