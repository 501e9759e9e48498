//! The supervisor: the one loop that takes in what happens, asks the core, commits, and then acts.
//!
//! It runs on a thread of its own, because a commit waits for the disk. Everybody else sends messages and awaits
//! replies. What it is told while a commit is under way is the next batch.

mod degraded;
mod perform;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use adjutant_agents::{Agent, DriverReport, ORDERS_WAITING_MAX, Order};
use adjutant_core::call::Caller;
use adjutant_core::{AgentName, Answer, Call, CallId, Host, HostConfig, Input, Refusal, SessionId, Step};
use adjutant_store::{Batch, CommitError, Compaction, Tended, Writer};
use tokio::sync::{mpsc, oneshot, watch};

use crate::alarm::Alarm;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::launch::{Launches, Places};
use crate::read::Readers;
use crate::testpoint;

/// Messages of callers that may wait for the supervisor; a caller beyond that waits before it is heard.
const CALLS_WAITING_MAX: usize = 1_024;

/// Reports of drivers that may wait for the supervisor; a driver beyond that waits with its next one.
const REPORTS_WAITING_MAX: usize = 4_096;

/// Inputs that are committed together at the most.
const BATCH_INPUTS_MAX: usize = 256;

/// A look at the state.
type Look = Box<dyn FnOnce(&Host) + Send>;

/// What a caller may say to the supervisor.
pub(crate) enum Message {
    /// Change something.
    Call { caller: Caller, call: Box<Call>, reply: oneshot::Sender<Result<Answer, Refusal>> },
    /// Look at something.
    Look(Look),
    /// A hook of a session's agent, for its driver.
    Hook { session: SessionId, order: Order },
    /// Drop the beginning of the log.
    Compact { plan: Box<Compaction>, reply: oneshot::Sender<Result<bool, CommitError>> },
    /// A session's driver has ended without saying that its session has.
    DriverGone { session: SessionId, life: u32 },
    /// Let go of every session and end.
    Stop { reply: oneshot::Sender<()> },
}

/// The way to the supervisor.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    messages: mpsc::Sender<Message>,
}

/// The supervisor is gone: the daemon is ending.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the daemon is stopping")]
pub(crate) struct Gone;

impl Handle {
    /// Has something changed; the answer comes when it is durable.
    pub(crate) async fn call(&self, caller: Caller, call: Call) -> Result<Answer, Refusal> {
        let (reply, answer) = oneshot::channel();
        let sent = self.messages.send(Message::Call { caller, call: Box::new(call), reply }).await;
        sent.map_err(|_| Refusal::Stopping)?;
        answer.await.map_err(|_| Refusal::Stopping)?
    }

    /// Looks at the state as it is on disk.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Host) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, seen) = oneshot::channel();
        let message = Message::Look(Box::new(move |host| {
            let _ = reply.send(look(host));
        }));
        self.messages.send(message).await.map_err(|_| Gone)?;
        seen.await.map_err(|_| Gone)
    }

    /// Passes a hook on to the driver of its session; the answer comes by the order itself.
    pub(crate) async fn hook(&self, session: SessionId, order: Order) -> Result<(), Gone> {
        self.messages.send(Message::Hook { session, order }).await.map_err(|_| Gone)
    }

    /// Drops the beginning of the log as planned; `false` where another plan came before this one.
    pub(crate) async fn compact(&self, plan: Compaction) -> Result<Result<bool, CommitError>, Gone> {
        let (reply, done) = oneshot::channel();
        let message = Message::Compact { plan: Box::new(plan), reply };
        self.messages.send(message).await.map_err(|_| Gone)?;
        done.await.map_err(|_| Gone)
    }

    /// Ends the supervisor; sessions stay.
    pub(crate) async fn stop(&self) {
        let (reply, done) = oneshot::channel();
        if self.messages.send(Message::Stop { reply }).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Says that a driver has ended.
    async fn driver_gone(&self, session: SessionId, life: u32) {
        let _ = self.messages.send(Message::DriverGone { session, life }).await;
    }
}

/// What the supervisor stands on.
pub(crate) struct Parts {
    pub(crate) config: HostConfig,
    pub(crate) agents: Arc<BTreeMap<AgentName, Arc<dyn Agent>>>,
    pub(crate) writer: Writer,
    pub(crate) feed: Arc<Feed>,
    pub(crate) launches: Arc<Launches>,
    pub(crate) places: Places,
    pub(crate) readers: Arc<Readers>,
    pub(crate) ending: watch::Sender<bool>,
    /// Why the store cannot be written, for as long as it cannot.
    pub(crate) unwritable: watch::Sender<Option<String>>,
}

