//! A node's configuration file and the files it names.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sudare_crypto::derive::Seed;
use sudare_crypto::{Hash, NodeId};

use crate::http::ApiConfig;
use crate::in_force::{self, InForceError};
use crate::membership::{Member, Membership, MembershipError};
use crate::net::Identity;
use crate::net::certificate::{self, CertificateError};

/// The longest configuration file, in bytes.
const CONFIG_BYTES_MAX: u64 = 64 * 1024;

/// A node's configuration, as TOML. Paths are relative to the file's own folder. Unknown keys are errors.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The network's identity: 64 hexadecimal digits.
    pub network: String,
    /// The network root's certificate.
    pub root_certificate: PathBuf,
    /// The signed membership list; read again when it changes.
    pub membership: PathBuf,
    /// The node's certificate.
    pub certificate: PathBuf,
    /// The node key (PKCS#8, mode 0600).
    pub key: PathBuf,
    /// The seed of investors' and disclosure keys (PKCS#8 form, mode 0600).
    pub seed: PathBuf,
    /// Seeds of a regulator's that it used before: they read what was encrypted to their keys, no key is made of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_seeds: Vec<PathBuf>,
    /// The folder of the node's log and index.
    pub data: PathBuf,
    /// Threads that build and check proofs; all cores if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<usize>,
    /// The HTTP API, if the node serves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiConfig>,
}

/// Why a node's configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a configuration.
    #[error("{path} is not a node's configuration: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The network's identity is not 64 hexadecimal digits.
    #[error("{0}: `network` must be 64 hexadecimal digits, as `sudare network init` writes it")]
    Network(PathBuf),
    /// A key or certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The membership list.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The membership list that was in force last.
    #[error(transparent)]
    InForce(#[from] InForceError),
    /// The node is not in the list.
    #[error("this node's key is not in the membership list: have the network's operator add it")]
    NotAMember,
}

/// A configuration with everything that it names, loaded and checked.
#[derive(Debug)]
pub struct Loaded {
    /// Who the node is.
    pub identity: Identity,
    /// The network.
    pub network: Hash,
    /// The members.
    pub membership: Membership,
    /// This node among them.
    pub member: Member,
    /// The node's seed.
    pub seed: Seed,
    /// Seeds that it used before.
    pub former_seeds: Vec<Seed>,
    /// The configuration, its paths made absolute.
    pub config: Config,
    /// The configuration's own file.
    pub config_file: PathBuf,
}

impl Loaded {
    /// Reads a configuration file and all that it names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the file.
    pub fn open(path: &Path) -> Result<Self, ConfigError> {
        let mut config: Config = parse(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        for file in [
            &mut config.root_certificate,
            &mut config.membership,
            &mut config.certificate,
            &mut config.key,
            &mut config.seed,
            &mut config.data,
        ] {
            *file = folder.join(&*file);
        }
        for file in &mut config.former_seeds {
            *file = folder.join(&*file);
        }
        if let Some(api) = &mut config.api {
            api.resolve(folder);
        }
        let network =
            Hash::from_hex(&config.network).ok_or_else(|| ConfigError::Network(path.to_owned()))?;
        let identity = Identity::load(&config.key, &config.certificate, &config.root_certificate)?;
        let root = root_of(&config.root_certificate)?;
        let bytes = fs::read(&config.membership)
            .map_err(|source| ConfigError::Read { path: config.membership.clone(), source })?;
        let membership = Membership::open(&bytes, root, network)?;
        in_force::resume(&membership, &config.data)?;
        let member = membership.find(&identity.key().id()).ok_or(ConfigError::NotAMember)?;
        let seed = Seed(certificate::read_key(&config.seed)?.seed());
        let read = |path: &PathBuf| certificate::read_key(path).map(|key| Seed(key.seed()));
        let former_seeds = config.former_seeds.iter().map(read).collect::<Result<_, _>>()?;
        let config_file = path.to_owned();
        Ok(Self { identity, network, membership, member, seed, former_seeds, config, config_file })
    }

    /// The node's seed, and those that it used before.
    pub fn seeds(&self) -> impl Iterator<Item = &Seed> {
        std::iter::once(&self.seed).chain(&self.former_seeds)
    }
}

fn root_of(path: &Path) -> Result<NodeId, ConfigError> {
    Ok(certificate::public_key(&certificate::read_certificate(path)?)?)
}

fn parse(path: &Path) -> Result<Config, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let file = fs::File::open(path).map_err(read)?;
    file.take(CONFIG_BYTES_MAX).read_to_string(&mut text).map_err(read)?;
    toml::from_str(&text)
        .map_err(|error| ConfigError::Parse { path: path.to_owned(), reason: error.to_string() })
}
