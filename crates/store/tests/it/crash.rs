//! `kill -9` in the middle of commits.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use adjutant_core::id::Seq;
use adjutant_store::open;

use crate::scribe::{Scribe, id};
use crate::world::World;

/// Where the child of the test below finds its state directory.
const CHILD_DIR: &str = "ADJ_STORE_TEST_CHILD_DIR";

const ROUNDS: usize = 8;

/// Commits until it is killed, and says after each commit up to where its log is durable.
#[test]
fn child_that_commits() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else { return };
    let (mut writer, loaded) = open(Path::new(&dir), "0").unwrap();
    let mut scribe = Scribe::after(loaded);
    if scribe.sessions().is_empty() {
        scribe.ready(id(1), "fizz-top");
    }
    // More than any round needs: an end, should the parent be gone.
    for number in 0..100_000 {
        scribe.work(id(1), &format!("echo {number}"), &"out ".repeat(number % 5_000));
        let batch = scribe.batch();
        writer.commit(&batch).unwrap();
        let said = writeln!(std::io::stdout(), "durable {}", batch.counters.next_seq - 1);
        if said.is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a process that is killed has to be another one")]
fn spawn(dir: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_commits", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// The number in a whole line; the kill may have cut the last one.
fn durable(line: &str) -> Option<u64> {
    line.strip_prefix("durable ")?.strip_suffix('\n')?.parse().ok()
}

fn kill_after(dir: &Path, commits: usize) -> u64 {
    let (mut child, mut output) = spawn(dir);
    let (mut last, mut seen, mut line) = (0, 0, String::new());
    while output.read_line(&mut line).unwrap() > 0 {
        if let Some(seq) = durable(&line) {
            (last, seen) = (seq, seen + 1);
        }
        if seen == commits {
            child.kill().unwrap();
        }
        line.clear();
    }
    child.wait().unwrap();
    assert!(seen >= commits, "the child ended by itself after {seen} commits");
    last
}

#[test]
fn what_was_said_to_be_durable_survives_kill_9() {
    let world = World::new();
    for round in 0..ROUNDS {
        let said = kill_after(&world.dir(), 1 + round * 23);
        let (_writer, loaded) = world.open();
        let reader = world.reader();
        let last = reader.last_seq().unwrap();
        assert!(last >= Seq::new(said), "{last} of {said}");
        assert_eq!(loaded.counters.next_seq, last.get() + 1);
        let verified = reader.verify_projections().unwrap();
        assert_eq!((verified.events, verified.different), (last.get(), 0), "{:?}", verified.differences);
        assert_eq!(reader.check().unwrap(), Vec::<String>::new());
        let turns = reader.counts().unwrap().turns;
        assert_eq!(reader.answers(id(1), usize::try_from(turns).unwrap() + 1).unwrap().len() as u64, turns);
    }
}
