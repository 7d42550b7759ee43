use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use proptest::prelude::*;
use sudare_ledger::kv::Kv;
use tempfile::TempDir;

use super::*;

const CHILD_FOLDER: &str = "SUDARE_STORE_TEST_FOLDER";
const CHILD_TASK: &str = "SUDARE_STORE_TEST_TASK";

fn options() -> Options {
    Options { segment_bytes: 2000, ..Options::default() }
}

fn open(folder: &Path) -> Result<(Store, Report), StoreError> {
    Store::open(folder, &options())
}

fn payload(seq: u64) -> Vec<u8> {
    format!("event {seq} ").into_bytes().repeat(usize::try_from(seq % 5).unwrap())
}

/// What the events of these tests do to the tables: a running total, and one of seven rows.
fn handle(kv: &impl Kv, event: &Record) -> Writes {
    let total =
        kv.get(b"total").unwrap().map_or(0, |total| u64::from_le_bytes(total.try_into().unwrap()));
    let total = total + event.position.seq.0;
    let row = vec![u8::try_from(event.position.seq.0 % 7).unwrap()];
    Writes::from([
        (b"total".to_vec(), Some(total.to_le_bytes().to_vec())),
        (row, Some(event.payload.clone())),
    ])
}

fn catch_up(store: &mut Store) -> usize {
    let mut handled = 0;
    for event in store.pending() {
        let event = event.unwrap();
        let writes = handle(store.kv(), &event);
        store.apply(&writes, event.position).unwrap();
        handled += 1;
    }
    handled
}

fn add(store: &mut Store, count: u64) {
    for _ in 0..count {
        let next = store.log_end().seq.next();
        store.append(&payload(next.0)).unwrap();
    }
    store.sync().unwrap();
}

fn everything(kv: &impl Kv) -> Vec<(Vec<u8>, Vec<u8>)> {
    kv.scan(&[], None, usize::MAX).unwrap()
}

fn check_events(store: &Store) {
    let mut expected = Seq(0);
    for event in store.read_from(Seq(1)) {
        let event = event.unwrap();
        expected = expected.next();
        assert_eq!((event.position.seq, event.payload), (expected, payload(expected.0)));
    }
    assert_eq!(store.head().seq, expected);
}

/// Tables of the first `count` events, made without a log.
fn expected_tables(count: u64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut kv = sudare_ledger::kv::MemoryKv::default();
    for seq in 1..=count {
        let position = Position { seq: Seq(seq), hash: [0; 32] };
        let writes = handle(&kv, &Record { position, payload: payload(seq) });
        kv.apply(writes);
    }
    everything(&kv)
}

impl Store {
    fn log_end(&self) -> Position {
        self.log.end()
    }
}

#[test]
fn a_reopened_store_hands_out_the_events_that_were_not_applied() {
    let folder = TempDir::new().unwrap();
    let (mut store, report) = open(folder.path()).unwrap();
    assert_eq!((report.head, report.applied), (Position::START, Position::START));
    add(&mut store, 5);
    assert_eq!(catch_up(&mut store), 5);
    add(&mut store, 3);
    let head = store.head();
    drop(store);

    let (mut store, report) = open(folder.path()).unwrap();
    assert_eq!((report.head, report.applied.seq, report.rebuilt), (head, Seq(5), None));
    assert_eq!(catch_up(&mut store), 3);
    assert_eq!(everything(store.kv()), expected_tables(8));
    drop(store);

    let (mut store, report) = open(folder.path()).unwrap();
    assert_eq!(report.applied, head);
    assert_eq!(catch_up(&mut store), 0);
    assert_eq!(report.to_string(), "log checked: 8 records, 0 to apply");
}

#[test]
fn writes_are_applied_in_order_and_only_of_synced_events() {
    let folder = TempDir::new().unwrap();
    let mut store = open(folder.path()).unwrap().0;
    let first = store.append(b"1").unwrap();
    let second = store.append(b"2").unwrap();
    let early = store.apply(&Writes::new(), first);
    assert!(matches!(early, Err(StoreError::OutOfOrder { .. })));
    store.sync().unwrap();
    store.apply(&Writes::new(), second).unwrap();
    let late = store.apply(&Writes::new(), first);
    assert!(matches!(late, Err(StoreError::OutOfOrder { .. })));
    assert_eq!(store.applied(), second);
}

