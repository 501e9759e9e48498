//! The terminal: a tmux server of the session's own, at a socket that nobody else uses, without anybody's configuration.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{Mode as FileMode, OFlags};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::process::Command;
use tokio::time::timeout;

use crate::limits::{PIECES_AT_ONCE, READ_LOOK_MS, TMUX_MS_MAX, TYPING_MS_MAX};
use crate::timer::pause;

/// The one pane of a new server; what a person splits off has another number.
const PANE: &str = "%0";

/// The one session of a server.
const SESSION: &str = "adj";

/// A way to a server.
#[derive(Clone, Debug)]
pub(super) struct Tmux {
    program: PathBuf,
    socket: PathBuf,
}

/// What a pane shows, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pane {
    /// A person looks back: keys do not reach the program.
    pub(super) in_mode: bool,
    /// The program has given the terminal back, as it does when a person suspends it: it reads nothing.
    pub(super) suspended: bool,
    /// The lines of the screen, with the sequences that colour them.
    pub(super) lines: Vec<String>,
}

impl Tmux {
    /// The server at this socket.
    pub(super) fn new(program: PathBuf, socket: PathBuf) -> Self {
        Self { program, socket }
    }

    /// Where a socket in this directory is.
    pub(super) fn socket_in(run_dir: &Path) -> PathBuf {
        run_dir.join("tmux")
    }

    /// What a person runs to sit down at the session.
    pub(super) fn attach_words(&self, read_only: bool) -> Vec<String> {
        let mut words: Vec<String> = vec![self.program.display().to_string(), "-S".to_owned()];
        words.extend([self.socket.display().to_string(), "attach-session".to_owned()]);
        words.extend(read_only.then(|| "-r".to_owned()));
        words.extend(["-t".to_owned(), format!("={SESSION}")]);
        words
    }

    /// Starts the server with one pane, in which `words` run. What the server itself has as environment is `own`.
    ///
    /// # Errors
    /// What tmux said.
    pub(super) async fn start(
        &self,
        directory: &Path,
        size: (u16, u16),
        own: &BTreeMap<String, String>,
        words: &[&OsStr],
    ) -> io::Result<()> {
        let mut command = self.command();
        command.envs(own).arg("new-session").args(["-d", "-s", SESSION]);
        command.args(["-x", &size.0.to_string(), "-y", &size.1.to_string(), "-c"]).arg(directory).arg("--");
        command.args(words);
        finish(command, None).await?;
        // A person's terminal has whatever size it has, and clicks are the program's.
        let options = ["set-option", "-g", "status", "off", ";", "set-option", "-s", "escape-time", "10", ";"];
        // There is no shell behind the program to which a person could go.
        let unsuspended = ["bind-key", "-n", "C-z", "display-message", "no shell is here; leave with C-b d"];
        self.run(&[&options[..], &unsuspended[..]].concat()).await.map(drop)
    }

    /// Looks at the pane.
    ///
    /// # Errors
    /// What tmux said.
    pub(super) async fn look(&self) -> io::Result<Pane> {
        let format = "#{pane_in_mode} #{pane_tty}";
        let words = ["display-message", "-p", "-t", PANE, format, ";", "capture-pane", "-p", "-e", "-t", PANE];
        let text = self.run(&words).await?;
        let mut lines = text.lines().map(str::to_owned);
        let first = lines.next().unwrap_or_default();
        let (in_mode, tty) = first.split_once(' ').unwrap_or_default();
        let suspended = is_cooked(tty).unwrap_or(false);
        Ok(Pane { in_mode: in_mode != "0", suspended, lines: lines.collect() })
    }

    /// Presses keys, by tmux's names for them.
    ///
    /// # Errors
    /// What tmux said.
    pub(super) async fn press(&self, keys: &[&str]) -> io::Result<()> {
        self.run(&[&["send-keys", "-t", PANE], keys].concat()).await.map(drop)
    }

