//! The HTTP API: what a node serves on a connection whose peer it has authenticated.

mod approvals;
mod connection;
mod deprecation;
mod docs;
mod erasures;
mod events;
pub mod fetch;
mod imports;
mod incoming;
mod instructions;
mod limits;
mod manners;
mod market;
mod masters;
mod openapi;
mod operations;
mod peer;
pub mod problem;
mod registers;
mod signed;
mod unread;
mod users;
mod webhooks;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, MatchedPath, Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;
use uuid::Uuid;

pub use self::connection::Connections;
pub use self::deprecation::{DEPRECATED, Deprecated};
pub use self::incoming::ImportError;
use self::limits::Limits;
pub use self::limits::LimitsConfig;
pub use self::peer::Peer;
use self::problem::Problem;
use self::unread::Read;
use crate::access::Client;
use crate::approvals::{Deed, Deeds};
use crate::flows::{Dial, Market, Node};
use crate::masters::Field;
use crate::personal::Trail;
use crate::signed::Signed;
use crate::store::{
    AnnotateRegister, Change, EraseInvestor, LiftHold, Noted, Operation, PermitTransfers,
    PlaceHold, SetMarket, Store, StoreError,
};
use crate::tokens::Tokens;
use crate::users::{CreateUser, ResetUser, UpdateUser, UsersConfig, UsersError};

/// The longest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a request may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);
/// Log-ons that peers with one certificate, or all without one, may try at once, and per second in the long run.
const LOG_ONS: (i64, i64) = (20, 2);
/// How many streams of events are fed at a time.
const STREAMS_MAX: usize = 128;
/// How many hashes of passwords are computed at a time: each takes 19 MiB.
const HASHING_MAX: usize = 2;
/// The header that names a request in answers and logs.
const TRACE: HeaderName = HeaderName::from_static("x-request-id");

/// An operation for programs.
#[must_use]
pub fn operation_view(operation: &Operation) -> Value {
    operations::view(operation)
}

/// The JSON schema of an object with these fields alone.
#[must_use]
pub fn schema_of(fields: &[Field]) -> Value {
    openapi::schema_of(fields)
}

/// Gives the time, in microseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The API of one node.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    store: Store,
    house: String,
    clients: BTreeMap<String, Client>,
    deeds: Deeds,
    node: Option<Arc<dyn Node>>,
    /// There is something to carry to the node.
    work: Notify,
    /// The number of the newest event.
    newest: watch::Sender<i64>,
    /// Turns to be fed events.
    streams: Arc<Semaphore>,
    market: Option<Arc<Market>>,
    dial: Option<Arc<dyn Dial>>,
    /// There may be a file to make rows of.
    files: Notify,
    deprecated: &'static [Deprecated],
    users: Option<UsersConfig>,
    tokens: Option<Arc<Tokens>>,
    clock: Clock,
    limits: Limits,
    log_ons: Limits,
    /// Turns to compute what a password's hash takes in memory and time.
    hashing: Semaphore,
}

/// What an API is for, besides its database.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The institution that runs the node.
    pub house: String,
    /// Clients that are known by their certificates.
    pub clients: Vec<Client>,
    /// Users with passwords, if there are any.
    pub users: Option<UsersConfig>,
    /// Tokens of an issuer, if they are taken.
    pub tokens: Option<Arc<Tokens>>,
    /// How often each client may ask.
    pub limits: LimitsConfig,
    /// What is done by two people, besides what the API itself brings.
    pub deeds: Vec<Arc<dyn Deed>>,
    /// Where it is recorded who handles personal data; without it nobody does.
    pub trail: Trail,
    /// The node that takes instructions; without one there are masters alone.
    pub node: Option<Arc<dyn Node>>,
    /// The rules of the business day; without them instructions are taken at any time and for any day.
    pub market: Option<Market>,
    /// Who connects to webhooks; without it there are none.
    pub dial: Option<Arc<dyn Dial>>,
    /// What will go: [`DEPRECATED`].
    pub deprecated: &'static [Deprecated],
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("house", &self.0.house).finish_non_exhaustive()
    }
}

