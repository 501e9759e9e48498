//! The tmux server in which a session's people have Codex's screen: made by the first who sits down, gone when that screen
//! is quit or the session ends, at a socket that nobody else uses, without anybody's configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::Place;
use crate::limits::TMUX_MS_MAX;
use crate::path::find_on;

/// Where tmux is looked for when the caller's PATH has none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What is told to whoever sits down, and for how long, in milliseconds.
const HOW_TO_LEAVE: &str = "Ctrl-b and then d leaves this screen open; quitting Codex closes it; the session goes on";
const HOW_TO_LEAVE_MS: &str = "4000";

/// The server of one session.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    tmux: PathBuf,
    socket: PathBuf,
}

/// The tmux that a caller with this environment has.
pub(super) fn tmux_of(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let path = environment.get("PATH").map_or("", String::as_str);
    find_on(path, "tmux").or_else(|| find_on(USUAL_PATH, "tmux"))
}

impl Screen {
    /// That of a session, if there is a tmux for it.
    pub(super) fn of(place: &Place, tmux: Option<PathBuf>) -> Option<Self> {
        let socket = place.run_dir.join("tmux");
        tmux.filter(|tmux| crate::path::is_executable(tmux)).map(|tmux| Self { tmux, socket })
    }

    /// What a person runs to see `program` in it, which is started if nobody has it open.
    pub(super) fn words(&self, program: &[String], codex_home: &str, read_only: bool) -> Vec<String> {
        let mut words = vec![self.tmux.display().to_string()];
        let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
        add(&["-u", "-f", "/dev/null", "-S", &self.socket.display().to_string()]);
        add(&["start-server", ";", "set-option", "-g", "status", "off", ";"]);
        add(&["set-option", "-s", "escape-time", "10", ";", "new-session", "-A", "-s", "adj"]);
        if read_only {
            add(&["-f", "read-only,ignore-size"]);
        }
        add(&["-e", &literal(&format!("CODEX_HOME={codex_home}")), "--"]);
        words.extend(program.iter().map(|word| literal(word)));
        let hint = [";", "display-message", "-d", HOW_TO_LEAVE_MS, HOW_TO_LEAVE];
        words.extend(hint.map(str::to_owned));
        words
    }

    /// Closes it for everybody who has it open; says why that did not work.
    pub(super) async fn close(&self) -> Option<String> {
        // Where nobody can say, tmux is asked.
        if self.socket.try_exists().is_ok_and(|is_there| !is_there) {
            return None;
        }
        let ended = timeout(Duration::from_millis(TMUX_MS_MAX), kill_server(&self.tmux, &self.socket).status()).await;
        match ended {
            // One that is gone already says so, and that is no harm.
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(format!("Codex's screen could not be closed: {error}")),
            Err(_) => Some("Codex's screen could not be closed: tmux does not answer".to_owned()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "tmux is spoken to through its own program")]
fn kill_server(tmux: &Path, socket: &Path) -> Command {
    let mut command = Command::new(tmux);
    command.env_clear().current_dir("/").arg("-S").arg(socket).arg("kill-server");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// A word as tmux takes it: one that ends in `;` would end a command.
fn literal(word: &str) -> String {
    match word.strip_suffix(';') {
        Some(before) => format!("{before}\\;"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_is_one_for_all_who_sit_down() {
        let screen = Screen { tmux: "/bin/tmux".into(), socket: "/run/x/tmux".into() };
        let program = ["/bin/codex", "resume", "odd;"].map(str::to_owned);
        let words = screen.words(&program, "/srv/x;", false);
        assert!(words.starts_with(&["/bin/tmux".to_owned(), "-u".to_owned()]), "{words:?}");
        let at = words.iter().position(|word| word == "--").unwrap();
        assert_eq!(words[at - 1], "CODEX_HOME=/srv/x\\;");
        assert_eq!(words[at + 1..at + 4], ["/bin/codex", "resume", "odd\\;"]);
        assert!(words.contains(&"-A".to_owned()) && !words.iter().any(|word| word.contains("read-only")), "{words:?}");
        assert!(screen.words(&program, "/srv/x", true).contains(&"read-only,ignore-size".to_owned()));
    }
}
