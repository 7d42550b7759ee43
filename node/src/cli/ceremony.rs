//! `sudare ceremony`: disclosure keys that several officers hold together (specs/threshold.md). Works over files carried by hand.

mod files;
mod opening;
mod retiring;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rand_core::{OsRng, RngCore};
use serde::Serialize;
use sudare_crypto::NodeKey;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{decode, encode};
use sudare_disclosure::threshold::{
    Group, Kind, Officer, OfficerKey, Party, Plan, Shares, State, Subject, conclude,
};
use sudare_disclosure::{AssetCore, Fields};

use super::asset::{read, write_new};
use super::audit::{AuthorityKeys, fields};
use super::trade::text;
use super::{Failure, Output};
use crate::net::certificate;

pub(super) use files::{officer_card, officer_key, replace_private, write_private};
pub(super) use opening::LegArgs;

/// `sudare ceremony`.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
A ceremony, step by step, each officer on a machine of its own:
  officer    everybody makes a key, and gives the card to whoever plans
  plan, refresh, move    one person writes the plan; everybody compares `show`
  commit     everybody; all `commit` files go to everybody
  deal       those who deal; each `deal` file goes to the officer it names
  finish     those who receive: makes shares; `confirm` files go to whoever concludes
  conclude   anybody: the group's file, and new keys for `sudare asset open --keys`
Opening a leg or a register snapshot: `log` on a regulator's node, `partial` by each officer, `open`.
Retiring stolen or needless keys: `retire-commit` by each of enough officers, then `retire-sign`, `retire`.")]
pub(super) enum CeremonyCommand {
    /// Make an officer's key and the card by which others know it.
    Officer(OfficerArgs),
    /// Plan a ceremony that makes new keys, one an epoch.
    Plan(PlanArgs),
    /// Plan new shares of the same keys for the same officers; the old shares become useless.
    Refresh(RefreshArgs),
    /// Plan to move keys to other officers, or under another threshold; the keys stay.
    Move(MoveArgs),
    /// Show a plan, a group, a message or a card, to compare with what others see.
    Show {
        /// The file.
        file: PathBuf,
    },
    /// The first step, of everybody in the plan.
    Commit(CommitArgs),
    /// The second step, of those who deal: needs the `commit` files of everybody.
    Deal(DealArgs),
    /// The third step, of those who receive: needs all `commit` files and the `deal` files for this officer.
    Finish(FinishArgs),
    /// The end: needs all `commit` and all `confirm` files.
    Conclude(ConcludeArgs),
    /// Fetch an asset's whole log with its checkpoint into a file, on a regulator's node.
    Log(opening::LogArgs),
    /// Verify a log file, and apply an officer's share to the points of one of its legs or snapshots.
    Partial(opening::PartialArgs),
    /// Read a leg, or a snapshot's seed, with the partials of enough officers; names every wrong one.
    Open(opening::OpenArgs),
    /// Retire keys, the first round: of each officer who will sign, as many as open together or more.
    RetireCommit(retiring::RetireCommitArgs),
    /// Retire keys, the second round: needs the `retire-commit` files of all who sign.
    RetireSign(retiring::RetireSignArgs),
    /// Retire keys, the end: a file for the registrar's `sudare asset amend --retire`.
    Retire(retiring::RetireArgs),
}

/// An officer.
#[derive(Debug, Args)]
pub(super) struct OfficerArgs {
    /// The officer's name.
    #[arg(long)]
    name: String,
    /// The key file to write. Whoever has it is the officer: keep it away from the shares' file.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The card to write, for everybody.
    #[arg(long, value_name = "FILE")]
    card: PathBuf,
}

/// New keys.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The file that `sudare asset define` wrote.
    #[arg(long)]
    core: PathBuf,
    /// Whose keys they are.
    #[arg(long, default_value = "regulator")]
    label: String,
    /// What they read: amounts, parties, trade, links.
    #[arg(long, value_delimiter = ',', default_values = ["amounts", "parties", "trade", "links"])]
    fields: Vec<String>,
    /// How many epochs, 1 to 64.
    #[arg(long, default_value_t = 12)]
    epochs: u8,
    #[command(flatten)]
    officers: OfficersArgs,
}

