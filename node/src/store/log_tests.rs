use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::*;

/// A log's folder, to be opened, damaged and opened again.
struct Place {
    folder: TempDir,
    segment_bytes: u64,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap(), segment_bytes: 1 << 20 }
    }

    /// A closed log of `count` records, one batch each.
    fn with_records(count: u64, segment_bytes: u64) -> Self {
        let place = Self { segment_bytes, ..Self::new() };
        let mut log = place.open().unwrap().0;
        for n in 1..=count {
            log.append(&payload(n)).unwrap();
            log.sync().unwrap();
        }
        place
    }

    fn open(&self) -> Result<(Log, Option<Cut>), StoreError> {
        Log::open(&self.folder.path().join("log"), &self.mark(), self.segment_bytes)
    }

    fn mark(&self) -> PathBuf {
        self.folder.path().join("high-water")
    }

    fn segments(&self) -> Vec<PathBuf> {
        list_segments(&self.folder.path().join("log")).unwrap().into_values().collect()
    }

    fn last_segment(&self) -> PathBuf {
        self.segments().pop().unwrap()
    }

    /// Copies of all files, to put back.
    fn save(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = self.segments();
        files.push(self.mark());
        files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

fn restore(files: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

fn payload(n: u64) -> Vec<u8> {
    format!("event {n}").into_bytes().repeat(usize::try_from(n % 4).unwrap())
}

fn payloads(log: &Log) -> Vec<Vec<u8>> {
    log.read_from(Seq(1)).map(|record| record.unwrap().payload).collect()
}

fn expected(count: u64) -> Vec<Vec<u8>> {
    (1..=count).map(payload).collect()
}

#[test]
fn a_reopened_log_has_every_synced_record_in_order() {
    let place = Place::new();
    let (mut log, cut) = place.open().unwrap();
    assert_eq!((log.head(), cut), (Position::START, None));
    assert_eq!(log.append(&payload(1)).unwrap().seq, Seq(1));
    assert_eq!(log.append(&payload(2)).unwrap().seq, Seq(2));
    assert_eq!(log.head(), Position::START, "nothing is acknowledged before the sync");
    let head = log.sync().unwrap();
    log.append(b"never synced").unwrap();
    drop(log);

    let (mut log, cut) = place.open().unwrap();
    assert_eq!((log.head(), cut), (head, None));
    assert_eq!(payloads(&log), expected(2));
    log.append(&payload(3)).unwrap();
    log.sync().unwrap();
    assert_eq!(payloads(&log), expected(3));
}

#[test]
fn records_spread_over_segments_and_can_be_read_from_any_of_them() {
    let place = Place::with_records(40, 300);
    assert!(place.segments().len() > 5);
    let (log, _) = place.open().unwrap();
    for first in 1..=41 {
        let seqs: Vec<u64> =
            log.read_from(Seq(first)).map(|record| record.unwrap().position.seq.0).collect();
        assert_eq!(seqs, (first..=40).collect::<Vec<_>>());
    }
    assert_eq!(payloads(&log), expected(40));
    assert_eq!(log.position(Seq(40)).unwrap(), Some(log.head()));
    assert_eq!(log.position(Seq(17)).unwrap().unwrap().seq, Seq(17));
    assert_eq!(log.position(Seq(41)).unwrap(), None);
}

#[test]
fn a_torn_last_record_that_was_not_acknowledged_is_cut_at_every_byte() {
    for segment_bytes in [1, 1 << 20] {
        // The last record starts a segment of its own, or follows others.
        let place = Place::with_records(3, segment_bytes);
        let before = place.save();
        let mut log = place.open().unwrap().0;
        log.append(&payload(4)).unwrap();
        log.append(&payload(5)).unwrap();
        log.sync().unwrap();
        drop(log);
        let last = place.last_segment();
        let whole = fs::read(&last).unwrap();
        let start = before.iter().find(|(path, _)| *path == last).map_or(0, |(_, old)| old.len());
        for length in start..whole.len() {
            place.segments().into_iter().for_each(|path| fs::remove_file(path).unwrap());
            restore(&before);
            fs::write(&last, &whole[..length]).unwrap();
            let (mut log, cut) = place.open().unwrap();
            let read = payloads(&log);
            assert_eq!(read, expected(u64::try_from(read.len()).unwrap()), "cut to {length}");
            assert!((3..5).contains(&read.len()), "cut to {length}");
            let kept = last.metadata().ok().map(|file| file.len());
            assert_eq!(cut.is_some(), kept != Some(bytes(length)), "cut to {length}");
            // The log goes on after the cut, and a later opening finds nothing wrong.
            log.append(b"after the cut").unwrap();
            log.sync().unwrap();
            let head = log.head();
            drop(log);
            let (log, cut) = place.open().unwrap();
            assert_eq!((log.head(), cut), (head, None));
        }
    }
}

#[test]
fn zeroes_or_rubbish_after_the_acknowledged_end_are_cut() {
    for rubbish in [vec![0; 5000], vec![0xff; 700], b"SUDARELG".to_vec()] {
        let place = Place::with_records(3, 1 << 20);
        let mut bytes = fs::read(place.last_segment()).unwrap();
        bytes.extend_from_slice(&rubbish);
        fs::write(place.last_segment(), bytes).unwrap();
        let (log, cut) = place.open().unwrap();
        assert_eq!(cut.unwrap().bytes, u64::try_from(rubbish.len()).unwrap());
        assert_eq!(payloads(&log), expected(3));
    }
}

#[test]
fn a_complete_record_after_the_mark_is_kept_and_counts_from_then_on() {
    let place = Place::with_records(3, 1 << 20);
    let mark = fs::read(place.mark()).unwrap();
    let mut log = place.open().unwrap().0;
    log.append(&payload(4)).unwrap();
    log.sync().unwrap();
    drop(log);
    fs::write(place.mark(), mark).unwrap();
    assert_eq!(payloads(&place.open().unwrap().0), expected(4));
    let path = place.last_segment();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert!(matches!(place.open(), Err(StoreError::Damaged { seq: Seq(4), .. })));
}

#[test]
fn every_flipped_bit_of_a_closed_log_is_refused() {
    let place = Place::with_records(3, 150);
    let saved = place.save();
    assert_eq!(place.segments().len(), 2);
    for path in place.segments() {
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &damaged).unwrap();
            let error = place.open().map(|_| ()).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "bit {bit} of {path:?}: {error}");
            assert_eq!(fs::read(&path).unwrap(), damaged, "a refused log is left as it was");
        }
        restore(&saved);
    }
    assert_eq!(payloads(&place.open().unwrap().0), expected(3));
}

