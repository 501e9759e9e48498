//! The output of a program, line by line while it runs.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, anyhow};

/// Stands behind everything that the program itself wrote; no program writes a NUL in a line of its own by chance.
const END: &[u8] = b"\0end of output";

/// Calls `each` for every line of both streams, in the order in which they were written.
///
/// It ends with the program, and not with the last process that the program left behind: that one would hold the pipe
/// open for as long as it lives.
pub(crate) fn lines(command: Command, each: impl FnMut(&str)) -> Result<ExitStatus> {
    let (reader, mut end) = std::io::pipe().context("cannot make a pipe")?;
    let mut child = start(command, &end)?;
    let waiter = std::thread::spawn(move || {
        let status = child.wait();
        // It fails only when nobody reads any more, and then nobody waits for it either.
        drop(end.write_all(&[b"\n", END, b"\n"].concat()));
        status
    });
    read(reader, each)?;
    let status = waiter.join().map_err(|_| anyhow!("the thread that waits for the program panicked"))?;
    status.context("cannot wait for the program")
}

fn start(mut command: Command, end: &std::io::PipeWriter) -> Result<std::process::Child> {
    command.stdin(Stdio::null()).stdout(end.try_clone()?).stderr(end.try_clone()?);
    command.spawn().with_context(|| format!("cannot start {}", crate::exec::line(&command)))
}

fn read(reader: PipeReader, mut each: impl FnMut(&str)) -> Result<()> {
    // The line break before the end mark closes an unfinished line; after a finished one it makes an empty line, which
    // is held back until something follows it.
    let mut held = false;
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("cannot read the program's output")?;
        if line == END {
            return Ok(());
        }
        if std::mem::replace(&mut held, line.is_empty()) {
            each("");
        }
        if !line.is_empty() {
            each(&String::from_utf8_lossy(&line));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec;

    fn lines_of(script: &str) -> (Vec<String>, bool) {
        let mut seen = Vec::new();
        let mut command = exec::command("sh");
        command.args(["-c", script]);
        let status = lines(command, |line| seen.push(line.to_owned())).unwrap();
        (seen, status.success())
    }

    #[test]
    fn both_streams_come_in_order() {
        let (seen, success) = lines_of("echo one; echo two >&2; echo; printf three");
        assert_eq!((seen, success), (vec!["one".into(), "two".into(), String::new(), "three".into()], true));
    }

    #[test]
    fn a_process_that_is_left_behind_holds_nobody_up() {
        // The child that is left behind ends only when this test has taken away the file that it looks for.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("here");
        std::fs::write(&file, "").unwrap();
        let (seen, success) = lines_of(&format!("(while [ -e '{}' ]; do :; done) & echo done; exit 3", file.display()));
        assert_eq!((seen, success), (vec!["done".to_owned()], false));
    }
}
