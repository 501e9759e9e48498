//! Handing over: what is typed, when, and what shows that it arrived.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use adjutant_core::MessageId;
use adjutant_core::agent::AgentReport;
use adjutant_core::id::Attempt;
use adjutant_core::outcome::UnknownReason;
use rustix::process::Signal;

use super::machine::{ENTERING, FOUND, NOT_SEEN, TAKEN_BACK, TYPED, TypedNote, handing};
use super::screen::draft;
use super::status::Activity;
use super::text::{bones, command, mark, pieces, typed};
use super::tmux::Pane;
use super::typing::{Pasted, Then, Typing};
use super::{Driven, Driver, Timer};
use crate::Order;
use crate::claude::transcript;
use crate::limits::{
    CONFIRM_MS_MAX, CONFIRM_PIECE_MS, DRAFT_LOOK_MS, DRAFT_LOOKS_MAX, PIECES_AT_ONCE, TYPING_MS_MAX, WAKE_LOOKS_MAX,
};
use crate::runner::wall_ms;
use crate::timer::pause;

/// The directory in the session's runtime directory in which a message is while it is pasted.
pub(super) const PASTE: &str = "paste";

/// Ticks of processor time between two looks from which an agent is at work: at rest it takes one or two.
const READING_TICKS_MIN: u64 = 20;

/// The processor time that a process has taken, in ticks.
fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything; the fields behind it begin with the third.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = |at: usize| fields.split_whitespace().nth(at)?.parse::<u64>().ok();
    Some(ticks(11)? + ticks(12)?)
}

/// A message on its way.
struct Handing {
    message: MessageId,
    attempt: Attempt,
    note: TypedNote,
    text: String,
}

/// What came of an order.
enum Worked {
    /// It is done with.
    Done,
    /// It has to wait for another state.
    Wait(Order),
}

impl Driver {
    /// Carries out what is held, as far as the state allows it.
    pub(super) async fn work_off(&mut self) -> Driven {
        self.look_at_typing();
        self.clear_leftover().await;
        while let Some(order) = self.held.pop_front() {
            if let Worked::Wait(order) = self.carry_out(order).await? {
                self.held.push_front(order);
                // What is not typed need not wait behind it.
                let ahead = self.held.iter().position(|held| matches!(held, Order::Interrupt | Order::Respond { .. }));
                let Some(urgent) = ahead.and_then(|at| self.held.remove(at)) else { return Ok(()) };
                self.carry_out(urgent).await?;
            }
        }
        Ok(())
    }

    async fn carry_out(&mut self, order: Order) -> Driven<Worked> {
        match order {
            Order::Deliver { message, attempt, text, as_command } => {
                if self.takes_text(false) {
                    // What is read on the way may show that it takes none any more.
                    self.forget().await?;
                }
                if !self.takes_text(false) {
                    return Ok(Worked::Wait(Order::Deliver { message, attempt, text, as_command }));
                }
                self.hand_over(message, attempt, &text, as_command).await?;
            }
            Order::Steer { message, attempt, text } => {
                if self.machine.turn.is_none() {
                    self.not_taken(message, attempt, "the turn had ended").await?;
                } else if self.takes_text(true) && !self.is_interrupted() {
                    self.hand_over(message, attempt, &text, false).await?;
                } else {
                    return Ok(Worked::Wait(Order::Steer { message, attempt, text }));
                }
            }
            Order::Interrupt => self.interrupt().await?,
            Order::Respond { native, answer } => self.respond(&native, &answer).await?,
            // Calls of hooks come by the spool; one that comes by another way is not ours.
            Order::Hook { .. } | Order::Goal { .. } | Order::Lend { .. } | Order::End { .. } | Order::LetGo => {}
        }
        Ok(Worked::Done)
    }

    /// Whether text that is typed now becomes a prompt, and nothing else.
    fn takes_text(&self, running: bool) -> bool {
        let typing = self.typing.is_under_way();
        let free = !typing && self.machine.ready && self.machine.pending.is_none() && self.machine.requests.is_empty();
        if !free || self.machine.leaving || self.ordered_end.is_some() {
            return false;
        }
        match self.status().map(|status| status.activity) {
            Some(Activity::Idle | Activity::Shell) => !running && self.machine.turn.is_none(),
            Some(Activity::Busy) => running,
            Some(Activity::Starting | Activity::Waiting { .. } | Activity::Other) | None => false,
        }
    }

