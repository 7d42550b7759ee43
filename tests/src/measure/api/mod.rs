//! The HTTP API over each database: investors registered, rows read, transfers accepted and settled, a second.

mod load;
mod served;

use std::time::Duration;

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
}

/// Measures the topic: the same with SQLite and with PostgreSQL, each on a network of its own.
pub(super) fn run(options: &Options) -> Result<Report, Failed> {
    let size = match options.quick {
        true => Size { investors: 200, transfers: 6 },
        false => Size { investors: 4_000, transfers: 120 },
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
    part.value("read_rps", rate(&did.read), "1/s", "the same investors read: no write, no sync");
    let what = "transfers: POST answered with 202, so checked and on disk";
    part.value("accept_rps", rate(&did.accepted), "1/s", what);
    part.value("accept_p99_ms", percentile_ms(&did.accepted, 99), "ms", "each, 99 of 100 within");
    let what = "the same transfers, first POST to the last operation that says `settled`";
    let settled = float_of(did.accepted.each.len()) / did.settled.as_secs_f64();
    part.value("transfer_rps", settled, "1/s", what);
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
