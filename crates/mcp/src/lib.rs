//! The methods of the daemon as tools of the Model Context Protocol, for agents without a shell.
//!
//! The tools are made from the one table of methods: their names, their schemas and their descriptions. A new method is a
//! new tool. A result says in `exit` what the command line would say with its exit code; a refusal has its error object.

mod arguments;
mod call;
mod http;
mod limits;
mod server;
mod tools;

use std::sync::Arc;

use adjutant_api::ErrorBody;
use adjutant_client::Client;
use serde_json::{Map, Value};

pub use self::http::serve_http;
pub use self::server::serve_stdio;

/// Completes the body of a create.
pub type Complete = Arc<dyn Fn(&mut Map<String, Value>) -> Result<(), ErrorBody> + Send + Sync>;

/// What the caller of this server is, told by whoever starts it.
#[derive(Clone)]
pub struct Caller {
    /// Makes a client of the daemon; each call of a tool has one of its own, so that none waits for another.
    pub client: Arc<dyn Fn() -> Result<Client, ErrorBody> + Send + Sync>,
    /// Completes the body of a create: the agent, the directory and the environment of whoever starts the server.
    pub complete: Complete,
    /// Calls things in a result as they are called where this server runs.
    pub shown: Arc<dyn Fn(&mut Value) + Send + Sync>,
    /// Adds to an error the command that helps.
    pub hinted: fn(ErrorBody) -> ErrorBody,
}