    /// Leaves the mode in which a person looks back.
    ///
    /// # Errors
    /// What tmux said.
    pub(super) async fn leave_mode(&self) -> io::Result<()> {
        self.run(&["send-keys", "-t", PANE, "-X", "cancel"]).await.map(drop)
    }

    /// Pastes pieces one by one and presses Enter, in one go.
    ///
    /// # Errors
    /// What tmux said; some of it may have been typed.
    pub(super) async fn paste(&self, directory: &Path, pieces: &[&str]) -> io::Result<()> {
        self.feed(directory, pieces, &format!("send-keys -t {PANE} Enter\n")).await
    }

    /// Pastes pieces one by one, no faster than the program reads them, until all are read or `stop` is set.
    ///
    /// # Errors
    /// What tmux said, or that the program does not read; some of it was typed.
    pub(super) async fn paste_slowly(&self, directory: &Path, pieces: &[&str], stop: &AtomicBool) -> io::Result<()> {
        let tty = self.run(&["display-message", "-p", "-t", PANE, "#{pane_tty}"]).await?;
        let tty = open_tty(tty.trim())?;
        let began = Instant::now();
        for some in pieces.chunks(PIECES_AT_ONCE) {
            self.feed(directory, some, "").await?;
            loop {
                // What tmux has taken it writes at once, and then the terminal holds what is not read.
                pause(READ_LOOK_MS).await;
                if stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                if rustix::io::ioctl_fionread(&tty)? == 0 {
                    break;
                }
                if began.elapsed() >= Duration::from_millis(TYPING_MS_MAX.unsigned_abs()) {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "the program does not read what is typed"));
                }
            }
        }
        Ok(())
    }

    /// Pastes pieces and runs what stands behind them. The pieces are files for a moment: tmux takes words of 16 KB at the
    /// most, and one that ends in `;` for the end of a command.
    async fn feed(&self, directory: &Path, pieces: &[&str], behind: &str) -> io::Result<()> {
        let mut script = String::new();
        std::fs::create_dir_all(directory)?;
        for (number, piece) in pieces.iter().enumerate() {
            let file = directory.join(number.to_string());
            std::fs::write(&file, piece)?;
            let file = file.display();
            script.push_str(&format!(
                "load-buffer -b c{number} '{file}'\npaste-buffer -p -d -r -b c{number} -t {PANE}\n"
            ));
        }
        script.push_str(behind);
        let file = directory.join("script");
        std::fs::write(&file, script)?;
        let mut command = self.command();
        command.arg("source-file").arg(&file);
        let limit = Duration::from_millis(TMUX_MS_MAX + pieces.len() as u64 * PIECE_MS_MAX);
        let pasted = finish(command, Some(limit)).await;
        std::fs::remove_dir_all(directory)?;
        pasted.map(drop)
    }

    async fn run(&self, words: &[&str]) -> io::Result<String> {
        let mut command = self.command();
        command.args(words);
        finish(command, None).await
    }

    #[expect(clippy::disallowed_methods, reason = "tmux is spoken to through its own program")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("LANG", "C.UTF-8").env("TERM", "xterm-256color").current_dir("/");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(&self.socket);
        command
    }
}

fn open_tty(path: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, FileMode::empty())
}

/// Whether a terminal gives lines to its program, and not each key.
fn is_cooked(path: &str) -> rustix::io::Result<bool> {
    Ok(tcgetattr(open_tty(path)?)?.local_modes.contains(LocalModes::ICANON))
}

/// Time for a piece to be pasted, in milliseconds.
const PIECE_MS_MAX: u64 = 20;

/// Runs tmux to its end, and by force after the deadline: to a SIGTERM it answers with a clean exit.
async fn finish(mut command: Command, limit: Option<Duration>) -> io::Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let limit = limit.unwrap_or(Duration::from_millis(TMUX_MS_MAX));
    let ended = timeout(limit, command.output()).await;
    let ended = ended.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "tmux does not answer"))??;
    if !ended.status.success() {
        return Err(io::Error::other(format!("tmux: {}", String::from_utf8_lossy(&ended.stderr).trim())));
    }
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}
