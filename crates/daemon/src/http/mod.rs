//! HTTP/1.1 on the daemon's socket: routes from the table of methods, JSON in and out, errors always as the error object.
//!
//! Handlers hold no state that matters: they ask the supervisor, read the store, and follow the feed.

pub(crate) mod authority;
mod call;
pub(crate) mod crowd;
mod decision;
pub(crate) mod error;
mod follow;
mod from_api;
mod resolve;
mod room;
mod routes;
mod sight;
pub(crate) mod stream;
pub(crate) mod to_api;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use adjutant_agents::Agent;
use adjutant_agents::process::Inherited;
use adjutant_api::home::Home;
use adjutant_api::protocol::{PROTOCOL, PROTOCOL_HEADER, VERSION, VERSION_HEADER};
use adjutant_core::AgentName;
use adjutant_store::ReadError;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tokio::sync::watch;

use self::error::Failure;
pub(crate) use self::follow::Follower;
pub(crate) use self::stream::{Streams, told_to_end};
use crate::audit::Audit;
use crate::feed::Feed;
use crate::launch::{Launches, Places};
use crate::project::Projects;
use crate::read::Readers;
use crate::supervisor::Handle;
use crate::tokens::{Stored, Tokens};
use crate::workspace::Workspaces;

/// All that handlers share.
pub(crate) struct Shared {
    pub(crate) supervisor: Handle,
    pub(crate) readers: Arc<Readers>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) launches: Arc<Launches>,
    pub(crate) places: Places,
    pub(crate) agents: Arc<BTreeMap<AgentName, Arc<dyn Agent>>>,
    pub(crate) home: Home,
    pub(crate) projects: Arc<Projects>,
    pub(crate) workspaces: Workspaces,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) audit: Audit,
    /// What the messages of tokens hold.
    pub(crate) stored: Stored,
    pub(crate) message_bytes_max: usize,
    /// What a session inherits whose creator does not say: what the starter of the daemon would have handed on.
    pub(crate) inherited: Inherited,
    /// A session may end any other, not its descendants alone.
    pub(crate) may_kill_any: bool,
    pub(crate) started: Instant,
    /// The streams that are open.
    pub(crate) streams: Streams,
    /// Says `true` once the daemon is to end; streams end then, and so does the server.
    pub(crate) ending: watch::Sender<bool>,
    /// Why the store cannot be written, for as long as it cannot.
    pub(crate) unwritable: watch::Sender<Option<String>>,
}

/// The shared state, as handlers get it.
pub(crate) type App = Arc<Shared>;

impl Shared {
    /// Reads from the store without holding up anybody.
    pub(crate) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&adjutant_store::Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Failure> {
        let app = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || app.readers.read(read)).await;
        answer.map_err(|_| Failure::internal("reading the store failed"))?.map_err(Failure::from)
    }

    /// Looks at the state of the host.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&adjutant_core::Host) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        Ok(self.supervisor.look(look).await?)
    }
}

/// The service for one listener.
pub(crate) fn router(app: App) -> Router {
    let body_bytes_max = app.message_bytes_max.saturating_mul(2) + adjutant_api::protocol::BODY_BYTES_EXTRA as usize;
    routes::table(&app)
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_verb)
        .layer(axum::middleware::from_fn(call::check_protocol))
        .layer(axum::middleware::map_response(introduce))
        // JSON may need two bytes and more for one of text; the exact limit is checked on the text itself.
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .with_state(app)
}

/// Every answer says who gives it.
async fn introduce(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(PROTOCOL_HEADER), HeaderValue::from(PROTOCOL));
    headers.insert(HeaderName::from_static(VERSION_HEADER), HeaderValue::from_static(VERSION));
    response
}
