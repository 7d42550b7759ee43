//! The keys of the issuer of tokens: from a file, or fetched over TLS now and again. Without a URL nothing is fetched.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sudare_api::http::fetch::{FetchError, Target, get};
use sudare_api::keys::{KEYS_BYTES_MAX, KeysError};
use sudare_api::tokens::{Tokens, TokensConfig};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{HttpError, roots};
use crate::clock::now_us;

/// How long fetching keys may take.
const FETCH_WITHIN: Duration = Duration::from_secs(10);

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
enum Unfetched {
    #[error("no answer within {} s", FETCH_WITHIN.as_secs())]
    Late,
    #[error("no connection: {0}")]
    Connection(#[from] std::io::Error),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// Reads the issuer's keys, or has them fetched at once and from then on.
pub(super) fn keep_keys(
    tokens: Arc<Tokens>,
    config: &TokensConfig,
) -> Result<Option<JoinHandle<()>>, HttpError> {
    if let Some(path) = &config.keys {
        let json = fs::read(path);
        let json = json.map_err(|source| HttpError::File { path: path.clone(), source })?;
        tokens.keys(&json, now_us()).map_err(|error| HttpError::Tokens(error.into()))?;
        return Ok(None);
    }
    let (Some(url), Some(roots)) = (&config.keys_url, &config.keys_roots) else { return Ok(None) };
    let target = Target::parse(url).ok_or_else(|| HttpError::Url(url.clone()))?;
    let tls = client(roots)?;
    let refresh = Duration::from_secs(u64::from(config.refresh_seconds).max(1));
    Ok(Some(tokio::spawn(async move {
        loop {
            // An issuer that is away doesn't keep the node from starting: tokens are refused until its keys are there.
            match fetch(&tokens, &target, &tls).await {
                Ok(()) => tracing::info!(url = %target, "has the issuer's keys"),
                Err(error) => {
                    tracing::warn!(%error, url = %target, "the issuer's keys were not fetched")
                }
            }
            let _ = timeout(refresh, tokens.unknown_key()).await;
        }
    })))
}

async fn fetch(tokens: &Tokens, target: &Target, tls: &TlsConnector) -> Result<(), Unfetched> {
    let all = async {
        let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
        let name = ServerName::try_from(target.host.clone());
        let name = name.map_err(|_| std::io::Error::other("the URL's host is no name"))?;
        let stream = tls.connect(name, stream).await?;
        Ok::<_, Unfetched>(get(stream, target, KEYS_BYTES_MAX).await?)
    };
    let json = timeout(FETCH_WITHIN, all).await.map_err(|_| Unfetched::Late)??;
    Ok(tokens.keys(&json, now_us())?)
}

pub(super) fn client(path: &Path) -> Result<TlsConnector, HttpError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| HttpError::Tls(error.to_string()))?
        .with_root_certificates(roots(path)?)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(tls)))
}
