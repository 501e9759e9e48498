//! A home directory, a state directory, and the commands that run in them.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::bell::Bell;
use crate::command::{Ended, Running};
use crate::leftovers;
use crate::namespace::Namespace;
use crate::process::Process;

/// How long a process of a world may take to end after the world was told to.
const ENDING_MAX: Duration = Duration::from_secs(10);

/// How long a world waits for its own commands when it ends.
const TIDYING_MAX: Duration = Duration::from_secs(30);

/// One hermetic world.
#[derive(Debug)]
pub struct World {
    root: TempDir,
    adj: PathBuf,
    variables: Vec<(String, String)>,
    namespace: Option<Namespace>,
    leaves_processes: bool,
}

impl World {
    /// An empty world for the `adj` that the test command has built.
    ///
    /// # Panics
    /// Where `ADJ_TEST_BIN` does not name it, or no directory can be made.
    pub fn new() -> Self {
        let adj =
            std::env::var_os("ADJ_TEST_BIN").expect("ADJ_TEST_BIN names the adj under test; run `cargo xtask test`");
        // A short root: a Unix socket's path has room for 107 bytes.
        let root = tempfile::Builder::new().prefix("adj").tempdir_in("/tmp").expect("a directory under /tmp");
        for name in ["home", "tmp", "work"] {
            std::fs::create_dir(root.path().join(name)).expect("a directory in the world");
        }
        Self { root, adj: PathBuf::from(adj), variables: Vec::new(), namespace: None, leaves_processes: false }
    }

    /// A world whose state directory is a disk of its own, of so many bytes, that nobody outside sees.
    ///
    /// # Panics
    /// Where the system permits no mount namespace.
    pub fn with_small_disk(bytes: u64) -> Self {
        let mut world = Self::new();
        std::fs::create_dir(world.state()).expect("a directory in the world");
        world.namespace = Some(Namespace::new(world.command("unshare")));
        let state = world.state();
        let _ =
            world.inside(&format!("mount -t tmpfs -o size={bytes},mode=0700 none {}", state.display())).expect_code(0);
        world
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

    /// The state directory, `ADJ_HOME`, as its commands name it.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("a")
    }

    /// The state directory as the test reaches it.
    pub fn state_here(&self) -> PathBuf {
        self.namespace.as_ref().map_or_else(|| self.state(), |namespace| namespace.outside(&self.state()))
    }

    /// The socket of its daemon.
    pub fn socket(&self) -> PathBuf {
        self.state().join("run/adj.sock")
    }

    /// The directory in which commands run.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The binary under test.
    pub fn adj_path(&self) -> &Path {
        &self.adj
    }

    /// A new pipe with a name in the directory in which commands run.
    pub fn bell(&self, name: &str) -> Bell {
        Bell::new(self.work().join(name))
    }

    /// What a session's command has written to a file in the directory in which commands run; nothing where there is none.
    pub fn lines_of(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.work().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A command of any program in this world: nothing of the environment of the test reaches it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.program(program.as_ref());
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

    #[expect(clippy::disallowed_methods, reason = "the testkit is what starts the programs under test")]
    fn program(&self, program: &OsStr) -> Command {
        let Some(namespace) = &self.namespace else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.args(namespace.entering(&self.work())).arg(program);
        command
    }

    /// Runs a script of `sh`, in the world's own mount namespace where it has one.
    pub fn inside(&self, script: &str) -> Ended {
        let mut command = self.command("sh");
        command.arg("-c").arg(script);
        Running::start(command).end()
    }

    /// An `adj` command, not started yet.
    pub fn adj_command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.command(&self.adj);
        command.args(arguments);
        command
    }