    async fn hand_over(&mut self, message: MessageId, attempt: Attempt, text: &str, as_command: bool) -> Driven {
        let made = if as_command {
            command(text).map(|text| (text, Vec::new()))
        } else {
            typed(text).map(|t| (t.text, t.changes))
        };
        let (text, changes) = match made {
            Ok(made) => made,
            // The same text would be no better the next time.
            Err(detail) => return self.report(AgentReport::Refused { message, attempt, detail }).await,
        };
        let note = TypedNote {
            message: message.get(),
            attempt: attempt.get(),
            mark: mark(&text),
            bones: bones(&text),
            changes: changes.into_iter().map(str::to_owned).collect(),
            command: as_command,
            long: !as_command && pieces(&text).len() > PIECES_AT_ONCE,
        };
        self.type_in(Handing { message, attempt, note, text }).await
    }

    /// Types a message. Before its note is in the spool no key was sent, and after it nothing is sent again without a look.
    async fn type_in(&mut self, handing: Handing) -> Driven {
        let Handing { message, attempt, note, text } = handing;
        if let Err(why) = self.clear_the_way().await {
            return self.not_taken(message, attempt, &why).await;
        }
        if !self.note(TYPED, &note) {
            return self.not_taken(message, attempt, "the spool takes no note, so nothing was typed").await;
        }
        let confirm_ms = CONFIRM_MS_MAX + pieces(&text).len() as u64 * CONFIRM_PIECE_MS;
        let confirm_ms = (!note.command).then_some(confirm_ms);
        match note.long {
            true => self.begin_long(&text, confirm_ms),
            false => self.enter(text, confirm_ms),
        }
        self.shown = None;
        self.read_spool().await
    }

    /// Types all but the end of a long message.
    fn begin_long(&mut self, text: &str, confirm_ms: Option<u64>) {
        let pieces = pieces(text);
        let (begin, end) = pieces.split_at(pieces.len().saturating_sub(PIECES_AT_ONCE));
        let (begin, end): (Vec<String>, String) =
            (begin.iter().map(|piece| (*piece).to_owned()).collect(), end.concat());
        let (tmux, directory) = (self.tmux.clone(), self.place.run_dir.join(PASTE));
        let paste = |stop: Arc<AtomicBool>| async move {
            let begin: Vec<&str> = begin.iter().map(String::as_str).collect();
            tmux.paste_slowly(&directory, &begin, &stop).await
        };
        self.typing = Typing::begin(paste, Then::Enter { text: end, confirm_ms });
    }

    /// Types a short message, or the end of a long one, and presses Enter.
    fn enter(&mut self, text: String, confirm_ms: Option<u64>) {
        let (tmux, directory) = (self.tmux.clone(), self.place.run_dir.join(PASTE));
        let paste = |_| async move { tmux.paste(&directory, &pieces(&text)).await };
        self.typing = Typing::begin(paste, Then::Confirm { confirm_ms });
    }

    /// All of a message has been sent to the terminal, or all but its end.
    pub(super) async fn on_pasted(&mut self, pasted: Pasted) -> Driven {
        if let Err(error) = &pasted.result {
            tracing::warn!(session = %self.session, %error, "a message may have been typed in part");
        }
        match pasted.then {
            Then::Confirm { confirm_ms } => {
                if let Some(millis) = confirm_ms.filter(|_| self.machine.pending.is_some()) {
                    self.timers.arm(Timer::Confirm, millis);
                }
            }
            Then::Enter { text, confirm_ms } => {
                let goes_on = pasted.result.is_ok() && !pasted.stopped && self.takes_the_end();
                if goes_on && self.note(ENTERING, &()) {
                    self.enter(text, confirm_ms);
                } else {
                    self.take_back(pasted.result.err()).await?;
                }
            }
        }
        if self.timers.is_armed(Timer::Interrupt) {
            // The key that waited for this goes out with the next look.
            self.timers.arm(Timer::Interrupt, 0);
        }
        Ok(())
    }

    /// Whether Enter still sends what was typed: a dialog that has opened meanwhile would take it for an answer.
    fn takes_the_end(&self) -> bool {
        let status = self.status().map(|status| status.activity);
        let takes = matches!(status, Some(Activity::Idle | Activity::Shell | Activity::Busy));
        takes && self.machine.requests.is_empty() && !self.machine.leaving && self.ordered_end.is_none()
    }

    /// Breaks off what is being typed, where something has come up that must not wait for it or that it must not meet.
    fn look_at_typing(&self) {
        if self.is_interrupted() || !self.machine.requests.is_empty() {
            self.typing.stop();
        }
    }

    /// Whether somebody has asked for the end of the turn that still runs.
    fn is_interrupted(&self) -> bool {
        self.machine.turn.as_ref().is_some_and(|turn| turn.interrupt_asked)
    }

    /// Says that a message was not sent of which a part stands in the line.
    async fn take_back(&mut self, error: Option<std::io::Error>) -> Driven {
        let Some(typed) = self.machine.pending.clone() else { return Ok(()) };
        let why = error.map_or_else(
            || "it was still being typed when the turn was interrupted or a question came up".to_owned(),
            |error| format!("it could not be typed to its end: {error}"),
        );
        self.note(TAKEN_BACK, &());
        self.read_spool().await?;
        self.leftover = true;
        let (message, attempt) = handing(&typed);
        self.not_taken(message, attempt, &why).await
    }

