use std::fs;

use tempfile::TempDir;

use super::{super::Seq, *};

const SCHEMA: u32 = 1;

fn open(folder: &TempDir) -> Result<Index, String> {
    match Index::open(&folder.path().join("index"), SCHEMA, Room::NODE).unwrap() {
        Opened::Sound(index) => Ok(index),
        Opened::Unusable(why) => Err(why),
    }
}

fn position(seq: u64) -> Position {
    Position { seq: Seq(seq), hash: [u8::try_from(seq % 251).unwrap(); 32] }
}

fn writes(pairs: &[(&[u8], Option<&[u8]>)]) -> Writes {
    pairs.iter().map(|(key, value)| (key.to_vec(), value.map(<[u8]>::to_vec))).collect()
}

fn journal(folder: &TempDir) -> PathBuf {
    folder.path().join("index").join("0.jnl")
}

/// Every key is written again and again, so that a missing or displaced batch shows.
fn fill(index: &mut Index, batches: std::ops::RangeInclusive<u64>) {
    for seq in batches {
        let number = seq.to_be_bytes();
        let key = (seq % 7).to_be_bytes();
        index
            .apply(&writes(&[(&key, Some(&number)), (&number, Some(b"once"))]), position(seq))
            .unwrap();
    }
}

fn everything(kv: &impl Kv) -> Vec<(Vec<u8>, Vec<u8>)> {
    kv.scan(&[], None, usize::MAX).unwrap()
}

#[test]
fn keys_are_found_scanned_in_order_and_deleted() {
    let folder = TempDir::new().unwrap();
    let mut index = open(&folder).unwrap();
    let pairs: [(&[u8], Option<&[u8]>); 6] = [
        (b"", Some(b"empty key")),
        (b"a", Some(b"1")),
        (b"a\xff", Some(b"2")),
        (b"a\xff\xff", Some(b"")),
        (b"b", Some(b"4")),
        (b"\xff\xff", Some(b"5")),
    ];
    index.apply(&writes(&pairs), position(1)).unwrap();
    let kv = index.reader().clone();
    let keys = |prefix: &[u8], after: Option<&[u8]>, limit| {
        let found = kv.scan(prefix, after, limit).unwrap();
        found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(kv.get(b"a\xff\xff").unwrap(), Some(vec![]));
    assert_eq!(kv.get(b"").unwrap().unwrap(), b"empty key");
    assert_eq!(kv.get(b"c").unwrap(), None);
    assert_eq!(keys(b"a", None, 9), [b"a".to_vec(), b"a\xff".to_vec(), b"a\xff\xff".to_vec()]);
    assert_eq!(keys(b"a", Some(b"a"), 1), [b"a\xff".to_vec()]);
    assert_eq!(keys(b"a", Some(b""), 1), [b"a".to_vec()]);
    assert_eq!(keys(b"a", Some(b"b"), 9), Vec::<Vec<u8>>::new());
    assert_eq!(keys(b"\xff", None, 9), [b"\xff\xff".to_vec()]);
    assert_eq!(keys(b"", None, 9).len(), 6);
    assert_eq!(keys(b"", None, 0).len(), 0);

    index.apply(&writes(&[(b"a", None), (b"b", Some(b"new"))]), position(2)).unwrap();
    assert_eq!(kv.get(b"a").unwrap(), None);
    assert_eq!(kv.get(b"b").unwrap().unwrap(), b"new");
    let too_long = writes(&[(&vec![0; KEY_BYTES_MAX + 1], None)]);
    assert!(matches!(index.apply(&too_long, position(3)), Err(StoreError::TooLong { .. })));
    assert_eq!(index.applied(), position(2));
}

#[test]
fn a_snapshot_keeps_showing_the_moment_it_was_taken() {
    let folder = TempDir::new().unwrap();
    let mut index = open(&folder).unwrap();
    fill(&mut index, 1..=10);
    let snapshot = index.reader().snapshot();
    let before = everything(&snapshot);
    fill(&mut index, 11..=20);
    assert_eq!(everything(&snapshot), before);
    assert_eq!(snapshot.get(&15_u64.to_be_bytes()).unwrap(), None);
    assert_ne!(everything(index.reader()), before);
}

#[test]
fn a_reopened_index_stands_where_it_was_left() {
    let folder = TempDir::new().unwrap();
    let mut seen = Vec::new();
    for round in 0..4 {
        let mut index = open(&folder).unwrap();
        assert_eq!(index.applied().seq, Seq(round * 50));
        assert_eq!(everything(index.reader()), seen);
        fill(&mut index, round * 50 + 1..=round * 50 + 50);
        if round % 2 == 0 {
            index.reader.tables.rotate_memtable_and_wait().unwrap();
        }
        seen = everything(index.reader());
    }
}

#[test]
fn an_index_that_is_still_being_closed_is_waited_for() {
    let folder = TempDir::new().unwrap();
    let mut index = open(&folder).unwrap();
    fill(&mut index, 1..=3);
    let reader = index.reader().clone();
    drop(index);
    let closing = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(reader);
    });
    assert_eq!(open(&folder).unwrap().applied().seq, Seq(3));
    closing.join().unwrap();
}

