//! `sudare top`: how fast a network settles, what is under way, who waits for whom, and what its nodes use.

mod screen;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use sudare_ledger::custodian::{Side, TradeState, TradeView};
use sudare_ledger::role::Role;
use tokio::task::JoinSet;

use self::screen::Screen;
use super::connect::Connection;
use super::{Failure, Output};
use crate::clock::now_ms;
use crate::demo::interrupted;
use crate::network;
use crate::node::StatusView;
use crate::operator::kind;
use crate::runtime::Status;

/// How often the network is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// A look takes one part of so many of the time at most: one that takes long, as with many trades, is repeated less often.
const SHARE: u32 = 5;
/// How long a node may take to say how it is.
const STATUS_WITHIN: Duration = Duration::from_secs(2);
/// Over how many looks the rate is taken.
const LOOKS: usize = 10;
/// The most lines of who waits for whom that are shown.
const WAITS_SHOWN: usize = 12;

/// Arguments of `sudare top`.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    /// The network's folder, as `demo up` and `network init` make it.
    #[arg(long, value_name = "FOLDER", default_value = "sudare-demo", conflicts_with = "config")]
    dir: PathBuf,
    /// The configuration file of a node to watch; repeat for more. Instead of --dir, for nodes without a common folder.
    #[arg(short, long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Show it once and end, as is done anyway for JSON and where the output is no terminal.
    #[arg(long)]
    once: bool,
}

/// What one look at a network has shown.
#[derive(Debug, Default)]
struct Look {
    at_ms: u64,
    /// By name; none if the node does not answer.
    nodes: BTreeMap<String, Option<Seen>>,
}

/// What one node has told.
#[derive(Debug)]
struct Seen {
    status: StatusView,
    trades: Trades,
}

/// The trades of one custodian, added up.
#[derive(Debug, Default)]
struct Trades {
    settled: u64,
    refused: u64,
    under_way: BTreeMap<String, u64>,
    /// By whom they wait for.
    waits: BTreeMap<String, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    trades: u64,
    /// Since when the trade waits that has waited longest, ms since the Unix epoch, and its id.
    first: Option<(u64, String)>,
}

/// What is shown.
#[derive(Debug, Serialize)]
struct View {
    /// ms since the Unix epoch.
    at_ms: u64,
    /// Trades settled, each counted at the custodian that began it.
    settled: u64,
    /// Trades refused or cancelled.
    refused: u64,
    /// Trades settled a second lately, with one decimal; none if that is not known yet.
    settled_a_second: Option<String>,
    /// Trades that have not ended, by state, each counted at the custodian that began it.
    under_way: BTreeMap<String, u64>,
    /// Who waits for whom, the longest wait first; a trade may wait at each of its sides.
    waits: Vec<WaitLine>,
    /// The nodes.
    nodes: Vec<NodeLine>,
}

#[derive(Debug, Serialize)]
struct WaitLine {
    who: String,
    whom: String,
    trades: u64,
    /// How long the trade has waited that waits longest, ms.
    longest_ms: u64,
    /// That trade's id.
    trade_id: String,
}

#[derive(Debug, Serialize)]
struct NodeLine {
    name: String,
    /// Processor time lately, in hundredths of one processor; none if that is not known yet.
    cpu_percent: Option<u64>,
    /// None if the node does not answer.
    status: Option<StatusView>,
}

/// Does what the command line says.
pub(super) async fn run(args: &TopArgs, output: &Output) -> Result<(), Failure> {
    let nodes = nodes(args)?;
    if args.once || output.is_json() || !std::io::stdout().is_terminal() {
        // Rates need two looks.
        let before = look(&nodes).await;
        tokio::time::sleep(EVERY).await;
        let view = View::of(&look(&nodes).await, &before);
        output.result(&view, view.text().trim_end());
        return Ok(());
    }
    let (screen, mut keys) =
        Screen::open().map_err(|error| Failure::File("the terminal".into(), error))?;
    tokio::select! {
        () = watch(&nodes, &screen) => Ok(()),
        () = keys.quit() => Ok(()),
        _ = interrupted() => Ok(()),
    }
}

/// Draws looks until nobody reads them.
async fn watch(nodes: &[Arc<Connection>], screen: &Screen) {
    let mut looks = VecDeque::new();
    loop {
        let began = tokio::time::Instant::now();
        let now = look(nodes).await;
        let view = View::of(&now, looks.front().unwrap_or(&now));
        if screen.draw(&format!("{}(q ends)", view.text())).is_err() {
            return;
        }
        looks.push_back(now);
        if looks.len() >= LOOKS {
            looks.pop_front();
        }
        let pause = began.elapsed().saturating_mul(SHARE).max(EVERY);
        tokio::time::sleep_until(began + pause).await;
    }
}

