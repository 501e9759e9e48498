//! The daemon's side of a shell session: speaks to the runner, and says what it saw.

mod begin;
mod catch_up;
mod dead;
mod records;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use adjutant_core::agent::AgentReport;
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;
use adjutant_core::process::Incarnation;
use adjutant_core::{MessageId, SessionId, SessionName, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::records::report_of;
use crate::limits::{
    HELLO_MS_MAX, RECONNECT_MS_MAX, RECONNECT_MS_MIN, RUNNER_END_MS_MAX, RUNNER_EXIT_MS, RUNNER_GONE_MS_MAX,
};
use crate::process::{ProcessHandle, Stamp};
use crate::runner::{Found, Heard, Link, Notice, OrderLine, Record, wall_ms};
use crate::timer::{Backoff, Timers, pause};
use crate::{DriverReport, DriverStart, DriverTask, Order, Place, RequestAnswer};

/// Drives one session to its end, or until the daemon lets go of it.
pub(super) async fn drive(task: DriverTask) {
    let DriverTask { session, name, place, start, orders, reports } = task;
    let stamp = Stamp::of_session(&place.host_id, &session);
    let mut driver = Driver {
        session,
        name,
        place,
        stamp,
        orders,
        reports,
        offset: 0,
        turn_end: 0,
        handed: Vec::new(),
        held: VecDeque::new(),
        resumed: false,
        unseen: false,
        ordered_end: None,
        runner: None,
        agent: None,
        timers: Timers::default(),
        not_ready: None,
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
    /// Up to here the journal has been reported.
    offset: u64,
    /// The end of the last message's turn in the journal.
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
    /// The session is being ended because it was not ready in time; this is what is said then.
    not_ready: Option<String>,
}

impl Driver {
    async fn report(&self, report: AgentReport) -> Driven {
        self.send(DriverReport {
            session: self.session,
            observed_at: Timestamp::from_millis(wall_ms()),
            cursor: None,
            report,
            answer: None,
        })
        .await
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
            order = self.orders.recv() => match order {
                None | Some(Order::LetGo) => Err(LetGo),
                Some(Order::End { grace_ms }) => { self.ordered_end = Some(grace_ms); Ok(()) }
                Some(order) => { self.held.push_back(order); Ok(()) }
            },
        }
    }

    /// Speaks with a runner until the session or the connection ends.
    async fn converse(&mut self, mut link: Link, backoff: &mut Backoff) -> Driven<Broken> {
        let mut caught_up = false;
        // A session that is to end need not say hello first; one that hangs is ended without.
        let hello_ms = if self.ordered_end.is_some() { RUNNER_END_MS_MAX } else { HELLO_MS_MAX };
        self.timers.arm(Timer::Hello, hello_ms);
        if let Some(grace_ms) = self.ordered_end
            && let Err(error) = self.end(&mut link, grace_ms).await
        {
            return Ok(Broken::Lost(error));
        }
        loop {
            while caught_up && let Some(order) = self.held.pop_front() {
                if let Err(error) = self.give(&mut link, order).await {
                    return Ok(Broken::Lost(error));
                }
            }
            tokio::select! {
                heard = link.next() => match heard {
                    Ok(Some(Heard::Record(found))) => if self.on_record(&found).await? { return Ok(Broken::Over) },
                    Ok(Some(Heard::Notice(Notice::CaughtUp { working }))) => {
                        caught_up = true;
                        backoff.reset();
                        self.timers.disarm(Timer::Hello);
                        self.on_caught_up(working).await?;
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

    /// Passes an order on. A message that cannot be passed on stays handed over until the journal says what became
    /// of it.
    async fn give(&mut self, link: &mut Link, order: Order) -> io::Result<()> {
        match order {
            // A shell has no turn that takes more; the runner says so.
            Order::Deliver { message, attempt, text, .. } | Order::Steer { message, attempt, text } => {
                // Only when the end of one message is committed is the next one handed over.
                let committed = self.turn_end;
                self.handed.push((message, attempt));
                let line = OrderLine::Deliver {
                    message: message.get(),
                    attempt: attempt.get(),
                    committed,
                    bytes: text.len() as u64,
                };
                link.order(&line, &text).await
            }
            Order::Interrupt => link.order(&OrderLine::Interrupt {}, "").await,
            Order::Respond { native, answer: RequestAnswer::Text(text) } => {
                link.order(&OrderLine::Respond { native, bytes: text.len() as u64 }, &text).await
            }
            // What a shell asks is answered by a text alone, which is checked before; and it has no hooks.
            Order::Respond { .. } | Order::Hook { .. } | Order::Goal { .. } => Ok(()),
            Order::End { grace_ms } => self.end(link, grace_ms).await,
            Order::LetGo => Ok(()),
        }
    }

    async fn end(&mut self, link: &mut Link, grace_ms: u64) -> io::Result<()> {
        self.ordered_end = Some(grace_ms);
        self.timers.arm(Timer::End, grace_ms + RUNNER_END_MS_MAX);
        link.order(&OrderLine::End { grace_ms }, "").await
    }

    async fn on_timer(&mut self, timer: Timer, link: &mut Link) -> io::Result<()> {
        match timer {
            Timer::Ready => {
                self.not_ready = Some("the shell did not say that it is ready".to_owned());
                self.end(link, 0).await
            }
            Timer::Hello => Err(io::Error::new(io::ErrorKind::TimedOut, "the runner says nothing")),
            // The connection is given up, and what follows ends the runner by force.
            Timer::End => Err(io::Error::new(io::ErrorKind::TimedOut, "the runner did not end its session in time")),
        }
    }

    /// Reports a record; says whether it is the last.
    async fn on_record(&mut self, found: &Found) -> Driven<bool> {
        self.offset = found.next;
        if let Some(message) = found.entry.record.hands_over() {
            self.forget_handed(message);
        } else if let Record::Started { agent, .. } = &found.entry.record {
            self.agent = agent.incarnation();
        } else if found.entry.record == Record::Ready {
            self.timers.disarm(Timer::Ready);
        }
        let Some((report, answer)) = report_of(&found.entry, &self.place.state_dir) else { return Ok(false) };
        if matches!(&found.entry.record, Record::TurnEnded(end) if end.message.is_some()) {
            self.turn_end = found.next;
        }
        let over = matches!(report, AgentReport::Exited { .. } | AgentReport::StartFailed { .. });
        let report = match (&self.not_ready, over) {
            (Some(detail), true) => begin::not_ready(detail),
            _ => report,
        };
        if over {
            self.refuse_held("the session has ended").await?;
            self.runner_gone().await;
        }
        self.send(DriverReport {
            session: self.session,
            observed_at: found.entry.observed_at(),
            cursor: Some(found.next),
            report,
            answer,
        })
        .await?;
        Ok(over)
    }

    /// Waits until the runner, which has said its last word, is gone itself.
    async fn runner_gone(&self) {
        if let Some(Ok(Some(handle))) = self.runner.as_ref().map(ProcessHandle::open) {
            // It has no more than its farewell to say; one that hangs in it holds nothing of the session.
            let _ = timeout(Duration::from_millis(RUNNER_GONE_MS_MAX), handle.ended()).await;
        }
    }

    fn forget_handed(&mut self, message: u64) {
        self.handed.retain(|(handed, _)| handed.get() != message);
    }
}