    /// Runs `adj` to its end.
    #[track_caller]
    pub fn adj<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        self.start(arguments).end()
    }

    /// Runs `adj` with this standard input.
    #[track_caller]
    pub fn adj_with_input<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Ended {
        Running::start_with_input(self.adj_command(arguments), input).end()
    }

    /// Starts `adj` and goes on.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        Running::start(self.adj_command(arguments))
    }

    /// Creates a shell session and gives its id.
    #[track_caller]
    pub fn shell(&self) -> String {
        let created = self.adj(["create", "-q", "--cli", "shell"]);
        created.expect_code(0).word().to_owned()
    }

    /// Creates so many shell sessions at once, and gives their ids.
    #[track_caller]
    pub fn shells(&self, count: usize) -> Vec<String> {
        let started: Vec<Running> = (0..count).map(|_| self.start(["create", "-q", "--cli", "shell"])).collect();
        started.into_iter().map(|create| create.end().expect_code(0).word().to_owned()).collect()
    }

    /// Sends a message that must be accepted, and gives its id.
    #[track_caller]
    pub fn send(&self, session: &str, text: &str) -> String {
        self.adj(["send", "-q", session, text]).expect_code(0).word().to_owned()
    }

    /// Starts the daemon with these variables, which no later one gets, and takes hold of it.
    #[track_caller]
    pub fn start_daemon(&self, variables: &[(&str, &str)]) -> Process {
        let mut list = self.adj_command(["list"]);
        list.envs(variables.iter().copied());
        let _ = Running::start(list).end().expect_code(0);
        self.daemon()
    }

    /// The daemon that serves this world.
    ///
    /// # Panics
    /// Where none does.
    #[track_caller]
    pub fn daemon(&self) -> Process {
        let status = self.adj(["--json", "daemon", "status"]).expect_code(0);
        let pid = status.json()["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.and_then(Process::open).unwrap_or_else(|| panic!("the daemon that answered has gone: {status:#?}"))
    }

    /// The pid of the daemon that serves this world, if one does.
    pub fn daemon_pid(&self) -> Option<u32> {
        let status = self.adj(["--json", "daemon", "status"]);
        let value: serde_json::Value = serde_json::from_str(&status.stdout).ok()?;
        u32::try_from(value.get("pid")?.as_u64()?).ok()
    }

    /// Ends the daemon as a power cut would.
    ///
    /// # Panics
    /// Where none serves, or it does not end.
    #[track_caller]
    pub fn kill_daemon(&self) {
        let daemon = self.daemon();
        daemon.signal(Signal::KILL);
        assert!(daemon.ends_within(ENDING_MAX), "a killed daemon ends");
    }

    /// Has the daemon look at itself: the store is whole, and the log folded anew equals the projections.
    ///
    /// # Panics
    /// Where it is not so.
    #[track_caller]
    pub fn assert_sound(&self) {
        let doctor = self.adj(["--json", "doctor", "--rebuild"]).expect_code(0);
        let checks = doctor.json();
        for name in ["daemon", "store", "log"] {
            let found = checks.as_array().and_then(|all| all.iter().find(|check| check["check"] == name));
            assert!(found.is_some_and(|check| check["status"] == "ok"), "{name} is not ok: {doctor:#?}");
        }
    }

    /// What of this world runs: pids and command lines.
    pub fn processes(&self) -> Vec<(u32, String)> {
        leftovers::processes_naming_one_of(&self.marks())
    }

    /// The runners and shells of its sessions, each as what tells it from any other process.
    pub fn session_processes(&self) -> BTreeSet<(u32, u64)> {
        let all = self.processes().into_iter();
        let held = all.filter(|(_, shown)| shown.contains(" runner ") || shown.starts_with("bash"));
        held.filter_map(|(pid, _)| Some(Process::open(pid)?.identity())).collect()
    }

    /// What its processes carry in their environment or arguments: the world's root, and the id that its store was given,
    /// which is all that a runner has.
    fn marks(&self) -> Vec<String> {
        let host = std::fs::read(self.state_here().join("host.json")).ok();
        let host = host.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        let host = host.and_then(|value| value["host"].as_str().map(|id| format!("{id}/")));
        host.into_iter().chain([self.root.path().to_string_lossy().into_owned()]).collect()
    }

    /// A world whose test leaves processes on purpose does not fail for them; they are ended all the same.
    pub fn allow_leftovers(&mut self) {
        self.leaves_processes = true;
    }

    /// Runs a command of the world's own end; what becomes of it is seen by what is left.
    fn tidy(&self, arguments: &[&str]) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let _ = self.start(arguments).finish(TIDYING_MAX);
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let marks = self.marks();
        let holder = self.namespace.as_ref().map(Namespace::pid);
        let lives = |(pid, _): &(u32, String)| Some(*pid) != holder;
        if leftovers::processes_naming_one_of(&marks).iter().any(lives) {
            self.tidy(&["kill", "--all", "--force"]);
            self.tidy(&["daemon", "stop", "--force"]);
        }
        self.namespace = None;
        let left = leftovers::await_none(&marks, Instant::now() + ENDING_MAX);
        for process in left.iter().filter_map(|(pid, _)| Process::open(*pid)) {
            process.signal(Signal::KILL);
        }
        if !left.is_empty() && !self.leaves_processes && !std::thread::panicking() {
            panic!("processes of the world are left: {left:?}");
        }
    }
}
