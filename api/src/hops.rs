//! Whose delay it was: the hops of a trade as one custodian's node saw them, and what each party took for its part.
//!
//! All times are by the clock of the node that kept the record, so that clocks of parties need not agree. What another party took is
//! from when a message to it was ready until its answer was handled: with the way there and back, and with waiting for a
//! connection. What the node took itself is from an answer until the next message.

use std::collections::BTreeMap;

use serde::Serialize;
use sudare_crypto::NodeId;
use sudare_ledger::custodian::Record;

/// A part of a trade that was one party's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hop {
    /// Whose turn it was.
    pub party: NodeId,
    /// What was asked of it, and what came.
    pub step: &'static str,
    /// From when, ms.
    pub from: u64,
    /// Until when; none while it is still waited for.
    pub until: Option<u64>,
    /// Whether what came is signed by the party, so that it can be shown to others.
    pub signed: bool,
}

/// What a party took for a step.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Took {
    /// The party's name.
    pub party: String,
    /// The step.
    pub step: &'static str,
    /// How many of these hops there were.
    pub count: usize,
    /// How many of them are still waited for.
    pub open: usize,
    /// Half of those that ended took no longer, ms.
    pub p50_ms: u64,
    /// All but one in a hundred took no longer, ms.
    pub p99_ms: u64,
    /// The longest, ms.
    pub max_ms: u64,
}

/// The hops of a trade that was instructed at `begun`, in order of their beginnings. `own` is the node that kept the records; an
/// ended trade waits for nobody.
#[must_use]
pub fn hops(own: NodeId, begun: u64, records: &[Record], ended: bool) -> Vec<Hop> {
    let mut hops: Vec<Hop> = Vec::new();
    let mut open: BTreeMap<NodeId, (u64, u8)> = BTreeMap::new();
    // Whose turn it is at first is only known from who moves first.
    let mut turn = Some((begun, "instruction -> first message"));
    for record in records {
        if record.sent {
            if let Some((from, step)) = turn.take() {
                let until = Some(record.at);
                hops.push(Hop { party: own, step, from, until, signed: false });
            }
            open.entry(record.peer).or_insert((record.at, record.kind));
            continue;
        }
        let asked = open.remove(&record.peer);
        let from = match (asked, turn) {
            (Some((from, _)), _) => Some((from, asked.map_or(0, |(_, kind)| kind))),
            // Nothing was sent to it: it moves first, or by itself.
            (None, Some((from, "instruction -> first message"))) => Some((from, 0)),
            (None, _) => None,
        };
        if let Some((from, kind)) = from {
            let step = step(kind, record.kind);
            let (until, signed) = (Some(record.at), is_signed(record.kind));
            hops.push(Hop { party: record.peer, step, from, until, signed });
        }
        turn = Some((record.at, own_step(record.kind)));
    }
    if !ended {
        for (party, (from, kind)) in open {
            hops.push(Hop { party, step: step(kind, 0), from, until: None, signed: false });
        }
    }
    hops.sort_by_key(|hop| hop.from);
    hops
}

/// What each party took for each step, by the names that `name` gives; the slowest first.
#[must_use]
pub fn table(hops: &[Hop], name: impl Fn(&NodeId) -> String) -> Vec<Took> {
    let mut parts: BTreeMap<(NodeId, &str), (Vec<u64>, usize)> = BTreeMap::new();
    for hop in hops {
        let part = parts.entry((hop.party, hop.step)).or_default();
        match hop.until {
            Some(until) => part.0.push(until.saturating_sub(hop.from)),
            None => part.1 = part.1.saturating_add(1),
        }
    }
    let mut rows: Vec<Took> = Vec::new();
    for ((party, step), (mut times, open)) in parts {
        times.sort_unstable();
        rows.push(Took {
            party: name(&party),
            step,
            count: times.len().saturating_add(open),
            open,
            p50_ms: percentile(&times, 50),
            p99_ms: percentile(&times, 99),
            max_ms: times.last().copied().unwrap_or(0),
        });
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.open > 0, row.p99_ms)));
    rows
}

/// The smallest of sorted numbers that so many of a hundred don't exceed.
fn percentile(sorted: &[u64], of: usize) -> u64 {
    let rank = sorted.len().saturating_mul(of).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// What a party was asked and what came, by the kinds of messages; 0 is nothing.
const fn step(asked: u8, came: u8) -> &'static str {
    match (asked, came) {
        (2, _) => "proposal -> slot",
        (3, _) => "slot -> legs",
        (5, _) => "legs -> its leg",
        (6, _) => "leg -> approval",
        (8, _) => "share -> its share",
        (9, _) => "approvals -> signatures",
        (10 | 13, _) => "commit -> receipt",
        (15, _) => "finalisation -> settlement",
        (22, _) => "cancellation -> answer",
        (0, 2) => "its instruction -> proposal",
        (0, _) => "its first message",
        _ => "message -> answer",
    }
}

