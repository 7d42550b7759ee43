//! The HTTP API over each database: investors registered, rows read, transfers accepted and settled, a second.

mod book;
mod load;
mod served;

use std::time::Duration;

use self::book::Booked;
use self::load::Done;
use self::served::{Did, Engine};
use super::clock::float;
use super::{Failed, Options, Report, Topic};

/// Connections that ask at the same time, each with the client's certificate.
const CONNECTIONS: usize = 8;

/// How much is asked.
struct Size {
    /// Investors that are registered, and read again.
    investors: usize,
    /// Transfers.
    transfers: usize,
    /// Holders of the register that is asked.
    holders: usize,
}

/// Measures the topic: the same with SQLite and with PostgreSQL, each on a network of its own.
pub(super) fn run(options: &Options) -> Result<Report, Failed> {
    let size = match options.quick {
        true => Size { investors: 200, transfers: 6, holders: 1_000 },
        false => Size { investors: 4_000, transfers: 120, holders: 100_000 },
    };
    let title = format!(
        "{} investors and {} transfers over HTTP/1.1, TLS 1.3 with client certificates, {CONNECTIONS} connections; nodes, database and \
         clients on this machine",
        size.investors, size.transfers
    );
    let mut report = Report::new(Topic::Api, title);
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let did = served::measured_with(engine, &size)?;
        add(&mut report.part(engine.name()), &did);
        let booked = book::measured_with(engine, size.holders)?;
        add_book(&mut report.part(engine.name()), &booked, size.holders);
    }
    Ok(report)
}

fn add(part: &mut super::report::Part<'_>, did: &Did) {
    let what =
        "investors: each with all fields and two references checked, on disk before it is answered";
    part.value("register_rps", rate(&did.registered), "1/s", what);
    let [p50, p99] = [50, 99].map(|percent| percentile_ms(&did.registered, percent));
    part.value("register_p50_ms", p50, "ms", "request sent to answer read, half of them within");
    part.value("register_p99_ms", p99, "ms", "the same, 99 of 100 within");
    part.value(
        "read_rps",
        rate(&did.read),
        "1/s",
        "the same investors read: each in the node's access log, on disk, before it is answered",
    );
    let what = "transfers: POST answered with 202, so checked and on disk";
    part.value("accept_rps", rate(&did.accepted), "1/s", what);
    part.value("accept_p99_ms", percentile_ms(&did.accepted, 99), "ms", "each, 99 of 100 within");
    let what = "the same transfers, first POST to the last operation that says `settled`";
    let settled = float_of(did.accepted.each.len()) / did.settled.as_secs_f64();
    part.value("transfer_rps", settled, "1/s", what);
}

fn add_book(part: &mut super::report::Part<'_>, booked: &Booked, holders: usize) {
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    let mib = |kib: u64| float(kib) / 1024.0;
    let rows = float_of(holders) / booked.imported.as_secs_f64();
    part.value(
        "import_rows_per_s",
        rows,
        "1/s",
        "investors in files: announced, sent, made row by row",
    );
    let what = format!("a register of {holders} holders fixed in its log");
    part.value("snapshot_100k_s", booked.snapshot.as_secs_f64(), "s", what);
    let what = "a page of 100 lines with names and addresses";
    part.value("inquiry_ms", ms(median(&booked.pages)), "ms", what);
    let what = "the same, and the file that proves it: first request to last byte";
    part.value("inquiry_proof_ms", ms(median(&booked.inquiries)), "ms", what);
    part.value("inquiry_proof_bytes", float_of(booked.bytes.0), "B", "that file");
    let what = "`sudare verify` of that file, the program's start with it";
    part.value("inquiry_verify_ms", ms(booked.verified.0), "ms", what);
    part.value("register_100k_s", booked.read.as_secs_f64(), "s", "all lines read, 200 a page");
    part.value("whole_proof_s", booked.whole.as_secs_f64(), "s", "the file of all holders");
    part.value("whole_proof_mb", float_of(booked.bytes.1) / 1e6, "MB", "that file");
    part.value("whole_verify_s", booked.verified.1.as_secs_f64(), "s", "`sudare verify` of it");
    let what = "the register read, compared with a custodian's view, a partner's book and the proven total, all reports written;                 every planted break found and no other";
    part.value("recon_100k_s", (booked.read + booked.compared).as_secs_f64(), "s", what);
    let what = "most memory of `sudare reconcile run`";
    part.value("recon_rss_mb", mib(booked.compared_kib), "MiB", what);
    part.value(
        "registrar_rss_mb",
        mib(booked.node_kib),
        "MiB",
        "most memory of the registrar's node",
    );
}

/// The one in the middle.
fn median(took: &[Duration]) -> Duration {
    let mut took = took.to_vec();
    took.sort_unstable();
    took.get(took.len() / 2).copied().unwrap_or_default()
}

/// How many were answered a second.
fn rate(done: &Done) -> f64 {
    float_of(done.each.len()) / done.took.as_secs_f64()
}

/// So many percent took no longer, ms.
fn percentile_ms(done: &Done, percent: usize) -> f64 {
    let mut each: Vec<Duration> = done.each.clone();
    each.sort_unstable();
    let place = each.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    each.get(place).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
}

fn float_of(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_percent_took_no_longer() {
        let each: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let done = Done { took: Duration::from_secs(2), each, answers: Vec::new() };
        assert_eq!(rate(&done), 100.0);
        assert_eq!(percentile_ms(&done, 50), 100.0);
        assert_eq!(percentile_ms(&done, 99), 198.0);
    }
}
