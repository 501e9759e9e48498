//! The runner of an app-server: starts it, starts it again when it crashes, and ends it when it is told to.

mod holder;
mod process;

use std::io;

use self::holder::Holder;
use crate::runner::Claimed;

/// Holds the app-server of the life that this runner has claimed, until it is told to end it, or cannot keep it alive.
/// It is told by a signal, and what it does stands in its journal; nobody speaks to it.
///
/// # Errors
/// When the plan is not one of a server.
pub(crate) async fn hold_server(claimed: Claimed) -> io::Result<()> {
    let Claimed { mut plan, journal, signals, .. } = claimed;
    let server = plan.server.take().ok_or_else(|| io::Error::other("the plan holds no server"))?;
    Holder::new(plan, server, journal, signals).live().await
}
