//! `sudare demo day`: a trading day at speed, made up from a seed or from a user's own files.

mod calendar;
pub mod generate;
mod html;
mod timeline;
mod words;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

pub use self::calendar::Day;
use self::generate::DayFiles;
pub use self::timeline::Timeline;
use super::input::Scenario;
use super::running::{Running, custodians};
use super::trading::Standing;
use super::{Finished, Manner, RunArgs, alone, finish, given};
use crate::cli::{Failure, Output};
use crate::clock::now_ms;

/// Arguments of `sudare demo day`.
#[derive(Debug, Args)]
pub struct DayArgs {
    /// How many trades to make up: the default takes about two minutes on two cores.
    #[arg(long, default_value_t = 4_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// What the day is made up from: the same seed and date give the same files (default: 1, or with --on the first whose trade
    /// ids the network has not had).
    #[arg(long)]
    seed: Option<u64>,
    /// When the made-up trades are dealt, as YYYY-MM-DD (default: today in Japan).
    #[arg(long, value_name = "DATE", value_parser = date)]
    date: Option<Day>,
    /// Trade on the network that `demo up` has left running in this folder, on top of what it has, instead of a fresh one; it
    /// runs on afterwards. Nobody else may trade there meanwhile.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["dir", "keep", "files_only"])]
    on: Option<PathBuf>,
    /// Kill a node every few seconds and start it again; the seed chooses which and when.
    #[arg(long, value_name = "SEED")]
    chaos: Option<u64>,
    /// Write the day's files, the report (HTML and JSON) and the recomputed end positions into this new folder.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Only write the day's files into the folder of --out; start nothing.
    #[arg(long, requires = "out", conflicts_with_all = ["chaos", "investors"])]
    files_only: bool,
    #[command(flatten)]
    run: RunArgs,
}

fn date(text: &str) -> Result<Day, String> {
    let wrong = || "is not a day as YYYY-MM-DD".to_owned();
    let parts: Vec<i64> =
        text.split('-').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let [year, month, day] = parts.as_slice() else { return Err(wrong()) };
    let date = Day::of(*year, *month, *day);
    let holds = (1980..2100).contains(year) && date.to_string() == text;
    if holds { Ok(date) } else { Err("is not a day of 1980 to 2099 as YYYY-MM-DD".to_owned()) }
}

/// Does what the command line says.
pub(super) async fn run(args: &DayArgs, output: &Output) -> Result<(), Failure> {
    // Files are read before anything else is done.
    let given = given(&args.run).transpose()?;
    if let Some(folder) = args.out.as_ref().filter(|folder| folder.exists()) {
        let name = folder.display();
        return Err(Failure::Usage(format!("{name} exists already: name another folder")));
    }
    let running = match &args.on {
        Some(folder) => Some(Running::of(folder).await?),
        None => None,
    };
    let prepared = prepare(args, given, running.as_ref());
    let manner = Manner { chaos: args.chaos };
    let (finished, scenario) = match (prepared, running) {
        (Ok(_), _) if args.files_only => {
            let folder = args.out.as_deref().unwrap_or(Path::new("."));
            output.result(&folder, &format!("the day's files are in {}", folder.display()));
            return Ok(());
        }
        (Ok(scenario), None) => (alone(&args.run, &scenario, manner, output).await?, scenario),
        (Ok(scenario), Some(running)) => {
            (running.carry_out(&scenario, manner, output).await?, scenario)
        }
        (Err(failure), running) => {
            if let Some(running) = running {
                running.leave();
            }
            return Err(failure);
        }
    };
    if let Some(folder) = &args.out {
        write(folder, &finished, &scenario)?;
        output.note(&format!("the report is {}", folder.join("report.html").display()));
    }
    finish(&finished.report, output)
}

/// The day that is to be carried out, given or made up, with its folder made if one is wanted.
fn prepare(
    args: &DayArgs,
    given: Option<Scenario>,
    running: Option<&Running>,
) -> Result<Arc<Scenario>, Failure> {
    let (scenario, files) = match given {
        Some(scenario) => (scenario, None),
        None => {
            let files = make_up(args, running);
            let scenario = files.scenario();
            (scenario.map_err(|errors| Failure::Usage(errors.to_string()))?, Some(files))
        }
    };
    if let Some(running) = running {
        running.past.check(&scenario, &running.made)?;
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder).map_err(|error| Failure::File(folder.clone(), error))?;
        if let Some(files) = &files {
            files.write(folder)?;
        }
    }
    Ok(Arc::new(scenario))
}

/// A made-up day; on a network with a past, between its custodians and by default with trade ids that it has not had.
fn make_up(args: &DayArgs, running: Option<&Running>) -> DayFiles {
    let dealt = args.date.unwrap_or_else(|| Day::in_japan(now_ms()));
    let Some(running) = running else {
        return DayFiles::generate(args.seed.unwrap_or(1), args.count, dealt);
    };
    let fresh = |seed: &u64| !running.past.has_trades_of(&generate::ids(*seed));
    let seed = args.seed.or_else(|| (1..).find(fresh)).unwrap_or(1);
    DayFiles::at(&custodians(&running.made), seed, args.count, dealt)
}

/// Writes what came out of the day.
fn write(folder: &Path, finished: &Finished, scenario: &Scenario) -> Result<(), Failure> {
    let mut positions = String::from("investor,asset,quantity\n");
    for (account, amount) in &finished.timeline.positions {
        let _ = writeln!(positions, "{},{},{amount}", account.investor, account.asset);
    }
    let json = finished.report.json().map_err(|error| Failure::Usage(error.to_string()))?;
    let page = html::page(&finished.report, &finished.timeline, scenario);
    for (name, text) in
        [("end-positions.csv", positions), ("report.json", json), ("report.html", page)]
    {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| Failure::File(path, error))?;
    }
    Ok(())
}

/// One line on how the day goes: rate so far, trades by state, who waits for whom.
pub(super) fn live(standing: &Standing, ended: u64, since_ms: u64) -> String {
    let tenths = ended.saturating_mul(10_000).checked_div(since_ms).unwrap_or(0);
    let mut line = format!("{}.{}/s", tenths / 10, tenths % 10);
    for (state, count) in &standing.states {
        let _ = write!(line, "  {state} {count}");
    }
    let mut waits: Vec<_> = standing.waits.iter().collect();
    waits.sort_by(|(_, one), (_, other)| other.cmp(one));
    for ((who, whom), count) in waits.into_iter().take(4) {
        let _ = write!(line, " · {count} at {who} wait for {whom}");
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_live_line_says_rate_states_and_the_longest_queues() {
        let wait = |who: &str, whom: &str, count| ((who.to_owned(), whom.to_owned()), count);
        let standing = Standing {
            states: BTreeMap::from([("approving".to_owned(), 5), ("building".to_owned(), 2)]),
            waits: BTreeMap::from([wait("a", "notary", 1), wait("b", "registrar", 4)]),
        };
        assert_eq!(
            live(&standing, 25, 2_000),
            "12.5/s  approving 5  building 2 · 4 at b wait for registrar · 1 at a wait for notary"
        );
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        assert_eq!(date("2026-11-24").unwrap().to_string(), "2026-11-24");
        for wrong in ["2026-02-30", "2026-2-3", "26-11-24", "tomorrow", "2026-11-24-1", ""] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }
}