/// The loop and all that it alone may touch.
pub(crate) struct Supervisor {
    parts: Parts,
    host: Host,
    clock: Clock,
    alarm: Option<Alarm>,
    orders: HashMap<SessionId, mpsc::Sender<Order>>,
    replies: BTreeMap<CallId, oneshot::Sender<Result<Answer, Refusal>>>,
    next_call: u64,
    handle: Handle,
    messages: mpsc::Receiver<Message>,
    reports: mpsc::Receiver<DriverReport>,
    reports_in: mpsc::Sender<DriverReport>,
    runtime: tokio::runtime::Handle,
    /// The first step after the store failed, which has to become durable before anything else is taken in.
    owed: Option<degraded::Owed>,
    /// The store can be neither written nor read: nothing that this loop could say would be true.
    beyond_help: bool,
    /// Rows of forgotten sessions, or the store's own log, wait to be tidied up when nothing else is to be done.
    untidy: bool,
}

/// What one turn of the loop has taken in.
#[derive(Default)]
struct Intake {
    inputs: Vec<Input>,
    looks: Vec<Look>,
    stop: Option<oneshot::Sender<()>>,
}

impl Intake {
    fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.looks.is_empty() && self.stop.is_none()
    }
}

impl Supervisor {
    /// Prepares the loop over a host as it was loaded.
    pub(crate) fn new(parts: Parts, host: Host, runtime: tokio::runtime::Handle) -> Self {
        let (sender, messages) = mpsc::channel(CALLS_WAITING_MAX);
        let (reports_in, reports) = report_channel();
        Self {
            parts,
            host,
            clock: Clock::new(),
            alarm: None,
            orders: HashMap::new(),
            replies: BTreeMap::new(),
            next_call: 0,
            handle: Handle { messages: sender },
            messages,
            reports,
            reports_in,
            runtime,
            owed: None,
            beyond_help: false,
            untidy: true,
        }
    }

    /// The way to this supervisor.
    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs until it is told to stop. Blocks its thread at each commit.
    pub(crate) async fn run(mut self) {
        self.alarm = Alarm::new()
            .inspect_err(
                |error| tracing::error!(%error, "the kernel gives no alarm; what is due may be late after a sleep"),
            )
            .ok();
        self.take_in(vec![Input::Recovered]);
        loop {
            let mut intake = Intake::default();
            self.drain(&mut intake);
            if intake.is_empty() && !self.tidy_up() {
                self.await_something(&mut intake).await;
                self.drain(&mut intake);
            }
            let inputs = std::mem::take(&mut intake.inputs);
            self.take_in(inputs);
            if self.beyond_help {
                return;
            }
            for look in intake.looks {
                look(&self.host);
            }
            if let Some(done) = intake.stop {
                self.let_go().await;
                self.leave_tidy();
                let _ = done.send(());
                return;
            }
        }
    }

    /// Waits for the first thing that happens.
    async fn await_something(&mut self, intake: &mut Intake) {
        let due = self.host.next_due(self.clock.now()).map(Duration::from_millis);
        let pause = self.owed.as_ref().map_or(due, |owed| Some(owed.pause()));
        tokio::select! {
            // Reports first: what has happened is older than what is wanted.
            biased;
            Some(report) = self.reports.recv() => intake.inputs.push(to_input(report)),
            Some(message) = self.messages.recv() => self.accept(message, intake),
            () = ring(&self.alarm, pause) => intake.inputs.push(Input::TimeCame),
        }
    }

    /// Takes whatever else has arrived meanwhile, up to the size of a batch.
    fn drain(&mut self, intake: &mut Intake) {
        while intake.inputs.len() < BATCH_INPUTS_MAX
            && let Ok(report) = self.reports.try_recv()
        {
            intake.inputs.push(to_input(report));
        }
        while intake.inputs.len() + intake.looks.len() < BATCH_INPUTS_MAX
            && let Ok(message) = self.messages.try_recv()
        {
            self.accept(message, intake);
        }
    }

    fn accept(&mut self, message: Message, intake: &mut Intake) {
        match message {
            Message::Call { caller, call, reply } => {
                self.next_call += 1;
                let id = CallId(self.next_call);
                self.replies.insert(id, reply);
                intake.inputs.push(Input::Call { id, caller, call: *call });
            }
            Message::Look(look) => intake.looks.push(look),
            Message::Hook { session, order } => self.order(session, order),
            Message::Compact { plan, reply } => {
                let done = self.parts.writer.compact(&plan);
                self.untidy = true;
                let _ = reply.send(done);
            }
            Message::DriverGone { session, life } => self.driver_gone(session, life, intake),
            Message::Stop { reply } => intake.stop = Some(reply),
        }
    }