/// Two clients of a configuration that can't be told apart, or one that can't be recognised.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClientsError {
    /// The certificate's hash has another form.
    #[error(
        "the API client {0}: `certificate` must be the SHA-256 of its certificate, 64 lower-case hexadecimal digits"
    )]
    Certificate(String),
    /// The name could be another's: users and owners of tokens have names with `/`.
    #[error("the API client {0}: a name must have no `/`")]
    Name(String),
    /// The access log couldn't say who it is.
    #[error(
        "the API client {0}: a name has at most 128 bytes and an institution's 64, without control characters"
    )]
    Long(String),
    /// Users of an institution.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// It must sign, with no key.
    #[error("the API client {0} has `must_sign`, but no `keys` to sign with")]
    Keys(String),
    /// Names or certificates repeat.
    #[error("the API client {0} has the name or certificate of another: both must be unique")]
    Twice(String),
}

impl Api {
    /// The API over a database.
    ///
    /// # Errors
    ///
    /// [`ClientsError`].
    pub fn new(store: Store, setup: Setup, clock: Clock) -> Result<Self, ClientsError> {
        let mut known: BTreeMap<String, Client> = BTreeMap::new();
        for client in setup.clients {
            let hash = &client.certificate;
            if hash.len() != 64 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(ClientsError::Certificate(client.name));
            }
            if client.name.contains('/') {
                return Err(ClientsError::Name(client.name));
            }
            if !manners::by(&client).can_be_named() {
                return Err(ClientsError::Long(client.name));
            }
            if client.must_sign && client.keys.is_empty() {
                return Err(ClientsError::Keys(client.name));
            }
            if known.contains_key(hash) || known.values().any(|one| one.name == client.name) {
                return Err(ClientsError::Twice(client.name));
            }
            known.insert(hash.clone(), client);
        }
        let mut deeds: Vec<Arc<dyn Deed>> = vec![
            Arc::new(AnnotateRegister),
            Arc::new(PermitTransfers),
            Arc::new(SetMarket { open: true }),
            Arc::new(SetMarket { open: false }),
            Arc::new(EraseInvestor {
                house: setup.house.clone(),
                node: setup.node.clone(),
                trail: setup.trail.clone(),
            }),
            Arc::new(PlaceHold { house: setup.house.clone() }),
            Arc::new(LiftHold { house: setup.house.clone() }),
        ];
        if let Some(users) = &setup.users {
            users.check()?;
            deeds.push(Arc::new(CreateUser { users: users.clone() }));
            deeds.push(Arc::new(UpdateUser { users: users.clone() }));
            deeds.push(Arc::new(ResetUser));
        }
        deeds.extend(setup.deeds);
        Ok(Self(Arc::new(Inner {
            store: store.with_trail(setup.trail),
            house: setup.house,
            clients: known,
            deeds: Deeds::new(deeds),
            node: setup.node,
            work: Notify::new(),
            newest: watch::Sender::new(0),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            market: setup.market.map(Arc::new),
            dial: setup.dial,
            files: Notify::new(),
            deprecated: setup.deprecated,
            users: setup.users,
            tokens: setup.tokens,
            clock,
            limits: setup.limits.into(),
            log_ons: Limits::new(LOG_ONS.0, LOG_ONS.1),
            hashing: Semaphore::new(HASHING_MAX),
        })))
    }

    /// Answers requests of one peer.
    pub fn router(&self, peer: Peer) -> Router {
        let router = Router::new()
            .route("/openapi.json", get(document))
            .route("/docs", get(docs::docs))
            .route("/deprecations", get(docs::deprecations))
            .route("/problems/{code}", get(problem_page))
            .merge(masters::routes())
            .merge(erasures::routes())
            .merge(instructions::routes())
            .merge(operations::routes())
            .merge(market::routes())
            .merge(registers::routes())
            .merge(events::routes())
            .merge(webhooks::routes())
            .merge(imports::routes())
            .merge(approvals::routes())
            .merge(users::routes())
            .fallback(|| async { Problem::NotFound })
            .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(from_fn_with_state(self.clone(), around))
            .layer(Extension(peer));
        router.with_state(self.clone())
    }

    /// The OpenAPI document.
    fn document(&self) -> Value {
        openapi::document(&self.0.deeds, self.0.deprecated)
    }

    fn now(&self) -> i64 {
        (self.0.clock)()
    }

    /// What a client writes now, by this request.
    fn change<'a>(&self, client: &'a Client, signed: Option<&'a Arc<Signed>>) -> Change<'a> {
        Change {
            client: &client.name,
            institution: &client.institution,
            now: self.now(),
            signed: signed.map(AsRef::as_ref),
            reason: "",
        }
    }

    pub(crate) fn node(&self) -> Option<&Arc<dyn Node>> {
        self.0.node.as_ref()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Waits until something was instructed.
    pub(crate) async fn instructed(&self) {
        self.0.work.notified().await;
    }

    /// Notes where operations stand now.
    pub(crate) async fn note(&self, changes: &[Noted], height: u64) -> Result<(), StoreError> {
        self.0.store.note(changes, height, self.now()).await?;
        if changes.is_empty() { Ok(()) } else { self.happened().await }
    }

    /// Tells whoever waits for events of the newest.
    pub(crate) async fn happened(&self) -> Result<(), StoreError> {
        let newest = self.0.store.pin(None).await?;
        self.0.newest.send_replace(newest.map_or(0, |pin| pin.event));
        Ok(())
    }

    pub(crate) fn newest(&self) -> watch::Receiver<i64> {
        self.0.newest.subscribe()
    }

    pub(crate) fn market(&self) -> Option<&Arc<Market>> {
        self.0.market.as_ref()
    }

    pub(crate) fn dial(&self) -> Option<&Arc<dyn Dial>> {
        self.0.dial.as_ref()
    }

    pub(crate) fn house(&self) -> &str {
        &self.0.house
    }

    pub(crate) fn time(&self) -> i64 {
        self.now()
    }
}