#[test]
fn a_lost_damaged_or_foreign_index_is_built_again_from_the_log() {
    let folder = TempDir::new().unwrap();
    let other = TempDir::new().unwrap();
    let mut store = open(folder.path()).unwrap().0;
    add(&mut store, 30);
    catch_up(&mut store);
    drop(store);
    let mut stranger = open(other.path()).unwrap().0;
    stranger.append(b"another event 1").unwrap();
    stranger.sync().unwrap();
    let head = stranger.head();
    stranger.apply(&Writes::from([(b"x".to_vec(), Some(vec![1]))]), head).unwrap();
    drop(stranger);

    let index = folder.path().join("index");
    let damages: [(&str, &dyn Fn()); 6] = [
        ("", &|| fs::remove_dir_all(&index).unwrap()),
        ("", &|| fs::write(index.join("version"), b"rubbish").unwrap()),
        ("", &|| fs::write(index.join("0.jnl"), vec![0xa5; 9000]).unwrap()),
        ("", &|| fs::remove_dir_all(index.join("keyspaces")).unwrap()),
        ("the log has another record 1", &|| replace(&other.path().join("index"), &index)),
        ("", &|| {
            fs::remove_dir_all(&index).unwrap();
            fs::create_dir(&index).unwrap();
        }),
    ];
    for (why, damage) in damages {
        damage();
        let (mut store, report) = open(folder.path()).unwrap();
        assert!(report.rebuilt.unwrap_or_default().contains(why));
        assert_eq!(catch_up(&mut store), 30);
        assert_eq!(everything(store.kv()), expected_tables(30));
    }
}

#[test]
fn an_index_ahead_of_its_log_is_built_again_and_one_behind_catches_up() {
    let folder = TempDir::new().unwrap();
    let old = TempDir::new().unwrap();
    let mut store = open(folder.path()).unwrap().0;
    add(&mut store, 4);
    catch_up(&mut store);
    drop(store);
    replace(folder.path(), old.path());
    let mut store = open(folder.path()).unwrap().0;
    add(&mut store, 4);
    catch_up(&mut store);
    drop(store);
    let new = TempDir::new().unwrap();
    replace(folder.path(), new.path());

    // The log and its mark of yesterday, the index of today.
    replace(&old.path().join("log"), &folder.path().join("log"));
    fs::copy(old.path().join("high-water"), folder.path().join("high-water")).unwrap();
    let (mut store, report) = open(folder.path()).unwrap();
    assert_eq!(report.rebuilt.unwrap(), "it is ahead of the log, at record 8");
    catch_up(&mut store);
    assert_eq!(everything(store.kv()), expected_tables(4));
    drop(store);

    // The other way round.
    replace(new.path(), folder.path());
    replace(&old.path().join("index"), &folder.path().join("index"));
    let (mut store, report) = open(folder.path()).unwrap();
    assert_eq!((report.applied.seq, report.rebuilt), (Seq(4), None));
    assert_eq!(catch_up(&mut store), 4);
    assert_eq!(everything(store.kv()), expected_tables(8));
}

#[test]
fn an_older_copy_of_the_folder_is_found_by_a_mark_kept_elsewhere() {
    let (folder, elsewhere, old) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    let options = Options { high_water: Some(elsewhere.path().join("mark")), ..options() };
    let mut store = Store::open(folder.path(), &options).unwrap().0;
    add(&mut store, 2);
    replace(folder.path(), old.path());
    add(&mut store, 1);
    drop(store);
    replace(old.path(), folder.path());
    let error = Store::open(folder.path(), &options).unwrap_err();
    assert!(matches!(error, StoreError::Gone { acknowledged: Seq(3), found: Seq(2) }), "{error}");
}

#[test]
fn a_change_of_tables_builds_the_index_again() {
    let folder = TempDir::new().unwrap();
    let mut store = open(folder.path()).unwrap().0;
    add(&mut store, 3);
    catch_up(&mut store);
    drop(store);
    let report = Store::open(folder.path(), &Options { schema: 3, ..options() }).unwrap().1;
    assert_eq!(report.applied, Position::START);
    assert!(report.rebuilt.unwrap().contains("other tables"));
}

#[test]
fn a_second_store_on_the_folder_is_refused_and_a_stale_lock_file_is_no_obstacle() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("lock"), "999999999").unwrap();
    let store = open(folder.path()).unwrap().0;
    let error = open(folder.path()).unwrap_err();
    let pid = std::process::id().to_string();
    assert!(error.to_string().contains(&format!("another sudare process (pid {pid})")), "{error}");
    drop(store);
    open(folder.path()).unwrap();
}

#[test]
fn a_failed_index_write_stops_the_store() {
    let folder = TempDir::new().unwrap();
    let mut store = open(folder.path()).unwrap().0;
    add(&mut store, 1);
    store.log.poison("the index failed");
    let head = store.head();
    assert!(matches!(store.apply(&Writes::new(), head), Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.append(b"x"), Err(StoreError::Poisoned { .. })));
    assert!(matches!(store.sync(), Err(StoreError::Poisoned { .. })));
    assert_eq!(store.pending().count(), 1, "reading goes on");
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    for round in 0..6 {
        let mut child = start_child("append", folder.path());
        let mut acknowledged = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = 0;
        // However the child is scheduled, it is killed in the middle of its work.
        for _ in 0..20 + 37 * round {
            last = acknowledgement(acknowledged.next().unwrap().unwrap());
        }
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("(pid {})", child.id())), "{error}");
        child.kill().unwrap();
        child.wait().unwrap();
        last = acknowledged.map_while(Result::ok).map(acknowledgement).last().unwrap_or(last);

        let (mut store, report) = open(folder.path()).unwrap();
        assert!(report.head.seq >= Seq(last), "{} acknowledged, {report}", last);
        assert_eq!(report.rebuilt, None);
        check_events(&store);
        catch_up(&mut store);
        assert_eq!(everything(store.kv()), expected_tables(store.head().seq.0));
    }
}

