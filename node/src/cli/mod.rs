//! The command line: one binary for every role and for making, trying and inspecting a network.

mod access;
mod account;
mod amend;
mod asset;
mod audit;
mod cancel;
mod ceremony;
mod checkpoint;
pub mod connect;
mod dlog_table;
mod grant;
mod hops;
mod keys;
mod logging;
mod message;
mod network;
mod output;
mod packet;
mod receipt;
mod reconcile;
mod retire;
mod solve;
mod statement;
mod top;
mod trade;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sudare_crypto::{Kernel, Malformed};
use sudare_disclosure::threshold::CeremonyError;
use sudare_ledger::access::AccessError;
use sudare_ledger::messages::Reason;

use crate::config::ConfigError;
use crate::http::HttpError;
use crate::net::certificate::CertificateError;
use crate::net::{NetError, StartError};
use crate::network::InitError;
use crate::runtime::RuntimeError;

pub use output::Output;

/// A confidential ledger for regulated securities, with selective disclosure.
#[derive(Debug, Parser)]
#[command(name = "sudare", version, about, max_term_width = 110)]
pub struct Cli {
    /// What to print: tables for people, JSON for programs.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub output: Format,
    #[command(subcommand)]
    command: Command,
}

/// What to print.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Tables and sentences.
    Table,
    /// One JSON value.
    Json,
}

/// Which node to talk to.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// The configuration file of the node to talk to (its key is used to prove that you are its operator).
    #[arg(short, long, env = "SUDARE_CONFIG", value_name = "FILE")]
    pub config: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a whole network on this machine, trade on it and check everything; or keep one running.
    Demo(crate::demo::DemoArgs),
    /// Watch a network: how fast it settles, what is under way, who waits for whom, what its nodes use.
    Top(top::TopArgs),
    /// Make a network, or change who is in it.
    #[command(subcommand)]
    Network(network::NetworkCommand),
    /// Run a node, or ask how it is.
    #[command(subcommand)]
    Node(network::NodeCommand),
    /// Define, open, issue and list assets.
    #[command(subcommand)]
    Asset(asset::AssetCommand),
    /// Register investors' accounts and list holdings.
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Deliver units of an asset to another custodian (or your own); the other side runs `receive`.
    Transfer(trade::TransferArgs),
    /// Expect units of an asset: the other side of `transfer` and of an issue.
    Receive(trade::ReceiveArgs),
    /// Deliver against payment, both or neither; each side runs it.
    Dvp(trade::DvpArgs),
    /// Give units back to the registrar.
    Redeem(trade::RedeemArgs),
    /// Cancel a trade that is not signed yet; the other side runs it too.
    Cancel(cancel::CancelArgs),
    /// Show the register of an asset.
    #[command(subcommand)]
    Register(asset::RegisterCommand),
    /// Make disclosure keys, replay an asset's log with them.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make and use disclosure keys that several officers hold together, over files carried by hand.
    #[command(subcommand)]
    Ceremony(ceremony::CeremonyCommand),
    /// Say who may read what, why and until when; officers sign it.
    #[command(subcommand)]
    Grant(grant::GrantCommand),
    /// Show, watch and prove what was read under grants.
    #[command(subcommand)]
    Access(access::AccessCommand),
    /// Show where a trade stands, and whom it waits for.
    #[command(subcommand)]
    Tx(trade::TxCommand),
    /// Disclose a customer's transfer to somebody who holds no key.
    #[command(subcommand)]
    Packet(packet::PacketCommand),
    /// Fetch a log's checkpoint, or make a file of two that contradict each other.
    #[command(subcommand)]
    Checkpoint(checkpoint::CheckpointCommand),
    /// Verify a packet, statement, receipt, checkpoint, entry of an access log or evidence on any machine, without network or node.
    Verify(verify::VerifyArgs),
    /// State something of hidden holdings without showing them, or verify such a statement offline.
    #[command(subcommand)]
    Statement(statement::StatementCommand),
    /// Compare the register with what custodians and partners say and the ledger proves; settle, sign and report the breaks.
    #[command(subcommand)]
    Reconcile(reconcile::ReconcileCommand),
    /// Read and write ISO 20022 messages: statements, statuses, confirmations, record dates.
    #[command(subcommand)]
    Message(message::MessageCommand),
    /// Recover a custodian's notes from its seeds and the registrar's copy.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
}

