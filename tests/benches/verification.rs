//! Verifying transfer legs in batches.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sudare_crypto::Kernel;
use sudare_tests::measure::Legs;

fn verification(criterion: &mut Criterion) {
    let legs = Legs::new(2, 64).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut group = criterion.benchmark_group("verification");
    group.sample_size(20);
    for count in [1_u8, 16, 64] {
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::new("parse", count), |bench| {
            bench.iter(|| legs.parse(count.into()).unwrap());
        });
        for kernel in Kernel::all() {
            group.bench_function(BenchmarkId::new(kernel.name(), count), |bench| {
                bench.iter(|| legs.verify(kernel, count.into(), &mut rng).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, verification);
criterion_main!(benches);
