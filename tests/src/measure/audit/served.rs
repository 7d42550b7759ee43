//! A registrar that only serves a log that was made before, as a registrar's node would.

use std::sync::Arc;

use sudare::config::Loaded;
use sudare::net::{Endpoint, Handler, Options, Peer, Refusal, Response};
use sudare::operator::{PAGE_ENTRIES_MAX, PeerAnswer, PeerQuery, kind};
use sudare_crypto::encoding::{decode, encode};
use sudare_disclosure::SignedTerms;
use sudare_ledger::role::Role;
use sudare_ledger::tree::{ConsistencyProof, SignedCheckpoint};

use super::super::Failed;
use super::made::{BLOCK, Line, Made, wrong};

/// The most bytes of entries in one page, as a node has it.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A log of so many blocks.
pub(super) struct Served {
    made: Made,
    terms: SignedTerms,
    checkpoint: SignedCheckpoint,
    blocks: u64,
}

impl Served {
    /// Serves the first blocks of a log until the runtime ends.
    pub(super) fn start(made: Made, terms: SignedTerms, blocks: u64) -> Result<Endpoint, Failed> {
        let checkpoint = made.checkpoint(blocks)?;
        let own = Loaded::open(&made.config(Role::Registrar)).map_err(|error| wrong(&error))?;
        let address = own.member.address;
        let endpoint = Endpoint::bind(&own.identity, &own.membership, address, Options::default())
            .map_err(|error| wrong(&error))?;
        drop(endpoint.serve(Arc::new(Self { made, terms, checkpoint, blocks })));
        Ok(endpoint)
    }

    fn answer(&self, query: &PeerQuery) -> Result<PeerAnswer, Failed> {
        Ok(match query {
            PeerQuery::Assets => PeerAnswer::Assets(vec![self.terms.clone()].try_into()?),
            PeerQuery::Log { from, .. } => {
                PeerAnswer::Log { entries: self.page(*from)?, checkpoint: self.checkpoint.clone() }
            }
            PeerQuery::Consistency { .. } => PeerAnswer::Consistency(ConsistencyProof::default()),
            _ => return Err(wrong(&"not asked by a replay")),
        })
    }

    fn page(&self, from: u64) -> Result<Vec<Vec<u8>>, Failed> {
        let (mut entries, mut bytes, mut next) = (Vec::new(), 0, from);
        if next == 0 {
            entries.push(self.made.first()?.bytes);
            next = 1;
        }
        loop {
            let (block, place) = ((next - 1) / BLOCK, (next - 1) % BLOCK);
            if block >= self.blocks {
                return Ok(entries);
            }
            let skip = usize::try_from(place).unwrap_or(usize::MAX);
            for Line { bytes: one, .. } in self.made.block(block)?.into_iter().skip(skip) {
                bytes += one.len();
                if bytes > PAGE_BYTES_MAX || entries.len() >= PAGE_ENTRIES_MAX {
                    return Ok(entries);
                }
                entries.push(one);
                next += 1;
            }
        }
    }
}

impl Handler for Served {
    fn admits(&self, _: &Peer, asked: u8) -> Result<usize, Refusal> {
        if asked == kind::PEER_QUERY { Ok(4096) } else { Err(Refusal::new(1, "a query only")) }
    }

    async fn handle(&self, _: Peer, _: u8, payload: Vec<u8>) -> Response {
        let query: Result<PeerQuery, _> = decode(&payload, "a query");
        match query.map_err(Failed::from).and_then(|query| self.answer(&query)) {
            Ok(answer) => Response::Answer(encode(&answer)),
            Err(error) => Response::Refused(Refusal::new(1, &error.to_string())),
        }
    }
}
