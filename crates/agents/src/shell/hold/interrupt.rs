//! Stopping the running turn while the shell stays.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::LocalModes;
use tokio::time::Instant;

use super::bash::WAKE_KEYS;
use super::holder::{Holder, Timer};
use super::input::waits_for_file;
use crate::limits::{INTERRUPT_LOOK_MS, INTERRUPT_MS_MAX, INTERRUPT_SETTLE_MS, INTERRUPT_STEP_MS};
use crate::process::{ProcessHandle, members_of_group, takes_signal_by_default};
use crate::runner::{Notice, Record};

/// What is told when there is nobody to send a signal to.
const NO_FOREGROUND: &str = "the terminal has no foreground process group";

/// How far an interrupt has gone with one foreground group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// SIGINT was sent, as by Ctrl-C.
    Interrupted,
    /// SIGINT was sent, and it still runs.
    Ignored,
    /// SIGTERM was sent.
    Terminated,
    /// SIGKILL was sent, to all but the shell.
    Killed,
}

/// What was done to stop a turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interrupt {
    begun: Instant,
    /// The group in the foreground to which it was done.
    group: Option<Pid>,
    step: Step,
}

impl Interrupt {
    /// The group in the foreground has got its SIGINT, and nothing more is to follow it.
    pub(super) fn passed(group: Pid) -> Self {
        Self { begun: Instant::now(), group: Some(group), step: Step::Interrupted }
    }
}

impl Holder {
    /// The order to interrupt.
    pub(super) fn on_interrupt(&mut self) {
        match &mut self.turn {
            Some(turn) if turn.ended.is_none() => {
                turn.interrupt_wanted = true;
                self.interrupt_when_settled();
            }
            _ => self.control.notify(Notice::NothingToInterrupt),
        }
    }

    /// Interrupts a turn that has begun; one that has only just begun a little later. A shell that is hit while it
    /// sets up its first command may leave that behind, half started.
    pub(super) fn interrupt_when_settled(&mut self) {
        let Some(turn) = self.turn.as_mut().filter(|turn| turn.interrupt_wanted) else { return };
        let Some(started) = turn.started else { return };
        let settled = Duration::from_millis(INTERRUPT_SETTLE_MS);
        match settled.checked_sub(started.elapsed()).map(|rest| u64::try_from(rest.as_millis())) {
            Some(Ok(rest @ 1..)) => self.timers.arm(Timer::Interrupt, rest),
            _ => {
                turn.interrupt_wanted = false;
                self.interrupt();
            }
        }
    }

    /// Sends SIGINT to whatever is in the terminal's foreground.
    pub(super) fn interrupt(&mut self) {
        let group = self.bash.foreground();
        let detail = match group {
            Some(group) => {
                let sent = kill_process_group(group, Signal::INT);
                // One that is stopped takes no signal before it goes on.
                let _ = kill_process_group(group, Signal::CONT);
                told("SIGINT", group, sent)
            }
            None => NO_FOREGROUND.to_owned(),
        };
        if let Some(turn) = &mut self.turn {
            let begun = turn.interrupt.map_or_else(Instant::now, |interrupt| interrupt.begun);
            turn.interrupt = Some(Interrupt { begun, group, step: Step::Interrupted });
            self.timers.arm(Timer::Interrupt, INTERRUPT_LOOK_MS);
            self.journal.append(&Record::InterruptPassed { detail });
        }
    }

