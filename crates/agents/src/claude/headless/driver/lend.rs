//! Lending: a person gets the conversation at a terminal, and gives it back.
//!
//! The runner does what it is ordered to, and its journal says how far that is. What is decided here: whether the conversation
//! is free to be lent, and when it is taken back - as soon as the program at the terminal has ended; when nobody is there any
//! more and Claude Code is at rest; or when somebody interrupts.

use std::io;
use std::path::Path;

use adjutant_core::Timestamp;
use adjutant_core::agent::{AgentReport, Mode, RequestEnd, TurnEnd, TurnOrigin};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::meaning::Protocol;
use crate::claude::answer::ended;
use crate::claude::changes::Changes;
use crate::claude::headless::command_line::{Conversation, arguments, lent_arguments};
use crate::claude::headless::machine::{Lent, LentStep};
use crate::claude::terminal::ask::dialog;
use crate::claude::terminal::status::{self, Activity, Status};
use crate::claude::{home, transcript};
use crate::limits::{COME_BACK_MS, DIALOG_MS, ENTRIES_LENT_MAX, SETTLED_MS, TAKEN_UP_MS_MAX};
use crate::runner::{Driven, Driver, Link, OrderLine, Told, wall_ms};
use crate::timer::pause;
use crate::{NotLent, Order, Sitting, Speaker};

/// The id of what is asked at the terminal; there is one dialog at a time.
const DIALOG: &str = "terminal";

/// What a driver holds of the lending of its session.
#[derive(Default)]
pub(super) struct Lending {
    /// Who waits for a terminal.
    waiting: Vec<(Sitting, oneshot::Sender<Result<(), NotLent>>)>,
    /// The order was given, and the journal has nothing of it yet.
    ordered: bool,
    /// The order to take it back was given.
    back_ordered: bool,
    /// Somebody wants it back, whatever it is at.
    wanted_back: bool,
    /// Rings when Claude Code says that it is at something else.
    changes: Option<Changes>,
    /// A status that has just come about is looked at again after so many milliseconds.
    look_again_ms: Option<u64>,
    /// Since when the runner is heard.
    heard_since: Option<Instant>,
    /// What Claude Code is at there was seen once.
    was_seen: bool,
    /// Since when it is not seen any more, in milliseconds of the wall clock.
    unseen_since: Option<i64>,
    /// Since when a dialog is open there that was told of; nobody knows at first.
    asks: Option<Option<i64>>,
    /// It was told of a shell that keeps it from coming back.
    shell_told: bool,
    /// The conversation of somebody else's that was taken up there last, which was told of.
    foreign: Option<String>,
}

impl Lending {
    /// What was passed on over the connection before may not have arrived.
    pub(super) fn on_connected(&mut self) {
        (self.ordered, self.back_ordered) = (false, false);
        self.heard_since = Some(Instant::now());
    }

    /// Somebody wants to sit down.
    pub(super) fn wait(&mut self, sitting: Sitting, answer: oneshot::Sender<Result<(), NotLent>>) {
        self.waiting.push((sitting, answer));
    }

    /// Waits until there may be something to decide.
    pub(super) async fn stirred(&mut self) {
        let changed = async {
            match &self.changes {
                Some(changes) => changes.next().await,
                None => std::future::pending().await,
            }
        };
        match self.look_again_ms {
            None => changed.await,
            Some(millis) => tokio::select! {
                () = changed => {}
                () = pause(millis) => self.look_again_ms = None,
            },
        }
    }
}

impl Protocol {
    /// Whether a person has the conversation, or is about to get it.
    pub(super) fn is_away(&self) -> bool {
        self.lending.ordered || self.machine.lent().is_some()
    }

    /// The conversation as it has to be named on a command line: one in which nothing was said yet is nowhere.
    fn conversation(&self, config_dir: &Path) -> Conversation {
        let known = self.machine.conversation();
        match known.filter(|native| transcript::find(config_dir, native).is_some()) {
            Some(native) => Conversation::Resumed(native.to_owned()),
            None => Conversation::New(known.map_or_else(|| self.session.to_string(), str::to_owned)),
        }
    }

    /// Whether it can be told from here what becomes of the conversation. Behind a wrapper Claude Code may keep its files
    /// where nobody here sees them.
    fn is_in_sight(&self, config_dir: &Path) -> bool {
        let seen = |native| match transcript::find(config_dir, native) {
            Some(_) => true,
            // Where nothing is written down yet, what runs says at least that it does.
            None => !self.machine.has_spoken_in(native) && status::read_behind(config_dir, native, 0).is_some(),
        };
        self.machine.conversation().is_some_and(seen)
    }

