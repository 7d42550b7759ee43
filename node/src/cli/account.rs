//! `sudare account`.

use clap::{Args, Subcommand};
use sudare_api::view;
use sudare_crypto::NodeId;
use sudare_crypto::encoding::encode;
use sudare_disclosure::{AssetId, AssetTerms, SignedTerms};
use sudare_ledger::custodian::Instruction;

use super::connect::Connection;
use super::{Failure, NodeArgs, Output};
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery};

/// `sudare account`.
#[derive(Debug, Subcommand)]
pub(super) enum AccountCommand {
    /// Register an investor's account for an asset with its registrar.
    Add(AddArgs),
    /// Show accounts with what they hold.
    List(NodeArgs),
}

/// An account to add.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The asset's code (ISIN or ticker).
    #[arg(long)]
    asset: String,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The investor's pseudonym: random, never a name or number of the person. Repeat for more.
    #[arg(long, required = true)]
    investor: Vec<String>,
}

pub(super) async fn run(command: AccountCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AccountCommand::Add(args) => add(&args, output).await,
        AccountCommand::List(args) => {
            let connection = Connection::open(&args.config)?;
            let names = Directory::load(&connection).await?;
            let accounts = connection.accounts().await?;
            let rows: Vec<_> =
                accounts.iter().map(|account| view::Account::of(account, &names)).collect();
            let header = ["asset", "investor", "quantity", "live", "notes", "state"];
            output.rows(&rows, &header, |row| {
                vec![
                    row.asset.clone(),
                    row.investor.clone(),
                    row.quantity.clone(),
                    row.live.clone(),
                    row.notes.to_string(),
                    row.state.clone(),
                ]
            });
            Ok(())
        }
    }
}

async fn add(args: &AddArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let terms = find_at(&connection, &registrar, &args.asset).await?;
    let asset = terms.terms.asset();
    connection.instruct(&Instruction::AddAsset { asset, registrar }).await?;
    let mut keys = Vec::new();
    for investor in &args.investor {
        let investor = super::trade::text(investor, "an investor's pseudonym")?;
        keys.push(connection.instruct(&Instruction::AddAccount { asset, investor }).await?);
    }
    let text = format!("{} account(s) asked for; see `sudare account list`", keys.len());
    output.result(&keys, &text);
    Ok(())
}

/// The asset with this code at a registrar.
pub(super) async fn find_at(
    connection: &Connection,
    registrar: &NodeId,
    code: &str,
) -> Result<SignedTerms, Failure> {
    let PeerAnswer::Assets(assets) = connection.peer_query(registrar, &PeerQuery::Assets).await?
    else {
        return Err(Failure::Node("the registrar answered something else".into()));
    };
    let found = assets.iter().find(|signed| signed.terms.core.code.as_str() == code);
    found.cloned().ok_or_else(|| Failure::UnknownAsset(code.to_owned()))
}

/// The names of members and of the assets that a node knows.
#[derive(Debug)]
pub(super) struct Directory<'a> {
    connection: &'a Connection,
    assets: Vec<SignedTerms>,
}

impl<'a> Directory<'a> {
    /// Asks the node for its assets.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the node can't be asked.
    pub(super) async fn load(connection: &'a Connection) -> Result<Self, Failure> {
        let OperatorAnswer::Assets(lines) = connection.query(&OperatorQuery::Assets).await? else {
            return Err(Failure::Node("the node answered something else".into()));
        };
        Ok(Self { connection, assets: lines.into_iter().map(|line| line.terms).collect() })
    }

    /// The terms of all of them.
    pub(super) fn assets(&self) -> impl Iterator<Item = &AssetTerms> {
        self.assets.iter().map(|signed| &signed.terms)
    }

    /// The same with their signatures.
    pub(super) fn signed(&self) -> &[SignedTerms] {
        &self.assets
    }

    /// The terms of the asset with this code, or whose identity starts with it.
    ///
    /// # Errors
    ///
    /// [`Failure::UnknownAsset`].
    pub(super) fn terms(&self, code: &str) -> Result<&SignedTerms, Failure> {
        let found = self.assets.iter().find(|signed| {
            let id = signed.terms.asset().to_string();
            signed.terms.core.code.as_str() == code || (code.len() >= 8 && id.starts_with(code))
        });
        found.ok_or_else(|| Failure::UnknownAsset(code.to_owned()))
    }
}

impl view::Names for Directory<'_> {
    fn node(&self, id: &NodeId) -> String {
        self.connection.name_of(id)
    }

    fn asset(&self, id: &AssetId) -> String {
        let found = self.assets.iter().find(|signed| signed.terms.asset() == *id);
        let short = || encode(id).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        found.map_or_else(short, |signed| signed.terms.core.code.to_string())
    }
}
