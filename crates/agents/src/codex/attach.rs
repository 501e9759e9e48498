//! How a person sits down at a session: with Codex's own screen, joined to the same live thread.

use std::collections::BTreeMap;

use super::driver::Notes;
use super::server::Servers;
use crate::{Attach, AttachTo};

/// The command that joins. Quitting it leaves the thread as it is, and whatever runs in it.
///
/// # Errors
/// Why nobody can join now.
pub(super) fn how(of: AttachTo<'_>) -> Result<Attach, String> {
    if of.read_only {
        return Err("Codex's screen cannot be opened for looking only; `adj logs -f` shows what is said".to_owned());
    }
    let notes =
        Notes::load(of.place).map_err(|error| format!("what is known of the thread cannot be read: {error}"))?;
    let Some(Notes { server, thread: Some(thread), .. }) = notes else {
        return Err("the session has no thread yet".to_owned());
    };
    let home = Servers::codex_home(&server).map_err(|error| format!("its CODEX_HOME is not known: {error}"))?;
    let socket = format!("unix://{}", Servers::socket(&server).display());
    // Its directory is the thread's. Naming one has Codex ask whether it is trusted, and write the answer down.
    let words = ["resume", "--remote", &socket, &thread].map(str::to_owned);
    let argv = std::iter::once(of.profile.program.clone()).chain(words).collect();
    Ok(Attach::Program { argv, environment: BTreeMap::from([("CODEX_HOME".to_owned(), home)]) })
}
