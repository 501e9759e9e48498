//! The daemon's side of a Codex session: one connection to the app-server, one thread in it, and what is seen of it.

mod ask;
mod asking;
mod begin;
mod deliver;
mod end;
mod goal_notes;
mod goals;
mod hear;
mod model;
mod notes;
mod reconcile;
mod reconnect;
mod requests;
mod rights;
mod steer;
mod thread;
mod turn_end;
mod turns;

pub(super) use notes::Notes;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use adjutant_core::agent::AgentReport;
use adjutant_core::id::Attempt;
use adjutant_core::process::Incarnation;
use adjutant_core::session::Profile;
use adjutant_core::{MessageId, SessionId, SessionName, Timestamp};
use tokio::sync::{mpsc, oneshot};

use self::notes::Settings;
use self::requests::Open;
use self::turns::Running;
use super::server::{Held, Servers};
use super::wire::{Link, TokenCount};
use crate::process::{ProcessHandle, Stamp};
use crate::runner::wall_ms;
use crate::timer::Timers;
use crate::{DriverReport, DriverStart, DriverTask, GoalAnswer, Order, Place};

/// Drives one session to its end, or until the daemon lets go of it.
pub(super) async fn drive(servers: Arc<Servers>, task: DriverTask) {
    let DriverTask { session, name, place, start, orders, reports } = task;
    let stamp = Stamp::of_session(&place.host_id, &session);
    let profile = match &start {
        DriverStart::Launch(plan) => plan.profile.clone(),
        DriverStart::Adopt(adoption) => adoption.profile.clone(),
    };
    let mut driver = Driver {
        session,
        name,
        place,
        stamp,
        profile,
        servers,
        orders,
        reports,
        notes: Notes::default(),
        settings: Settings::default(),
        held: None,
        holder: None,
        server: None,
        turn: None,
        ended: None,
        sent: Vec::new(),
        waiting: VecDeque::new(),
        open: Vec::new(),
        goal_waiters: Vec::new(),
        tokens: None,
        is_paused: false,
        is_loaded: false,
        is_unseen: false,
        is_strange: false,
        deaf_openings: 0,
        ending: None,
        timers: Timers::default(),
    };
    // What is left of it here is that nobody takes the reports any more, or that the end has been reported.
    let _ = match start {
        DriverStart::Launch(plan) => driver.launch(plan).await,
        DriverStart::Adopt(adoption) => driver.adopt(adoption).await,
    };
}

/// Why a driver does not go on with what it does.
#[derive(Debug)]
enum Stop {
    /// The daemon takes no reports, or has let go.
    LetGo,
    /// The end of the session has been reported.
    Over,
    /// The connection is gone.
    Lost(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

type Driven<T = ()> = Result<T, Stop>;

/// What a driver waits for besides its server and its orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    /// By now it should have been said who opened the turn.
    Origin,
    /// The thread is idle, so the end of its turn should have come by now.
    Missed,
    /// What was queued should have begun by now.
    Queued,
    /// Nothing was heard in a turn for long.
    Silence,
    /// The interrupted turn should have ended by now.
    Interrupt,
    /// The turn of the session that is to end should have ended by now.
    End,
}

/// A message that the app-server was given, and of which it has not said yet that the agent has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent {
    message: MessageId,
    attempt: Attempt,
    /// The app-server's id of it in its queue, once it has answered.
    submission: Option<String>,
    /// It was put into a running turn.
    is_steer: bool,
}

struct Driver {
    session: SessionId,
    name: SessionName,
    place: Place,
    stamp: Stamp,
    profile: Profile,
    servers: Arc<Servers>,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Sender<DriverReport>,
    notes: Notes,
    settings: Settings,
    held: Option<Held>,
    /// Who holds it, while that one is there.
    holder: Option<ProcessHandle>,
    /// The life of the server that was spoken to last.
    server: Option<Incarnation>,
    turn: Option<Running>,
    /// The last turn that was seen to end.
    ended: Option<String>,
    sent: Vec<Sent>,
    /// Orders that cannot be carried out yet, in order.
    waiting: VecDeque<Order>,
    open: Vec<Open>,
    /// Those who wait for the end of the goal.
    goal_waiters: Vec<oneshot::Sender<GoalAnswer>>,
    /// What the thread has used up, as far as that was told.
    tokens: Option<TokenCount>,
    /// The app-server holds its queue back until it is told to go on: a turn was interrupted.
    is_paused: bool,
    /// The thread is in the app-server's memory.
    is_loaded: bool,
    /// It is on record that the session cannot be seen.
    is_unseen: bool,
    /// The app-server says of the thread what is not understood here.
    is_strange: bool,
    /// Connections in a row over which the server did not answer.
    deaf_openings: u32,
    /// The grace with which the session is to be ended.
    ending: Option<u64>,
    timers: Timers<Timer>,
}

impl Driver {
    async fn report(&self, report: AgentReport) -> Driven {
        self.report_at(None, report, None).await
    }

    async fn report_at(&self, cursor: Option<u64>, report: AgentReport, answer: Option<Arc<str>>) -> Driven {
        let observed_at = Timestamp::from_millis(wall_ms());
        let report = DriverReport { session: self.session, observed_at, cursor, report, answer };
        self.reports.send(report).await.map_err(|_| Stop::LetGo)
    }

    async fn notice(&self, text: &str) -> Driven {
        self.report(AgentReport::Notice { text: ask::one_line(text) }).await
    }

    /// Writes the notes down. Without them the next daemon knows less, and says so.
    fn save_notes(&self) {
        if let Err(error) = self.notes.save(&self.place) {
            tracing::warn!(session = %self.session, %error, "what is known of the thread cannot be written down");
        }
    }

    /// The thread. Before there is one, nothing is asked that names it.
    fn thread(&self) -> &str {
        self.notes.thread.as_deref().unwrap_or_default()
    }

    /// Speaks with the server until the session or the connection ends.
    async fn converse(&mut self, link: &mut Link) -> Driven {
        loop {
            self.limit_goal(link).await?;
            self.give_waiting(link).await?;
            let holder_gone = async {
                match &self.holder {
                    // What cannot be waited for is not waited for.
                    Some(holder) if holder.ended().await.is_ok() => {}
                    Some(_) | None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = holder_gone => self.on_holder_gone(link).await?,
                heard = link.next() => self.on_heard(link, heard?).await?,
                order = self.orders.recv() => self.take_in(order)?,
                timer = self.timers.due() => self.on_timer(link, timer).await?,
            }
        }
    }

    async fn on_timer(&mut self, link: &mut Link, timer: Timer) -> Driven {
        match timer {
            Timer::Origin => self.look_for_words(link).await,
            Timer::Missed => self.look_for_end(link).await,
            Timer::Queued => self.start_queued(link).await,
            Timer::Silence => self.look_for_end(link).await,
            Timer::Interrupt => self.interrupt_again(link).await,
            Timer::End => self.finish_end(link).await,
        }
    }
}
