//! What comes from bash: the stream of its terminal, and what its loop says.

use tokio::time::Instant;

use super::bash::{READ_BYTES, WAKE_KEYS};
use super::control::{Remark, Said};
use super::holder::{Doing, Holder, Timer};
use super::marks::Part;
use super::turn::{Ended, Stream, Turn};
use crate::limits::{DRAIN_PIECES_MAX, END_MARK_MS_MAX, QUIET_MS_MIN};
use crate::runner::Record;
use crate::shell::text::TurnText;

impl Holder {
    /// Takes the output that is there now, and at most so many pieces of it.
    pub(super) fn drain_output(&mut self, pieces: usize) {
        let mut buffer = [0; READ_BYTES];
        for _ in 0..pieces {
            match self.bash.output_now(&mut buffer) {
                Ok(read) if read > 0 => self.on_output(&buffer[..read]),
                _ => return,
            }
        }
    }

    pub(super) fn on_output(&mut self, bytes: &[u8]) {
        self.watch.on_output();
        let (columns, rows) = (self.plan.columns, self.plan.rows);
        let mut person = false;
        let Self { marks, log, turn, viewers, .. } = self;
        marks.split(bytes, |part| match part {
            Part::Bytes(bytes) => {
                log.write(bytes);
                viewers.show(bytes);
                turn.iter_mut().for_each(|turn| turn.output(bytes));
            }
            Part::Start(message) => mark(turn.as_mut(), Some(message), Stream::Within),
            Part::End(0) => mark(turn.as_mut(), None, Stream::After),
            Part::End(message) => mark(turn.as_mut(), Some(message), Stream::After),
            Part::Person => {
                // From here on it is the command's own output.
                person = turn.is_none();
                turn.get_or_insert_with(|| Turn::of_person(TurnText::new(columns, rows)));
            }
        });
        if person {
            self.journal.append(&Record::TurnStarted { message: None });
        }
        self.care_for_lagging();
        self.restore_draft();
        self.settle_if_ended();
    }

    pub(super) fn on_said(&mut self, bytes: &[u8]) {
        for said in self.lines.push(bytes) {
            match said {
                Said::Ready => {}
                Said::Old { version } => {
                    let detail = format!("bash {version} is too old: a shell session needs bash 4.4 or newer");
                    self.journal.append(&Record::StartFailed { detail });
                }
                // A `break` of a message's has left the loop, and bash is about to show its prompt.
                Said::Fell => self.typing.extend_from_slice(WAKE_KEYS),
                Said::Idle { status } => self.on_idle(status),
                Said::Start { message } => self.on_start(message),
                Said::End { message, status, remark } => {
                    self.on_end_of(Some(message), Ended::Told(status, remark));
                }
            }
        }
    }

    fn on_idle(&mut self, status: i32) {
        if self.doing == Doing::Starting {
            self.journal.append(&Record::Ready);
        }
        if self.doing == Doing::AtPrompt {
            // The marks around what a person ran were printed before the loop said this.
            self.drain_output(DRAIN_PIECES_MAX);
        }
        self.timers.disarm(Timer::Wake);
        self.doing = Doing::Waiting;
        match &self.turn {
            // The command got lost in an interrupt. The loop runs no message twice.
            Some(Turn { message: Some(message), script: Some(script), .. }) => {
                // A pipe that cannot be written belongs to a shell that has ended, and that is told elsewhere.
                let _ = self.bash.run(*message, script);
            }
            Some(Turn { message: Some(message), started: Some(_), ended: None, .. }) => {
                let message = *message;
                self.on_end_of(Some(message), Ended::Untold);
            }
            Some(Turn { message: None, ended: None, .. }) => {
                self.on_end_of(None, Ended::Told(status, Remark::default()));
            }
            Some(_) => {}
            None => self.give_waiting(),
        }
        self.care_for_prompt();
    }

    fn on_start(&mut self, message: u64) {
        let Some(turn) = self.turn.as_mut().filter(|turn| turn.message == Some(message) && turn.started.is_none())
        else {
            return;
        };
        turn.started = Some(Instant::now());
        turn.script = None;
        let attempt = turn.attempt;
        self.journal.append(&Record::Taken { message, attempt });
        self.journal.append(&Record::TurnStarted { message: Some(message) });
        self.watch.begin();
        self.timers.arm(Timer::Quiet, QUIET_MS_MIN);
        self.interrupt_when_settled();
    }

    fn on_end_of(&mut self, message: Option<u64>, ended: Ended) {
        let Some(turn) = self.turn.as_mut().filter(|turn| turn.message == message) else { return };
        turn.ended = Some(ended);
        self.timers.disarm(Timer::Interrupt);
        // Everything up to the mark was printed before the loop said this.
        self.drain_output(DRAIN_PIECES_MAX);
        self.timers.arm(Timer::EndMark, END_MARK_MS_MAX);
        self.settle_if_ended();
    }

    pub(super) fn on_no_end_mark(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.unmarked = true;
        }
        self.settle_if_ended();
    }

    pub(super) fn settle_if_ended(&mut self) {
        if !self.turn.as_ref().is_some_and(Turn::is_settled) {
            return;
        }
        self.close_request_at_end();
        if let Some(turn) = self.turn.take() {
            for timer in [Timer::EndMark, Timer::Interrupt, Timer::Quiet] {
                self.timers.disarm(timer);
            }
            self.answers.settle(&mut self.journal, turn, self.log.take_dropped_bytes());
            self.bash.restore_modes(self.viewers.is_attended());
            if self.timers.is_armed(Timer::Hangup) {
                self.hang_up();
            }
            self.give_waiting();
            self.care_for_prompt();
        }
    }
}

fn mark(turn: Option<&mut Turn>, message: Option<u64>, stream: Stream) {
    if let Some(turn) = turn.filter(|turn| turn.message == message) {
        turn.stream = stream;
    }
}
