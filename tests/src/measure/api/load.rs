//! Requests over several connections at the same time.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::CONNECTIONS;
use crate::measure::Failed;
use crate::system::web::{Card, Kept, Root};

/// How often an operation that has not ended is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long nothing may end.
const STALL: Duration = Duration::from_secs(120);

/// A client of the API.
pub(super) struct Client {
    pub(super) root: Root,
    pub(super) card: Card,
    pub(super) address: SocketAddr,
}

/// One request.
pub(super) struct Ask {
    method: &'static str,
    path: String,
    key: String,
    body: Option<Value>,
}

impl Ask {
    pub(super) fn get(path: String) -> Self {
        Self { method: "GET", path, key: String::new(), body: None }
    }

    /// A POST with a key of its own.
    pub(super) fn post(path: &str, key: String, body: Value) -> Self {
        Self { method: "POST", path: path.to_owned(), key, body: Some(body) }
    }
}

/// What came of many requests.
pub(super) struct Done {
    /// From the first request to the last answer.
    pub(super) took: Duration,
    /// How long each took, in no order.
    pub(super) each: Vec<Duration>,
    /// The answers, in the order of the requests.
    pub(super) answers: Vec<Value>,
}

impl Done {
    /// The ids that the answers name.
    pub(super) fn ids(&self) -> Result<Vec<String>, Failed> {
        let id = |answer: &Value| answer["id"].as_str().map(str::to_owned);
        let ids: Option<Vec<String>> = self.answers.iter().map(id).collect();
        ids.ok_or_else(|| Failed::Wrong("an answer without an id".into()))
    }
}

impl Client {
    /// A connection once the API listens.
    pub(super) fn connection(&self) -> Result<Kept, Failed> {
        let began = Instant::now();
        loop {
            let kept = Kept::open(&self.root, &self.card, self.address);
            let ready =
                kept.and_then(|mut kept| kept.ask("GET", "/openapi.json", "", None).map(|_| kept));
            match ready {
                Ok(kept) => return Ok(kept),
                Err(error) if began.elapsed() > STALL => return Err(broken(&error)),
                Err(_) => thread::sleep(POLL),
            }
        }
    }

    /// Sends requests over [`CONNECTIONS`] at the same time, each the next one that none has sent; every answer must have a status.
    pub(super) fn ask_all(&self, asks: &[Ask], status: u16) -> Result<Done, Failed> {
        let next = AtomicUsize::new(0);
        let connections: Result<Vec<Kept>, Failed> =
            (0..CONNECTIONS).map(|_| self.connection()).collect();
        let begin = Barrier::new(CONNECTIONS.saturating_add(1));
        let (next, begin) = (&next, &begin);
        let (began, lanes) = thread::scope(|scope| {
            let lane = |mut kept: Kept| {
                scope.spawn(move || {
                    begin.wait();
                    let mut done = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(ask) = asks.get(number) else { return Ok(done) };
                        done.push((number, one(&mut kept, ask, status)?));
                    }
                })
            };
            let lanes: Vec<_> = connections?.into_iter().map(lane).collect();
            begin.wait();
            let began = Instant::now();
            let lanes: Vec<_> = lanes.into_iter().map(|lane| lane.join()).collect();
            Ok::<_, Failed>((began, lanes))
        })?;
        let took = began.elapsed();
        let mut all = Vec::with_capacity(asks.len());
        for lane in lanes {
            let lane: Result<Vec<_>, Failed> =
                lane.map_err(|_| Failed::Wrong("a thread that asked has panicked".into()))?;
            all.extend(lane?);
        }
        all.sort_by_key(|(number, _)| *number);
        let (each, answers) = all.into_iter().map(|(_, answered)| answered).unzip();
        Ok(Done { took, each, answers })
    }

    /// Waits until all operations have a state.
    pub(super) fn until(&self, ids: &[String], state: &str) -> Result<(), Failed> {
        let mut kept = self.connection()?;
        let mut progress = Instant::now();
        for id in ids {
            loop {
                let path = format!("/v1/operations/{id}");
                let (_, read) = kept.ask("GET", &path, "", None).map_err(|error| broken(&error))?;
                if read["state"] == state {
                    progress = Instant::now();
                    break;
                }
                if read["ended"] != false || progress.elapsed() > STALL {
                    return Err(Failed::Wrong(format!("an operation is not {state}: {read}")));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }
}

/// One answer, and how long it took.
fn one(kept: &mut Kept, ask: &Ask, status: u16) -> Result<(Duration, Value), Failed> {
    let began = Instant::now();
    let answer = kept.ask(ask.method, &ask.path, &ask.key, ask.body.as_ref());
    let took = began.elapsed();
    match answer.map_err(|error| broken(&error))? {
        (found, answer) if found == status => Ok((took, answer)),
        (found, answer) => {
            Err(Failed::Wrong(format!("{} {}: {found}: {answer}", ask.method, ask.path)))
        }
    }
}

fn broken(error: &std::io::Error) -> Failed {
    Failed::Wrong(format!("the API: {error}"))
}
