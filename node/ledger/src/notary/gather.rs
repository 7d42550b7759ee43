//! Verifying the parts that wait together: the signatures of all their tags are decided as one batch, and each part gets its own
//! outcome.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sudare_crypto::{Batch, Refused};

use super::{Job, Outcome};
use crate::messages::Reason;

/// Whether the tags of each part sign its commit. One that does not is refused by itself, whatever it was batched with.
pub(super) fn together(jobs: &[Job], entropy: [u8; 32]) -> Vec<Outcome> {
    let (mut batch, mut deciding) = (Batch::new(), Vec::with_capacity(jobs.len()));
    let mut outcomes = Vec::with_capacity(jobs.len());
    for (place, Job::Check(part)) in jobs.iter().enumerate() {
        outcomes.push(part.claims().map(|claims| {
            batch.add(claims);
            deciding.push(place);
        }));
    }
    // An empty batch shows nothing, and nothing waited for it.
    if let Err(Refused::Culprits(culprits)) = batch.decide(&mut ChaCha20Rng::from_seed(entropy)) {
        for culprit in culprits {
            let place = deciding.get(culprit.index).and_then(|place| outcomes.get_mut(*place));
            if let Some(outcome) = place {
                *outcome = Err(Reason::Signature);
            }
        }
    }
    outcomes
}
