//! Processes that belong to a world: those whose environment or arguments name its root.

use std::time::Instant;

use crate::process::Process;

/// The processes, other than this one, whose environment or arguments contain `mark`, each with its command line.
pub fn processes_naming(mark: &str) -> Vec<(u32, String)> {
    processes_naming_one_of(&[mark.to_owned()])
}

/// The same for several marks.
pub(crate) fn processes_naming_one_of(marks: &[String]) -> Vec<(u32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id()).filter_map(|pid| Some((pid, named(pid, marks)?))).collect()
}

/// The command line of a process that lives and names one of the marks.
fn named(pid: u32, marks: &[String]) -> Option<String> {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let (environment, arguments) = (read("environ"), read("cmdline"));
    let has = |bytes: &[u8], mark: &str| bytes.windows(mark.len()).any(|window| window == mark.as_bytes());
    let state = String::from_utf8_lossy(&read("stat")).rsplit(')').next().and_then(|rest| rest.trim().chars().next());
    let lives = !matches!(state, None | Some('Z' | 'X'));
    let names = marks.iter().any(|mark| has(&environment, mark) || has(&arguments, mark));
    (lives && names).then(|| String::from_utf8_lossy(&arguments).replace('\0', " "))
}

/// Waits until no process names one of the marks; gives those that still do at the deadline.
pub(crate) fn await_none(marks: &[String], deadline: Instant) -> Vec<(u32, String)> {
    loop {
        let left = processes_naming_one_of(marks);
        let Some((pid, _)) = left.first() else { return left };
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return left;
        }
        Process::open(*pid).map(|process| process.ends_within(remaining));
    }
}