#[test]
fn an_index_of_other_tables_is_not_used() {
    let folder = TempDir::new().unwrap();
    fill(&mut open(&folder).unwrap(), 1..=3);
    let other = Index::open(&folder.path().join("index"), SCHEMA + 1, Room::NODE).unwrap();
    assert!(matches!(other, Opened::Unusable(_)));
}

/// Any flipped bit in fjall's journal must be found, or leave an index that is a state of the past.
#[test]
fn no_flipped_bit_in_the_journal_goes_unnoticed() {
    const BATCHES: u64 = 6;
    let folder = TempDir::new().unwrap();
    let mut states = vec![Vec::new()];
    {
        // Half of the batches lie in a table file, so that a batch with too low a number would be skipped.
        let mut index = open(&folder).unwrap();
        for seq in 1..=BATCHES {
            fill(&mut index, seq..=seq);
            states.push(everything(index.reader()));
            if seq == BATCHES / 2 {
                index.reader.tables.rotate_memtable_and_wait().unwrap();
            }
        }
    }
    let whole = fs::read(journal(&folder)).unwrap();
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let files = copy_of(&folder);
    let mut unusable = 0;
    for bit in (0..used * 8).step_by(23) {
        put_back(&folder, &files);
        let mut damaged = whole[..used].to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(journal(&folder), &damaged).unwrap();
        match open(&folder) {
            Err(_) => unusable += 1,
            Ok(mut index) => {
                let applied = usize::try_from(index.applied().seq.0).unwrap();
                assert_eq!(everything(index.reader()), states[applied], "bit {bit}, at {applied}");
                // And it takes more.
                let next = index.applied().seq.next().0;
                fill(&mut index, next..=next);
                assert!(index.reader().get(&next.to_be_bytes()).unwrap().is_some());
            }
        }
    }
    assert!(unusable > 0);
}

#[test]
fn no_flipped_bit_in_a_table_file_goes_unnoticed_and_the_next_start_builds_the_index_again() {
    let folder = TempDir::new().unwrap();
    let seen = {
        let mut index = open(&folder).unwrap();
        for seq in 1..=40_u64 {
            let value = [u8::try_from(seq).unwrap(); 500];
            index.apply(&writes(&[(&seq.to_be_bytes(), Some(&value))]), position(seq)).unwrap();
        }
        index.reader.tables.rotate_memtable_and_wait().unwrap();
        everything(index.reader())
    };
    let files = copy_of(&folder);
    let journal_bytes = fs::read(journal(&folder)).unwrap();
    let (path, whole) = files.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let mut read_errors = 0;
    for offset in (0..whole.len()).step_by(251) {
        put_back(&folder, &files);
        fs::write(journal(&folder), &journal_bytes).unwrap();
        let mut damaged = whole.clone();
        damaged[offset] ^= 0x10;
        fs::write(path, damaged).unwrap();
        let Ok(index) = open(&folder) else { continue };
        match index.reader().scan(&[], None, usize::MAX) {
            Ok(read) => assert_eq!(read, seen, "byte {offset}"),
            Err(_) => {
                drop(index);
                assert!(open(&folder).is_err(), "byte {offset}");
                read_errors += 1;
            }
        }
    }
    assert!(read_errors > 0);
    let index = Index::rebuild(&folder.path().join("index"), SCHEMA).unwrap();
    assert_eq!((index.applied(), everything(index.reader())), (Position::START, vec![]));
    drop(index);
    open(&folder).unwrap();
}

fn copy_of(folder: &TempDir) -> Vec<(PathBuf, Vec<u8>)> {
    fn visit(path: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, files);
            } else if path.extension().is_none_or(|extension| extension != "jnl") {
                files.push((path.clone(), fs::read(&path).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    visit(&folder.path().join("index"), &mut files);
    files
}

fn put_back(folder: &TempDir, files: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(folder.path().join("index")).unwrap();
    for (path, bytes) in files {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    // Folders may be empty.
    for empty in ["keyspaces/0/tables", "keyspaces/1/tables"] {
        fs::create_dir_all(folder.path().join("index").join(empty)).unwrap();
    }
}