/// What the node itself did after a message came.
const fn own_step(came: u8) -> &'static str {
    match came {
        2 => "proposal -> slot",
        3 => "slot -> leg, proven",
        5 => "legs -> leg, proven",
        7 => "approval -> next",
        8 => "share -> next",
        11 => "receipt -> finalisation",
        _ => "message -> next",
    }
}

/// Whether a message is its sender's signature over something: slot, approval, receipt, absence, settlement.
const fn is_signed(kind: u8) -> bool {
    matches!(kind, 3 | 7 | 11 | 12 | 14 | 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId([number; 32])
    }

    fn record(at: u64, peer: u8, sent: bool, kind: u8) -> Record {
        Record { at, peer: node(peer), sent, kind, bytes: 1 }
    }

    const OWN: u8 = 1;
    const OTHER: u8 = 2;
    const REGISTRAR: u8 = 3;
    const NOTARY: u8 = 4;

    fn trade(slow: u64) -> Vec<Record> {
        vec![
            record(110, OTHER, true, 2),
            record(130, OTHER, false, 3),
            record(170, REGISTRAR, true, 6),
            record(170 + slow, REGISTRAR, false, 7),
            record(175 + slow, NOTARY, true, 10),
            record(185 + slow, NOTARY, false, 11),
            record(186 + slow, REGISTRAR, true, 15),
            record(190 + slow, REGISTRAR, false, 16),
        ]
    }

    #[test]
    fn each_part_of_a_trade_is_one_party_s() {
        let found = hops(node(OWN), 100, &trade(50), true);
        let parts: Vec<(u8, &str, u64, Option<u64>)> =
            found.iter().map(|hop| (hop.party.0[0], hop.step, hop.from, hop.until)).collect();
        assert_eq!(
            parts,
            [
                (OWN, "instruction -> first message", 100, Some(110)),
                (OTHER, "proposal -> slot", 110, Some(130)),
                (OWN, "slot -> leg, proven", 130, Some(170)),
                (REGISTRAR, "leg -> approval", 170, Some(220)),
                (OWN, "approval -> next", 220, Some(225)),
                (NOTARY, "commit -> receipt", 225, Some(235)),
                (OWN, "receipt -> finalisation", 235, Some(236)),
                (REGISTRAR, "finalisation -> settlement", 236, Some(240)),
            ]
        );
        assert!(found.iter().all(|hop| hop.signed == (hop.party != node(OWN))));
    }

    #[test]
    fn who_is_waited_for_and_who_moves_first_is_shown_too() {
        let waits = hops(node(OWN), 100, &trade(50)[..3], false);
        let last = waits.last().unwrap();
        assert_eq!((last.party, last.step, last.until), (node(REGISTRAR), "leg -> approval", None));
        assert!(hops(node(OWN), 100, &trade(50)[..3], true).iter().all(|hop| hop.until.is_some()));
        let receiver = [record(150, OTHER, false, 2), record(160, OTHER, true, 3)];
        let found = hops(node(OWN), 100, &receiver, false);
        let parts: Vec<(u8, &str)> = found.iter().map(|hop| (hop.party.0[0], hop.step)).collect();
        assert_eq!(
            parts,
            [
                (OTHER, "its instruction -> proposal"),
                (OWN, "proposal -> slot"),
                (OTHER, "slot -> legs"),
            ]
        );
    }

    #[test]
    fn the_slow_party_stands_first() {
        let mut all = Vec::new();
        for number in 0..200_u64 {
            all.extend(hops(node(OWN), 100, &trade(if number < 4 { 5_000 } else { 50 }), true));
        }
        let rows = table(&all, |party| party.0[0].to_string());
        let Took { party, step, count, p50_ms, p99_ms, max_ms, .. } = &rows[0];
        assert_eq!((party.as_str(), *step, *count), ("3", "leg -> approval", 200));
        assert_eq!((*p50_ms, *p99_ms, *max_ms), (50, 5_000, 5_000));
        let notary = rows.iter().find(|row| row.party == "4").unwrap();
        assert_eq!((notary.p50_ms, notary.p99_ms), (10, 10));
    }
}
