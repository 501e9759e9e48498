//! A session that is told by an answer how its messages ended need not be told once more by a notice.

use adjutant_core::call::{Call, Caller};
use adjutant_core::message::MessageKind;
use adjutant_core::{Host, MessageId, SessionId};

use crate::http::App;
use crate::http::error::Failure;

/// Takes back the notices about these messages that still wait for the caller. The notice is durable until the caller is
/// about to be told, so that a caller who is gone before is told by it. What keeps a notice from being taken back, such as a
/// full disk, keeps no answer from its reader: being told twice is the lesser harm.
pub(super) async fn heard(app: &App, caller: Caller, messages: &[String]) {
    let Some(session) = caller.session() else { return };
    let of: Vec<MessageId> = messages.iter().filter_map(|id| id.parse().ok()).collect();
    if let Err(failure) = take_back(app, session, of).await {
        tracing::warn!(%session, why = failure.body.message, "a notice stays of what its reader has heard otherwise");
    }
}

async fn take_back(app: &App, session: SessionId, of: Vec<MessageId>) -> Result<(), Failure> {
    let look = move |host: &Host| {
        let queue = host.session(session).into_iter().flat_map(|s| s.messages.values());
        let notices = queue.filter(|m| m.kind == MessageKind::Notice && m.state.is_queued());
        notices.filter_map(|m| m.reply_to).filter(|about| of.contains(about)).collect::<Vec<_>>()
    };
    let messages = app.look(look).await?;
    if !messages.is_empty() {
        app.supervisor.call(Caller::Session(session), Call::Heard { messages }).await?;
    }
    Ok(())
}
