//! Which sessions of the log a caller hears of.

use std::collections::HashMap;

use adjutant_core::call::Caller;
use adjutant_core::{Host, Right, SessionId};

use super::App;
use super::error::Failure;

/// Sessions of which a stream remembers whether its reader may see them; beyond that it asks again.
const REMEMBERED_MAX: usize = 20_000;

/// What one reader may see. Who may see a session does not change while it is there, and a reader that has followed a session
/// to its end may hear of that end too.
pub(crate) struct Sight {
    app: App,
    caller: Caller,
    known: HashMap<SessionId, bool>,
}

impl Sight {
    /// What this caller may see.
    pub(crate) fn of(app: &App, caller: Caller) -> Self {
        Self { app: app.clone(), caller, known: HashMap::new() }
    }

    /// The sessions that a caller may see now; `None` for all.
    pub(crate) async fn sessions(&self) -> Result<Option<Vec<SessionId>>, Failure> {
        let caller = self.caller;
        if caller == Caller::Human {
            return Ok(None);
        }
        let seen = move |host: &Host| {
            host.sessions().filter(|session| host.may(caller, session, Right::See)).map(|session| session.id).collect()
        };
        self.app.look(seen).await.map(Some)
    }

    /// Whether the reader may see this session.
    pub(crate) async fn sees(&mut self, session: SessionId) -> Result<bool, Failure> {
        if self.caller == Caller::Human {
            return Ok(true);
        }
        if let Some(known) = self.known.get(&session) {
            return Ok(*known);
        }
        let caller = self.caller;
        let look = move |host: &Host| host.session(session).map(|found| host.may(caller, found, Right::See));
        let found = self.app.look(look).await?;
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        if let Some(found) = found {
            self.known.insert(session, found);
        }
        Ok(found.unwrap_or(false))
    }
}