/// Who is to hold shares.
#[derive(Debug, Args)]
pub(super) struct OfficersArgs {
    /// How many officers open together.
    #[arg(long)]
    threshold: u8,
    /// The cards of all who are to hold shares.
    #[arg(long, num_args = 1.., required = true, value_name = "CARD")]
    officer: Vec<PathBuf>,
    /// The plan to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// New shares.
#[derive(Debug, Args)]
pub(super) struct RefreshArgs {
    /// The group's file.
    #[arg(long)]
    group: PathBuf,
    /// The plan to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Other officers.
#[derive(Debug, Args)]
pub(super) struct MoveArgs {
    /// The group's file.
    #[arg(long)]
    group: PathBuf,
    /// The indices of the group's officers who deal, at least its threshold; see `show`.
    #[arg(long, num_args = 1.., required = true)]
    dealer: Vec<u8>,
    #[command(flatten)]
    officers: OfficersArgs,
}

/// Who acts in which ceremony.
#[derive(Debug, Args)]
pub(super) struct ActorArgs {
    /// The plan.
    #[arg(long)]
    plan: PathBuf,
    /// This officer's key.
    #[arg(long)]
    key: PathBuf,
    /// This officer's state in the ceremony: made by `commit`, to be deleted in the end, never to be copied.
    #[arg(long)]
    state: PathBuf,
    /// This officer's shares as they are, if existing keys are refreshed or moved.
    #[arg(long)]
    shares: Option<PathBuf>,
}

/// The first step.
#[derive(Debug, Args)]
pub(super) struct CommitArgs {
    #[command(flatten)]
    actor: ActorArgs,
    /// The folder to write the message to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// The second step.
#[derive(Debug, Args)]
pub(super) struct DealArgs {
    #[command(flatten)]
    actor: ActorArgs,
    /// The `commit` files of everybody.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    commits: Vec<PathBuf>,
    /// The folder to write the messages to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// The third step.
#[derive(Debug, Args)]
pub(super) struct FinishArgs {
    #[command(flatten)]
    actor: ActorArgs,
    /// The `commit` files of everybody.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    commits: Vec<PathBuf>,
    /// The `deal` files for this officer.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    deals: Vec<PathBuf>,
    /// The file to write this officer's new shares to, sealed with its key.
    #[arg(long, value_name = "FILE")]
    new_shares: PathBuf,
    /// The folder to write the message to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// The end.
#[derive(Debug, Args)]
pub(super) struct ConcludeArgs {
    /// The plan.
    #[arg(long)]
    plan: PathBuf,
    /// The `commit` files of everybody.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    commits: Vec<PathBuf>,
    /// The `confirm` files of all who received.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    confirms: Vec<PathBuf>,
    /// The group's file to write.
    #[arg(long, value_name = "FILE")]
    group: PathBuf,
    /// The file to write new keys to, for `sudare asset open --keys`.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Delete this file once the ceremony is concluded: this officer's state, its old shares; repeat for more.
    #[arg(long, value_name = "FILE")]
    delete: Vec<PathBuf>,
}

pub(super) async fn run(command: CeremonyCommand, output: &Output) -> Result<(), Failure> {
    match command {
        CeremonyCommand::Officer(args) => officer(&args, output),
        CeremonyCommand::Plan(args) => plan(&args, output),
        CeremonyCommand::Refresh(args) => refresh(&args, output),
        CeremonyCommand::Move(args) => move_keys(args, output),
        CeremonyCommand::Show { file } => files::show(&file, output),
        CeremonyCommand::Commit(args) => commit(&args, output),
        CeremonyCommand::Deal(args) => deal(&args, output),
        CeremonyCommand::Finish(args) => finish(&args, output),
        CeremonyCommand::Conclude(args) => end(&args, output),
        CeremonyCommand::Log(args) => opening::log(&args, output).await,
        CeremonyCommand::Partial(args) => opening::partial(&args, output),
        CeremonyCommand::Open(args) => opening::open(&args, output),
        CeremonyCommand::RetireCommit(args) => retiring::commit(&args, output),
        CeremonyCommand::RetireSign(args) => retiring::sign(&args, output),
        CeremonyCommand::Retire(args) => retiring::end(&args, output),
    }
}

fn officer(args: &OfficerArgs, output: &Output) -> Result<(), Failure> {
    let mut seed = Seed([0; 32]);
    OsRng.fill_bytes(&mut seed.0);
    certificate::write_key(&args.key, &NodeKey::from_seed(&seed.0))?;
    let card = Officer { name: text(&args.name, "a name")?, id: OfficerKey::new(seed).id() };
    write_new(&args.card, &encode(&card))?;
    let id = card.id.to_string();
    output.result(&id, &format!("{} is {id}: have others compare it with you", card.name));
    Ok(())
}

fn plan(args: &PlanArgs, output: &Output) -> Result<(), Failure> {
    let core: AssetCore = decode(&read(&args.core)?, "an asset's definition")?;
    let fields: Fields = fields(&args.fields)?;
    let label = text(&args.label, "a label")?;
    let subject = Subject { network: core.network, asset: core.id(), fields, label };
    write_plan(Kind::Generate { subject, epochs: args.epochs }, &args.officers, output)
}

fn refresh(args: &RefreshArgs, output: &Output) -> Result<(), Failure> {
    let from = Box::new(files::group(&args.group)?);
    let group = from.check()?.clone();
    let (threshold, officers) = (group.threshold, group.officers.into_vec());
    let plan = Plan::new(Kind::Refresh { from }, threshold, officers, &mut OsRng)?;
    files::write_plan(&plan, &args.out, output)
}

fn move_keys(args: MoveArgs, output: &Output) -> Result<(), Failure> {
    let from = Box::new(files::group(&args.group)?);
    let mut dealers = args.dealer;
    dealers.sort_unstable();
    let kind = Kind::Move { from, dealers: dealers.try_into()? };
    write_plan(kind, &args.officers, output)
}

fn write_plan(kind: Kind, args: &OfficersArgs, output: &Output) -> Result<(), Failure> {
    let mut officers = Vec::new();
    for path in &args.officer {
        officers.push(officer_card(path)?);
    }
    let plan = Plan::new(kind, args.threshold, officers, &mut OsRng)?;
    files::write_plan(&plan, &args.out, output)
}

/// An officer with all that it needs of its files.
struct Actor {
    plan: Plan,
    key: OfficerKey,
    shares: Option<Shares>,
    state: State,
}

impl Actor {
    fn load(args: &ActorArgs) -> Result<Self, Failure> {
        let plan: Plan = files::decoded(&args.plan, "a plan")?;
        let key = officer_key(&args.key)?;
        let shares = match &args.shares {
            Some(path) => Some(files::open_sealed(&key, path, "an officer's shares")?),
            None => None,
        };
        let state = if args.state.exists() {
            files::open_sealed(&key, &args.state, "a ceremony's state")?
        } else {
            State::new(&plan, &mut OsRng)
        };
        Ok(Self { plan, key, shares, state })
    }

