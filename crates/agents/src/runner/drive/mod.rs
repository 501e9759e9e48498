//! The daemon's side of a session that a runner holds: it starts the runner or finds it, follows its journal, passes orders
//! on, and says how the session ended. What the records mean, and what an order is in the words of the one who is held, is
//! the agent's alone: its [`Meaning`].

mod begin;
mod end;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::agent::{AgentReport, Level, StartFailure};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;
use adjutant_core::process::Incarnation;
use adjutant_core::{MessageId, SessionId, SessionName, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub(crate) use self::begin::Held;
use super::{Entry, Found, Heard, Link, Notice, OrderLine, Record, wall_ms};
use crate::limits::{HELLO_MS_MAX, RECONNECT_MS_MAX, RECONNECT_MS_MIN, RUNNER_END_MS_MAX, RUNNER_EXIT_MS};
use crate::process::{ProcessHandle, Stamp};
use crate::timer::{Backoff, Timers, pause};
use crate::{DriverReport, Order, Place};

/// A report, and the text beside it.
pub(crate) type Told = (AgentReport, Option<Arc<str>>);

/// What is an agent's own in driving a session that a runner holds. It is a fold of the journal: the same records give the
/// same state, whoever reads them and when.
pub(crate) trait Meaning: Send + Sized {
    /// What is held, as it is called in what people read.
    const NAME: &'static str;

    /// Takes a record in, and gives what is to be told of it. The first and the last records are every agent's, and told
    /// without it. Where nobody hears it (`aloud` is false), no text need be there.
    fn read(&mut self, entry: &Entry, state_dir: &Path, aloud: bool) -> Vec<Told>;

    /// Whether it was ever of use: before that, its end is a start that failed.
    fn has_begun(&self) -> bool;

    /// Whether a turn runs.
    fn is_working(&self) -> bool;

    /// Whether the journal has this handing-over.
    fn knows(&self, message: MessageId, attempt: Attempt) -> bool;

    /// What the journal has as passed on, and nothing of what became of it.
    fn unsettled(&self) -> Vec<(MessageId, Attempt)>;

    /// What is said of such a one when the session has ended; `orderly` when it had the time to write everything down.
    fn settled(&self, place: &Place, message: MessageId, attempt: Attempt, orderly: bool) -> AgentReport;

    /// A connection was opened; what was passed on over the one before may not have arrived.
    fn on_connected(&mut self) {}

    /// Waits until there may be something to pass on that nobody ordered and no record tells of. Can be broken off and
    /// called again.
    fn stirred(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Passes on what nobody ordered. The errors are those of [`Self::give`].
    fn give_own(driver: &mut Driver<Self>, link: &mut Link) -> impl Future<Output = Driven<io::Result<()>>> + Send {
        let _ = (driver, link);
        std::future::ready(Ok(Ok(())))
    }

    /// Passes an order on. The outer error is that of the reports, the inner one that of the connection; a message that
    /// cannot be passed on stays handed over until the journal says what became of it.
    fn give(
        driver: &mut Driver<Self>,
        link: &mut Link,
        order: Order,
    ) -> impl Future<Output = Driven<io::Result<()>>> + Send;

    /// Takes in what the runner says beside its journal.
    fn on_notice(driver: &mut Driver<Self>, notice: Notice) -> impl Future<Output = Driven> + Send;
}

/// The daemon takes no reports, or has let go.
#[derive(Debug)]
pub(crate) struct LetGo;

/// What may find that the daemon has let go.
pub(crate) type Driven<T = ()> = Result<T, LetGo>;

/// What a driver waits for besides its runner and its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// The session should be ready by now.
    Ready,
    /// The runner should have ended the session by now.
    End,
    /// The runner should have said by now that everything has been told.
    Hello,
}

/// How a conversation with a runner came to its end.
enum Broken {
    /// The session has ended, and that has been reported.
    Over,
    /// The connection is gone.
    Lost(io::Error),
}

/// What a driver has from the daemon.
pub(crate) struct Seat {
    pub(crate) session: SessionId,
    pub(crate) name: SessionName,
    pub(crate) place: Place,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) reports: mpsc::Sender<DriverReport>,
}

