//! Retiring keys that officers hold together: `sudare ceremony retire-commit`, `retire-sign` and `retire`.

use std::path::PathBuf;

use clap::Args;
use rand_core::OsRng;
use sudare_crypto::encoding::encode;
use sudare_disclosure::Retirement;
use sudare_disclosure::threshold::{
    Group, OfficerKey, RetireMessage, RetireState, Retirer, Retiring, Shares, retire,
};

use super::super::asset::write_new;
use super::super::retire::{Reason, RetiredKeys};
use super::super::{Failure, Output};
use super::files;

/// Which keys, and why. All who sign say the same.
#[derive(Debug, Args)]
struct WhatArgs {
    /// The group's file.
    #[arg(long)]
    group: PathBuf,
    /// The first epoch in which nothing is to be encrypted to the keys any more.
    #[arg(long, value_name = "NUMBER")]
    from_epoch: u8,
    /// Why, as the asset's log says for ever.
    #[arg(long)]
    reason: Reason,
}

impl WhatArgs {
    fn load(&self) -> Result<(Group, Retiring), Failure> {
        let group = files::group(&self.group)?.check()?.clone();
        let retiring = Retiring::new(&group, Retirement::from(self.reason), self.from_epoch)?;
        Ok((group, retiring))
    }
}

/// An officer who signs.
#[derive(Debug, Args)]
struct SignerArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// This officer's key.
    #[arg(long)]
    key: PathBuf,
    /// This officer's shares.
    #[arg(long)]
    shares: PathBuf,
    /// This officer's state: made by `retire-commit`, to be deleted in the end, never to be copied.
    #[arg(long)]
    state: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl SignerArgs {
    fn shares(&self) -> Result<(OfficerKey, Shares), Failure> {
        let key = files::officer_key(&self.key)?;
        let shares = files::open_sealed(&key, &self.shares, "an officer's shares")?;
        Ok((key, shares))
    }

    fn write(&self, message: &RetireMessage, output: &Output) -> Result<(), Failure> {
        write_new(&self.out, &encode(message))?;
        super::written(vec![self.out.display().to_string()], output);
        Ok(())
    }
}

/// The first round.
#[derive(Debug, Args)]
pub(in super::super) struct RetireCommitArgs {
    #[command(flatten)]
    signer: SignerArgs,
}

/// The second round.
#[derive(Debug, Args)]
pub(in super::super) struct RetireSignArgs {
    #[command(flatten)]
    signer: SignerArgs,
    /// The files that `retire-commit` wrote, of all who sign: as many officers as open together, or more.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    commits: Vec<PathBuf>,
}

/// The end.
#[derive(Debug, Args)]
pub(in super::super) struct RetireArgs {
    #[command(flatten)]
    what: WhatArgs,
    /// The files that `retire-commit` wrote.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    commits: Vec<PathBuf>,
    /// The files that `retire-sign` wrote, of the same officers.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    parts: Vec<PathBuf>,
    /// The file to write, for the registrar's `sudare asset amend --retire`.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn commit(args: &RetireCommitArgs, output: &Output) -> Result<(), Failure> {
    let signer = &args.signer;
    let (group, retiring) = signer.what.load()?;
    let (key, shares) = signer.shares()?;
    let state = RetireState::new(retiring, &mut OsRng);
    let message = Retirer::new(&group, &key, &shares, state.clone())?.commit()?;
    files::write_sealed(&key, &signer.state, &state)?;
    signer.write(&message, output)
}

pub(super) fn sign(args: &RetireSignArgs, output: &Output) -> Result<(), Failure> {
    let signer = &args.signer;
    let (group, retiring) = signer.what.load()?;
    let (key, shares) = signer.shares()?;
    let state: RetireState = files::open_sealed(&key, &signer.state, "a state of `retire-commit`")?;
    let mut retirer = Retirer::new(&group, &key, &shares, state)?;
    let message = retirer.sign(retiring, &messages(&args.commits)?)?;
    // The state first: it says for which commitments this officer signed ([THR-10]).
    files::replace_sealed(&key, &signer.state, retirer.state())?;
    signer.write(&message, output)
}

pub(super) fn end(args: &RetireArgs, output: &Output) -> Result<(), Failure> {
    let (group, retiring) = args.what.load()?;
    let keys = retire(&group, retiring, &messages(&args.commits)?, &messages(&args.parts)?)?;
    let (asset, count) = (group.subject.asset, keys.len());
    write_new(&args.out, &encode(&RetiredKeys { asset, keys: keys.try_into()? }))?;
    let text = format!(
        "{count} key(s) retired from epoch {} on once the registrar amends the terms with {}; what was encrypted to them until then stays readable with them",
        args.what.from_epoch,
        args.out.display()
    );
    output.result(&count, &text);
    Ok(())
}

fn messages(paths: &[PathBuf]) -> Result<Vec<RetireMessage>, Failure> {
    paths
        .iter()
        .map(|path| files::decoded(path, "a message of `retire-commit` or `retire-sign`"))
        .collect()
}