    fn party(&self) -> Result<Party<'_>, Failure> {
        Ok(Party::new(&self.plan, &self.key, self.shares.as_ref(), self.state.clone())?)
    }
}

fn commit(args: &CommitArgs, output: &Output) -> Result<(), Failure> {
    let actor = Actor::load(&args.actor)?;
    let message = actor.party()?.commit()?;
    files::replace_sealed(&actor.key, &args.actor.state, &actor.state)?;
    written(vec![files::write_message(&actor.plan, &message, &args.out)?], output);
    Ok(())
}

fn deal(args: &DealArgs, output: &Output) -> Result<(), Failure> {
    let actor = acting(&args.actor)?;
    let mut party = actor.party()?;
    let messages = party.deal(&files::messages(&args.commits)?)?;
    // The state first: it says for which commitments this officer dealt ([THR-5]).
    files::replace_sealed(&actor.key, &args.actor.state, party.state())?;
    let mut paths = Vec::new();
    for message in &messages {
        paths.push(files::write_message(&actor.plan, message, &args.out)?);
    }
    written(paths, output);
    Ok(())
}

fn finish(args: &FinishArgs, output: &Output) -> Result<(), Failure> {
    let actor = acting(&args.actor)?;
    let (commits, deals) = (files::messages(&args.commits)?, files::messages(&args.deals)?);
    let finished = actor.party()?.finish(&commits, &deals)?;
    files::write_sealed(&actor.key, &args.new_shares, &finished.shares)?;
    let message = files::write_message(&actor.plan, &finished.confirm, &args.out)?;
    written(vec![args.new_shares.display().to_string(), message], output);
    Ok(())
}

/// An officer who has committed: what it makes now follows from its state.
fn acting(args: &ActorArgs) -> Result<Actor, Failure> {
    if !args.state.exists() {
        let path = args.state.display();
        return Err(Failure::Usage(format!(
            "{path} is missing: `commit` comes first and makes it"
        )));
    }
    Actor::load(args)
}

fn end(args: &ConcludeArgs, output: &Output) -> Result<(), Failure> {
    let plan: Plan = files::decoded(&args.plan, "a plan")?;
    let (commits, confirms) = (files::messages(&args.commits)?, files::messages(&args.confirms)?);
    let concluded = conclude(&plan, &commits, &confirms)?;
    let fresh = matches!(plan.kind, Kind::Generate { .. });
    if fresh != args.keys.is_some() {
        let name = if fresh { "name the file for the new keys" } else { "the keys stay" };
        return Err(Failure::Usage(format!("{name}: --keys is for new keys, and only for them")));
    }
    write_new(&args.group, &encode(&concluded.group))?;
    let mut paths = vec![args.group.display().to_string()];
    if let Some(path) = &args.keys {
        let Subject { asset, label, .. } = plan.subject().clone();
        let keys = AuthorityKeys { asset, label, keys: concluded.keys.try_into()? };
        write_new(path, &encode(&keys))?;
        paths.push(path.display().to_string());
    }
    for path in &args.delete {
        remove(path)?;
    }
    written(paths, output);
    Ok(())
}

fn remove(path: &Path) -> Result<(), Failure> {
    std::fs::remove_file(path).map_err(|error| Failure::File(path.to_owned(), error))
}

/// What a command wrote.
#[derive(Serialize)]
struct Written {
    written: Vec<String>,
}

fn written(paths: Vec<String>, output: &Output) {
    let text = format!("written: {}", paths.join(", "));
    output.result(&Written { written: paths }, &text);
}