/// The nodes to watch, each with its operator's connection.
fn nodes(args: &TopArgs) -> Result<Vec<Arc<Connection>>, Failure> {
    let configs = if args.config.is_empty() { in_folder(&args.dir)? } else { args.config.clone() };
    configs.iter().map(|config| Connection::open(config).map(Arc::new)).collect()
}

/// The configuration files of a network's folder.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let configs = network::configurations(folder);
    if configs.is_empty() {
        return Err(Failure::Usage(format!(
            "{} holds no nodes: name a network's folder with --dir (`sudare demo up` makes one), or nodes with --config",
            folder.display()
        )));
    }
    Ok(configs)
}

async fn look(nodes: &[Arc<Connection>]) -> Look {
    let mut asked = JoinSet::new();
    for node in nodes {
        let node = Arc::clone(node);
        asked.spawn(async move { (node.node.member.name.to_string(), ask(&node).await) });
    }
    let mut nodes = BTreeMap::new();
    while let Some(answer) = asked.join_next().await {
        nodes.extend(answer);
    }
    Look { at_ms: now_ms(), nodes }
}

async fn ask(node: &Connection) -> Option<Seen> {
    let own = node.own();
    let status = node.ask::<Status>(&own, kind::STATUS, &[]);
    let status = tokio::time::timeout(STATUS_WITHIN, status).await.ok()?.ok()?;
    let trades = match node.node.member.role {
        Role::Custodian => node.trades().await.ok()?,
        _ => Vec::new(),
    };
    let trades = Trades::of(&trades, |id| node.name_of(id));
    Some(Seen { status: StatusView::of(&status), trades })
}

impl Trades {
    fn of(views: &[TradeView], name: impl Fn(&sudare_crypto::NodeId) -> String) -> Self {
        let mut trades = Self::default();
        for view in views {
            trades.count(view);
            if view.state.is_ended() {
                continue;
            }
            let Some(whom) = &view.waiting else { continue };
            let waiting = trades.waits.entry(name(whom)).or_default();
            waiting.trades = waiting.trades.saturating_add(1);
            let this = (view.since, view.trade_id.to_string());
            waiting.first =
                Some(waiting.first.take().map_or(this.clone(), |first| first.min(this)));
        }
        trades
    }

    fn count(&mut self, view: &TradeView) {
        let count = match (view.side, view.state) {
            // Counted at the other side; a custodian's own tidying is no trade.
            (Side::Counterparty | Side::Consolidator, _) => return,
            (_, TradeState::Settled) => &mut self.settled,
            (_, TradeState::Refused) => &mut self.refused,
            (_, state) => self.under_way.entry(state.to_string()).or_default(),
        };
        *count = count.saturating_add(1);
    }
}

impl View {
    /// What two looks show, the earlier of which may be the same one.
    fn of(look: &Look, before: &Look) -> Self {
        let mut view = Self {
            at_ms: look.at_ms,
            settled: 0,
            refused: 0,
            settled_a_second: rate(look, before),
            under_way: BTreeMap::new(),
            waits: Vec::new(),
            nodes: Vec::new(),
        };
        let passed_ms = look.at_ms.saturating_sub(before.at_ms);
        for (name, seen) in &look.nodes {
            if let Some(seen) = seen {
                view.add(name, look.at_ms, &seen.trades);
            }
            let earlier = before.nodes.get(name).and_then(Option::as_ref);
            let cpu_percent = seen.as_ref().and_then(|seen| {
                // None of a node that was started again meanwhile.
                let status = Some(&seen.status).filter(|status| status.uptime_ms >= passed_ms)?;
                let used = status.cpu_ms.checked_sub(earlier?.status.cpu_ms)?;
                used.saturating_mul(100).checked_div(passed_ms)
            });
            let status = seen.as_ref().map(|seen| seen.status.clone());
            view.nodes.push(NodeLine { name: name.clone(), cpu_percent, status });
        }
        view.waits.sort_by_key(|wait| std::cmp::Reverse(wait.longest_ms));
        view
    }

    fn add(&mut self, who: &str, now: u64, trades: &Trades) {
        self.settled = self.settled.saturating_add(trades.settled);
        self.refused = self.refused.saturating_add(trades.refused);
        for (state, more) in &trades.under_way {
            let count = self.under_way.entry(state.clone()).or_default();
            *count = count.saturating_add(*more);
        }
        for (whom, waiting) in &trades.waits {
            let (since, trade_id) = waiting.first.clone().unwrap_or_default();
            self.waits.push(WaitLine {
                who: who.to_owned(),
                whom: whom.clone(),
                trades: waiting.trades,
                longest_ms: now.saturating_sub(since),
                trade_id,
            });
        }
    }

