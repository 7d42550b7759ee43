//! Settled transfers a second on a network of processes on this machine, beside the limit that proving and checking set.

mod drive;
mod moves;
mod processes;

use sudare::demo::report::Latency;
use sudare_ledger::role::Role;

pub(super) use self::processes::program;
use self::processes::{ByRole, Load, Minute, Wanted};
use super::clock::float;
use super::cpu::{self, Threads};
use super::leg::Cost;
use super::report::cores;
use super::{Failed, Options, Report, Topic};

const ASSET: &str = "MEASURED";
const REGISTRAR: &str = "registrar";
const REGULATOR: &str = "regulator";
const CUSTODIANS: u64 = 3;
/// Transfers under way at a time, at full load.
const IN_FLIGHT: u64 = 24;

/// Measures the topic. With [`Options::minutes`] the network goes on at full load for so long.
pub(super) fn run(options: &Options) -> Result<Report, Failed> {
    let transfers = if options.quick { 60 } else { 400 };
    let rounds = if options.quick { 7 } else { 41 };
    let wanted = Wanted { transfers, paced: transfers / 2, minutes: options.minutes };
    // Before and after, as the speed of a core changes with what else its machine does.
    let before = Cost::measure(rounds)?;
    let load = processes::on_a_network(&wanted)?;
    let after = Cost::measure(rounds)?;

    let leg_us = f64::midpoint(before.leg_us(), after.leg_us());
    let proofs_us = f64::midpoint(before.proofs_us(), after.proofs_us());
    let bound = float(cores()) * 1e6 / proofs_us;
    let settled = float(transfers) * 1_000.0 / float(load.took_ms.max(1));
    let title = format!(
        "{transfers} transfers, one leg of two inputs and two outputs each, between {CUSTODIANS} custodians; {} processes on this machine",
        load.processes
    );
    let mut report = Report::new(Topic::Network, title);
    report.value("settled_per_s", settled, "1/s", "settled in all books");
    let what = "cores / proofs_us: the cores prove and verify, and nothing else";
    report.value("bound_per_s", bound, "1/s", what);
    report.value("share_of_bound", settled / bound, "", "settled_per_s / bound_per_s");
    let what = "CPU time of all a transfer's proofs, each made and checked as often as the protocol has it";
    report.value("proofs_us", proofs_us, "us", what);
    let what = "of it to build the leg, and to check it once more";
    report.value("leg_us", leg_us, "us", what);
    add_latency(&mut report, &load.latency, &load.half);
    let bytes = float(load.bytes) / float(transfers);
    let what = "all frames between all nodes, responses included";
    report.value("bytes_per_transfer", bytes, "B", what);
    add_costs(&mut report, &load, transfers, proofs_us);
    let what = "part of the cores that other programs took meanwhile";
    report.value("cpu_elsewhere", load.elsewhere, "", what);
    report.value("in_flight", float(IN_FLIGHT), "", "transfers under way at a time");
    report.value("transfers", float(transfers), "", "measured, after a few to warm up");
    add_minutes(&mut report, &load.minutes, bound);
    Ok(report)
}

fn add_latency(report: &mut Report, full: &Latency, half: &Latency) {
    let what = "instruction to settled on both sides";
    report.value("p50_ms", float(full.p50_ms), "ms", what);
    report.value("p99_ms", float(full.p99_ms), "ms", "the same");
    let what = "the same, with transfers begun at half of settled_per_s";
    report.value("half_p50_ms", float(half.p50_ms), "ms", what);
    report.value("half_p99_ms", float(half.p99_ms), "ms", what);
}

