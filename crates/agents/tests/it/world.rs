//! A place for sessions that leaves nothing behind, and a session in it as the daemon would see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adjutant_agents::process::{Inherited, Stamp, liveness};
use adjutant_agents::shell::Shell;
use adjutant_agents::{Adoption, Agent, DriverReport, DriverStart, DriverTask, LaunchPlan, Order, Place};
use adjutant_core::agent::{AgentReport, Mode, SessionEnd, TurnEnd, TurnOrigin};
use adjutant_core::id::Attempt;
use adjutant_core::process::{Incarnation, Liveness};
use adjutant_core::session::Profile;
use adjutant_core::{AgentName, ExitStatus, MessageId, Outcome, SessionId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Time for anything to happen on a machine that does much else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Directories, and the identity of a host.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) id: SessionId,
    pub(crate) host_id: String,
    pub(crate) environment: BTreeMap<String, String>,
}

impl World {
    pub(crate) fn new() -> Self {
        // A socket's path has room for little, so the root is short.
        let dir = tempfile::Builder::new().prefix("adj").tempdir_in("/tmp").unwrap();
        let seed = dir.path().to_string_lossy().bytes().chain(*b"0123456789abcdef").take(16).collect::<Vec<_>>();
        let environment =
            ["PATH", "HOME", "LANG"].map(|name| (name.to_owned(), std::env::var(name).unwrap_or_default()));
        Self {
            id: SessionId::from_bytes(seed.try_into().unwrap()),
            host_id: format!(
                "{}-of-a-test",
                dir.path().file_name().unwrap().to_string_lossy().trim_start_matches("adj")
            ),
            dir,
            environment: environment.into(),
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            state_dir: self.state_dir(),
            run_dir: self.dir.path().join("r"),
            adj: PathBuf::from(env!("CARGO_BIN_EXE_adj-runner-for-tests")),
            host_id: self.host_id.clone(),
        }
    }

    pub(crate) fn state_dir(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub(crate) fn work_dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn plan(&self) -> LaunchPlan {
        LaunchPlan {
            program: Shell::new().find(&self.environment, Mode::Native).unwrap().path,
            directory: self.dir.path().to_owned(),
            caller_environment: self.environment.clone(),
            extra_environment: BTreeMap::new(),
            identity: BTreeMap::from([("ADJ_SESSION".to_owned(), "fizz-top".to_owned())]),
            inherited: Inherited::default(),
            ready_ms_max: 20_000,
            profile: profile(),
            trust: false,
            begins_anew: false,
        }
    }

    /// Starts the driver.
    pub(crate) fn start(&self, start: DriverStart) -> Session {
        self.start_at(self.place(), start)
    }

    /// Starts the driver of a session that has its files elsewhere.
    pub(crate) fn start_at(&self, place: Place, start: DriverStart) -> Session {
        let (orders, order_receiver) = mpsc::channel(64);
        let (report_sender, reports) = mpsc::channel(4096);
        let task = DriverTask {
            session: self.id,
            name: "fizz-top".parse().unwrap(),
            place,
            start,
            orders: order_receiver,
            reports: report_sender,
        };
        let driving = tokio::spawn(Shell::new().drive(task));
        Session { orders, reports, driving, cursor: 0, runner: None, agent: None, next_message: 1 }
    }

    /// Launches a session and waits until it is ready.
    pub(crate) async fn launch(&self) -> Session {
        let mut session = self.start(DriverStart::Launch(self.plan()));
        session.until(|report| matches!(report, AgentReport::Ready)).await;
        session
    }

    /// Adopts the session as a daemon that has committed up to a cursor.
    pub(crate) fn adopt(&self, cursor: u64, earlier: &Session, handed: Vec<(MessageId, Attempt)>) -> Session {
        let (runner, agent) = (earlier.runner, earlier.agent);
        let adoption =
            Adoption { cursor, runner, agent, handed, profile: profile(), conversation: None, uncounted: false };
        let mut session = self.start(DriverStart::Adopt(adoption));
        session.runner = earlier.runner;
        session.agent = earlier.agent;
        session.next_message = earlier.next_message;
        session.cursor = cursor;
        session
    }

    /// A pipe with a name in the working directory, by which a message can say how far it is.
    pub(crate) fn bell(&self) -> Bell {
        let path = self.dir.path().join("bell");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let mut options = tokio::net::unix::pipe::OpenOptions::new();
        Bell(options.read_write(true).open_receiver(&path).unwrap())
    }

    /// The living processes that carry the stamp of this session.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let stamp = format!("ADJ_STAMP={}", Stamp::of_session(&self.host_id, &self.id).as_str());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|pair| pair == stamp.as_bytes()) {
                found.push(pid);
            }
        }
        found
    }

    /// Asserts that nothing of the session lives.
    pub(crate) fn assert_empty(&self) {
        let left = self.processes();
        let names = left.iter().map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default());
        assert!(left.is_empty(), "left: {:?}", names.collect::<Vec<_>>());
    }
}

/// See [`World::bell`].
pub(crate) struct Bell(tokio::net::unix::pipe::Receiver);

