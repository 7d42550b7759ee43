//! The listener of the HTTP API: TLS 1.3 with client certificates in front of [`sudare_api`].

mod issuer;
mod ledger;
mod webhooks;

use std::fs::{self, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use sudare_api::access::Client;
use sudare_api::flows::{CutOffError, Dial, Market, MarketConfig};
use sudare_api::http::{Api, ClientsError, Connections, DEPRECATED, LimitsConfig, Peer, Setup};
use sudare_api::personal::{KeyBook, KeyBookError, Trail};
use sudare_api::store::{Store, StoreError};
use sudare_api::tokens::{Tokens, TokensConfig, TokensError};
use sudare_api::users::UsersConfig;
use sudare_ledger::role::Role;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use self::ledger::Inside;
use self::webhooks::Dialler;
pub use self::webhooks::WebhooksConfig;
use crate::clock::now_us;
use crate::config::Loaded;
use crate::runtime::Operator;

/// How long a peer may take to show its certificate.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// How long requests under way may take when the node stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait after the operating system gave no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const URL_BYTES_MAX: usize = 4096;

/// The `[api]` table of a node's configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The server's certificates, its own first (PEM).
    pub certificate: PathBuf,
    /// The server's key (PEM, mode 0600).
    pub key: PathBuf,
    /// The roots that sign clients' certificates (PEM).
    pub client_roots: PathBuf,
    /// A file (mode 0600) with the URL of a PostgreSQL database; SQLite in the node's data folder if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_url: Option<PathBuf>,
    /// The folder of the keys that personal data is sealed under; `personal-keys` in the data folder if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_keys: Option<PathBuf>,
    /// Whether every connection needs a client certificate. Users may be let log on without one.
    #[serde(default, skip_serializing_if = "ClientCertificates::is_default")]
    pub client_certificates: ClientCertificates,
    /// How often each client may ask.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Who may use the API.
    #[serde(default)]
    pub clients: Vec<Client>,
    /// Users with passwords; none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<UsersConfig>,
    /// Whose access tokens are taken; nobody's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokensConfig>,
    /// The rules of the business day; without them instructions are taken at any time and for any day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<MarketConfig>,
    /// Whom webhooks may reach; there are none if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<WebhooksConfig>,
}

/// Whether a connection needs a client certificate.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificates {
    /// Without one there is no connection.
    #[default]
    Required,
    /// Without one there are log-on and documentation.
    Optional,
}