    /// Takes away what stands in the line of a message and is not wanted there, once nothing runs: a part of one that is not
    /// sent, or the whole of one that was interrupted and given back. What a person has made of it is the person's.
    async fn clear_leftover(&mut self) {
        let rests = matches!(self.status().map(|status| status.activity), Some(Activity::Idle | Activity::Shell));
        let is_free = !self.typing.is_under_way() && self.machine.turn.is_none() && self.machine.requests.is_empty();
        if !(self.leftover || self.given_back.is_some()) || !rests || !is_free {
            return;
        }
        let shown = self.tmux.look().await.ok().and_then(|pane| draft(&pane.lines)).unwrap_or_default();
        let given_back = self.given_back.take_if(|given| *given == bones(&shown)).is_some();
        let leftover = std::mem::take(&mut self.leftover);
        // In an empty line the key would be the first half of an exit.
        if (leftover || given_back)
            && !shown.is_empty()
            && let Err(error) = self.tmux.press(&["C-c"]).await
        {
            tracing::warn!(session = %self.session, %error, "a part of a message stays in the line");
        }
    }

    /// Leaves the mode in which a person looks back, and puts aside what a person has begun to type: it comes back by itself
    /// behind the message.
    async fn clear_the_way(&mut self) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        let pane = self.look_at_work().await.map_err(told)?;
        if pane.in_mode {
            self.tmux.leave_mode().await.map_err(told)?;
        }
        if draft(&pane.lines).is_none_or(|draft| draft.is_empty()) {
            return Ok(());
        }
        self.tmux.press(&["C-s"]).await.map_err(told)?;
        for _ in 0..DRAFT_LOOKS_MAX {
            let pane = self.tmux.look().await.map_err(told)?;
            if draft(&pane.lines).is_some_and(|draft| draft.is_empty()) {
                return Ok(());
            }
            pause(DRAFT_LOOK_MS).await;
        }
        Err("a person is typing, and what stands in the line could not be put aside".to_owned())
    }

    /// Looks at the pane. An agent that a person has suspended is brought back first, as `fg` would: nobody else does.
    pub(super) async fn look_at_work(&self) -> std::io::Result<Pane> {
        let mut pane = self.tmux.look().await?;
        if !pane.suspended {
            return Ok(pane);
        }
        self.signal(Signal::CONT);
        for _ in 0..WAKE_LOOKS_MAX {
            pause(DRAFT_LOOK_MS).await;
            pane = self.tmux.look().await?;
            // What a person had begun to type is drawn a moment after the first key would be read.
            if !pane.suspended && draft(&pane.lines).is_some() {
                return Ok(pane);
            }
        }
        Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "it was suspended, and does not come back"))
    }

    /// Whether the agent is still reading what was typed: since the last look its screen has changed, or it has been at work
    /// without drawing. A long text stands higher there than the screen.
    async fn is_still_read(&mut self) -> bool {
        let Ok(pane) = self.tmux.look().await else { return false };
        let ticks = self.agent.and_then(|agent| cpu_ticks(agent.pid)).unwrap_or(0);
        let reads = self
            .shown
            .as_ref()
            .is_none_or(|(shown, before)| *shown != pane.lines || ticks.saturating_sub(*before) >= READING_TICKS_MIN);
        self.shown = Some((pane.lines, ticks));
        reads && wall_ms() - self.machine.pending_since < TYPING_MS_MAX
    }

    /// Nothing has confirmed what was typed: the transcript is looked at before anything else is done.
    pub(super) async fn on_unconfirmed(&mut self) -> Driven {
        let Some(typed) = self.machine.pending.clone() else { return Ok(()) };
        let since = self.machine.pending_since;
        let found = self
            .machine
            .transcript
            .as_deref()
            .and_then(|path| transcript::find_prompt(path, since, |text| mark(text) == typed.mark));
        if let Some(found) = found {
            self.note(FOUND, &found);
            return self.read_spool().await;
        }
        if self.is_still_read().await {
            self.timers.arm(Timer::Confirm, CONFIRM_MS_MAX);
            return Ok(());
        }
        self.note(NOT_SEEN, &());
        self.read_spool().await?;
        let shown = self.tmux.look().await.map(|pane| super::screen::last_lines(&pane.lines, 6)).unwrap_or_default();
        let (message, attempt) = handing(&typed);
        let detail = format!("it was typed, and neither a hook nor the transcript has it; the screen says: {shown}");
        self.report(AgentReport::Unclear { message, attempt, why: UnknownReason::HandoverUnproven { detail } }).await
    }
}