/// The driver of one session.
pub(crate) struct Driver<M> {
    seat: Seat,
    stamp: Stamp,
    /// What the records mean.
    pub(crate) meaning: M,
    /// Up to here the journal has been read.
    offset: u64,
    /// The journal was gone before this driver came, so that nothing of it has been read.
    unread: bool,
    /// The end of the last message's turn in the journal.
    turn_end: u64,
    /// The turn that runs, or ran last, took a message.
    took: bool,
    /// Messages handed over of which nothing has been heard.
    handed: Vec<(MessageId, Attempt)>,
    /// Orders that wait for a connection.
    held: VecDeque<Order>,
    /// The session was there before this driver, or was out of sight: when it is seen again that is said.
    resumed: bool,
    unseen: bool,
    /// The grace with which the session is to be ended.
    ordered_end: Option<u64>,
    runner: Option<Incarnation>,
    agent: Option<Incarnation>,
    timers: Timers<Timer>,
    /// The session is being ended because it did not get ready; this is what is said then.
    failure: Option<StartFailure>,
}

impl<M: Meaning> Driver<M> {
    /// A driver that knows of no runner yet.
    pub(crate) fn new(seat: Seat, meaning: M) -> Self {
        Self {
            stamp: Stamp::of_session(&seat.place.host_id, &seat.session),
            seat,
            meaning,
            offset: 0,
            unread: false,
            turn_end: 0,
            took: false,
            handed: Vec::new(),
            held: VecDeque::new(),
            resumed: false,
            unseen: false,
            ordered_end: None,
            runner: None,
            agent: None,
            timers: Timers::default(),
            failure: None,
        }
    }

    /// The session.
    pub(crate) fn session(&self) -> SessionId {
        self.seat.session
    }

    /// Where its files are.
    pub(crate) fn place(&self) -> &Place {
        &self.seat.place
    }

    /// The mark of its processes.
    pub(crate) fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Up to here the journal has been read.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Up to here the daemon has everything for sure when it hands over the next message.
    pub(crate) fn committed(&self) -> u64 {
        self.turn_end
    }

    /// Why the session is being ended before it was of use.
    pub(crate) fn failure(&self) -> Option<&StartFailure> {
        self.failure.as_ref()
    }

    /// The agent's process, as the journal names it.
    pub(crate) fn agent(&self) -> Option<&Incarnation> {
        self.agent.as_ref()
    }

    /// It should be ready again within so many milliseconds; what was awaited before stays.
    pub(crate) fn await_ready(&mut self, millis: u64) {
        self.timers.arm_once(Timer::Ready, millis);
    }

    /// Messages were passed on of which nothing has been heard.
    pub(crate) fn has_handed(&self) -> bool {
        !self.handed.is_empty()
    }

    /// A message is being passed on.
    pub(crate) fn hand(&mut self, message: MessageId, attempt: Attempt) {
        self.handed.push((message, attempt));
    }

    /// Something was heard of a message that was passed on; gives its handing-over, if nothing had been heard before.
    pub(crate) fn forget_handed(&mut self, message: MessageId) -> Option<Attempt> {
        let at = self.handed.iter().position(|(handed, _)| *handed == message)?;
        Some(self.handed.swap_remove(at).1)
    }

    /// Reports what was seen just now.
    pub(crate) async fn report(&self, report: AgentReport) -> Driven {
        let (session, observed_at) = (self.seat.session, Timestamp::from_millis(wall_ms()));
        self.send(DriverReport { session, observed_at, cursor: None, report, answer: None }).await
    }

    /// Sends a report.
    pub(crate) async fn send(&self, report: DriverReport) -> Driven {
        self.seat.reports.send(report).await.map_err(|_| LetGo)
    }

    /// Follows a runner until its session has ended.
    async fn follow(&mut self, runner: Incarnation) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        self.runner = Some(runner);
        loop {
            let lost = match Link::open(&self.seat.place.run_dir, &runner, self.offset).await {
                Ok(link) => match self.converse(link, &mut backoff).await? {
                    Broken::Over => return Ok(()),
                    Broken::Lost(error) => error,
                },
                Err(error) => error,
            };
            // An open handle that shows no end is the proof that it lives.
            let handle = match ProcessHandle::open(&runner) {
                Ok(None) => return self.on_dead_runner().await,
                Ok(Some(handle)) => Some(handle),
                Err(_) => None,
            };
            if let Some(handle) = &handle
                && timeout(Duration::from_millis(RUNNER_EXIT_MS), handle.ended()).await.is_ok()
            {
                return self.on_dead_runner().await;
            }
            if let Some(handle) = &handle
                && matches!(lost.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
            {
                // Its socket is gone, as after a logout, which takes the runtime directory along. It makes a new one.
                let _ = handle.send(rustix::process::Signal::HUP);
            }
            self.on_unreachable(&lost).await?;
            self.wait_to_reconnect(handle.as_ref(), backoff.next_ms()).await?;
        }
    }

