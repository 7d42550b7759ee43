//! Measurements: what Sudare costs, beside the limit or the alternative, taken in one run (specs/measurements.md).

mod api;
mod audit;
mod clock;
mod cpu;
mod depth;
mod disclosure;
mod dlog;
mod fixture;
mod issue;
mod leg;
mod network;
mod plot;
mod proving;
mod report;
mod statements;
mod timing;
mod verification;

use std::path::PathBuf;

use clap::ValueEnum;
use sudare::cli::Failure;
use sudare_crypto::{Malformed, Refused, Rejected};
use sudare_disclosure::dlog::SearchError;
use sudare_disclosure::threshold::CeremonyError;
use sudare_ledger::leg::{BuildError, LegError, OpenError, TearOffError};
use sudare_ledger::transaction::CommitError;
use sudare_ledger::tree::{CheckpointError, SignedTextError, TreeError};

pub use clock::{Action, medians_of};
pub use fixture::Transfer;
pub use plot::{Line, Plot};
pub use report::{Machine, Report, Value};
pub use verification::Legs;

/// What can be measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Topic {
    /// One transfer leg: size, time to build, check and open, beside the bulletproofs crate alone
    Leg,
    /// What a receiver gets and checks for a note with a thousand transfers behind it, beside one
    Depth,
    /// Settled transfers a second on a network of processes, beside the limit that proofs set
    Network,
    /// The search for a 64-bit amount in the exponent
    Dlog,
    /// A transfer's proofs verified in batches, beside the crates one by one and the limit of the arithmetic
    Verification,
    /// Range proofs made, beside the bulletproofs crate making the same
    Proving,
    /// Whether the time of what handles secrets depends on them
    Timing,
    /// Reading with keys of each scope, opening together, packets
    Disclosure,
    /// A regulator's replay of 10,000 and 100,000 legs: legs a second, memory, time to the first answer
    Audit,
    /// The HTTP API over SQLite and PostgreSQL: investors registered and transfers settled a second
    Api,
}

impl Topic {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Leg => "leg",
            Self::Depth => "depth",
            Self::Network => "network",
            Self::Dlog => "dlog",
            Self::Verification => "verification",
            Self::Proving => "proving",
            Self::Timing => "timing",
            Self::Disclosure => "disclosure",
            Self::Audit => "audit",
            Self::Api => "api",
        }
    }
}

/// How to measure.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Fewer or shorter runs.
    pub quick: bool,
    /// For [`Topic::Network`]: full load for so many minutes besides.
    pub minutes: Option<u64>,
    /// For [`Topic::Audit`]: the folder in which the legs are kept, so that they are made once.
    pub legs: Option<PathBuf>,
}

/// Measures a topic.
///
/// # Errors
///
/// [`Failed`].
pub fn run(topic: Topic, options: &Options) -> Result<Report, Failed> {
    let quick = options.quick;
    match topic {
        Topic::Leg => leg::run(quick),
        Topic::Depth => depth::run(quick),
        Topic::Network => network::run(options),
        Topic::Dlog => dlog::run(quick),
        Topic::Verification => verification::run(quick),
        Topic::Proving => proving::run(quick),
        Topic::Timing => timing::run(quick),
        Topic::Disclosure => disclosure::run(quick),
        Topic::Audit => audit::run(options),
        Topic::Api => api::run(options),
    }
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The program of the nodes is not built.
    #[error("{program} is missing: build it with `{command}`, then measure again")]
    NotBuilt {
        /// Where it should be.
        program: PathBuf,
        /// What makes it.
        command: &'static str,
    },
    /// A node or the network.
    #[error(transparent)]
    Network(#[from] Failure),
    /// A leg can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A leg does not check.
    #[error(transparent)]
    Leg(#[from] LegError),
    /// A proof does not verify.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// A batch is not accepted.
    #[error(transparent)]
    Batch(#[from] Refused),
    /// A leg does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Components do not check.
    #[error(transparent)]
    TearOff(#[from] TearOffError),
    /// A ceremony.
    #[error(transparent)]
    Ceremony(#[from] CeremonyError),
    /// A commit does not check.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A checkpoint does not check.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A log's name.
    #[error(transparent)]
    Name(#[from] SignedTextError),
    /// A log's tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An encoding.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A search can't start.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The range prover or verifier that the leg is compared with.
    #[error("the bulletproofs crate: {0}")]
    Crate(bulletproofs::ProofError),
    /// What is measured is not what it should be.
    #[error("{0}")]
    Wrong(String),
}
