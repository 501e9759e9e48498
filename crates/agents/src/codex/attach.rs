//! How a person sits down at a session: with Codex's own screen, joined to the same live thread.

use std::collections::BTreeMap;

use super::driver::Notes;
use super::screen::Screen;
use super::server::Servers;
use crate::{Attach, AttachTo};

/// The command that joins: Codex's screen in a tmux server of the session's own, so that whoever leaves it finds it again
/// as it was, or without tmux the screen itself. Quitting it leaves the thread as it is, and whatever runs in it.
///
/// # Errors
/// Why nobody can join now.
pub(super) fn how(of: AttachTo<'_>) -> Result<Attach, String> {
    let notes =
        Notes::load(of.place).map_err(|error| format!("what is known of the thread cannot be read: {error}"))?;
    let Some(Notes { server, thread: Some(thread), tmux, .. }) = notes else {
        return Err("the session has no thread yet".to_owned());
    };
    let home = Servers::codex_home(&server).map_err(|error| format!("its CODEX_HOME is not known: {error}"))?;
    let socket = format!("unix://{}", Servers::socket(&server).display());
    // Its directory is the thread's. Naming one has Codex ask whether it is trusted, and write the answer down.
    let words = ["resume", "--remote", &socket, &thread].map(str::to_owned);
    let program: Vec<String> = std::iter::once(of.profile.program.clone()).chain(words).collect();
    let variable = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    match Screen::of(of.place, tmux) {
        // Who sits in a tmux of their own may have this one in it.
        Some(screen) => {
            Ok(Attach::Program { argv: screen.words(&program, &home, of.read_only), environment: variable("TMUX", "") })
        }
        None if of.read_only => {
            Err("without tmux Codex's screen cannot be opened for looking only; `adj logs -f` shows what is said"
                .to_owned())
        }
        None => Ok(Attach::Program { argv: program, environment: variable("CODEX_HOME", &home) }),
    }
}
