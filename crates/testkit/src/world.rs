//! A home directory, a state directory, and the commands that run in them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::command::{Ended, Running};
use crate::leftovers;

/// How long a process of a world may take to end after the world was told to.
const ENDING_MAX: Duration = Duration::from_secs(10);

/// One hermetic world.
#[derive(Debug)]
pub struct World {
    root: TempDir,
    adj: PathBuf,
    variables: Vec<(String, String)>,
    leaves_processes: bool,
}

impl World {
    /// An empty world for the `adj` that the test command has built.
    ///
    /// # Panics
    /// Where `ADJ_TEST_BIN` does not name it, or no directory can be made.
    pub fn new() -> Self {
        let adj = std::env::var_os("ADJ_TEST_BIN").expect("ADJ_TEST_BIN names the adj under test; run `cargo xtask test`");
        // A short root: a Unix socket's path has room for 107 bytes.
        let root = tempfile::Builder::new().prefix("adj").tempdir_in("/tmp").expect("a directory under /tmp");
        for name in ["home", "tmp", "work"] {
            std::fs::create_dir(root.path().join(name)).expect("a directory in the world");
        }
        Self { root, adj: PathBuf::from(adj), variables: Vec::new(), leaves_processes: false }
    }

    /// Sets a variable for all commands of this world, its daemon among them.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.set_variable(name, value);
        self
    }

    /// Sets a variable for all later commands of this world.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.remove_variable(name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Forgets a variable that was set.
    pub fn remove_variable(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    /// The world's root.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The state directory, `ADJ_HOME`.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("a")
    }

    /// The directory in which commands run.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The binary under test.
    pub fn adj_path(&self) -> &Path {
        &self.adj
    }

    /// A command of any program in this world: nothing of the environment of the test reaches it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        #[expect(clippy::disallowed_methods, reason = "the testkit is what starts the programs under test")]
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("ADJ_HOME", self.state())
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    /// An `adj` command, not started yet.
    pub fn adj_command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(&self.adj);
        command.args(arguments);
        command
    }

    /// Runs `adj` to its end.
    pub fn adj<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        Running::start(self.adj_command(arguments)).end()
    }

    /// Runs `adj` with this standard input.
    pub fn adj_with_input<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Ended {
        Running::start_with_input(self.adj_command(arguments), input).end()
    }

    /// Starts `adj` and goes on.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        Running::start(self.adj_command(arguments))
    }

    /// Creates a shell session and gives its id.
    pub fn shell(&self) -> String {
        let created = self.adj(["create", "-q", "--cli", "shell"]);
        created.expect_code(0).stdout.trim().to_owned()
    }

    /// The pid of the daemon that serves this world, if one does.
    pub fn daemon_pid(&self) -> Option<u32> {
        let status = self.adj(["--json", "daemon", "status"]);
        let value: serde_json::Value = serde_json::from_str(&status.stdout).ok()?;
        u32::try_from(value.get("pid")?.as_u64()?).ok()
    }

    /// Ends the daemon as a power cut would.
    pub fn kill_daemon(&self) {
        let pid = self.daemon_pid().expect("a daemon serves");
        kill(pid);
        leftovers::await_end(pid, ENDING_MAX);
    }

    /// A world whose test leaves processes on purpose does not fail for them; they are ended all the same.
    pub fn allow_leftovers(&mut self) {
        self.leaves_processes = true;
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

/// Ends a process that the test has started.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let mark = self.root.path().to_string_lossy().into_owned();
        let lived = !leftovers::processes_naming(&mark).is_empty();
        if lived {
            let _ = self.adj(["kill", "--all", "--force"]);
            let _ = self.adj(["daemon", "stop", "--force"]);
        }
        let deadline = Instant::now() + ENDING_MAX;
        let left = leftovers::await_none(&mark, deadline);
        for (pid, _) in &left {
            kill(*pid);
        }
        if !left.is_empty() && !self.leaves_processes && !std::thread::panicking() {
            panic!("processes of the world are left: {left:?}");
        }
    }
}
