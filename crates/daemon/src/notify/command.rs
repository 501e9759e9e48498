//! Telling people by a command of theirs.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::Failed;

/// Runs the command with the event on its standard input; after its time it is ended with all that it has started.
pub(super) async fn run(command: &[String], event: &str, seq: u64, limit: Duration) -> Result<(), Failed> {
    let [program, arguments @ ..] = command else { return Err(Failed::lasting("no command is named")) };
    let mut child = start(program, arguments, seq).map_err(|error| Failed::lasting(format!("{program}: {error}")))?;
    let mut input = child.stdin.take();
    let done = async {
        if let Some(input) = &mut input {
            // A command that does not read what it is told may end all the same.
            let _ = input.write_all(event.as_bytes()).await;
        }
        drop(input);
        child.wait().await
    };
    match tokio::time::timeout(limit, done).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Failed::passing(format!("it ended with {status}"))),
        Ok(Err(error)) => Err(Failed::passing(error.to_string())),
        Err(_) => {
            end(&mut child).await;
            Err(Failed::passing(format!("it did not end within {} ms", limit.as_millis())))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the command is the user's own, from the configuration")]
fn start(program: &str, arguments: &[String], seq: u64) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).env("ADJ_EVENT_SEQ", seq.to_string()).env_remove("ADJ_SESSION_TOKEN");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0).kill_on_drop(true).spawn()
}

/// Its group is its own, and cannot be another's while it is not reaped.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = child.wait().await;
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::PidfdFlags;

    use super::*;

    fn words(line: &str) -> Vec<String> {
        ["sh", "-c", line].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn the_event_is_its_input_and_its_end_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("told");
        let line = format!("cat > {}; echo \" $ADJ_EVENT_SEQ\" >> {}", file.display(), file.display());
        run(&words(&line), "{\"x\":1}", 7, Duration::from_secs(20)).await.unwrap();
        assert_eq!(std::fs::read_to_string(file).unwrap(), "{\"x\":1} 7\n");
        assert!(run(&words("exit 3"), "{}", 1, Duration::from_secs(20)).await.unwrap_err().again);
        let missing = run(&["/no/such/program".to_owned()], "{}", 1, Duration::from_secs(20)).await;
        assert!(!missing.unwrap_err().again);
    }

    #[tokio::test]
    async fn one_that_hangs_is_ended_with_what_it_has_started() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let line = format!("sleep 600 & echo $! > {}; wait", file.display());
        let failed = run(&words(&line), "{}", 1, Duration::from_millis(500)).await.unwrap_err();
        assert!(failed.text.contains("500 ms"), "{failed}");
        let pid: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let Ok(process) = rustix::process::pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else { return };
        // The kernel takes its time with a group; that it was told is seen by the end that comes.
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        let limit = rustix::time::Timespec { tv_sec: 20, tv_nsec: 0 };
        assert_eq!(poll(&mut ended, Some(&limit)).unwrap(), 1, "what it started is gone too");
    }
}