/// The run that goes on for minutes: throughput of all of it and of its slowest minute, and memory after the first minute, after
/// half and at the end.
fn add_minutes(report: &mut Report, minutes: &[Minute], bound: f64) {
    let (Some(first), Some(last)) = (minutes.first(), minutes.last()) else { return };
    let settled: u64 = minutes.iter().map(|minute| minute.settled).sum();
    let took: f64 = minutes.iter().map(|minute| minute.seconds).sum();
    let rate = float(settled) / took.max(f64::MIN_POSITIVE);
    report.value("sustained_minutes", took / 60.0, "min", "how long it went on at full load");
    report.value("sustained_per_s", rate, "1/s", "settled meanwhile");
    let what = "sustained_per_s / bound_per_s";
    report.value("sustained_share_of_bound", rate / bound, "", what);
    let rates = minutes.iter().map(|one| float(one.settled) / one.seconds.max(f64::MIN_POSITIVE));
    let slowest = rates.fold(f64::INFINITY, f64::min);
    report.value("sustained_slowest_per_s", slowest, "1/s", "the same in the slowest minute");
    let what = "memory of all nodes after the first minute";
    report.value("sustained_rss_mb_first", float(first.memory_mb()), "MiB", what);
    let half = minutes.get(minutes.len() / 2).unwrap_or(last);
    report.value("sustained_rss_mb_half", float(half.memory_mb()), "MiB", "the same after half");
    let what = "the same at the end";
    report.value("sustained_rss_mb_last", float(last.memory_mb()), "MiB", what);
    for (role, .., key) in ROLES {
        let memory = |minute: &Minute| minute.usage.get(&role).map_or(0, |one| one.memory) >> 20;
        let what = format!(
            "of every {role} at the end; {} after the first minute, {} after half",
            memory(first),
            memory(half)
        );
        report.value(key, float(memory(last)), "MiB", what);
    }
}

/// CPU time and memory of the nodes, all and by role.
fn add_costs(report: &mut Report, load: &Load, transfers: u64, proofs_us: f64) {
    let cpu_ms = |role: Role| {
        let zero = cpu::Processes::default();
        let after = load.after.get(&role).unwrap_or(&zero);
        after.cpu_ms(load.before.get(&role).unwrap_or(&zero)) / float(transfers)
    };
    let all: f64 = ROLES.iter().map(|(role, ..)| cpu_ms(*role)).sum();
    report.value("cpu_ms_per_transfer", all, "ms", "CPU time of all nodes, a transfer");
    for (role, key, ..) in ROLES {
        report.value(key, cpu_ms(role), "ms", format!("of every {role}"));
    }
    for (threads, key, what) in THREADS {
        let zero = cpu::Processes::default();
        let of = |(role, after): (&Role, &cpu::Processes)| {
            after.cpu_ms_of(load.before.get(role).unwrap_or(&zero), threads)
        };
        let sum: f64 = load.after.iter().map(of).sum();
        report.value(key, sum / float(transfers), "ms", what);
    }
    let what = "proofs_us / cpu_ms_per_transfer: proofs in that CPU time";
    report.value("proofs_share", proofs_us / 1e3 / all, "", what);
    for (role, _, key, _) in ROLES {
        let memory = |usage: &ByRole| usage.get(&role).map_or(0, |one| one.memory);
        let (before, after) = (memory(&load.before) >> 20, memory(&load.after) >> 20);
        let what = format!("memory of every {role} at the end; {before} before the transfers");
        report.value(key, float(after), "MiB", what);
    }
}

/// Roles, with the keys of their CPU time, of their memory and of their memory after the long run.
const ROLES: [(Role, &str, &str, &str); 4] = [
    (Role::Custodian, "cpu_ms_custodians", "rss_mb_custodians", "sustained_rss_mb_custodians"),
    (Role::Registrar, "cpu_ms_registrar", "rss_mb_registrar", "sustained_rss_mb_registrar"),
    (Role::Notary, "cpu_ms_notary", "rss_mb_notary", "sustained_rss_mb_notary"),
    (Role::Regulator, "cpu_ms_regulator", "rss_mb_regulator", "sustained_rss_mb_regulator"),
];

/// What threads do, with the keys of their CPU time.
const THREADS: [(Threads, &str, &str); 3] = [
    (Threads::Jobs, "cpu_ms_jobs", "of it legs built, checked and opened"),
    (
        Threads::Events,
        "cpu_ms_events",
        "of it the rules, with slots and signatures, the log and the index",
    ),
    (Threads::Others, "cpu_ms_others", "of it the network, queries and upkeep of files"),
];