    /// The turn goes on in spite of what was done so far.
    pub(super) fn on_interrupt_step(&mut self) {
        let Some(turn) = self.turn.as_ref().filter(|turn| turn.ended.is_none()) else { return };
        let Some(Interrupt { begun, group, step }) = turn.interrupt else { return self.interrupt_when_settled() };
        if begun.elapsed() >= Duration::from_millis(INTERRUPT_MS_MAX) {
            let detail = self.kill_shell();
            return self.journal.append(&Record::InterruptPassed { detail });
        }
        if self.bash.foreground() != group {
            // Another command of the message has come to the foreground since.
            return self.interrupt();
        }
        let (next, millis) = match step {
            Step::Interrupted => (Step::Ignored, INTERRUPT_STEP_MS - INTERRUPT_LOOK_MS),
            Step::Ignored => (Step::Terminated, INTERRUPT_STEP_MS),
            Step::Terminated | Step::Killed => (Step::Killed, INTERRUPT_STEP_MS),
        };
        let detail = match next {
            _ if self.is_at_prompt() => Some(self.call_back()),
            Step::Interrupted | Step::Ignored => self.interrupt_again(),
            Step::Terminated => Some(self.signal_foreground(Signal::TERM, "SIGTERM")),
            Step::Killed => Some(self.signal_foreground(Signal::KILL, "SIGKILL")),
        };
        if let Some(turn) = &mut self.turn {
            turn.interrupt = Some(Interrupt { begun, group, step: next });
        }
        self.timers.arm(Timer::Interrupt, millis);
        if let Some(detail) = detail {
            self.journal.append(&Record::InterruptPassed { detail });
        }
    }

    /// Sends SIGINT once more to those whom it would have ended: they got it while they were still copies of the
    /// shell. Whoever catches it is not asked twice, since to many programs that means to drop everything.
    fn interrupt_again(&self) -> Option<String> {
        let group = self.bash.foreground()?;
        let members = members_of_group(as_number(group), self.bash.pid()).unwrap_or_default();
        let sigint = u32::try_from(Signal::INT.as_raw()).unwrap_or_default();
        let deaf: Vec<_> = members
            .iter()
            .filter(|member| member.incarnation() != self.bash.incarnation())
            .filter(|member| takes_signal_by_default(member.incarnation().pid, sigint))
            .collect();
        for member in &deaf {
            // One that has ended meanwhile is what was wanted.
            let _ = member.send(Signal::INT);
        }
        (!deaf.is_empty()).then(|| format!("SIGINT again to {}", pids(&deaf)))
    }

    /// Takes bash back from its prompt: the interrupt has thrown it out of the loop, and the message had taken the
    /// way back from it.
    fn call_back(&mut self) -> String {
        self.typing.extend_from_slice(WAKE_KEYS);
        "the shell was called back from its prompt".to_owned()
    }

    /// Bash itself edits a line: it reads key by key, and waits for keys and not for a child.
    fn is_at_prompt(&self) -> bool {
        let by_key = self.bash.modes().is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON));
        by_key && waits_for_file(self.bash.pid())
    }

    /// Sends a signal to the members of the foreground group, but never to the shell itself; that gets SIGINT again.
    fn signal_foreground(&self, signal: Signal, name: &str) -> String {
        let Some(group) = self.bash.foreground() else {
            return NO_FOREGROUND.to_owned();
        };
        let members = members_of_group(as_number(group), self.bash.pid()).unwrap_or_default();
        let (shell, others): (Vec<_>, Vec<_>) =
            members.iter().partition(|member| member.incarnation() == self.bash.incarnation());
        for member in &others {
            // One that has ended meanwhile is what was wanted; one that may not be signalled shows in the next step.
            let _ = member.send(signal).and_then(|_| member.send(Signal::CONT));
        }
        let _ = shell.iter().try_for_each(|shell| shell.send(Signal::INT).map(drop));
        format!("{name} to {}", pids(&others))
    }

    fn kill_shell(&self) -> String {
        match self.bash.handle.send(Signal::KILL) {
            Ok(_) => format!("SIGKILL to the shell itself ({}): nothing else ended the command", self.bash.pid()),
            Err(error) => format!("the shell itself could not be killed: {error}"),
        }
    }
}

fn as_number(group: Pid) -> i64 {
    i64::from(group.as_raw_nonzero().get())
}

fn told(signal: &str, group: Pid, sent: rustix::io::Result<()>) -> String {
    match sent {
        Ok(()) => format!("{signal} to process group {}", as_number(group)),
        Err(errno) => format!("{signal} could not be sent to process group {}: {errno}", as_number(group)),
    }
}

fn pids(members: &[&ProcessHandle]) -> String {
    match members {
        [] => "nobody: the shell alone is in the foreground".to_owned(),
        [one] => format!("process {}", one.incarnation().pid),
        many => {
            let list: Vec<String> = many.iter().map(|member| member.incarnation().pid.to_string()).collect();
            format!("processes {}", list.join(", "))
        }
    }
}
