//! Making the connection, and what is said when it cannot be made.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use adjutant_api::ErrorBody;
use adjutant_api::ErrorCode;
use adjutant_api::protocol::{PROTOCOL, VERSION};
use adjutant_api::types::dial::{Far, GREETING, Greeting};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Ssh;
use crate::error::ClientError;
use crate::limits;

/// The bytes to and from the other machine's daemon; its `ssh` ends with it.
pub(crate) struct Line {
    _ssh: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Ssh {
    /// Connects; the daemon there is started if none listens and that is allowed.
    pub(crate) async fn dial(&self, autostart: bool) -> Result<(Line, Far), ClientError> {
        let mut ssh = self.stdio(autostart).spawn().map_err(|error| self.not_run(&error))?;
        let (input, output, errors) = (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take());
        let (Some(input), Some(mut output)) = (input, output) else {
            return Err(self.unreachable("`ssh` has no streams".to_owned()));
        };
        let errors = tokio::spawn(last_words(errors));
        match timeout(limits::DIAL, greeting(&mut output)).await {
            Ok(Ok(Some(line))) => {
                let far = self.understood(&line, autostart)?;
                Ok((Line { _ssh: ssh, input, output }, far))
            }
            Ok(Ok(None)) => Err(self.failed(&mut ssh, errors).await),
            Ok(Err(error)) => Err(self.unreachable(error.to_string())),
            Err(_) => Err(self.unreachable(format!("no answer within {} s", limits::DIAL.as_secs()))),
        }
    }

    fn not_run(&self, error: &io::Error) -> ClientError {
        let detail = format!("`ssh` cannot be run: {error}");
        ClientError::HostUnreachable { host: self.name.clone(), detail, passing: false }
    }

    /// What the greeting says.
    fn understood(&self, line: &str, autostart: bool) -> Result<Far, ClientError> {
        match serde_json::from_str::<Greeting>(line) {
            Ok(Greeting::Connected(far)) => Ok(far),
            Ok(Greeting::Failed(body)) if !autostart && body.code == ErrorCode::DaemonUnreachable => {
                Err(ClientError::NotRunning { socket: self.name.clone() })
            }
            Ok(Greeting::Failed(body)) => {
                let message = format!("{}: {}", self.name, body.message);
                Err(ClientError::NotStarted(ErrorBody { message, ..body }))
            }
            Err(_) => Err(self.mismatch("it greets in another way")),
        }
    }

    /// `ssh` has ended without a greeting.
    async fn failed(&self, ssh: &mut Child, errors: JoinHandle<String>) -> ClientError {
        let status = timeout(limits::LAST_WORDS, ssh.wait()).await;
        let code = status.ok().and_then(Result::ok).and_then(|status| status.code());
        // A connection that is shared may hold the stream open, so its end is not waited for.
        let words = timeout(limits::LAST_WORDS, errors).await.ok().and_then(Result::ok).unwrap_or_default();
        let host = self.name.clone();
        let last = || last_line(&words);
        match code {
            Some(127 | 126) => {
                let detail =
                    format!("`{}` cannot be run there ({}); `ADJ_REMOTE_BIN` says where it is", self.program, last());
                ClientError::HostUnreachable { host, detail, passing: false }
            }
            Some(2) => self.mismatch(&last()),
            Some(_) | None => {
                let (detail, passing) = judged(&words);
                ClientError::HostUnreachable { host, detail, passing }
            }
        }
    }

    fn mismatch(&self, said: &str) -> ClientError {
        let message = format!(
            "the `{}` of {} does not know `dial-stdio` as this version {VERSION} (protocol {PROTOCOL}) does: {said}",
            self.program, self.name
        );
        let body = ErrorBody::new(ErrorCode::VersionMismatch, message);
        ClientError::Refused(body.with_detail("host", self.name.as_str()).with_detail("client", VERSION))
    }
}

/// The line of the greeting, without its mark; `None` when the stream ends before it.
async fn greeting(output: &mut ChildStdout) -> io::Result<Option<String>> {
    let mut noise = 0;
    loop {
        let Some(line) = line(output).await? else { return Ok(None) };
        if let Some(found) = line.strip_prefix(GREETING) {
            return Ok(Some(found.to_owned()));
        }
        noise += line.len() + 1;
        if noise > limits::NOISE_BYTES_MAX {
            return Err(io::Error::other("something else than `adj dial-stdio` answers there"));
        }
    }
}

/// One line, and not a byte more: what is behind it belongs to the daemon.
async fn line(output: &mut ChildStdout) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        match output.read_u8().await {
            Ok(b'\n') => return Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned())),
            Ok(byte) if line.len() < limits::GREETING_BYTES_MAX => line.push(byte),
            Ok(_) => return Err(io::Error::other("a line that does not end")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Reads what is said on standard error to its end, so that nobody is held up, and keeps the end of it.
async fn last_words(errors: Option<ChildStderr>) -> String {
    let mut kept = Vec::new();
    let Some(mut errors) = errors else { return String::new() };
    let mut some = vec![0; limits::LAST_WORDS_BYTES];
    while let Ok(count @ 1..) = errors.read(&mut some).await {
        kept.extend_from_slice(&some[..count]);
        let surplus = kept.len().saturating_sub(limits::LAST_WORDS_BYTES);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The last line that says something, made fit for one line of ours.
fn last_line(words: &str) -> String {
    let line = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no reason is given");
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// Why `ssh` has failed, and whether that may pass by itself.
fn judged(words: &str) -> (String, bool) {
    if words.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        return ("its host key is not the one that it had; `ssh` says what to do about that".to_owned(), false);
    }
    let lasting = ["Host key verification failed", "Permission denied", "Bad configuration option"];
    let passing = !lasting.iter().any(|words_of| words.contains(words_of));
    (last_line(words), passing)
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_says_is_told_in_one_line() {
        let changed =
            "@@@\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.\n";
        let (detail, passing) = judged(changed);
        assert!(detail.contains("host key") && !passing, "{detail}");
        assert_eq!(
            judged("ssh: connect to host x port 1: Connection refused\r\n"),
            ("ssh: connect to host x port 1: Connection refused".to_owned(), true)
        );
        assert!(!judged("u@x: Permission denied (publickey).").1);
        assert_eq!(judged(""), ("no reason is given".to_owned(), true));
        assert_eq!(last_line("a\n\u{1b}[31mred\n\n"), " [31mred");
    }
}