impl ClientCertificates {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Why the API can't be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// A file.
    #[error("the API's file {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that others can read.
    #[error("{0} can be read by others than its owner: run `chmod 600` on it")]
    Exposed(PathBuf),
    /// A file without what it should have.
    #[error("the API's file {path} holds no {what}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Key, certificates and roots don't go together.
    #[error("the API's key, certificate or client roots can't be used: {0}")]
    Tls(String),
    /// The address.
    #[error("the API can't listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The clients.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// Where the issuer's keys are.
    #[error("the API's tokens: `keys_url` must be https://HOST/PATH, not {0}")]
    Url(String),
    /// Tokens.
    #[error("the API's tokens: {0}")]
    Tokens(#[from] TokensError),
    /// The market.
    #[error(transparent)]
    Market(#[from] CutOffError),
    /// A range of addresses.
    #[error("the API's webhooks: {0:?} is no range of addresses, such as 10.1.0.0/16")]
    Range(String),
    /// The database.
    #[error("the API's database: {0}")]
    Store(#[from] StoreError),
    /// The keys of personal data.
    #[error(transparent)]
    Keys(#[from] KeyBookError),
}

/// A listener that serves the API.
#[derive(Debug)]
pub struct Http {
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    carrying: JoinHandle<()>,
    delivering: JoinHandle<()>,
    importing: JoinHandle<()>,
    erasing: JoinHandle<()>,
    keys: Option<JoinHandle<()>>,
    store: Store,
}

impl Http {
    /// Serves the API of a running node, if its configuration has one.
    ///
    /// # Errors
    ///
    /// [`HttpError`].
    pub async fn start(node: &Loaded, operator: Operator) -> Result<Option<Self>, HttpError> {
        let Some(config) = &node.config.api else { return Ok(None) };
        let acceptor = TlsAcceptor::from(Arc::new(tls(config)?));
        let keys = config.personal_keys.clone();
        let keys = keys.unwrap_or_else(|| node.config.data.join("personal-keys"));
        let keys = KeyBook::open(&keys, &node.seed).await?;
        let store = Store::open(&database(config, &node.config.data)?, keys).await?;
        let house = node.member.name.to_string();
        let tokens = match &config.tokens {
            None => None,
            Some(tokens) => Some(Arc::new(Tokens::new(tokens.clone())?)),
        };
        let market = config.market.as_ref().map(Market::new).transpose()?;
        let dial = match &config.webhooks {
            None => None,
            Some(webhooks) => {
                let dial: Arc<dyn Dial> = Arc::new(Dialler::new(webhooks)?);
                Some(dial)
            }
        };
        let inside = Arc::new(Inside {
            operator,
            membership: node.membership.clone(),
            network: node.network,
            key: node.identity.key().clone(),
        });
        let setup = Setup {
            house,
            trail: match node.member.role {
                Role::Notary => Trail::default(),
                _ => Trail::of(inside.clone()),
            },
            clients: config.clients.clone(),
            users: config.users.clone(),
            tokens: tokens.clone(),
            limits: config.limits,
            deeds: Vec::new(),
            market,
            dial,
            deprecated: DEPRECATED,
            node: Some(inside),
        };
        let api = Api::new(store.clone(), setup, Arc::new(now_us))?;
        let listener = TcpListener::bind(config.listen).await;
        let listener = listener.map_err(|source| HttpError::Listen(config.listen, source))?;
        let keys = match (tokens, &config.tokens) {
            (Some(tokens), Some(config)) => issuer::keep_keys(tokens, config)?,
            _ => None,
        };
        let (stop, stopped) = watch::channel(false);
        let (carries, delivers) = (api.clone(), api.clone());
        let delivering = tokio::spawn(async move { delivers.deliver().await });
        let carrying = tokio::spawn(async move { carries.carry().await });
        let imports = api.clone();
        let importing = tokio::spawn(async move { imports.import().await });
        let erases = api.clone();
        let erasing = tokio::spawn(async move { erases.erase().await });
        let serving = tokio::spawn(accept(listener, acceptor, Connections::new(api, stopped)));
        tracing::info!(address = %config.listen, "the API is ready");
        Ok(Some(Self { stop, serving, carrying, delivering, importing, erasing, keys, store }))
    }

    /// Takes no more connections, lets requests under way finish, and closes the database.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Some(keys) = self.keys {
            keys.abort();
        }
        // It has its own limit of time.
        let _ = self.serving.await;
        // What was under way is done again after the next start.
        self.carrying.abort();
        self.delivering.abort();
        self.importing.abort();
        self.erasing.abort();
        let _ = timeout(STOP_WITHIN, self.store.close()).await;
    }
}

impl ApiConfig {
    /// Makes paths absolute that are relative to a folder.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        let webhooks = self.webhooks.iter_mut().map(|webhooks| &mut webhooks.roots);
        let own = [&mut self.certificate, &mut self.key, &mut self.client_roots];
        for file in own.into_iter().chain(webhooks) {
            *file = folder.join(&*file);
        }
        let tokens = self.tokens.iter_mut().flat_map(|one| [&mut one.keys, &mut one.keys_roots]);
        let other = [&mut self.database_url, &mut self.personal_keys];
        for file in tokens.chain(other).flatten() {
            *file = folder.join(&*file);
        }
    }
}

/// Accepts until the API stops, and then gives the connections that are left [`STOP_WITHIN`].
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, connections: Connections) {
    let mut tasks = JoinSet::new();
    while let Some(place) = connections.place().await {
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = connections.stopping() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(serve(stream, acceptor.clone(), connections.clone(), place));
            }
            Err(error) => {
                tracing::warn!(%error, "the API got no connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let _ = timeout(STOP_WITHIN, async { while tasks.join_next().await.is_some() {} }).await;
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    connections: Connections,
    place: OwnedSemaphorePermit,
) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await else { return };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = certificate.map_or_else(Peer::default, |certificate| Peer::with(certificate));
    connections.serve(stream, peer, place).await;
}

/// [AUT-1]: only TLS 1.3, only peers with a certificate of a client root, or with none if the configuration says so.
fn tls(config: &ApiConfig) -> Result<ServerConfig, HttpError> {
    let failed = |error: &dyn std::fmt::Display| HttpError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = roots(&config.client_roots)?;
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let clients = match config.client_certificates {
        ClientCertificates::Required => clients,
        ClientCertificates::Optional => clients.allow_unauthenticated(),
    };
    let clients = clients.build().map_err(|error| failed(&error))?;
    not_exposed(&config.key)?;
    let key = PrivateKeyDer::from_pem_file(&config.key);
    let key =
        key.map_err(|_| HttpError::Content { path: config.key.clone(), what: "key in PEM" })?;
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| failed(&error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates(&config.certificate)?, key)
        .map_err(|error| failed(&error))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(tls)
}

fn roots(path: &Path) -> Result<RootCertStore, HttpError> {
    let mut roots = RootCertStore::empty();
    for root in certificates(path)? {
        roots.add(root).map_err(|error| HttpError::Tls(error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let bytes =
        fs::read(path).map_err(|source| HttpError::File { path: path.to_owned(), source })?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(HttpError::Content { path: path.to_owned(), what: "certificate in PEM" }),
    }
}

/// The database's URL. Both the file with a URL and the SQLite file are for their owner alone.
fn database(config: &ApiConfig, data: &Path) -> Result<String, HttpError> {
    let Some(path) = &config.database_url else {
        let path = data.join("masters.sqlite");
        let made = fs::create_dir_all(data)
            .and_then(|()| OpenOptions::new().create(true).append(true).mode(0o600).open(&path));
        made.map_err(|source| HttpError::File { path: path.clone(), source })?;
        not_exposed(&path)?;
        return Ok(format!("sqlite:{}", path.display()));
    };
    not_exposed(path)?;
    let text = fs::read_to_string(path);
    let text = text.map_err(|source| HttpError::File { path: path.clone(), source })?;
    if text.len() > URL_BYTES_MAX || !text.starts_with("postgres") {
        return Err(HttpError::Content { path: path.clone(), what: "PostgreSQL URL" });
    }
    Ok(text.trim().to_owned())
}

fn not_exposed(path: &Path) -> Result<(), HttpError> {
    let metadata = fs::metadata(path);
    let metadata = metadata.map_err(|source| HttpError::File { path: path.to_owned(), source })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(HttpError::Exposed(path.to_owned()));
    }
    Ok(())
}