    async fn on_unreachable(&mut self, lost: &io::Error) -> Driven {
        self.on_unseen(UnknownReason::RunnerUnreachable { detail: lost.to_string() }).await
    }

    async fn on_unreadable(&mut self, error: &io::Error) -> Driven {
        self.on_unseen(UnknownReason::JournalUnreadable { detail: error.to_string() }).await
    }

    async fn on_unseen(&mut self, why: UnknownReason) -> Driven {
        self.resumed = true;
        if std::mem::replace(&mut self.unseen, true) {
            return Ok(());
        }
        self.report(AgentReport::Unseen { why }).await
    }

    /// Waits until it is time to try again, or the runner has ended. Orders wait meanwhile; only an end is carried
    /// out, by force.
    async fn wait_to_reconnect(&mut self, handle: Option<&ProcessHandle>, millis: u64) -> Driven {
        if let (Some(_), Some(handle)) = (self.ordered_end, handle) {
            // It may not be reached, so it cannot be asked; what it leaves is found by its stamp.
            let _ = handle.send(rustix::process::Signal::KILL);
        }
        let ended = async {
            match handle {
                Some(handle) => handle.ended().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = ended => Ok(()),
            () = pause(millis) => Ok(()),
            order = self.seat.orders.recv() => self.hold(order),
        }
    }

    /// Keeps an order for when there is a connection.
    fn hold(&mut self, order: Option<Order>) -> Driven {
        match order {
            None | Some(Order::LetGo) => return Err(LetGo),
            Some(Order::End { grace_ms }) => self.ordered_end = Some(grace_ms),
            Some(order) => self.held.push_back(order),
        }
        Ok(())
    }

    /// Speaks with a runner until the session or the connection ends.
    async fn converse(&mut self, mut link: Link, backoff: &mut Backoff) -> Driven<Broken> {
        let mut caught_up = false;
        // A session that is to end need not say hello first; one that hangs is ended without.
        let hello_ms = if self.ordered_end.is_some() { RUNNER_END_MS_MAX } else { HELLO_MS_MAX };
        self.timers.arm(Timer::Hello, hello_ms);
        self.meaning.on_connected();
        if let Some(grace_ms) = self.ordered_end
            && let Err(error) = self.end(&mut link, grace_ms).await
        {
            return Ok(Broken::Lost(error));
        }
        loop {
            if caught_up && let Err(error) = self.give_what_is_due(&mut link).await? {
                return Ok(Broken::Lost(error));
            }
            tokio::select! {
                heard = link.next() => match heard {
                    Ok(Some(Heard::Record(found))) => if self.on_record(&found).await? { return Ok(Broken::Over) },
                    Ok(Some(Heard::Notice(Notice::CaughtUp { .. }))) => {
                        caught_up = true;
                        backoff.reset();
                        self.timers.disarm(Timer::Hello);
                        self.on_caught_up().await?;
                    }
                    Ok(Some(Heard::Notice(notice))) => M::on_notice(self, notice).await?,
                    Ok(None) => return Ok(Broken::Lost(io::Error::other("the runner closed the connection"))),
                    Err(error) => return Ok(Broken::Lost(error)),
                },
                order = self.seat.orders.recv() => match order {
                    None | Some(Order::LetGo) => return Err(LetGo),
                    // The end waits for nothing, least of all for a runner that says nothing.
                    Some(Order::End { grace_ms }) => if let Err(error) = self.end(&mut link, grace_ms).await {
                        return Ok(Broken::Lost(error));
                    },
                    Some(order) => self.held.push_back(order),
                },
                () = self.meaning.stirred() => {}
                timer = self.timers.due() => if let Err(error) = self.on_timer(timer, &mut link).await {
                    return Ok(Broken::Lost(error));
                },
            }
        }
    }

    /// Gives all that can be given now. The outer error is that of the reports, the inner one that of the connection.
    async fn give_what_is_due(&mut self, link: &mut Link) -> Driven<io::Result<()>> {
        loop {
            if let Err(error) = M::give_own(self, link).await? {
                return Ok(Err(error));
            }
            // What was ordered may have something follow that nobody ordered.
            let Some(order) = self.held.pop_front() else { return Ok(Ok(())) };
            if let Err(error) = M::give(self, link, order).await? {
                return Ok(Err(error));
            }
        }
    }

    /// Has the runner end the session: politely, and by force after the grace. A runner that does not is ended itself.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn end(&mut self, link: &mut Link, grace_ms: u64) -> io::Result<()> {
        self.ordered_end = Some(grace_ms);
        self.timers.arm(Timer::End, grace_ms + RUNNER_END_MS_MAX);
        link.order(&OrderLine::End { grace_ms }, "").await
    }

