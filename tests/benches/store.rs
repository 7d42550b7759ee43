//! Appending events to a node's log and syncing them, one at a time and a batch at a time. Measures the disk, too.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sudare::store::{Options, Store};

/// About as long as a message with a leg.
const EVENT_BYTES: usize = 4096;

fn store(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), &Options::default()).unwrap();
    let event = vec![7; EVENT_BYTES];
    let mut group = criterion.benchmark_group("store");
    group.sample_size(20);
    for events in [1u64, 32] {
        group.throughput(Throughput::Elements(events));
        group.bench_function(format!("append {events} and sync"), |bench| {
            bench.iter(|| {
                for _ in 0..events {
                    store.append(&event).unwrap();
                }
                store.sync().unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
