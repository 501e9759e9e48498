//! Noticing that a command waits for somebody to type.
//!
//! A turn that is quiet for a while is looked at, and then less and less often: is a process of the terminal's
//! foreground blocked in a read of the terminal? That alone counts; a program that polls may be doing something else.

use std::time::Duration;

use rustix::termios::LocalModes;
use tokio::time::Instant;

use super::holder::{Holder, Timer};
use crate::limits::{QUIET_MS_MAX, QUIET_MS_MIN, SUMMARY_CHARS_MAX};
use crate::process::stat_of;
use crate::runner::{Notice, Record, RequestEndRecord};
use crate::timer::Backoff;

/// Processes that are looked at in one foreground group.
const READERS_LOOKED_AT_MAX: usize = 64;

/// A process that is blocked in a read of the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reader {
    pid: u32,
    start_ticks: u64,
    name: String,
}

/// A request that is open.
#[derive(Debug)]
struct Open {
    native: String,
    reader: Reader,
}

/// What is known of who waits for input.
#[derive(Debug)]
pub(super) struct Watch {
    last_output: Instant,
    pauses: Backoff,
    open: Option<Open>,
    requests: u64,
    /// Somebody at the terminal has typed since the request was opened.
    typed_there: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            last_output: Instant::now(),
            pauses: Backoff::new(QUIET_MS_MIN, QUIET_MS_MAX),
            open: None,
            requests: 0,
            typed_there: false,
        }
    }
}

impl Watch {
    /// A turn begins.
    pub(super) fn begin(&mut self) {
        self.on_output();
        self.pauses.reset();
    }

    /// Somebody at the terminal has typed.
    pub(super) fn on_typed_there(&mut self) {
        self.typed_there = true;
    }

    /// Something was printed.
    pub(super) fn on_output(&mut self) {
        self.last_output = Instant::now();
    }
}

impl Holder {
    /// The time has come to look whether the turn is quiet because it waits.
    pub(super) fn on_quiet(&mut self) {
        if self.turn.as_ref().is_none_or(|turn| turn.ended.is_some() || turn.message.is_none()) {
            return;
        }
        let quiet = self.watch.last_output.elapsed();
        let least = Duration::from_millis(QUIET_MS_MIN);
        if let Some(rest) = least.checked_sub(quiet).filter(|rest| !rest.is_zero()) {
            self.watch.pauses.reset();
            self.timers.arm(Timer::Quiet, u64::try_from(rest.as_millis()).unwrap_or(QUIET_MS_MIN).max(1));
            return;
        }
        self.look_for_reader();
        self.timers.arm(Timer::Quiet, self.watch.pauses.next_ms());
    }

    fn look_for_reader(&mut self) {
        let reader = self.reader();
        let known = self.watch.open.as_ref().map(|open| &open.reader);
        if known == reader.as_ref() {
            return;
        }
        if known.is_some() {
            let there = self.watch.typed_there;
            self.close_request(if there { RequestEndRecord::AnsweredThere } else { RequestEndRecord::Withdrawn });
        }
        if let Some(reader) = reader {
            self.open_request(reader);
        }
    }

    fn open_request(&mut self, reader: Reader) {
        self.watch.requests += 1;
        self.watch.typed_there = false;
        let native = format!("input-{}", self.watch.requests);
        let modes = self.bash.modes().map(|modes| modes.local_modes);
        let echo = modes.is_ok_and(|modes| modes.contains(LocalModes::ECHO));
        let prompt = self.turn.as_ref().map(|turn| turn.text.current_line()).unwrap_or_default();
        let hidden = if echo { "" } else { ", and hides what is typed" };
        let asked = if prompt.trim().is_empty() { String::new() } else { format!(": {}", prompt.trim()) };
        let summary = format!("`{}` (pid {}) reads from the terminal{hidden}{asked}", reader.name, reader.pid);
        let details = serde_json::json!({ "pid": reader.pid, "echo": echo, "prompt": prompt }).to_string();
        self.journal.append(&Record::RequestOpened {
            native: native.clone(),
            summary: summary.chars().take(SUMMARY_CHARS_MAX).collect(),
            tool: Some(reader.name.clone()),
            details,
        });
        self.watch.open = Some(Open { native, reader });
    }