#[test]
fn every_flipped_bit_of_the_mark_is_refused_or_loses_nothing() {
    let place = Place::with_records(5, 300);
    let saved = place.save();
    let mark = fs::read(place.mark()).unwrap();
    let slots = (0..52).chain(4096..mark.len()).flat_map(|byte| byte * 8..byte * 8 + 8);
    for bit in slots.step_by(5) {
        let mut damaged = mark.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(place.mark(), &damaged).unwrap();
        assert_eq!(payloads(&place.open().unwrap().0), expected(5), "bit {bit}");
        restore(&saved);
    }
    fs::write(place.mark(), vec![0; mark.len()]).unwrap();
    assert!(matches!(place.open(), Err(StoreError::HighWater { what: "is damaged", .. })));
    fs::remove_file(place.mark()).unwrap();
    assert!(matches!(place.open(), Err(StoreError::HighWater { what: "is missing", .. })));
}

#[test]
fn a_log_that_lost_acknowledged_records_is_refused_wherever_it_ends() {
    let place = Place::with_records(5, 300);
    let saved = place.save();
    let path = place.last_segment();
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = place.open().map(|_| ()).unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Gone { acknowledged: Seq(5), .. } | StoreError::Damaged { .. }
            ),
            "cut to {length}: {error}"
        );
    }
    fs::remove_file(&path).unwrap();
    assert!(matches!(place.open(), Err(StoreError::Gone { acknowledged: Seq(5), .. })));
    fs::remove_dir_all(place.folder.path().join("log")).unwrap();
    let gone = StoreError::Gone { acknowledged: Seq(5), found: Seq(0) };
    assert_eq!(place.open().map(|_| ()).unwrap_err().to_string(), gone.to_string());
    fs::create_dir_all(place.folder.path().join("log")).unwrap();
    restore(&saved);
    place.open().unwrap();
}

