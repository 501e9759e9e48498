//! `/proc/<pid>/stat`, of which only the fields behind the command's name can be told apart.

/// The fields of `/proc/<pid>/stat` that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcStat {
    /// The state's letter: `R`, `S`, `D`, `T`, `Z`, `X`, …
    pub state: char,
    /// The parent's pid.
    pub parent: u32,
    /// The process group.
    pub group: i64,
    /// The session.
    pub session: i64,
    /// The start, in clock ticks since boot.
    pub start_ticks: u64,
    /// The command's name, cut by the kernel to 15 bytes.
    pub name: String,
}

impl ProcStat {
    /// It has ended and only waits to be reaped.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// Reads a `stat` line (`host.md` F20). The name may hold blanks and parentheses, so the fields count from the last
/// `)`.
pub fn parse_proc_stat(raw: &[u8]) -> Option<ProcStat> {
    let open = raw.iter().position(|byte| *byte == b'(')?;
    let close = raw.iter().rposition(|byte| *byte == b')')?;
    let name = String::from_utf8_lossy(raw.get(open + 1..close)?).into_owned();
    let fields: Vec<&str> = std::str::from_utf8(&raw[close + 1..]).ok()?.split_ascii_whitespace().collect();
    // Field 3, the state, is the first here; so field n stands at n - 3.
    let mut state = fields.first()?.chars();
    Some(ProcStat {
        state: state.next()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start_ticks: fields.get(19)?.parse().ok()?,
        name,
    })
}

/// Whether a signal would do to the process what it does by default: it neither catches nor ignores nor blocks it.
pub(crate) fn takes_signal_by_default(pid: u32, signal: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| is_default_in(&status, signal))
}

fn is_default_in(status: &str, signal: u32) -> bool {
    let set = |name: &str| {
        let digits = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(digits.trim(), 16).ok()
    };
    let masks = [set("SigBlk:"), set("SigIgn:"), set("SigCgt:")];
    masks.iter().all(|mask| mask.is_some_and(|mask| mask & (1 << (signal - 1)) == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_and_start(line: &str) -> Option<(char, u64)> {
        parse_proc_stat(line.as_bytes()).map(|stat| (stat.state, stat.start_ticks))
    }

    #[test]
    fn f20_parse_proc_stat() {
        let plain = "42 (sh) S 1 1 1 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 417491 3133440";
        assert_eq!(state_and_start(plain), Some(('S', 417_491)));
        let parentheses = "123 (a) b) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 0";
        assert_eq!(state_and_start(parentheses), Some(('Z', 4711)));
        for broken in ["42 (sh", "42 (sh) S 1", ""] {
            assert_eq!(state_and_start(broken), None, "{broken}");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a process to look at")]
    fn the_other_fields_are_the_right_ones() {
        // A session of its own, because the one that the tests run in may be led from outside what can be seen here.
        let mut child = std::process::Command::new("setsid")
            .args(["sh", "-c", "echo; exec cat"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let raw = std::fs::read(format!("/proc/{}/stat", child.id())).unwrap();
        let stat = parse_proc_stat(&raw).unwrap();
        assert_eq!(stat.parent, std::process::id());
        assert_eq!(stat.session, i64::from(child.id()));
        assert!(!stat.is_dead());
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn the_disposition_of_a_signal_is_read() {
        let status = "Name:\tsh\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000002\n";
        assert!(is_default_in(status, 15));
        assert!(!is_default_in(status, 2), "caught");
        assert!(!is_default_in(status, 13), "ignored");
        assert!(!is_default_in("Name:\tsh\n", 15), "not told");
        // Every Rust program ignores SIGPIPE from its start.
        assert!(!takes_signal_by_default(std::process::id(), 13));
    }
}
