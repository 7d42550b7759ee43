//! Work that falls into parts, on several threads.

/// What `work` makes of each part, in order, on so many threads.
pub fn together<T: Sync, R: Send>(
    threads: usize,
    parts: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let share = parts.len().div_ceil(threads.max(1)).max(1);
    let mut shares = parts.chunks(share);
    let Some(own) = shares.next() else { return Vec::new() };
    let work = |parts: &[T]| parts.iter().map(&work).collect::<Vec<R>>();
    std::thread::scope(|scope| {
        let others: Vec<_> = shares.map(|parts| scope.spawn(|| work(parts))).collect();
        let mut results = work(own);
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_in_order_however_many_threads_there_are() {
        let parts: Vec<u32> = (0..17).collect();
        let expected: Vec<u32> = parts.iter().map(|part| part * 3).collect();
        for threads in [0, 1, 2, 5, 17, 40] {
            assert_eq!(together(threads, &parts, |part| part * 3), expected, "{threads}");
        }
        assert_eq!(together(3, &[], |part: &u32| *part), []);
    }
}
