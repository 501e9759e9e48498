//! What the system says of a process: who it belongs to, what it costs. Linux only, like the bench that asks.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A process, for as long as its pid is its own.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    /// The file that it executes, if we may see it.
    pub(crate) exe: Option<PathBuf>,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Pages that are present, shared ones too.
    pub(crate) rss: u64,
    /// The same, each page divided by the number of those who share it.
    pub(crate) pss: u64,
}

/// Processes whose environment or arguments name this directory, or that hold a file in it open. It is one that only we
/// have, so they are ours. A runner starts with an empty environment, but holds its journal.
pub(crate) fn mentioning(folder: &Path) -> Vec<Process> {
    let needle = folder.as_os_str().as_bytes();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| *pid != std::process::id() && names(*pid, needle)).filter_map(process).collect()
}

fn names(pid: u32, needle: &[u8]) -> bool {
    let files = ["environ", "cmdline"].map(|file| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default());
    files.iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle)) || holds(pid, needle)
}

fn holds(pid: u32, folder: &[u8]) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|path| path.as_os_str().as_bytes().starts_with(folder))
}

fn process(pid: u32) -> Option<Process> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned();
    Some(Process { pid, name, exe: fs::read_link(format!("/proc/{pid}/exe")).ok() })
}

/// Ticks of processor time that the process and its threads have taken so far.
pub(crate) fn cpu_ticks(pid: u32) -> Result<u64> {
    let stat = read(pid, "stat")?;
    ticks_in(&stat).with_context(|| format!("/proc/{pid}/stat has no times"))
}

/// The name may hold blanks and parentheses, so the fields are counted from behind its last parenthesis.
fn ticks_in(stat: &str) -> Option<u64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let (user, system): (u64, u64) = (fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?);
    Some(user + system)
}

/// Nanoseconds on a processor, summed over the threads that live now: finer than ticks, blind to threads that ended.
pub(crate) fn cpu_ns(pid: u32) -> Result<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("process {pid} is gone"))?;
    let of_task =
        |path: PathBuf| fs::read_to_string(path.join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok();
    Ok(tasks.flatten().filter_map(|task| of_task(task.path())).sum())
}

/// The memory of a process.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let rollup = read(pid, "smaps_rollup")?;
    memory_in(&rollup).with_context(|| format!("/proc/{pid}/smaps_rollup has no sizes"))
}

fn memory_in(rollup: &str) -> Option<Memory> {
    let kib = |key: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    Some(Memory { rss: kib("Rss:")? * 1024, pss: kib("Pss:")? * 1024 })
}

fn read(pid: u32, file: &str) -> Result<String> {
    fs::read_to_string(format!("/proc/{pid}/{file}")).with_context(|| format!("cannot read /proc/{pid}/{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_behind_the_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 900 0 0 0 17 4 0 0 20 0 1 0 100 0 0";
        assert_eq!(ticks_in(stat), Some(21));
        assert_eq!(ticks_in("42 (a)"), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let rollup =
            "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:        1536 kB\nPss:         512 kB\nPss_Dirty: 1 kB\n";
        assert_eq!(memory_in(rollup), Some(Memory { rss: 1536 * 1024, pss: 512 * 1024 }));
    }
}
