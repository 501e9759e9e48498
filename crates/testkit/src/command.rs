//! Commands of a world, and how they ended.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process::Process;

/// Time after which a command that was to end by itself is ended, and its test fails.
const ENDS_MAX: Duration = Duration::from_secs(120);

/// Time for the streams of a command to be closed once it has ended: nothing that it started may hold them open.
const CLOSES_MAX: Duration = Duration::from_secs(10);

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    process: Option<Process>,
    shown: String,
    began: Instant,
    out: Caught,
    err: Caught,
}

/// How a command ended: its code, or minus the signal that ended it, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Ended {
    /// The command.
    pub shown: String,
    /// The exit code; minus the number of the signal where one ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

/// One stream of a command, as far as it has been written.
#[derive(Debug)]
struct Caught {
    said: Arc<Said>,
}

#[derive(Debug, Default)]
struct Said {
    bytes: Mutex<(Vec<u8>, bool)>,
    grown: Condvar,
}

impl Said {
    fn locked(&self) -> MutexGuard<'_, (Vec<u8>, bool)> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grow(&self, more: &[u8], ended: bool) {
        let mut bytes = self.locked();
        bytes.0.extend_from_slice(more);
        bytes.1 |= ended;
        self.grown.notify_all();
    }
}

impl Caught {
    fn new(pipe: Option<impl Read + Send + 'static>) -> Self {
        let said = Arc::new(Said::default());
        let into = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut some = vec![0; 64 * 1024];
            if let Some(mut pipe) = pipe {
                while let Ok(count @ 1..) = pipe.read(&mut some) {
                    into.grow(&some[..count], false);
                }
            }
            into.grow(&[], true);
        });
        Self { said }
    }

    fn now(&self) -> String {
        String::from_utf8_lossy(&self.said.locked().0).into_owned()
    }

    /// Waits until what was written fulfils a condition; false when it ends, or the time is over, before it does.
    fn comes_to(&self, limit: Duration, condition: impl Fn(&str) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut bytes = self.said.locked();
        loop {
            if condition(&String::from_utf8_lossy(&bytes.0)) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if bytes.1 || left.is_zero() {
                return false;
            }
            bytes = self.said.grown.wait_timeout(bytes, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// All of it; false when somebody still holds the stream open.
    fn whole(&self) -> (bool, String) {
        self.comes_to(CLOSES_MAX, |_| false);
        let ended = self.said.locked().1;
        (ended, self.now())
    }
}

/// The words of a command, without its environment.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy());
    let quoted = words.map(|word| if word.contains([' ', '\n']) { format!("{word:?}") } else { word.into_owned() });
    quoted.collect::<Vec<_>>().join(" ")
}

impl Running {
    /// Starts a command with its output caught.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(mut command: Command) -> Self {
        let shown = shown(&command);
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| panic!("{error}: {shown}"));
        let (out, err) = (Caught::new(child.stdout.take()), Caught::new(child.stderr.take()));
        Self { process: Process::open(child.id()), child, shown, began: Instant::now(), out, err }
    }

    /// Starts a command with this standard input.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start_with_input(mut command: Command, input: &[u8]) -> Self {
        command.stdin(Stdio::piped());
        let mut running = Self::start(command);
        let mut stdin = running.child.stdin.take().expect("standard input is a pipe");
        let input = input.to_owned();
        std::thread::spawn(move || stdin.write_all(&input));
        running
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// Whether it runs still.
    pub fn runs(&self) -> bool {
        self.process.as_ref().is_some_and(|process| !process.has_ended())
    }

    /// What it has written to standard output so far.
    pub fn stdout_so_far(&self) -> String {
        self.out.now()
    }

    /// Waits until its standard output fulfils a condition.
    ///
    /// # Panics
    /// Where that does not happen within the limit, or its output ends before.
    pub fn await_stdout(&self, what: &str, limit: Duration, condition: impl Fn(&str) -> bool) {
        let came = self.out.comes_to(limit, condition);
        assert!(came, "not within {limit:?}: {what}: {}\n{}\n2| {}", self.shown, self.out.now(), self.err.now());
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it does not end by itself in two minutes, or leaves its output open.
    #[track_caller]
    pub fn end(self) -> Ended {
        match self.finish(ENDS_MAX) {
            Ok(ended) => ended,
            Err((why, ended)) => panic!("{why}: {ended:#?}"),
        }
    }

    /// Waits for its end, and ends it after the limit; an error says what it did not do by itself.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<Ended, (&'static str, Box<Ended>)> {
        let ends = self.process.as_ref().is_none_or(|process| process.ends_within(limit));
        if !ends {
            self.signal(Signal::KILL);
        }
        let code =
            self.child.wait().map_or(-1, |status| status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)));
        let took = self.began.elapsed();
        let ((out_closed, stdout), (err_closed, stderr)) = (self.out.whole(), self.err.whole());
        let ended = Ended { shown: self.shown, code, stdout, stderr, took };
        match (ends, out_closed && err_closed) {
            (true, true) => Ok(ended),
            (false, _) => Err(("it did not end by itself", Box::new(ended))),
            (true, false) => Err(("its output is held open by what it started", Box::new(ended))),
        }
    }
}

impl Ended {
    /// This, if it ended with that code.
    ///
    /// # Panics
    /// Where it ended otherwise, with all that it said.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// This, if it failed as a command of ours does: nothing on standard output, one error with this code, and a hint.
    ///
    /// # Panics
    /// Where it ended otherwise, with all that it said.
    #[track_caller]
    pub fn expect_error(self, code: i32, error_code: &str) -> Self {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:#?}");
        let error = self.error();
        assert_eq!(error["code"], error_code, "{self:#?}");
        assert_eq!(error["exit"], code, "{self:#?}");
        self
    }

    /// The error object of a command that was called with `--json`.
    ///
    /// # Panics
    /// Where standard error is not one error line.
    #[track_caller]
    pub fn error(&self) -> serde_json::Value {
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one line of error: {self:#?}");
        let document: serde_json::Value =
            serde_json::from_str(lines[0]).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        document["error"].clone()
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// Where it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Standard output without the white space around it.
    pub fn word(&self) -> &str {
        self.stdout.trim()
    }

    /// Exit code, standard output and standard error as one text, for snapshots.
    pub fn snapshot(&self) -> String {
        format!(
            "= {}\n{}{}",
            self.code,
            self.stdout,
            self.stderr.lines().map(|l| format!("2| {l}\n")).collect::<String>()
        )
    }
}
