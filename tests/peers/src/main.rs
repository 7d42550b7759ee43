//! Proofs of Sudare beside the nearest that its peers have, in one run (specs/measurements.md).
//!
//! `sudare-peers [--quick]` prints a table and ends with one JSON object on a line of its own.

mod ours;
mod solana;
mod tari;
mod the_crate;

use std::error::Error;

use serde_json::{Map, json};
use sudare_tests::measure::{Action, Machine, medians_of};

/// How many proofs are decided together, by those who can.
const BATCHES: [usize; 3] = [1, 64, 256];
/// What is over soon is done so often in a row.
const OFTEN: usize = 8;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Somebody's proofs of one statement, and what they prove again and again.
trait Peer {
    /// Proves once.
    fn prove(&mut self) -> Outcome<()>;
    /// Verifies so many proofs, together if the peer can.
    fn verify(&self, count: usize) -> Outcome<()>;
    /// Bytes of a proof and its statement, as they are sent.
    fn bytes(&self) -> usize;
    /// How many proofs it can decide together.
    fn batch(&self) -> usize;
}

fn main() -> Outcome<()> {
    if cfg!(debug_assertions) {
        eprintln!("a debug build: these numbers say nothing; use --release");
    }
    let quick = std::env::args().any(|argument| argument == "--quick");
    let (rounds, largest) = if quick { (3, 16) } else { (15, 256) };
    let mut peers: Vec<(String, Box<dyn Peer>)> = Vec::new();
    for values in [1, 2] {
        let key = |who| format!("range_{values}_{who}");
        peers.push((key("ours"), Box::new(ours::Ranges::new(values, largest)?)));
        peers.push((key("crate"), Box::new(the_crate::Ranges::new(values)?)));
        peers.push((key("tari"), Box::new(tari::Ranges::new(values, largest)?)));
        peers.push((key("solana"), Box::new(solana::Ranges::new(values)?)));
    }
    peers.push(("transfer_ours".into(), Box::new(ours::Transfers::new(largest)?)));
    peers.push(("transfer_solana".into(), Box::new(solana::Transfers::new()?)));

    let mut object = Map::new();
    object.insert("topic".into(), json!("peers"));
    object.insert("machine".into(), json!(Machine::this()));
    for (key, number) in measure(&mut peers, rounds)? {
        println!("{key:32} {number:10.1}");
        object.insert(key, json!((number * 10.0).round() / 10.0));
    }
    println!("{}", serde_json::Value::Object(object));
    Ok(())
}

/// Everything in turn, so that other work on the machine touches all of it alike.
fn measure(
    peers: &mut [(String, Box<dyn Peer>)],
    rounds: usize,
) -> Outcome<impl Iterator<Item = (String, f64)>> {
    let mut found = Vec::new();
    let mut lanes = Vec::new();
    for (key, peer) in peers.iter() {
        found.push((format!("{key}_bytes"), peer.bytes() as f64));
        for batch in BATCHES.into_iter().filter(|batch| *batch <= peer.batch()) {
            let times = OFTEN.div_ceil(batch);
            let action = move || (0..times).try_for_each(|_| peer.verify(batch).map_err(failed));
            lanes.push((format!("{key}_verify_{batch}_us"), batch * times, action));
        }
    }
    let mut actions: Vec<_> = lanes.iter_mut().map(|(_, _, action)| action as Action<'_>).collect();
    let verify = medians_of(rounds, actions.drain(..)).map_err(|error| error.to_string())?;
    let verify: Vec<f64> = verify.collect();
    let verified =
        lanes.iter().zip(verify).map(|((key, per, _), us)| (key.clone(), us / *per as f64));
    found.extend(verified);

    let mut provers: Vec<_> =
        peers.iter_mut().map(|(key, peer)| (key, || peer.prove().map_err(failed))).collect();
    let actions = provers.iter_mut().map(|(_, action)| action as Action<'_>);
    let prove: Vec<f64> = medians_of(rounds, actions).map_err(|error| error.to_string())?.collect();
    found.extend(provers.iter().zip(prove).map(|((key, _), us)| (format!("{key}_prove_us"), us)));
    found.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(found.into_iter())
}

fn failed(error: Box<dyn Error>) -> sudare_tests::measure::Failed {
    sudare_tests::measure::Failed::Wrong(error.to_string())
}