/// What holds for every request: a known client, its rate, a time limit, a trace id. Logs name no row: paths are patterns.
async fn around(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut request, read) = Read::watch(request);
    let trace = Uuid::now_v7().simple().to_string();
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let caller = api.caller(&peer, request.headers()).await;
    let client = caller.as_ref().ok().and_then(Clone::clone);
    request.extensions_mut().insert(client.clone());
    // Those who aren't known share what they may ask, and log-ons have a limit of their own besides.
    let name = client.as_ref().map_or("", |client| client.name.as_str());
    let open = client.is_some() || api.is_open(&peer, path.as_deref());
    let mut answer = match (api.0.limits.take(name, api.now()), caller) {
        (Err(seconds), _) => Problem::TooMany(seconds).into_response(),
        (Ok(()), Err(problem)) => problem.into_response(),
        (Ok(()), Ok(_)) if !open => Problem::UnknownClient.into_response(),
        (Ok(()), Ok(_)) => {
            let run = timeout(REQUEST_WITHIN, handled(&api, client.as_ref(), request, next));
            run.await.unwrap_or_else(|_| Problem::Internal.into_response())
        }
    };
    if let Some(problem) = problem_of(&mut answer) {
        let allow = answer.headers().get(header::ALLOW).cloned();
        answer = problem.answer(&trace);
        answer.headers_mut().extend(allow.map(|value| (header::ALLOW, value)));
    }
    let gone =
        path.as_deref().and_then(|path| deprecation::of(api.0.deprecated, method.as_str(), path));
    if let Some(deprecated) = gone {
        deprecation::mark(deprecated, answer.headers_mut());
    }
    let client = client.map_or_else(|| "-".to_owned(), |client| client.name);
    let path = path.unwrap_or_else(|| "-".to_owned());
    tracing::info!(trace, client, %method, path, status = answer.status().as_u16(), "request");
    let headers = answer.headers_mut();
    if !read.to_the_end() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&trace) {
        headers.insert(TRACE, value);
    }
    answer
}

/// The answer to a request whose signature, if it has one, holds.
async fn handled(api: &Api, client: Option<&Client>, request: Request, next: Next) -> Response {
    match signed::checked(client, request, api.now()).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// The problem that an answer stands for; what axum refuses by itself is a request that it can't read.
fn problem_of(answer: &mut Response) -> Option<Problem> {
    let own = answer.extensions_mut().remove::<Problem>();
    own.or_else(|| {
        let unread = || Problem::Malformed("the path or a header can't be read".into());
        answer.status().is_client_error().then(unread)
    })
}

async fn document(State(api): State<Api>) -> Json<Value> {
    Json(api.document())
}

async fn problem_page(Path(code): Path<String>) -> Result<Response, Problem> {
    let about = Problem::ALL.into_iter().find(|about| about.code == code);
    let about = about.ok_or(Problem::NotFound)?;
    let text = format!("{} ({})\n\n{}\n\n{}\n", about.code, about.status, about.title, about.next);
    Ok((StatusCode::OK, text).into_response())
}