    /// Ends a session that will never be of use, for this reason.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn give_up(&mut self, link: &mut Link, why: StartFailure) -> io::Result<()> {
        self.failure = Some(why);
        self.end(link, 0).await
    }

    async fn on_timer(&mut self, timer: Timer, link: &mut Link) -> io::Result<()> {
        match timer {
            Timer::Ready => {
                let detail = format!("{} did not say that it is ready", M::NAME);
                self.give_up(link, StartFailure::NotReady { detail }).await
            }
            Timer::Hello => Err(io::Error::new(io::ErrorKind::TimedOut, "the runner says nothing")),
            // The connection is given up, and what follows ends the runner by force.
            Timer::End => Err(io::Error::new(io::ErrorKind::TimedOut, "the runner did not end its session in time")),
        }
    }

    /// Everything up to now has been reported: what was handed over and is not in the journal was not taken.
    async fn on_caught_up(&mut self) -> Driven {
        if !std::mem::replace(&mut self.resumed, false) {
            return Ok(());
        }
        for (message, attempt) in std::mem::take(&mut self.handed) {
            if !self.meaning.knows(message, attempt) {
                let detail = "the runner's journal does not have it, and the runner takes no message twice".to_owned();
                self.report(AgentReport::NotTaken { message, attempt, detail }).await?;
            }
        }
        self.unseen = false;
        self.report(AgentReport::Seen { level: Level { working: self.meaning.is_working() } }).await
    }

    /// Takes in a record and reports it; says whether it is the last. Only the last report of a record takes it off the
    /// journal.
    async fn on_record(&mut self, found: &Found) -> Driven<bool> {
        let mut told = self.fold(found, true);
        if told.iter().any(|(report, _)| matches!(report, AgentReport::Ready)) {
            self.timers.disarm(Timer::Ready);
        }
        let last = self.last_word(&found.entry.record).await?;
        let over = last.is_some();
        told.extend(last.map(|report| (report, None)));
        let count = told.len();
        for (at, (report, answer)) in told.into_iter().enumerate() {
            if let AgentReport::Taken { message, .. } | AgentReport::NotTaken { message, .. } = &report {
                self.forget_handed(*message);
            }
            let (session, observed_at) = (self.seat.session, found.entry.observed_at());
            let cursor = (at + 1 == count).then_some(found.next);
            self.send(DriverReport { session, observed_at, cursor, report, answer }).await?;
        }
        Ok(over)
    }

    /// Takes a record into the state, and says what it means.
    fn fold(&mut self, found: &Found, aloud: bool) -> Vec<Told> {
        self.offset = found.next;
        let mut told = self.meaning.read(&found.entry, &self.seat.place.state_dir, aloud);
        if let Record::Started { runner, agent, supervisor } = &found.entry.record {
            self.agent = agent.incarnation();
            if let (Some(runner), Some(agent)) = (runner.incarnation(), self.agent) {
                told.push((AgentReport::Started { runner, agent, supervisor: supervisor.clone() }, None));
            }
        }
        for (report, _) in &told {
            if matches!(report, AgentReport::Taken { .. }) {
                self.took = true;
            } else if matches!(report, AgentReport::TurnEnded { .. }) && std::mem::replace(&mut self.took, false) {
                self.turn_end = found.next;
            }
        }
        told
    }
}
