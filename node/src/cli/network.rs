//! `sudare network` and `sudare node`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use sudare_crypto::NodeId;
use sudare_ledger::role::Role;

use super::connect::Connection;
use super::{Failure, NodeArgs, Output, logging};
use crate::clock::now_ms;
use crate::membership::{Member, MemberName, MembershipList, SignedMembership};
use crate::net::certificate;
use crate::network::{self, Planned};

/// `sudare network`.
#[derive(Debug, Subcommand)]
pub(super) enum NetworkCommand {
    /// Make a network: root, members with keys, certificates and configuration files, signed membership list.
    Init(InitArgs),
    /// Sign a new membership list; running nodes take it into force within a second.
    Update(UpdateArgs),
    /// Show the members.
    Show {
        /// The network's folder.
        folder: PathBuf,
    },
}

/// Members to make.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The network's folder, which must not exist yet.
    folder: PathBuf,
    /// The notary, as NAME or NAME@ADDRESS:PORT (a free loopback port if left out; so for all).
    #[arg(long, default_value = "notary")]
    notary: String,
    /// A registrar; repeat for more.
    #[arg(long, default_value = "registrar")]
    registrar: Vec<String>,
    /// A custodian; repeat for more.
    #[arg(long, default_values = ["custodian-a", "custodian-b"])]
    custodian: Vec<String>,
    /// A regulator; repeat for more.
    #[arg(long, default_value = "regulator")]
    regulator: Vec<String>,
}

/// A change of the membership list.
#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    /// The network's folder, with the root's key.
    folder: PathBuf,
    /// Remove this member; repeat for more.
    #[arg(long)]
    remove: Vec<String>,
    /// Add a member whose key was made elsewhere: NAME=ROLE@ADDRESS:PORT@KEY (64 hexadecimal digits); repeat for more.
    #[arg(long)]
    add: Vec<String>,
}

/// `sudare node`.
#[derive(Debug, Subcommand)]
pub(super) enum NodeCommand {
    /// Run the node until it is told to stop (Ctrl-C or SIGTERM).
    Run(RunArgs),
    /// Show how a running node is: queues, unreachable peers, traffic.
    Status(NodeArgs),
}

/// A node to run.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// What to say on standard error: a level, or levels by module such as `warn,sudare::net=debug`. JSON lines unless that is a terminal.
    #[arg(long, env = "SUDARE_LOG", value_name = "FILTER", default_value = "info")]
    log: String,
}

#[derive(Serialize)]
struct MemberRow {
    name: String,
    role: String,
    address: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<PathBuf>,
}

pub(super) fn run(command: NetworkCommand, output: &Output) -> Result<(), Failure> {
    match command {
        NetworkCommand::Init(args) => init(&args, output),
        NetworkCommand::Update(args) => update(&args, output),
        NetworkCommand::Show { folder } => {
            let list = current(&folder)?;
            print(list.members(), output);
            Ok(())
        }
    }
}

pub(super) async fn run_node(command: NodeCommand, output: &Output) -> Result<(), Failure> {
    match command {
        NodeCommand::Run(args) => {
            logging::start(&args.log)?;
            crate::node::run(&args.node.config).await
        }
        NodeCommand::Status(args) => {
            let connection = Connection::open(&args.config)?;
            let own = connection.own();
            let status: crate::runtime::Status =
                connection.ask(&own, crate::operator::kind::STATUS, &[]).await?;
            let view = crate::node::StatusView::of(&status);
            output.result(&view, &view.text());
            Ok(())
        }
    }
}

fn init(args: &InitArgs, output: &Output) -> Result<(), Failure> {
    let mut plan = vec![planned(&args.notary, Role::Notary)?];
    for (names, role) in [
        (&args.registrar, Role::Registrar),
        (&args.custodian, Role::Custodian),
        (&args.regulator, Role::Regulator),
    ] {
        for name in names {
            plan.push(planned(name, role)?);
        }
    }
    let made = network::init(&args.folder, &plan, now_ms())?;
    let rows: Vec<MemberRow> =
        made.members.iter().map(|(member, config)| row(member, Some(config.clone()))).collect();
    output.rows(&rows, &["member", "role", "address", "configuration"], |row| {
        let config = row.config.as_ref().map(|path| path.display().to_string());
        vec![row.name.clone(), row.role.clone(), row.address.clone(), config.unwrap_or_default()]
    });
    Ok(())
}

fn update(args: &UpdateArgs, output: &Output) -> Result<(), Failure> {
    let root = certificate::read_key(&args.folder.join("root/root.key"))?;
    let list = current(&args.folder)?;
    let mut members = list.members().to_vec();
    for name in &args.remove {
        let before = members.len();
        members.retain(|member| member.name.as_str() != name);
        if members.len() == before {
            return Err(Failure::UnknownMember(name.clone()));
        }
    }
    for text in &args.add {
        members.push(
            added(text).ok_or_else(|| {
                Failure::Usage(format!("{text} is not NAME=ROLE@ADDRESS:PORT@KEY"))
            })?,
        );
    }
    let number = list.number().saturating_add(1);
    let list = MembershipList::new(*list.network(), number, members)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    print(list.members(), output);
    Ok(network::publish(&args.folder, list, &root)?)
}

fn current(folder: &Path) -> Result<SignedMembership, Failure> {
    let path = folder.join("membership.bin");
    let bytes = std::fs::read(&path).map_err(|error| Failure::File(path.clone(), error))?;
    let root = certificate::read_certificate(&folder.join("root/root.crt"))?;
    let root = certificate::public_key(&root)?;
    // The network's identity follows from its root.
    let network = sudare_crypto::Hash::of(b"sudare/network/v1", &[&root.0]);
    SignedMembership::parse(&bytes, &root, &network).map_err(|error| Failure::Config(error.into()))
}

fn planned(text: &str, role: Role) -> Result<Planned, Failure> {
    let usage = || Failure::Usage(format!("{text} is not NAME or NAME@ADDRESS:PORT"));
    let (name, address) = match text.split_once('@') {
        Some((name, address)) => (name, Some(address.parse().map_err(|_| usage())?)),
        None => (text, None),
    };
    let name = MemberName::new(name).map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(Planned { name, role, address })
}

fn added(text: &str) -> Option<Member> {
    let (name, rest) = text.split_once('=')?;
    let mut parts = rest.splitn(3, '@');
    let role = match parts.next()? {
        "notary" => Role::Notary,
        "registrar" => Role::Registrar,
        "custodian" => Role::Custodian,
        "regulator" => Role::Regulator,
        _ => return None,
    };
    let address: SocketAddr = parts.next()?.parse().ok()?;
    let id = NodeId(sudare_crypto::Hash::from_hex(parts.next()?)?.0);
    Some(Member { name: MemberName::new(name).ok()?, role, id, address })
}

fn row(member: &Member, config: Option<PathBuf>) -> MemberRow {
    MemberRow {
        name: member.name.to_string(),
        role: member.role.to_string(),
        address: member.address.to_string(),
        key: member.id.to_string(),
        config,
    }
}

fn print(members: &[Member], output: &Output) {
    let rows: Vec<MemberRow> = members.iter().map(|member| row(member, None)).collect();
    output.rows(&rows, &["member", "role", "address", "key"], |row| {
        vec![row.name.clone(), row.role.clone(), row.address.clone(), row.key.clone()]
    });
}
