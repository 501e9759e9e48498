//! A command that people want run when what they wait for has come.

use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::ui::Ui;

/// Time for one attempt.
const ATTEMPT: Duration = Duration::from_secs(30);

/// How often it is tried.
const ATTEMPTS_MAX: u32 = 3;

/// Runs the command, with what it is about on its standard input. Its failure is said and changes nothing else.
pub(crate) async fn run(ui: &Ui, command: &str, about: &impl Serialize) {
    let Ok(text) = serde_json::to_string(about) else { return };
    let mut why = String::new();
    for _ in 0..ATTEMPTS_MAX {
        match attempt(command, &text).await {
            Ok(()) => return,
            Err(failed) => why = failed,
        }
    }
    ui.warning(&format!("`--notify-cmd` has failed {ATTEMPTS_MAX} times: {why}"));
}

async fn attempt(command: &str, text: &str) -> Result<(), String> {
    let mut child = start(command).map_err(|error| error.to_string())?;
    let input = child.stdin.take();
    let done = async {
        if let Some(mut input) = input {
            // A command that does not read what it is told may end all the same.
            let _ = input.write_all(text.as_bytes()).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(ATTEMPT, done).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("it ended with {status}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            end(&mut child).await;
            Err(format!("it did not end within {} s", ATTEMPT.as_secs()))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the command is the caller's own, run with the caller's rights")]
fn start(command: &str) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
    shell.process_group(0).kill_on_drop(true).spawn()
}

/// Its group is its own, and cannot be another's while it is not reaped.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.wait().await;
}
