use super::*;

fn opened() -> Record {
    let runner = (&crate::process::own_incarnation().unwrap()).into();
    Record::Opened { version: 1, runner }
}

fn found(dir: &Path, offset: u64) -> Vec<Found> {
    Reader::open(dir, offset).unwrap().collect::<io::Result<_>>().unwrap()
}

fn records(dir: &Path, offset: u64) -> Vec<Record> {
    found(dir, offset).into_iter().map(|found| found.entry.record).collect()
}

#[test]
fn only_the_first_maker_decides() {
    let dir = tempfile::tempdir().unwrap();
    let first = Journal::open(dir.path(), &opened()).unwrap();
    let second = create(dir.path(), &opened()).unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(records(dir.path(), 0), [opened()]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(first.end(), std::fs::metadata(journal_path(dir.path())).unwrap().len());
}

#[test]
fn a_cursor_goes_on_behind_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &opened()).unwrap();
    journal.append(&Record::Ready);
    journal.append(&Record::Given { message: 1, attempt: 1 });
    let all = found(dir.path(), 0);
    assert_eq!(all.len(), 3);
    assert_eq!(records(dir.path(), all[1].next), [Record::Given { message: 1, attempt: 1 }]);
    assert_eq!(all[2].next, journal.end());
    assert_eq!(*journal.length().borrow(), journal.end());
}

#[test]
fn x_records_wait_for_a_full_disk_and_keep_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &opened()).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let real = std::mem::replace(&mut journal.file, full);
    let before = journal.end();
    journal.append(&Record::Ready);
    journal.append(&Record::Given { message: 1, attempt: 1 });
    assert!(journal.is_behind());
    assert_eq!((journal.written, *journal.length().borrow()), (before, before));
    journal.file = real;
    journal.append(&Record::Taken { message: 1, attempt: 1 });
    assert!(!journal.is_behind());
    let expected = [Record::Ready, Record::Given { message: 1, attempt: 1 }, Record::Taken { message: 1, attempt: 1 }];
    assert_eq!(records(dir.path(), before), expected);
}

#[test]
fn x_records_beyond_the_bound_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &opened()).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let real = std::mem::replace(&mut journal.file, full);
    (0..RECORDS_WAITING_MAX + 3).for_each(|_| journal.append(&Record::Ready));
    journal.file = real;
    journal.catch_up();
    assert!(!journal.is_behind());
    assert_eq!(records(dir.path(), 0).last(), Some(&Record::Lost { records: 3 }));
}

#[test]
fn records_that_are_committed_cost_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &opened()).unwrap();
    let long = "x".repeat(5000);
    for _ in 0..200 {
        journal.append(&Record::InterruptPassed { detail: long.clone() });
    }
    let committed = journal.end();
    journal.forget(committed);
    journal.append(&Record::Ready);
    let meta = std::fs::metadata(journal_path(dir.path())).unwrap();
    assert_eq!(meta.len(), journal.end());
    assert!(std::os::unix::fs::MetadataExt::blocks(&meta) * 512 < 64 * 1024, "{meta:?}");
    let found = found(dir.path(), 0);
    assert_eq!(found.first().unwrap().entry.record, opened());
    assert_eq!(found.last().unwrap().entry.record, Record::Ready);
    assert_eq!(found.last().unwrap().next, journal.end());
    assert_eq!(records(dir.path(), committed), [Record::Ready]);
}

#[test]
fn a_torn_last_line_and_a_foreign_line_are_no_records() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), &opened()).unwrap();
    journal.append(&Record::Ready);
    let path = journal_path(dir.path());
    let mut raw = std::fs::read(&path).unwrap();
    raw.extend_from_slice(b"\0\0\0{\"at\":1,\"type\":\"ready\"}\nno json\n{\"at\":1,\"type\":\"rea");
    std::fs::write(&path, raw).unwrap();
    assert_eq!(records(dir.path(), 0), [opened(), Record::Ready, Record::Ready]);
}
