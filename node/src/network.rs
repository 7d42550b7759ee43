//! Making a network: its root, its members with their keys and configuration files, its membership list.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rand_core::{OsRng, RngCore};
use sudare_crypto::{Hash, NodeKey, pairs};
use sudare_ledger::role::Role;

use crate::config::Config;
use crate::membership::{Invalid, Member, MemberName, MembershipList, SignedMembership};
use crate::net::certificate::{self, CertificateError, Validity};

const YEAR_MS: u64 = 365 * 24 * 3_600_000;
/// How much earlier than now certificates become valid, so that clocks may differ.
const SKEW_MS: u64 = 24 * 3_600_000;

/// A member to be made.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its name.
    pub name: MemberName,
    /// Its role.
    pub role: Role,
    /// Where it will listen; a free loopback port if absent.
    pub address: Option<SocketAddr>,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The network's identity.
    pub network: Hash,
    /// Each member with its configuration file.
    pub members: Vec<(Member, PathBuf)>,
}

/// Why a network can't be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The folder is there already.
    #[error("{0} exists already: name another folder, or remove it first")]
    Exists(PathBuf),
    /// A file can't be written.
    #[error("cannot write {path}: {source}; free space or check permissions, then start again")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A key or certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The members do not make a list.
    #[error(transparent)]
    Members(#[from] Invalid),
    /// No port is free.
    #[error("no free UDP port on loopback: {0}")]
    Port(std::io::Error),
    /// The configuration can't be written as TOML.
    #[error("the configuration can't be written: {0}")]
    Config(String),
}

/// Makes a network in the new folder `folder`: `root/` (the root's key, to be kept offline), `membership.bin`, and a folder a
/// member with `node.toml`, its keys, its certificate and its data.
///
/// # Errors
///
/// [`InitError`]. A folder that could not be finished is removed again.
pub fn init(folder: &Path, plan: &[Planned], now: u64) -> Result<Made, InitError> {
    if folder.exists() {
        return Err(InitError::Exists(folder.to_owned()));
    }
    make_folder(folder)?;
    make(folder, plan, now).inspect_err(|_| {
        // Best effort: what is left says itself that it is not whole.
        let _ = fs::remove_dir_all(folder);
    })
}

fn make(folder: &Path, plan: &[Planned], now: u64) -> Result<Made, InitError> {
    let validity =
        Validity { from: now.saturating_sub(SKEW_MS), until: now.saturating_add(YEAR_MS) };
    let root = fresh_key();
    let network = Hash::of(b"sudare/network/v1", &[&root.id().0]);
    let root_folder = folder.join("root");
    make_folder(&root_folder)?;
    certificate::write_key(&root_folder.join("root.key"), &root)?;
    let root_certificate = certificate::create_root(&root, &network, validity)?;
    certificate::write_certificate(&root_folder.join("root.crt"), &root_certificate)?;

    let addresses = addresses(plan)?;
    let mut members = Vec::new();
    let pairs = pairs(plan, &addresses).ok_or_else(|| InitError::Config("addresses".into()))?;
    for (planned, address) in pairs {
        let address = *address;
        let own = folder.join(planned.name.as_str());
        make_folder(&own)?;
        let key = fresh_key();
        let leaf = certificate::issue(&root, &network, &planned.name, &key.id(), validity)?;
        certificate::write_key(&own.join("node.key"), &key)?;
        certificate::write_key(&own.join("seed.key"), &fresh_key())?;
        certificate::write_certificate(&own.join("node.crt"), &leaf)?;
        let config = Config {
            network: network.to_string(),
            root_certificate: "../root/root.crt".into(),
            membership: "../membership.bin".into(),
            certificate: "node.crt".into(),
            key: "node.key".into(),
            seed: "seed.key".into(),
            former_seeds: Vec::new(),
            data: "data".into(),
            workers: None,
            api: None,
        };
        let text =
            toml::to_string(&config).map_err(|error| InitError::Config(error.to_string()))?;
        let path = own.join("node.toml");
        write(&path, text.as_bytes())?;
        let (name, role) = (planned.name.clone(), planned.role);
        members.push((Member { name, role, id: key.id(), address }, path));
    }
    let list = members.iter().map(|(member, _)| member.clone()).collect();
    publish(folder, MembershipList::new(network, 1, list)?, &root)?;
    Ok(Made { network, members })
}

/// Signs a membership list and puts it in place of the one in the network's folder, in one step.
///
/// # Errors
///
/// [`InitError::Write`].
pub fn publish(folder: &Path, list: MembershipList, root: &NodeKey) -> Result<(), InitError> {
    let (new, path) = (folder.join("membership.new"), folder.join("membership.bin"));
    write(&new, &SignedMembership::sign(list, root).to_bytes())?;
    fs::rename(&new, &path).map_err(|source| InitError::Write { path, source })
}

/// The configuration files of the nodes whose folders are in a network's folder, in the order of their names.
#[must_use]
pub fn configurations(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let configs = entries.map(|entry| entry.path().join("node.toml"));
    let mut configs: Vec<PathBuf> = configs.filter(|config| config.exists()).collect();
    configs.sort();
    configs
}

/// Addresses for all members: those planned, and free loopback ports for the others, all held at once so that no two are the same.
fn addresses(plan: &[Planned]) -> Result<Vec<SocketAddr>, InitError> {
    let mut held = Vec::new();
    let mut addresses = Vec::new();
    for planned in plan {
        addresses.push(match planned.address {
            Some(address) => address,
            None => {
                let socket = free_socket()?;
                let address = socket.local_addr().map_err(InitError::Port)?;
                held.push(socket);
                address
            }
        });
    }
    Ok(addresses)
}

/// A socket on a random free port below those that the system gives to whoever dials out, so that no client takes a node's
/// port while the node is down.
fn free_socket() -> Result<UdpSocket, InitError> {
    const PORTS: Range<u16> = 20_000..32_000;
    const TRIES: usize = 200;
    let mut last = None;
    for _ in 0..TRIES {
        let draw = OsRng.next_u32() % u32::from(PORTS.end.saturating_sub(PORTS.start));
        let port = PORTS.start.saturating_add(u16::try_from(draw).unwrap_or(0));
        match UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(InitError::Port(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into())))
}

fn fresh_key() -> NodeKey {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    OsRng.fill_bytes(seed.as_mut());
    NodeKey::from_seed(&seed)
}

fn make_folder(path: &Path) -> Result<(), InitError> {
    fs::create_dir_all(path).map_err(|source| InitError::Write { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), InitError> {
    fs::write(path, bytes).map_err(|source| InitError::Write { path: path.to_owned(), source })
}