    /// An answer: typed as it is, and the key that ends a line.
    pub(super) fn on_respond(&mut self, native: String, text: &[u8]) {
        if self.watch.open.as_ref().is_none_or(|open| open.native != native) {
            return self.control.notify(Notice::NoSuchRequest { native });
        }
        self.typing.extend_from_slice(text);
        self.typing.push(b'\n');
        self.close_request(RequestEndRecord::Answered);
        self.watch.begin();
        self.timers.arm(Timer::Quiet, QUIET_MS_MIN);
    }

    /// The turn ends, and with it what it asked.
    pub(super) fn close_request_at_end(&mut self) {
        let there = self.watch.typed_there;
        self.close_request(if there { RequestEndRecord::AnsweredThere } else { RequestEndRecord::Withdrawn });
    }

    fn close_request(&mut self, end: RequestEndRecord) {
        if let Some(open) = self.watch.open.take() {
            self.journal.append(&Record::RequestClosed { native: open.native, end });
        }
    }

    /// The process of the foreground group that reads from the terminal, if one does.
    fn reader(&self) -> Option<Reader> {
        let group = i64::from(self.bash.foreground()?.as_raw_nonzero().get());
        let terminal = self.bash.terminal_path()?;
        let mut open = vec![self.bash.pid()];
        let mut looked_at = 0;
        while let Some(pid) = open.pop() {
            looked_at += 1;
            let Ok(Some(stat)) = stat_of(pid) else { continue };
            if stat.group == group && stat.state == 'S' && reads_from(pid, &terminal) {
                return Some(Reader { pid, start_ticks: stat.start_ticks, name: stat.name });
            }
            // The members of the group stand below the shell, and below each other.
            if looked_at < READERS_LOOKED_AT_MAX && (pid == self.bash.pid() || stat.group == group) {
                open.extend(children_of(pid));
            }
        }
        None
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// The number of the system call `read`.
const READ_CALL: &str = if cfg!(target_arch = "x86_64") { "0" } else { "63" };

/// The numbers of the calls in which a process waits for a file to become readable: `poll`, `select`, and their kin.
const WAIT_CALLS: &[&str] = if cfg!(target_arch = "x86_64") { &["7", "23", "270", "271"] } else { &["72", "73"] };

/// The system call in which a process is blocked, and its first argument. `None` where it is in none, or the kernel
/// does not tell.
fn blocked_in(pid: u32) -> Option<(String, u32)> {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?;
    let mut words = call.split_ascii_whitespace();
    let (number, argument) = (words.next()?, words.next()?);
    let argument = u64::from_str_radix(argument.trim_start_matches("0x"), 16).ok()?;
    Some((number.to_owned(), u32::try_from(argument & 0xffff_ffff).ok()?))
}

/// Whether the process is blocked until something can be read.
pub(super) fn waits_for_file(pid: u32) -> bool {
    blocked_in(pid).is_some_and(|(call, _)| call == READ_CALL || WAIT_CALLS.contains(&call.as_str()))
}

/// Whether the process is blocked in a read of this terminal. Where the kernel does not tell, it is not.
fn reads_from(pid: u32, terminal: &str) -> bool {
    let file = blocked_in(pid).filter(|(call, _)| call == READ_CALL).map(|(_, file)| file);
    let target = file.and_then(|file| std::fs::read_link(format!("/proc/{pid}/fd/{file}")).ok());
    target.is_some_and(|target| target.to_str().is_some_and(|target| target == terminal || target == "/dev/tty"))
}