#[test]
fn a_removed_or_renamed_segment_is_refused() {
    let place = Place::with_records(20, 300);
    let saved = place.save();
    let segments = place.segments();
    for path in &segments[..segments.len() - 1] {
        fs::remove_file(path).unwrap();
        assert!(matches!(place.open(), Err(StoreError::SegmentMissing { .. })));
        restore(&saved);
    }
    fs::rename(&segments[1], segments[1].with_file_name(segment_name(Seq(999)))).unwrap();
    assert!(matches!(place.open(), Err(StoreError::SegmentMissing { .. })));
}

#[test]
fn another_log_with_the_same_numbers_is_refused() {
    let (place, other) = (Place::with_records(5, 1 << 20), Place::new());
    let mut log = other.open().unwrap().0;
    for _ in 0..5 {
        log.append(b"something else").unwrap();
    }
    log.sync().unwrap();
    fs::copy(other.last_segment(), place.last_segment()).unwrap();
    assert!(matches!(place.open(), Err(StoreError::Diverged { seq: Seq(5), .. })));
}

#[test]
fn a_segment_of_another_version_is_refused_by_name() {
    let place = Place::with_records(1, 1 << 20);
    let mut bytes = fs::read(place.last_segment()).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..52]);
    bytes[52..56].copy_from_slice(&crc.to_le_bytes());
    fs::write(place.last_segment(), bytes).unwrap();
    assert!(matches!(place.open(), Err(StoreError::Version { found: 2, known: 1, .. })));
}

#[test]
fn too_long_records_and_batches_are_refused_and_harm_nothing() {
    let place = Place::new();
    let mut log = place.open().unwrap().0;
    let longest = vec![7; super::super::RECORD_BYTES_MAX];
    let longer = vec![7; longest.len() + 1];
    assert!(matches!(log.append(&longer), Err(StoreError::TooLong { what: "record", .. })));
    for _ in 0..3 {
        log.append(&longest).unwrap();
    }
    assert!(matches!(log.append(&longest), Err(StoreError::TooLong { what: "batch", .. })));
    log.sync().unwrap();
    log.append(&[]).unwrap();
    log.sync().unwrap();
    drop(log);
    let log = place.open().unwrap().0;
    assert_eq!(log.head().seq, Seq(4));
    assert_eq!(payloads(&log), [longest.clone(), longest.clone(), longest, vec![]]);
}

#[test]
fn a_failed_write_or_sync_stops_the_log_for_good() {
    // Writing to /dev/full fails for want of space; /dev/null takes writes, but can't be synced.
    for device in ["/dev/full", "/dev/null"] {
        let place = Place::with_records(2, 1 << 20);
        let mut log = place.open().unwrap().0;
        log.active.as_mut().unwrap().file = OpenOptions::new().write(true).open(device).unwrap();
        log.append(&payload(3)).unwrap();
        let error = log.sync().unwrap_err();
        assert!(matches!(error, StoreError::WriteFailed { acknowledged: Seq(2), .. }), "{error}");
        assert!(error.to_string().contains("restart"));
        assert!(matches!(log.sync(), Err(StoreError::Poisoned { .. })));
        assert!(matches!(log.append(b"x"), Err(StoreError::Poisoned { .. })));
        assert_eq!(payloads(&log), expected(2), "reading goes on");
        drop(log);
        assert_eq!(payloads(&place.open().unwrap().0), expected(2));
    }
}

#[test]
fn a_failed_write_or_sync_of_the_mark_stops_the_log_too() {
    // The sync of the mark is waited for by the next batch.
    for (device, batches) in [("/dev/full", 0), ("/dev/null", 1)] {
        let place = Place::with_records(2, 1 << 20);
        let mut log = place.open().unwrap().0;
        log.high_water.break_for_test(device);
        for n in 0..batches {
            log.append(&payload(3 + n)).unwrap();
            log.sync().unwrap();
        }
        log.append(&payload(3 + batches)).unwrap();
        let error = log.sync().unwrap_err();
        assert!(
            matches!(error, StoreError::WriteFailed { acknowledged, .. } if acknowledged == Seq(2 + batches))
        );
        assert!(matches!(log.sync(), Err(StoreError::Poisoned { .. })));
        drop(log);
        // The record is on disk, though nobody was told: it may stay.
        assert_eq!(payloads(&place.open().unwrap().0), expected(3 + batches));
    }
}