    fn status(&self, driver: &Driver<Self>, config_dir: &Path, lent: &Lent) -> Option<Status> {
        match self.profile.mode {
            Mode::Native | Mode::Guarded => status::read(config_dir, driver.agent()?),
            Mode::Docker => status::read_behind(config_dir, self.machine.conversation()?, lent.since.as_millis()),
        }
    }

    /// Answers everybody who waits for a terminal.
    fn answer_all(&mut self, answer: &Result<(), NotLent>) {
        for (_, waiting) in self.lending.waiting.drain(..) {
            // Whoever does not wait any more has been told that it took too long.
            let _ = waiting.send(answer.clone());
        }
    }

    /// Fills in what was said while the conversation was lent, where its turn has just ended.
    pub(super) fn tell_what_was_said(&self, lent: &Lent, at: Timestamp, state_dir: &Path, told: &mut [Told]) {
        let ending = told.iter_mut().find_map(|(report, text)| {
            if let AgentReport::TurnEnded { end } = report { Some((end, text)) } else { None }
        });
        let Some((end, text)) = ending else { return };
        let said = self.said(lent, state_dir).unwrap_or_default();
        let mut detail = "a person had the conversation at a terminal".to_owned();
        if let Some(more) = &end.detail {
            detail.push_str(&format!("; {more}"));
        }
        let (whole, answer) = ended(end.outcome.clone(), Some(detail), &said);
        *end = TurnEnd { usage: self.cost(lent, at, state_dir, &said), ..whole };
        *text = Some(answer.into());
    }

    fn transcript(&self, state_dir: &Path) -> Option<std::path::PathBuf> {
        transcript::find(&home::read(state_dir).ok()?, self.machine.conversation()?)
    }

    /// What the agent said last there.
    fn said(&self, lent: &Lent, state_dir: &Path) -> Option<String> {
        let path = self.transcript(state_dir)?;
        let entries = transcript::conversation(&path, ENTRIES_LENT_MAX, Some(lent.since)).ok()?;
        let there = |at: Option<Timestamp>| at.is_some_and(|at| at >= lent.since);
        let mut said = entries.into_iter().rev().filter(|entry| entry.role == Speaker::Assistant && there(entry.at));
        said.next().map(|entry| entry.text)
    }

    fn cost(&self, lent: &Lent, at: Timestamp, state_dir: &Path, said: &str) -> Option<adjutant_core::agent::Usage> {
        transcript::usage_between(&self.transcript(state_dir)?, lent.since.as_millis(), at.as_millis(), said)
    }
}

/// Takes an order of which a person is the reason.
pub(super) async fn order(driver: &mut Driver<Protocol>, order: Order) -> Driven {
    match order {
        Order::Lend { sitting, answer } => {
            driver.meaning.lending.wait(sitting, answer);
            Ok(())
        }
        Order::Deliver { message, attempt, .. } | Order::Steer { message, attempt, .. } => {
            let detail = "a person has the conversation at a terminal".to_owned();
            driver.report(AgentReport::NotTaken { message, attempt, detail }).await
        }
        Order::Interrupt => {
            driver.meaning.lending.wanted_back = true;
            driver.meaning.answer_all(&Err(NotLent::Busy("it has just been taken back from whoever had it")));
            let detail = "the conversation is taken back from the person who has it".to_owned();
            driver.report(AgentReport::InterruptPassed { detail }).await
        }
        // What is asked there is asked of the person.
        Order::Respond { native, .. } => {
            driver.report(AgentReport::RequestClosed { native, end: RequestEnd::Withdrawn }).await
        }
        Order::Hook { .. } | Order::Goal { .. } | Order::End { .. } | Order::LetGo => Ok(()),
    }
}

/// Decides what is due, and orders it.
pub(super) async fn own(driver: &mut Driver<Protocol>, link: &mut Link) -> Driven<io::Result<()>> {
    let Ok(config_dir) = home::read(&driver.place().state_dir) else {
        driver.meaning.answer_all(&Err(NotLent::Never("where Claude Code keeps its files is not known".to_owned())));
        return Ok(Ok(()));
    };
    driver.meaning.lending.waiting.retain(|(_, answer)| !answer.is_closed());
    match driver.meaning.machine.lent().cloned() {
        None => {
            let lending = &mut driver.meaning.lending;
            (lending.back_ordered, lending.wanted_back, lending.was_seen) = (false, false, false);
            (lending.changes, lending.foreign, lending.asks) = (None, None, Some(None));
            (lending.unseen_since, lending.shell_told) = (None, false);
            lend(driver, link, &config_dir).await
        }
        Some(lent) => {
            driver.meaning.lending.ordered = false;
            if lent.step == LentStep::Going && !driver.meaning.lending.wanted_back {
                return Ok(Ok(()));
            }
            look_after(driver, link, &config_dir, &lent).await
        }
    }
}

