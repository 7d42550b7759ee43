//! Verifying what arrived together: the claims of many legs and finalisations are decided as one batch, which costs less than
//! each alone, and each job gets its own outcome.

use rand_core::CryptoRngCore;
use sudare_crypto::{Claims, Stream};

use super::check::Parsed;
use super::{Job, Outcome, Reading, Registrar, ordinary};
use crate::kv::{Kv, StorageError};
use crate::messages::Reason;

/// A job on its way.
struct Task {
    state: State,
    /// What is to be decided before it goes on.
    claims: Option<Claims>,
}

enum State {
    /// The proofs of a leg are parsed.
    Parsed(Box<Parsed>),
    /// The leg is read.
    Read(Box<Reading>),
    /// The spend signatures of a finalisation are parsed.
    Spent,
    /// Nothing is left to do.
    Over(Outcome),
}

impl Registrar {
    /// Does jobs together.
    ///
    /// Enforces [APR-8] (!): a leg is read only after the claims of its proofs are accepted.
    pub(super) fn together(
        &self,
        kv: &dyn Kv,
        jobs: &[Job],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<Outcome>, StorageError> {
        let mut tasks = Vec::with_capacity(jobs.len());
        for job in jobs {
            tasks.push(self.begin(kv, job, rng)?);
        }
        decide(&mut tasks, rng);
        for task in &mut tasks {
            if let State::Parsed(parsed) = &task.state {
                (task.state, task.claims) = match ordinary(self.read(kv, parsed))? {
                    Ok((reading, links)) => (State::Read(Box::new(reading)), links),
                    Err(reason) => (State::Over(Outcome::Checked(Err(reason))), None),
                };
            }
        }
        decide(&mut tasks, rng);
        Ok(tasks.into_iter().map(Task::outcome).collect())
    }

    fn begin(
        &self,
        kv: &dyn Kv,
        job: &Job,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Task, StorageError> {
        Ok(match job {
            Job::Check(key) | Job::CheckLarge(key) => match ordinary(self.parse(kv, key))? {
                Ok((parsed, claims)) => {
                    Task { state: State::Parsed(Box::new(parsed)), claims: Some(claims) }
                }
                Err(reason) => Task::over(Outcome::Checked(Err(reason))),
            },
            Job::Verify(key, finalisation) => match ordinary(self.spends(kv, key, finalisation))? {
                Ok(claims) => Task { state: State::Spent, claims },
                Err(reason) => Task::over(Outcome::Verified(Err(reason))),
            },
            Job::Build(issue) => {
                let built = ordinary(self.build_issue(kv, *issue, rng))?;
                Task::over(Outcome::Built(built.map(Box::new)))
            }
        })
    }
}

impl Task {
    const fn over(outcome: Outcome) -> Self {
        Self { state: State::Over(outcome), claims: None }
    }

    /// A claim of its own does not hold.
    fn refuse(&mut self) {
        self.state = State::Over(match &self.state {
            State::Parsed(_) | State::Read(_) => Outcome::Checked(Err(Reason::Proof)),
            State::Spent => Outcome::Verified(Err(Reason::Signature)),
            State::Over(outcome) => outcome.clone(),
        });
    }

    fn outcome(self) -> Outcome {
        match self.state {
            State::Read(reading) => Outcome::Checked(Ok(reading)),
            State::Spent => Outcome::Verified(Ok(())),
            State::Over(outcome) => outcome,
            State::Parsed(_) => Outcome::Checked(Err(Reason::Internal)),
        }
    }
}

/// Decides the claims of all tasks, and refuses those whose own do not hold.
fn decide(tasks: &mut [Task], rng: &mut impl CryptoRngCore) {
    let mut deciding = Stream::new();
    for task in tasks {
        if let Some(claims) = task.claims.take() {
            deciding.add(task, claims);
        }
    }
    for (task, verdict) in deciding.decide(rng) {
        if verdict.is_err() {
            task.refuse();
        }
    }
}