impl Bell {
    /// Waits until a message has said `echo > bell`.
    pub(crate) async fn rings(&mut self) {
        let read = tokio::io::AsyncReadExt::read_u8(&mut self.0);
        timeout(DEADLINE, read).await.expect("a ring in time").expect("a pipe");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for file in ["output.log", "runner.err", "journal"] {
                let content = std::fs::read(self.state_dir().join(file)).unwrap_or_default();
                let tail = &content[content.len().saturating_sub(2000)..];
                eprintln!("{file}: {}", String::from_utf8_lossy(tail).escape_debug());
            }
        }
        for pid in self.processes() {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// A turn that has ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) end: TurnEnd,
    pub(crate) text: String,
}

impl Done {
    pub(crate) fn code(&self) -> i32 {
        match self.end.exit {
            Some(ExitStatus::Code(code)) => code,
            other => panic!("{other:?}: {:?}", self.end),
        }
    }
}

/// A session as the daemon sees it.
pub(crate) struct Session {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) reports: mpsc::Receiver<DriverReport>,
    pub(crate) driving: JoinHandle<()>,
    pub(crate) cursor: u64,
    pub(crate) runner: Option<Incarnation>,
    pub(crate) agent: Option<Incarnation>,
    pub(crate) next_message: u64,
}

impl Session {
    /// The next report, which must come before the deadline.
    pub(crate) async fn next(&mut self) -> DriverReport {
        let report = timeout(DEADLINE, self.reports.recv()).await.expect("a report in time").expect("a driver");
        if let Some(cursor) = report.cursor {
            assert!(cursor > self.cursor, "cursors grow");
            self.cursor = cursor;
        }
        if let AgentReport::Started { runner, agent, .. } = &report.report {
            (self.runner, self.agent) = (Some(*runner), Some(*agent));
        }
        report
    }

    /// Reads reports up to the first that fits, and gives all of them.
    pub(crate) async fn until(&mut self, fits: impl Fn(&AgentReport) -> bool) -> Vec<DriverReport> {
        let mut seen = Vec::new();
        loop {
            let report = self.next().await;
            let found = fits(&report.report);
            seen.push(report);
            if found {
                return seen;
            }
            assert!(
                !matches!(
                    seen.last().map(|last| &last.report),
                    Some(AgentReport::Exited { .. } | AgentReport::StartFailed { .. })
                ),
                "the session ended: {seen:#?}"
            );
        }
    }

    pub(crate) async fn order(&self, order: Order) {
        self.orders.send(order).await.expect("a driver");
    }

    /// Hands over a message and returns its id.
    pub(crate) async fn deliver(&mut self, text: &str) -> MessageId {
        let message = MessageId::new(self.next_message);
        self.next_message += 1;
        self.order(Order::Deliver { message, attempt: Attempt::FIRST, text: Arc::from(text), as_command: false }).await;
        message
    }

    /// Hands over a message and waits until its turn has begun.
    pub(crate) async fn begin(&mut self, text: &str) -> MessageId {
        let message = self.deliver(text).await;
        self.until(|report| *report == AgentReport::TurnStarted { origin: TurnOrigin::Message(message) }).await;
        message
    }

    /// Waits for the end of the turn.
    pub(crate) async fn end_of_turn(&mut self) -> Done {
        let mut seen = self.until(|report| matches!(report, AgentReport::TurnEnded { .. })).await;
        let Some(DriverReport { report: AgentReport::TurnEnded { end }, answer, .. }) = seen.pop() else {
            panic!("{seen:?}")
        };
        let text = answer.as_deref().unwrap_or_default().to_owned();
        assert_eq!(text.len() as u64, end.answer.bytes);
        Done { end, text }
    }

    /// Runs a message to its end.
    pub(crate) async fn run(&mut self, text: &str) -> Done {
        self.begin(text).await;
        self.end_of_turn().await
    }

    /// Runs a message of this number to its end.
    pub(crate) async fn run_as(&mut self, number: u64, text: &str) -> Done {
        self.next_message = number;
        self.run(text).await
    }

    /// Waits for the end of the session.
    pub(crate) async fn exited(&mut self) -> SessionEnd {
        loop {
            if let AgentReport::Exited { end } = self.next().await.report {
                timeout(DEADLINE, &mut self.driving).await.expect("the driver ends").expect("without a panic");
                return end;
            }
        }
    }

    /// Ends the session by force.
    pub(crate) async fn kill(&mut self) {
        self.order(Order::End { grace_ms: 0 }).await;
        assert_eq!(self.exited().await, SessionEnd::Killed);
    }

    /// Lets go of the session, as a daemon that stops.
    pub(crate) async fn let_go(&mut self) {
        self.order(Order::LetGo).await;
        timeout(DEADLINE, &mut self.driving).await.expect("the driver ends").expect("without a panic");
    }

    /// Kills the runner and nothing else.
    pub(crate) fn kill_runner(&self) {
        kill(&self.runner.expect("a runner"));
    }
}

/// Kills one process.
pub(crate) fn kill(process: &Incarnation) {
    let handle = adjutant_agents::process::ProcessHandle::open(process).unwrap().expect("a process");
    assert!(handle.send(rustix::process::Signal::KILL).unwrap());
}

/// Whether a process is proven gone.
pub(crate) fn is_dead(process: &Incarnation) -> bool {
    liveness(process) == Liveness::Dead
}

/// A turn that ended well.
pub(crate) fn assert_done(done: &Done, text: &str) {
    assert_eq!((&done.end.outcome, done.text.as_str()), (&Outcome::Completed, text), "{done:?}");
}

/// A session in which nothing was asked for.
pub(crate) fn profile() -> Profile {
    Profile::bare(AgentName::new("any"), "/", "/bin/any")
}