/// Lends the conversation to whoever waits for it.
async fn lend(driver: &mut Driver<Protocol>, link: &mut Link, config_dir: &Path) -> Driven<io::Result<()>> {
    let Some((sitting, _)) = driver.meaning.lending.waiting.first() else { return Ok(Ok(())) };
    let (columns, rows, read_only) = (sitting.columns, sitting.rows, sitting.read_only);
    if driver.meaning.lending.ordered {
        return Ok(Ok(()));
    }
    let refused = match driver.meaning.machine.cannot_be_lent() {
        Some(why) => Some(NotLent::Busy(why)),
        None if driver.has_handed() => Some(NotLent::Busy("a message is just being handed over to it")),
        None if read_only => {
            let why = "nobody has its conversation at a terminal, so there is none to look at; what is said is in `adj logs -f`";
            Some(NotLent::Never(why.to_owned()))
        }
        None if !driver.meaning.is_in_sight(config_dir) => {
            let why = "its conversation is not to be seen from here: Claude Code does not keep it in";
            Some(NotLent::Never(format!("{why} {}", config_dir.display())))
        }
        None => None,
    };
    if let Some(why) = refused {
        driver.meaning.answer_all(&Err(why));
        return Ok(Ok(()));
    }
    driver.meaning.lending.ordered = true;
    // From here on no message is handed over; one that is under way comes back.
    driver.report(AgentReport::TurnStarted { origin: TurnOrigin::Person }).await?;
    let arguments = lent_arguments(&driver.meaning.profile, &driver.meaning.conversation(config_dir));
    Ok(link.order(&OrderLine::Lend { arguments, columns, rows }, "").await)
}

/// Looks after a conversation that is lent.
async fn look_after(
    driver: &mut Driver<Protocol>,
    link: &mut Link,
    config_dir: &Path,
    lent: &Lent,
) -> Driven<io::Result<()>> {
    let status = driver.meaning.status(driver, config_dir, lent);
    if let Some(status) = &status {
        (driver.meaning.lending.was_seen, driver.meaning.lending.unseen_since) = (true, None);
        follow_conversation(driver, config_dir, status).await?;
    }
    let leaves = match &lent.step {
        LentStep::Returning { .. } => {
            driver.await_ready(TAKEN_UP_MS_MAX);
            return Ok(Ok(()));
        }
        LentStep::Over { detail, .. } => {
            let why = if detail.is_empty() { "it was left at once" } else { detail };
            driver.meaning.answer_all(&Err(NotLent::Never(why.to_owned())));
            Leaves::Resting
        }
        LentStep::Going | LentStep::There { .. } if driver.meaning.lending.wanted_back => Leaves::AtWork,
        LentStep::Going => return Ok(Ok(())),
        LentStep::There { watched } => {
            driver.meaning.answer_all(&Ok(()));
            driver.meaning.lending.listen(config_dir);
            tell_what_is_open(driver, status.as_ref()).await?;
            tell_of_shell(driver, *watched, status.as_ref()).await?;
            match if *watched { None } else { driver.meaning.lending.leaves(status.as_ref()) } {
                Some(leaves) => leaves,
                None => return Ok(Ok(())),
            }
        }
    };
    if std::mem::replace(&mut driver.meaning.lending.back_ordered, true) {
        return Ok(Ok(()));
    }
    let arguments = arguments(&driver.meaning.profile, &driver.meaning.conversation(config_dir));
    let (cut, unseen) = (leaves == Leaves::AtWork, leaves == Leaves::Unseen);
    Ok(link.order(&OrderLine::TakeBack { arguments, cut, unseen }, "").await)
}

