//! Building, checking and opening a transfer leg.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{Criterion, criterion_group, criterion_main};
use sudare_tests::measure::Transfer;

fn leg(criterion: &mut Criterion) {
    let mut transfer = Transfer::new();
    let built = transfer.build().unwrap();
    let links = transfer.open(&built.leg).unwrap().links.unwrap();
    let mut group = criterion.benchmark_group("leg");
    group.sample_size(20);
    group.bench_function("prove", |bench| bench.iter(|| transfer.build().unwrap()));
    group.bench_function("verify", |bench| {
        bench.iter(|| transfer.verify(&built.leg, &links).unwrap());
    });
    group.bench_function("open", |bench| bench.iter(|| transfer.open(&built.leg).unwrap()));
    group.finish();
}

criterion_group!(benches, leg);
criterion_main!(benches);
