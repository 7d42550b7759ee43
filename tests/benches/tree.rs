//! Appending to a log's tree, in memory and over a key-value view.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sudare_ledger::kv::{MemoryKv, Tx};
use sudare_ledger::tree::{LogTree, MemoryTree, leaf_hash};

/// Leaves that are there before.
const BEFORE: u64 = 100_000;

fn tree(criterion: &mut Criterion) {
    let leaf = leaf_hash(b"a leaf");
    let mut memory = MemoryTree::default();
    let (mut kv, log) = (MemoryKv::default(), LogTree::new([1]));
    let tx_kv = kv.clone();
    let tx = Tx::new(&tx_kv);
    for _ in 0..BEFORE {
        memory.append(leaf).unwrap();
        log.append(&tx, leaf).unwrap();
    }
    kv.apply(tx.into_writes());
    let mut group = criterion.benchmark_group("tree");
    group.bench_function("append in memory", |bench| {
        bench.iter(|| memory.append(leaf).unwrap());
    });
    group.bench_function("append in a store", |bench| {
        bench.iter_batched(
            || Tx::new(&kv),
            |tx| log.append(&tx, leaf).unwrap(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("inclusion proof", |bench| {
        bench.iter(|| memory.inclusion(BEFORE / 3, BEFORE).unwrap());
    });
    group.finish();
}

criterion_group!(benches, tree);
criterion_main!(benches);