    /// One batch: the core decides, the store keeps, and only then is anything done or told.
    fn take_in(&mut self, inputs: Vec<Input>) {
        if inputs.is_empty() || !self.pay_what_is_owed(&inputs) {
            return;
        }
        let now = self.clock.now();
        let reported = inputs.iter().any(|input| matches!(input, Input::Agent { .. }));
        let mut step = Step { counters: self.host.counters(), ..Step::default() };
        for input in inputs {
            step.append(self.host.handle(input, now));
        }
        match self.commit(&step) {
            Ok(()) => {
                if reported {
                    testpoint::pass("after_report_commit");
                }
                self.carry_out(step);
            }
            Err(error) => self.fall_back(&error, &step.acts),
        }
    }

    fn commit(&mut self, step: &Step) -> Result<(), CommitError> {
        if step.events.is_empty() && step.projected.is_empty() {
            return Ok(());
        }
        testpoint::pass("before_commit");
        let batch = batch_of(&self.host, step);
        self.parts.writer.commit(&batch)?;
        testpoint::pass("after_commit");
        Ok(())
    }

    /// Does one piece of the store's housework, if there is any. `false` when all is tidy, or has to wait until the store
    /// can be written again.
    fn tidy_up(&mut self) -> bool {
        if self.owed.is_some() {
            return false;
        }
        if self.untidy {
            self.untidy = matches!(self.parts.writer.tend(), Ok(Tended::More));
        }
        self.untidy
    }

    /// The store of a daemon that has ended in order is one file.
    fn leave_tidy(&mut self) {
        if let Err(error) = self.parts.writer.checkpoint() {
            tracing::warn!(%error, "the store's log could not be moved into the database; the next daemon reads it");
        }
    }

    fn carry_out(&mut self, step: Step) {
        self.untidy |= !step.projected.purged.is_empty();
        let texts = perform::Texts::of(&step.texts);
        self.parts.feed.publish(&self.host, step.events);
        for act in step.acts {
            self.perform(act, &texts);
        }
    }

    /// A driver that ended without a word has lost sight of its session; another one takes it up again.
    fn driver_gone(&mut self, session: SessionId, life: u32, intake: &mut Intake) {
        let same = |s: &adjutant_core::session::Session| !s.has_exited() && s.revivals == life;
        if !self.host.session(session).is_some_and(same) {
            return;
        }
        self.orders.remove(&session);
        let why = adjutant_core::outcome::UnknownReason::RunnerUnreachable { detail: "its driver ended".to_owned() };
        intake.inputs.push(Input::Agent {
            session,
            observed_at: self.clock.now().wall,
            cursor: None,
            report: adjutant_core::AgentReport::Unseen { why },
            answer: None,
        });
        self.adopt(session);
    }

    /// Tells every driver to leave its session as it is.
    async fn let_go(&mut self) {
        for (_, orders) in self.orders.drain() {
            let _ = orders.try_send(Order::LetGo);
        }
        // Drivers hold clones of the sender; when the last is gone, all have let go. What they still say is read again
        // by the next daemon, because its cursor is not committed.
        self.reports.close();
        let all_gone = async { while self.reports.recv().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), all_gone).await;
    }
}

/// The rows of a step that has changed this host.
pub(crate) fn batch_of(host: &Host, step: &Step) -> Batch {
    let projected = &step.projected;
    Batch {
        events: step.events.clone(),
        texts: step.texts.clone(),
        sessions: projected.sessions.iter().filter_map(|id| host.session(*id)).cloned().collect(),
        messages: projected.messages.values().cloned().collect(),
        turns: projected.turns.iter().map(|((session, _), turn)| (*session, turn.clone())).collect(),
        requests: projected.requests.values().cloned().collect(),
        purged: projected.purged.iter().copied().collect(),
        counters: step.counters,
    }
}

fn report_channel() -> (mpsc::Sender<DriverReport>, mpsc::Receiver<DriverReport>) {
    mpsc::channel(REPORTS_WAITING_MAX)
}

fn to_input(report: DriverReport) -> Input {
    Input::Agent {
        session: report.session,
        observed_at: report.observed_at,
        cursor: report.cursor,
        report: report.report,
        answer: report.answer,
    }
}

/// Waits until the core says that something is due, or the wall clock was set.
async fn ring(alarm: &Option<Alarm>, pause: Option<Duration>) {
    match (alarm, pause) {
        (Some(alarm), pause) => alarm.ring(pause).await,
        (None, Some(pause)) => due_in(pause).await,
        (None, None) => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "in the place of an alarm that the kernel would not give")]
async fn due_in(pause: Duration) {
    tokio::time::sleep(pause).await;
}
