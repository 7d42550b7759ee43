//! Connections to webhooks: only to addresses that may be reached, and only over TLS.

use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde::{Deserialize, Serialize};
use sudare_api::flows::{Dial, Dialling, Range, Stream, may_reach};
use sudare_api::http::fetch::Target;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{HttpError, issuer};

/// How long one address may take to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The `[api.webhooks]` table of a node's configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// The roots that sign webhooks' certificates (PEM).
    pub roots: PathBuf,
    /// Ranges of addresses that are not public and may be reached all the same, such as `10.1.0.0/16`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
}

/// Connects by the configuration.
pub(super) struct Dialler {
    tls: TlsConnector,
    named: Vec<Range>,
}

impl std::fmt::Debug for Dialler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialler").field("named", &self.named).finish_non_exhaustive()
    }
}

impl Dialler {
    pub(super) fn new(config: &WebhooksConfig) -> Result<Self, HttpError> {
        let range =
            |text: &String| Range::parse(text).ok_or_else(|| HttpError::Range(text.clone()));
        let named = config.networks.iter().map(range).collect::<Result<_, _>>()?;
        Ok(Self { tls: issuer::client(&config.roots)?, named })
    }

    /// Enforces [WHK-2]: the name is resolved once, and the connection goes to an address that was judged.
    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, String> {
        let found = lookup_host((target.host.as_str(), target.port)).await;
        let found = found.map_err(|_| "the host has no address".to_owned())?;
        let mut may: Vec<_> =
            found.filter(|address| may_reach(address.ip(), &self.named)).collect();
        may.truncate(4);
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|_| "the URL's host is no name".to_owned())?;
        let mut problem = "the host has no address that may be reached".to_owned();
        for address in may {
            match timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let stream = self.tls.connect(name, stream).await;
                    let stream = stream.map_err(|error| format!("no TLS: {error}"))?;
                    return Ok(Box::new(stream));
                }
                Ok(Err(_)) | Err(_) => problem = "no connection to the host".into(),
            }
        }
        Err(problem)
    }
}

impl Dial for Dialler {
    fn dial<'a>(&'a self, target: &'a Target) -> Dialling<'a> {
        Box::pin(self.connect(target))
    }
}
