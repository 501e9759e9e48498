//! The daemon of another machine: `ssh` runs `adj dial-stdio` there, which copies bytes to and from its socket.
//!
//! Keys, users, ports and jumps are the business of the user's own `ssh` configuration. Nothing is asked on the terminal.

mod dial;
mod program;
mod target;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::error::ClientError;

pub use program::RemoteProgram;
pub use target::SshTarget;

/// Another machine.
pub struct Ssh {
    /// What its user calls it.
    pub name: String,
    /// Where `ssh` is to go.
    pub target: SshTarget,
    /// What `adj` is called there.
    pub program: RemoteProgram,
    /// A directory of the user's own in which connections are shared; without it each call makes its own.
    pub shared_in: Option<PathBuf>,
}

/// How `ssh` is to behave, whatever its configuration says: it asks nothing, a host key that is new is noted down and one
/// that has changed is refused, and a line that is dead is noticed.
const OPTIONS: [&str; 10] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=accept-new",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "EscapeChar=none",
];

/// For how long a shared connection is kept for the next call, in seconds.
const SHARED_SECONDS: u32 = 60;

/// Bytes of a name in the directory of shared connections, with what `ssh` puts behind it while it makes one.
const SHARED_NAME_BYTES: usize = "/c-0123456789abcdef.0123456789abcdef".len();

/// Variables that prove who the caller is here; they are nobody's business there.
const SECRETS: [&str; 3] = ["ADJ_SESSION_TOKEN", "ADJ_GATEWAY_TOKEN", "ADJ_GATEWAY_TOKEN_FILE"];

impl Ssh {
    /// A command of `ssh` that runs `adj` with these words there.
    fn command(&self, terminal: bool, words: &[&str]) -> Command {
        let mut command = Command::from(self.std_command(terminal, words));
        command.kill_on_drop(true);
        command
    }

    #[expect(clippy::disallowed_methods, reason = "the way to another machine is a process of its user's `ssh`")]
    fn std_command(&self, terminal: bool, words: &[&str]) -> std::process::Command {
        let mut command = std::process::Command::new("ssh");
        command.arg(if terminal { "-t" } else { "-T" });
        for option in OPTIONS.into_iter().filter(|option| !(terminal && option.starts_with("EscapeChar"))) {
            command.arg(format!("-o{option}"));
        }
        if let Some(path) = self.shared_connection() {
            command.args(["-oControlMaster=auto".to_owned(), format!("-oControlPersist={SHARED_SECONDS}")]);
            command.arg(format!("-oControlPath={path}"));
        }
        command.arg("--").arg(self.target.as_str()).arg(self.line(words));
        SECRETS.iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    }

    /// A command that shows a session of that machine in the terminal of this call.
    pub fn attach_command(&self, words: &[&str]) -> std::process::Command {
        self.std_command(true, words)
    }

    /// What the login shell there is given: every word quoted, so that it is that word and nothing else.
    fn line(&self, words: &[&str]) -> String {
        let words = words.iter().map(|word| quoted(word));
        std::iter::once(quoted(self.program.as_str())).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// The name of the shared connection, where one can have a name that `ssh` reads as it is.
    fn shared_connection(&self) -> Option<String> {
        let directory = self.shared_in.as_deref()?;
        let text = directory.to_str()?;
        let plain = !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '$' | '~'));
        let fits = text.len() + SHARED_NAME_BYTES <= adjutant_api::home::SOCKET_PATH_BYTES_MAX;
        (plain && fits && is_made(directory))
            .then(|| format!("{}/c-{:016x}", text.replace('%', "%%"), mark(self.target.as_str())))
    }

    /// That machine cannot be reached now, and may be later.
    pub(crate) fn unreachable(&self, detail: String) -> ClientError {
        ClientError::HostUnreachable { host: self.name.clone(), detail, passing: true }
    }

    fn stdio(&self, autostart: bool) -> Command {
        let words: &[&str] = if autostart { &["dial-stdio"] } else { &["--no-autostart", "dial-stdio"] };
        let mut command = self.command(false, words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // An interrupt from the terminal is for the command, which may have something to say to the other side.
        command.process_group(0);
        command
    }
}

/// A word that any shell of another machine takes as it is.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Whether the directory is there, or could be made for the user alone.
fn is_made(directory: &Path) -> bool {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).is_ok()
}

/// 64 bits of FNV-1a.
fn mark(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ssh: &Ssh, words: &[&str]) -> Vec<String> {
        let command = ssh.std_command(false, words);
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    fn to(target: &str, program: &str) -> Ssh {
        Ssh {
            name: target.to_owned(),
            target: target.parse().unwrap(),
            program: program.parse().unwrap(),
            shared_in: None,
        }
    }

    #[test]
    fn h10_every_word_for_the_other_machine_is_quoted() {
        let all = words(&to("ssh://u@box:22", "/opt/a b/$(id)'x"), &["attach", "a; rm -rf ~"]);
        let end = &all[all.len() - 3..];
        assert_eq!(end, ["--", "ssh://u@box:22", r"'/opt/a b/$(id)'\''x' 'attach' 'a; rm -rf ~'"]);
    }

    #[test]
    fn nothing_is_asked_and_a_changed_key_is_refused() {
        let all = words(&to("box", "adj"), &["dial-stdio"]);
        for option in ["-oBatchMode=yes", "-oStrictHostKeyChecking=accept-new", "-oConnectTimeout=10"] {
            assert!(all.iter().any(|word| word == option), "{option}: {all:?}");
        }
        assert!(!all.iter().any(|word| word.contains("ControlPath")), "nothing is shared where there is no place");
    }

    #[test]
    fn one_connection_is_shared_for_a_minute() {
        let directory = tempfile::tempdir().unwrap();
        let shared_in = Some(directory.path().join("run"));
        let all = words(&Ssh { shared_in, ..to("box", "adj") }, &["dial-stdio"]);
        assert!(all.contains(&"-oControlPersist=60".to_owned()), "{all:?}");
        let path = all.iter().find_map(|word| word.strip_prefix("-oControlPath=")).unwrap();
        assert!(path.starts_with(directory.path().to_str().unwrap()), "{path}");
        let odd = Ssh { shared_in: Some(directory.path().join("a b")), ..to("box", "adj") };
        assert_eq!(odd.shared_connection(), None, "what `ssh` would read as two words is not used");
    }
}
