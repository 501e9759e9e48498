//! The daemon's side of a headless session: speaks to the runner, and says what it saw.

mod begin;
mod end;
mod give;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use adjutant_core::agent::{AgentReport, Level, StartFailure};
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;
use adjutant_core::process::Incarnation;
use adjutant_core::{MessageId, SessionId, SessionName, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::machine::{Machine, Told};
use crate::limits::{HELLO_MS_MAX, RECONNECT_MS_MAX, RECONNECT_MS_MIN, RUNNER_EXIT_MS};
use crate::process::{ProcessHandle, Stamp};
use crate::runner::{AnswerRecord, Found, Heard, Link, Notice, OrderLine, Record, wall_ms};
use crate::timer::{Backoff, Timers, pause};
use crate::{DriverReport, DriverStart, DriverTask, Order, Place};

/// Drives one session to its end, or until the daemon lets go of it.
pub(in crate::claude) async fn drive(task: DriverTask) {
    let DriverTask { session, name, place, start, orders, reports } = task;
    let stamp = Stamp::of_session(&place.host_id, &session);
    let machine = match &start {
        DriverStart::Launch(plan) => Machine::new(session, &plan.profile, None),
        DriverStart::Adopt(adoption) => Machine::new(session, &adoption.profile, adoption.conversation.clone()),
    };
    let mut driver = Driver {
        session,
        name,
        place,
        stamp,
        orders,
        reports,
        machine,
        offset: 0,
        told_up_to: 0,
        turn_end: 0,
        handed: Vec::new(),
        held: VecDeque::new(),
        resumed: false,
        unseen: false,
        ordered_end: None,
        runner: None,
        agent: None,
        timers: Timers::default(),
        failure: None,
        given: BTreeSet::new(),
    };
    // An error here means that nobody takes the reports any more: the daemon is going away.
    let _ = match start {
        DriverStart::Launch(plan) => driver.launch(plan).await,
        DriverStart::Adopt(adoption) => driver.adopt(adoption).await,
    };
}

/// The daemon takes no reports, or has let go.
#[derive(Debug)]
struct LetGo;

type Driven<T = ()> = Result<T, LetGo>;

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

struct Driver {
    session: SessionId,
    name: SessionName,
    place: Place,
    stamp: Stamp,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<DriverReport>,
    machine: Machine,
    /// Up to here the journal has been read.
    offset: u64,
    /// Up to here an earlier daemon has told of it.
    told_up_to: u64,
    /// The end of the last turn in the journal.
    turn_end: u64,
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
    /// Tags of what this connection was given unasked, and what the journal may not have yet.
    given: BTreeSet<String>,
}

impl Driver {
    async fn report(&self, report: AgentReport) -> Driven {
        let (session, observed_at) = (self.session, Timestamp::from_millis(wall_ms()));
        self.send(DriverReport { session, observed_at, cursor: None, report, answer: None }).await
    }

    async fn send(&self, report: DriverReport) -> Driven {
        self.reports.send(report).await.map_err(|_| LetGo)
    }

    /// Follows a runner until its session has ended.
    async fn follow(&mut self, runner: Incarnation) -> Driven {
        let mut backoff = Backoff::new(RECONNECT_MS_MIN, RECONNECT_MS_MAX);
        self.runner = Some(runner);
        loop {
            let lost = match Link::open(&self.place.run_dir, &runner, self.offset).await {
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
        self.resumed = true;
        if std::mem::replace(&mut self.unseen, true) {
            return Ok(());
        }
        let why = UnknownReason::RunnerUnreachable { detail: lost.to_string() };
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
            order = self.orders.recv() => self.hold(order),
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
        self.timers.arm(Timer::Hello, HELLO_MS_MAX);
        self.given.clear();
        if let Some(grace_ms) = self.ordered_end
            && let Err(error) = link.order(&OrderLine::End { grace_ms }, "").await
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
                    Ok(Some(Heard::Notice(notice))) => self.on_notice(notice).await?,
                    Ok(None) => return Ok(Broken::Lost(io::Error::other("the runner closed the connection"))),
                    Err(error) => return Ok(Broken::Lost(error)),
                },
                order = self.orders.recv() => match order {
                    None | Some(Order::LetGo) => return Err(LetGo),
                    Some(order) => self.held.push_back(order),
                },
                timer = self.timers.due() => if let Err(error) = self.on_timer(timer, &mut link).await {
                    return Ok(Broken::Lost(error));
                },
            }
        }
    }

    async fn on_timer(&mut self, timer: Timer, link: &mut Link) -> io::Result<()> {
        match timer {
            Timer::Ready => {
                let detail = "Claude Code did not say that it is ready".to_owned();
                self.failure = Some(StartFailure::NotReady { detail });
                self.end(link, 0).await
            }
            Timer::Hello => Err(io::Error::new(io::ErrorKind::TimedOut, "the runner says nothing")),
            // The connection is given up, and what follows ends the runner by force.
            Timer::End => Err(io::Error::new(io::ErrorKind::TimedOut, "the runner did not end its session in time")),
        }
    }

    /// Everything up to now has been reported: what was handed over and was not written was not taken.
    async fn on_caught_up(&mut self) -> Driven {
        if !std::mem::replace(&mut self.resumed, false) {
            return Ok(());
        }
        for (message, attempt) in std::mem::take(&mut self.handed) {
            if !self.machine.knows(message, attempt) {
                let detail = "the runner's journal does not have it, and the runner writes no message twice".to_owned();
                self.report(AgentReport::NotTaken { message, attempt, detail }).await?;
            }
        }
        self.unseen = false;
        self.report(AgentReport::Seen { level: Level { working: self.machine.is_working() } }).await
    }

    /// Takes in a record; says whether it is the last.
    async fn on_record(&mut self, found: &Found) -> Driven<bool> {
        let told = self.read(found);
        let ends_turn = told.iter().any(|(report, _)| matches!(report, AgentReport::TurnEnded { .. }));
        if told.iter().any(|(report, _)| matches!(report, AgentReport::Ready)) {
            self.timers.disarm(Timer::Ready);
        }
        let last = self.last_word(&found.entry.record).await?;
        if found.next > self.told_up_to {
            self.tell(found, told, last.is_some()).await?;
            if let Some(report) = &last {
                self.send_at(found, report.clone(), None, true).await?;
            }
        }
        if ends_turn {
            self.turn_end = found.next;
        }
        Ok(last.is_some())
    }

    /// Takes a record into the state, and says what it means.
    fn read(&mut self, found: &Found) -> Vec<Told> {
        self.offset = found.next;
        if let Record::Started { runner, agent, supervisor } = &found.entry.record {
            self.agent = agent.incarnation();
            let (Some(runner), Some(agent)) = (runner.incarnation(), agent.incarnation()) else { return Vec::new() };
            vec![(AgentReport::Started { runner, agent, supervisor: supervisor.clone() }, None)]
        } else if let Record::Written { tag } = &found.entry.record {
            self.machine.on_written(tag)
        } else if let Record::Line(line) = &found.entry.record {
            match self.line(line) {
                Ok(text) => self.machine.on_line(&text, found.entry.observed_at()),
                Err(error) => vec![(AgentReport::Notice { text: format!("a line cannot be read: {error}") }, None)],
            }
        } else {
            // The rest is of a shell, or is the end, or nobody's business.
            Vec::new()
        }
    }

    fn line(&self, line: &AnswerRecord) -> io::Result<String> {
        match (&line.text, &line.file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(file)) => std::fs::read_to_string(self.place.state_dir.join(file)),
            (None, None) => Ok(String::new()),
        }
    }

    /// Reports what a record means. Only the last report of it takes the record off the journal.
    async fn tell(&mut self, found: &Found, told: Vec<Told>, more: bool) -> Driven {
        let count = told.len();
        for (at, (report, answer)) in told.into_iter().enumerate() {
            if let AgentReport::Taken { message, .. } | AgentReport::NotTaken { message, .. } = &report {
                self.handed.retain(|(handed, _)| handed != message);
            }
            self.send_at(found, report, answer, at + 1 == count && !more).await?;
        }
        Ok(())
    }

    async fn send_at(
        &self,
        found: &Found,
        report: AgentReport,
        answer: Option<std::sync::Arc<str>>,
        last: bool,
    ) -> Driven {
        let (session, observed_at) = (self.session, found.entry.observed_at());
        self.send(DriverReport { session, observed_at, cursor: last.then_some(found.next), report, answer }).await
    }
}
