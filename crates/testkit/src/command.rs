//! Commands of a world, and how they ended.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    shown: String,
    output: Option<(std::thread::JoinHandle<String>, std::thread::JoinHandle<String>)>,
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

impl Running {
    /// Starts a command with its output caught.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(mut command: Command) -> Self {
        let shown = format!("{command:?}");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect(&shown);
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let output = (std::thread::spawn(move || drained(out)), std::thread::spawn(move || drained(err)));
        Self { child, shown, output: Some(output) }
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
    pub fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where waiting fails.
    pub fn end(mut self) -> Ended {
        let began = Instant::now();
        let status = self.child.wait().expect("a child can be waited for");
        let took = began.elapsed();
        let (out, err) = self.output.take().expect("its output is caught");
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
        let text = |reader: std::thread::JoinHandle<String>| reader.join().expect("a reader ends");
        Ended { shown: self.shown.clone(), code, stdout: text(out), stderr: text(err), took }
    }
}

fn drained(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Ended {
    /// This, if it ended with that code.
    ///
    /// # Panics
    /// Where it ended otherwise, with all that it said.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// Where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Exit code, standard output and standard error as one text, for snapshots.
    pub fn snapshot(&self) -> String {
        format!("= {}\n{}{}", self.code, self.stdout, self.stderr.lines().map(|l| format!("2| {l}\n")).collect::<String>())
    }
}
