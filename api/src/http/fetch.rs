//! One request over a connection that somebody else has made and secured.

use std::fmt;

use axum::http::Uri;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// What an `https` URL names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
    path: String,
}

impl Target {
    /// Reads a URL. One with a user or another scheme is none.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
            return None;
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Some(Self { host: uri.host()?.to_owned(), port: uri.port_u16().unwrap_or(443), path })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The connection or what came over it.
    #[error("the server doesn't speak HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// Another status than 200: redirections aren't followed.
    #[error("the server answers with status {0}")]
    Status(u16),
    /// Too long, or cut off.
    #[error("the answer is longer than {0} bytes, or broke off")]
    Length(usize),
    /// The request.
    #[error("the URL makes no request")]
    Request,
}

/// Asks for a target over a connection to it, for an answer of up to `limit` bytes.
///
/// # Errors
///
/// [`FetchError`].
pub async fn get<S>(stream: S, target: &Target, limit: usize) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(&target.path)
        .header("host", format!("{}:{}", target.host, target.port))
        .header("accept", "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Request)?;
    let answer = send.send_request(request).await?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), limit).collect().await;
    connection.abort();
    if status != 200 {
        return Err(FetchError::Status(status));
    }
    let body = body.map_err(|_| FetchError::Length(limit))?;
    Ok(body.to_bytes())
}

/// Sends JSON to a target over a connection to it, with these headers besides, and gives the status of the answer. What else it
/// says is not read, and redirections aren't followed.
///
/// # Errors
///
/// [`FetchError`].
pub async fn post<S>(
    stream: S,
    target: &Target,
    headers: &[(&str, String)],
    body: String,
) -> Result<u16, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut send, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = hyper::Request::post(&target.path)
        .header("host", format!("{}:{}", target.host, target.port))
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|_| FetchError::Request)?;
    let answer = send.send_request(request).await;
    connection.abort();
    Ok(answer?.status().as_u16())
}
