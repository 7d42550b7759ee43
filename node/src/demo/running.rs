//! A day on a network that `sudare demo up` has left running.

use std::path::Path;
use std::sync::Arc;

use sudare_ledger::role::Role;

use super::input::Scenario;
use super::past::Past;
use super::processes::Processes;
use super::setup::Desk;
use super::{Finished, Ground, Manner, interrupted, settle};
use crate::cli::{Failure, Output};
use crate::clock::now_ms;
use crate::config::Loaded;
use crate::network::{self, Made};

/// A network that runs, with what it has.
pub(super) struct Running {
    pub(super) made: Made,
    pub(super) past: Past,
    processes: Processes,
    desk: Desk,
    ready_ms: u64,
}

impl Running {
    /// Finds the network in a folder and asks it what it has.
    ///
    /// # Errors
    ///
    /// [`Failure`], also if a node does not run.
    pub(super) async fn of(folder: &Path) -> Result<Self, Failure> {
        let made = found(folder)?;
        let mut processes = Processes::adopt(&made, folder)?;
        let began = now_ms();
        let ready = processes.ready().await;
        let ready_ms = now_ms().saturating_sub(began);
        let mut running =
            Self { desk: Desk::open(&made)?, past: Past::default(), made, processes, ready_ms };
        let learned = match ready {
            Ok(()) => running.learn().await,
            Err(failure) => Err(failure),
        };
        match learned {
            Ok(()) => Ok(running),
            Err(failure) => {
                running.processes.leave_running();
                Err(failure)
            }
        }
    }

    async fn learn(&mut self) -> Result<(), Failure> {
        self.desk.learn().await?;
        self.past = Past::of(&self.desk, &self.made).await?;
        Ok(())
    }

    /// Leaves the network as it is.
    pub(super) fn leave(self) {
        self.processes.leave_running();
    }

    /// Carries out a scenario and leaves the network running, whatever happens.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub(super) async fn carry_out(
        self,
        scenario: &Arc<Scenario>,
        manner: Manner,
        output: &Output,
    ) -> Result<Finished, Failure> {
        let Self { made, past, mut processes, desk, ready_ms } = self;
        let ground = Ground { made: &made, desk, past, ready_ms };
        let result = tokio::select! {
            result = settle(ground, &mut processes, scenario, manner, output) => result,
            name = interrupted() => Err(Failure::CheckFailed(format!(
                "stopped by {name}; the network runs on, with the trades that were under way"
            ))),
        };
        processes.calm();
        // Who was killed last is started again before this program ends.
        let ready = processes.ready().await;
        processes.leave_running();
        let finished = result?;
        ready.map(|()| finished)
    }
}

/// The custodians of a network.
pub(super) fn custodians(made: &Made) -> Vec<String> {
    let custodians = made.members.iter().filter(|(member, _)| member.role == Role::Custodian);
    custodians.map(|(member, _)| member.name.to_string()).collect()
}

/// The members of the network in a folder, each with its configuration.
fn found(folder: &Path) -> Result<Made, Failure> {
    let mut members = Vec::new();
    let mut network = None;
    for config in network::configurations(folder) {
        let node = Loaded::open(&config)?;
        network = Some(node.network);
        members.push((node.member.clone(), config));
    }
    let network = network.ok_or_else(|| {
        Failure::Usage(format!(
            "{0} holds no network: `sudare demo up --dir {0}` makes one that stays; without --on, a fresh one is made",
            folder.display()
        ))
    })?;
    Ok(Made { network, members })
}