    fn text(&self) -> String {
        let rate = self.settled_a_second.as_deref().unwrap_or("-");
        let mut text =
            format!("{} settled, {rate} a second; {} refused\n", self.settled, self.refused);
        let under_way = self.under_way.iter().map(|(state, count)| format!("{count} {state}"));
        let _ = writeln!(text, "under way: {}\n", listed(under_way));
        self.node_lines(&mut text);
        text.push('\n');
        for wait in self.waits.iter().take(WAITS_SHOWN) {
            let _ = writeln!(
                text,
                "{:>5} at {} wait for {}, the longest for {} (trade {})",
                wait.trades,
                wait.who,
                wait.whom,
                seconds(wait.longest_ms),
                wait.trade_id
            );
        }
        text
    }

    fn node_lines(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "{:<22}{:<11}{:>8}{:>6}{:>9}{:>10}{:>7}  messages wait for",
            "node", "role", "up", "CPU", "memory", "log", "jobs"
        );
        for node in &self.nodes {
            let Some(status) = &node.status else {
                let _ = writeln!(text, "{:<22}does not answer", node.name);
                continue;
            };
            let backlog = status.backlog.iter().map(|line| match line.unreachable_since_ms {
                Some(since) => {
                    let since = seconds(self.at_ms.saturating_sub(since));
                    format!("{} ({}), not reached for {since}", line.peer, line.waiting)
                }
                None => format!("{} ({})", line.peer, line.waiting),
            });
            let cpu = node.cpu_percent.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu}%"));
            let _ = writeln!(
                text,
                "{:<22}{:<11}{:>8}{cpu:>6}{:>9}{:>10}{:>7}  {}",
                node.name,
                status.role,
                format!("{} s", status.uptime_ms / 1000),
                format!("{} MiB", status.memory / (1024 * 1024)),
                status.height,
                status.jobs_waiting,
                listed(backlog)
            );
        }
    }
}

/// Settled trades a second between two looks at the custodians that answered both times, with one decimal.
fn rate(look: &Look, before: &Look) -> Option<String> {
    let mut settled = 0u64;
    for (name, seen) in &look.nodes {
        let earlier = before.nodes.get(name).and_then(Option::as_ref);
        if let (Some(seen), Some(earlier)) = (seen, earlier) {
            let more = seen.trades.settled.saturating_sub(earlier.trades.settled);
            settled = settled.saturating_add(more);
        }
    }
    let passed_ms = look.at_ms.saturating_sub(before.at_ms);
    let tenths = settled.saturating_mul(10_000).checked_div(passed_ms)?;
    Some(format!("{}.{}", tenths / 10, tenths % 10))
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trades settled, processor time and for how long the node runs, ms.
    type Told = (u64, u64, u64);

    fn look_at(at_ms: u64, nodes: &[(&str, Option<Told>)]) -> Look {
        let seen = |(settled, cpu_ms, uptime_ms)| {
            let status = StatusView { cpu_ms, uptime_ms, ..StatusView::default() };
            let first = Some((500, "T-9".to_owned()));
            let waits = BTreeMap::from([("notary".to_owned(), Waiting { trades: 2, first })]);
            Seen { status, trades: Trades { settled, waits, ..Trades::default() } }
        };
        let nodes = nodes.iter().map(|(name, told)| ((*name).to_owned(), told.map(seen)));
        Look { at_ms, nodes: nodes.collect() }
    }

    #[test]
    fn rates_are_those_of_nodes_that_answered_both_times() {
        let before = [("a", Some((5, 100, 500))), ("b", None), ("c", Some((7, 10, 900)))];
        let after = [
            ("a", Some((30, 1_100, 2_500))),
            ("b", Some((90, 9, 9_000))),
            ("c", Some((7, 300, 1_900))),
        ];
        let (before, after) = (look_at(1_000, &before), look_at(3_000, &after));
        let view = View::of(&after, &before);
        assert_eq!((view.settled, view.settled_a_second.as_deref()), (127, Some("12.5")));
        let cpu: Vec<Option<u64>> = view.nodes.iter().map(|node| node.cpu_percent).collect();
        // The second did not answer before, the last was started again.
        assert_eq!(cpu, [Some(50), None, None]);
        assert_eq!(View::of(&after, &after).settled_a_second, None);
    }

    #[test]
    fn the_text_says_who_waits_for_whom_and_who_does_not_answer() {
        let look = look_at(3_000, &[("a", Some((1, 1, 1))), ("b", None)]);
        let text = View::of(&look, &look).text();
        assert!(
            text.contains("2 at a wait for notary, the longest for 2.5 s (trade T-9)"),
            "{text}"
        );
        assert!(text.contains("does not answer"), "{text}");
    }
}