/// Why a command failed; the text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The endpoint can't be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A node can't be reached.
    #[error("{0}; is the node running? (`sudare node run --config FILE`)")]
    Net(#[from] NetError),
    /// A business refusal.
    #[error("refused ({code}): {0}", code = .0.code())]
    Refused(Reason),
    /// A node refused the request.
    #[error("{0}")]
    Node(String),
    /// Bytes from a node or a file do not decode.
    #[error("{0}: are both programs of the same version?")]
    Malformed(#[from] Malformed),
    /// No such member.
    #[error("no member of this network is called {0}: see `sudare network show`")]
    UnknownMember(String),
    /// No such asset.
    #[error(
        "no asset {0} is known here: see `sudare asset list`, or `sudare asset add` at a custodian"
    )]
    UnknownAsset(String),
    /// An argument.
    #[error("{0}")]
    Usage(String),
    /// Making a network.
    #[error(transparent)]
    Init(#[from] InitError),
    /// A certificate or key.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The node can't run.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A grant, or something under one.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A step of a ceremony.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// The HTTP API.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A file.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// Another program has a node's port.
    #[error("another program has taken the port of {0}: start again, the ports are chosen anew")]
    PortTaken(String),
    /// What was checked does not hold.
    #[error("{0}")]
    CheckFailed(String),
}

impl Failure {
    /// 1: refused or a check failed; 2: wrong use; 3: a node can't be reached; 4: files or configuration.
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused(_)
            | Self::Node(_)
            | Self::CheckFailed(_)
            | Self::Access(_)
            | Self::Ceremony(_) => 1,
            Self::UnknownMember(_) | Self::UnknownAsset(_) | Self::Usage(_) => 2,
            Self::Net(_) | Self::Start(_) | Self::PortTaken(_) => 3,
            Self::Runtime(error) => error.exit_code(),
            Self::Config(_)
            | Self::Malformed(_)
            | Self::Init(_)
            | Self::Certificate(_)
            | Self::Http(_)
            | Self::File(..) => 4,
        })
    }
}

/// Parses the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.output);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.enable_all().worker_threads(network_threads()).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&format!("the async runtime does not start: {error}"));
            return ExitCode::from(3);
        }
    };
    match runtime.block_on(run(cli.command, &output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure.to_string());
            failure.exit_code()
        }
    }
}

/// A thread for every four cores: the network takes a tenth of a node's time, and threads that wake each other cost more than
/// they bring.
fn network_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).div_ceil(4)
}

async fn run(command: Command, output: &Output) -> Result<(), Failure> {
    Kernel::named_by_the_environment().map_err(|unknown| Failure::Usage(unknown.to_string()))?;
    match command {
        Command::Demo(args) => Box::pin(crate::demo::run(args, output)).await,
        Command::Top(args) => top::run(&args, output).await,
        Command::Network(command) => network::run(command, output),
        Command::Node(command) => network::run_node(command, output).await,
        Command::Asset(command) => asset::run(command, output).await,
        Command::Account(command) => account::run(command, output).await,
        Command::Transfer(args) => trade::transfer(args, output).await,
        Command::Receive(args) => trade::receive(args, output).await,
        Command::Dvp(args) => trade::dvp(args, output).await,
        Command::Redeem(args) => trade::redeem(args, output).await,
        Command::Cancel(args) => cancel::run(args, output).await,
        Command::Register(command) => asset::run_register(command, output).await,
        Command::Audit(command) => audit::run(command, output).await,
        Command::Ceremony(command) => ceremony::run(command, output).await,
        Command::Grant(command) => grant::run(command, output).await,
        Command::Access(command) => access::run(command, output).await,
        Command::Tx(command) => trade::run_tx(command, output).await,
        Command::Packet(command) => packet::run(command, output).await,
        Command::Checkpoint(command) => checkpoint::run(command, output).await,
        Command::Verify(args) => verify::run(&args, output),
        Command::Statement(command) => statement::run(command, output).await,
        Command::Reconcile(command) => reconcile::run(command, output).await,
        Command::Message(command) => message::run(command, output).await,
        Command::Keys(command) => keys::run(command, output).await,
    }
}
