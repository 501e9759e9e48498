//! Those who look at the terminal, and the prompt that is shown while somebody may type.

use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;

use rustix::process::{Signal, kill_process_group};
use tokio::net::unix::OwnedWriteHalf;

use super::bash::{RESTORE_KEYS, WAKE_KEYS};
use super::holder::{Doing, Holder, Timer};
use crate::limits::{LAGGING_LOOK_MS, REPLAY_BYTES_MAX, TYPING_BYTES_MAX, WAKE_MS};
use crate::runner::Viewed;
use crate::runner::frame::Frame;
use crate::shell::text::TurnText;

impl Holder {
    pub(super) fn on_viewer(&mut self, number: u64, event: Viewed) -> ControlFlow<()> {
        match event {
            Viewed::Opened { columns, rows, read_only, outlet } => {
                self.on_view_opened(number, read_only, outlet);
                if !read_only {
                    self.resize(columns, rows);
                    self.care_for_prompt();
                }
            }
            Viewed::Input(bytes) => self.on_typed(number, &bytes),
            Viewed::Resize { columns, rows } => {
                if self.viewers.may_type(number) {
                    self.resize(columns, rows);
                }
            }
            Viewed::Gone => {
                self.viewers.remove(number);
                self.care_for_prompt();
            }
        }
        ControlFlow::Continue(())
    }

    fn on_view_opened(&mut self, number: u64, read_only: bool, outlet: OwnedWriteHalf) {
        let screen = self.repaint();
        self.viewers.open(number, read_only, outlet, (self.plan.columns, self.plan.rows), screen);
    }

    /// What the screen showed lately, as plain text: the raw output may hold questions to a terminal, and answering
    /// them a second time would type the answers.
    fn repaint(&self) -> Vec<u8> {
        let mut recent = Vec::new();
        if let Some((mut file, size)) = self.log.open_current() {
            let start = size.saturating_sub(REPLAY_BYTES_MAX as u64);
            // Without a log the screen is empty at first; what comes is shown all the same.
            let _ = file.seek(SeekFrom::Start(start)).and_then(|_| file.read_to_end(&mut recent));
            let whole =
                if start == 0 { 0 } else { recent.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
            recent.drain(..whole);
        }
        let mut text = TurnText::new(self.plan.columns, self.plan.rows);
        text.push(&recent);
        let alternate = self.turn.as_ref().is_some_and(|turn| turn.text.is_alternate());
        let last_line = text.current_line();
        let lines = text.finish().text;
        let mut shown: Vec<&str> = lines.lines().rev().take(usize::from(self.plan.rows)).collect();
        shown.reverse();
        let mut screen = format!("\x18\x1b[0m{}", shown.join("\r\n"));
        if last_line.is_empty() && !shown.is_empty() {
            screen.push_str("\r\n");
        }
        if alternate {
            screen.push_str("\x1b[?1049h\x1b[2J\x1b[H");
        }
        screen.into_bytes()
    }

    fn on_typed(&mut self, number: u64, bytes: &[u8]) {
        if self.viewers.may_type(number) && self.typing.len() + bytes.len() <= TYPING_BYTES_MAX {
            self.watch.on_typed_there();
            self.typing.extend_from_slice(bytes);
        }
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        if columns == 0 || rows == 0 {
            return;
        }
        if (columns, rows) == (self.plan.columns, self.plan.rows) {
            // A program that fills the screen draws it anew only when the size changes.
            self.bash.resize(columns, rows.saturating_sub(1).max(1));
        }
        (self.plan.columns, self.plan.rows) = (columns, rows);
        self.bash.resize(columns, rows);
        self.turn.iter_mut().for_each(|turn| turn.text.resize(columns, rows));
        self.viewers.send(&Frame::Resized { columns, rows });
    }

    /// Shows the prompt where somebody may type, and takes the loop up again where nobody may or a message waits.
    pub(super) fn care_for_prompt(&mut self) {
        match self.doing {
            Doing::Waiting if self.turn.is_none() && !self.delivery.is_waiting() && self.viewers.is_attended() => {
                // A pipe that cannot be written belongs to a shell that has ended, and that is told elsewhere.
                let _ = self.bash.show_prompt();
                self.restoring = std::mem::take(&mut self.woken);
                self.doing = Doing::AtPrompt;
            }
            Doing::AtPrompt if self.turn.is_none() && (self.delivery.is_waiting() || !self.viewers.is_attended()) => {
                self.wake();
            }
            Doing::Starting | Doing::Waiting | Doing::AtPrompt | Doing::Running | Doing::Ended(_) => {}
        }
    }

    /// Takes bash away from its prompt. What a person has half typed comes back with the next prompt.
    pub(super) fn wake(&mut self) {
        if !self.timers.is_armed(Timer::Wake) {
            self.typing.extend_from_slice(WAKE_KEYS);
            self.woken = true;
            self.timers.arm(Timer::Wake, WAKE_MS);
        }
    }

    /// Types the keys that bring a draft back, as soon as the prompt shows.
    pub(super) fn restore_draft(&mut self) {
        if self.doing == Doing::AtPrompt && std::mem::take(&mut self.restoring) {
            self.typing.extend_from_slice(RESTORE_KEYS);
        }
    }

    /// The keys did not take bash away from its prompt: a command is typed over several lines, or is searched for.
    pub(super) fn on_not_woken(&mut self) {
        if self.doing != Doing::AtPrompt || self.turn.is_some() {
            return;
        }
        if !self.viewers.is_attended()
            && let Some(group) = self.bash.foreground()
        {
            // Nobody is there whose typing this would undo.
            let _ = kill_process_group(group, Signal::INT);
        }
        self.care_for_prompt();
    }

    /// Shows the screen anew to those who missed some of it and have room again.
    pub(super) fn on_lagging(&mut self) {
        let screen = self.repaint();
        self.viewers.catch_up(&screen);
        self.care_for_lagging();
    }

    pub(super) fn care_for_lagging(&mut self) {
        if self.viewers.is_lagging() {
            self.timers.arm_once(Timer::Lagging, LAGGING_LOOK_MS);
        }
    }
}