/// What Claude Code asks there is known to everybody, though only the person can answer it.
async fn tell_what_is_open(driver: &mut Driver<Protocol>, status: Option<&Status>) -> Driven {
    let open = match status.map(|status| (&status.activity, status.since)) {
        Some((Activity::Waiting { what }, since)) => Some((what, since)),
        Some((Activity::Starting | Activity::Idle | Activity::Shell | Activity::Busy | Activity::Other, _)) | None => {
            None
        }
    };
    let lending = &mut driver.meaning.lending;
    if lending.asks != Some(open.map(|(_, since)| since)) && lending.asks != Some(None) {
        // An earlier daemon may have told of one.
        lending.asks = Some(None);
        let (native, end) = (DIALOG.to_owned(), RequestEnd::AnsweredThere);
        driver.report(AgentReport::RequestClosed { native, end }).await?;
    }
    let Some((what, since)) = open else { return Ok(()) };
    let lending = &mut driver.meaning.lending;
    let age = u64::try_from(wall_ms() - since).unwrap_or(0);
    if lending.asks == Some(Some(since)) {
        return Ok(());
    }
    if age < DIALOG_MS {
        lending.look_again_ms = Some(DIALOG_MS - age + 1);
        return Ok(());
    }
    lending.asks = Some(Some(since));
    let what = if what.is_empty() { "dialog open" } else { what };
    driver.report(AgentReport::RequestOpened { request: dialog(what).request(DIALOG) }).await
}

/// What keeps a terminal at which nobody is any more is told once.
async fn tell_of_shell(driver: &mut Driver<Protocol>, watched: bool, status: Option<&Status>) -> Driven {
    let runs = !watched && status.is_some_and(|status| status.activity == Activity::Shell);
    if !std::mem::replace(&mut driver.meaning.lending.shell_told, runs) && runs {
        let text = "nobody is at the terminal any more, and a shell that was begun there runs; the conversation comes back \
                    when that has ended, or by `adj interrupt`";
        return driver.report(AgentReport::Notice { text: text.to_owned() }).await;
    }
    Ok(())
}

/// The person may have begun another conversation, or have taken up another one. One that another process has is not the
/// session's: it comes back to the one that it had.
async fn follow_conversation(driver: &mut Driver<Protocol>, config_dir: &Path, status: &Status) -> Driven {
    let native = &status.conversation;
    if native.is_empty() || driver.meaning.machine.conversation() == Some(native) {
        return Ok(());
    }
    if let Some(pid) = status::holder(config_dir, native, driver.agent().map(|agent| agent.pid)) {
        if driver.meaning.lending.foreign.replace(native.clone()).as_ref() == Some(native) {
            return Ok(());
        }
        let text = format!(
            "at the terminal the conversation {native} was taken up, which the process {pid} has open too; the session \
             comes back to its own"
        );
        return driver.report(AgentReport::Notice { text }).await;
    }
    driver.meaning.machine.talks_in(native.clone());
    driver.report(AgentReport::Conversation { native: native.clone() }).await
}

impl Lending {
    /// Hears of every change of what Claude Code is at.
    fn listen(&mut self, config_dir: &Path) {
        if self.changes.is_none() {
            let made = Changes::new().and_then(|changes| changes.add(&status::directory(config_dir)).map(|()| changes));
            self.changes = made.inspect_err(|error| tracing::warn!(%error, "a status cannot be watched")).ok();
        }
    }

    /// Whether a program that nobody looks at is to leave the terminal now, and what it leaves. What works goes on until it
    /// is at rest; a question that nobody sees is never answered.
    fn leaves(&mut self, status: Option<&Status>) -> Option<Leaves> {
        // Who was there by way of the daemon before is about to come back by way of this one.
        let heard = self.heard_since.map_or(0, |since| u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX));
        if heard < COME_BACK_MS {
            self.look_again_ms = Some(COME_BACK_MS - heard + 1);
            return None;
        }
        let settled = |since: i64| {
            let age = u64::try_from(wall_ms() - since).unwrap_or(0);
            SETTLED_MS.checked_sub(age).filter(|left| *left > 0)
        };
        match status.map(|status| (&status.activity, status.since)) {
            Some((Activity::Busy | Activity::Shell, _)) => None,
            Some((Activity::Waiting { .. }, _)) => Some(Leaves::AtWork),
            // It seems to rest for a moment also between two pieces of work.
            Some((Activity::Idle, since)) => {
                self.look_again_ms = settled(since).map(|left| left + 1);
                self.look_again_ms.is_none().then_some(Leaves::Resting)
            }
            // A file that is just being written is as good as none for a moment.
            None if self.was_seen => {
                let since = *self.unseen_since.get_or_insert_with(wall_ms);
                self.look_again_ms = settled(since).map(|left| left + 1);
                self.look_again_ms.is_none().then_some(Leaves::Unseen)
            }
            // It has not begun, or one of its dialogs is open that come before that.
            Some((Activity::Starting | Activity::Other, _)) | None => Some(Leaves::Resting),
        }
    }
}

/// What a program is at that is to leave the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaves {
    /// Nothing.
    Resting,
    /// Something, which is cut off.
    AtWork,
    /// It does not say any more.
    Unseen,
}