#[test]
fn a_full_disk_stops_the_log_and_loses_nothing_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let mut child = start_child("fill", folder.path());
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success());
    let failure = lines.iter().position(|line| line.contains("File too large")).unwrap();
    assert!(lines[failure].contains("Free space"), "{}", lines[failure]);
    assert!(lines[failure + 1].contains("stopped after an earlier failure"));
    let last = acknowledgement(lines[failure - 1].clone());
    assert!(last > 10);
    let (store, report) = open(folder.path()).unwrap();
    assert!(report.head.seq >= Seq(last));
    check_events(&store);
}

/// Not a test: a task for a process of its own.
#[test]
fn the_child_process_of_the_tests_above() {
    let (Ok(task), Ok(folder)) = (env::var(CHILD_TASK), env::var(CHILD_FOLDER)) else { return };
    // Not println: the test harness would keep it.
    let say = |line: String| {
        let mut out = std::io::stdout().lock();
        out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
    };
    let folder = Path::new(&folder);
    if task == "append" {
        let mut store = open(folder).unwrap().0;
        for batch in 0.. {
            add(&mut store, batch % 4 + 1);
            say(format!("acknowledged {}", store.head().seq));
            if batch % 3 == 0 {
                catch_up(&mut store);
            }
        }
    }
    // Only the log: fjall sets its journal to a size of its own.
    let mut log = Log::open(&folder.join("log"), &folder.join("high-water"), 1 << 30).unwrap().0;
    let error = loop {
        log.append(&payload(log.head().seq.next().0)).unwrap();
        match log.sync() {
            Ok(head) => say(format!("acknowledged {}", head.seq)),
            Err(error) => break error,
        }
    };
    say(error.to_string());
    say(log.sync().unwrap_err().to_string());
}

/// Runs the task in a process of its own. One that fills the disk may write files of 16 kB; larger ones fail.
fn start_child(task: &str, folder: &Path) -> Child {
    let script = match task {
        "fill" => r#"trap "" XFSZ; ulimit -f 32; exec "$0" "$@""#,
        _ => r#"exec "$0" "$@""#,
    };
    let module = module_path!().split_once("::").unwrap().1;
    Command::new("sh")
        .args(["-c", script])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("{module}::the_child_process_of_the_tests_above"),
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD_TASK, task)
        .env(CHILD_FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The number in an acknowledgement; the harness's own lines have none.
fn acknowledgement(line: String) -> u64 {
    line.rsplit_once("acknowledged ").map_or(0, |(_, number)| number.parse().unwrap())
}

/// Makes `to` a copy of `from`.
fn replace(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            replace(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Sync,
    CatchUp,
    Reopen,
    LoseIndex,
    TearTail(u8),
}

fn arb_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..6_u64).prop_map(Step::Append),
        4 => Just(Step::Sync),
        3 => Just(Step::CatchUp),
        2 => Just(Step::Reopen),
        1 => Just(Step::LoseIndex),
        1 => any::<u8>().prop_map(Step::TearTail),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: synced events stay, unsynced ones go, tables follow from the log.
    #[test]
    fn a_store_behaves_like_a_list_of_synced_events(steps in prop::collection::vec(arb_step(), 1..30)) {
        let folder = TempDir::new().unwrap();
        let mut store = open(folder.path()).unwrap().0;
        let mut synced = 0;
        for step in steps {
            match step {
                Step::Append(count) => (0..count).for_each(|_| {
                    let next = store.log_end().seq.next().0;
                    store.append(&payload(next)).unwrap();
                }),
                Step::Sync => synced = store.sync().unwrap().seq.0,
                Step::CatchUp => {
                    catch_up(&mut store);
                    prop_assert_eq!(everything(store.kv()), expected_tables(synced));
                }
                Step::Reopen | Step::LoseIndex | Step::TearTail(_) => {
                    drop(store);
                    damage(folder.path(), &step);
                    store = open(folder.path()).unwrap().0;
                    prop_assert_eq!(store.log_end().seq, Seq(synced));
                }
            }
            prop_assert_eq!(store.head().seq, Seq(synced));
        }
        check_events(&store);
        catch_up(&mut store);
        prop_assert_eq!(everything(store.kv()), expected_tables(synced));
    }
}

fn damage(folder: &Path, step: &Step) {
    match step {
        Step::LoseIndex => fs::remove_dir_all(folder.join("index")).unwrap(),
        Step::TearTail(length) => {
            let mut segments: Vec<_> = fs::read_dir(folder.join("log"))
                .unwrap()
                .map(|file| file.unwrap().path())
                .collect();
            segments.sort();
            if let Some(last) = segments.last() {
                let mut bytes = fs::read(last).unwrap();
                bytes.extend((0..*length).rev());
                fs::write(last, bytes).unwrap();
            }
        }
        _ => {}
    }
}
