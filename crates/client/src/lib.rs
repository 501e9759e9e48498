//! Typed client of the Adjutant daemon: over its Unix socket, through a gateway, or through `ssh`.
//!
//! A [`Client`] opens its connection when it is first needed, starts the daemon when none listens, gives every call a
//! deadline, and continues waits and streams of events by itself when the daemon ends in the middle.

mod backoff;
mod call;
mod connect;
mod endpoint;
mod error;
mod events;
mod gateway;
mod gateway_status;
mod goal;
mod limits;
mod lines;
mod resume;
mod send;
mod spawn;
mod ssh;
mod start;
mod terminal;
mod tls;
mod typed;
mod wait;

pub use endpoint::{Endpoint, Local};
pub use error::ClientError;
pub use events::Flow;
pub use gateway::{Gateway, GatewayUrl};
pub use gateway_status::gateway_status;
pub use send::new_key;
pub use ssh::{RemoteProgram, Ssh, SshTarget};
pub use terminal::Terminal;

use adjutant_api::types::dial::Far;
use connect::Link;
use start::Started;

/// What a client is told once.
pub struct ClientOptions {
    /// The way to the daemon.
    pub endpoint: Endpoint,
    /// The token that proves who calls.
    pub token: Option<String>,
    /// Whether a daemon may be started when none listens.
    pub autostart: bool,
    /// Takes a remark that a person should see once, and a command that helps.
    pub warn: Warn,
}

/// Takes a remark and the command that helps.
pub type Warn = Box<dyn FnMut(&str, &str) + Send + Sync>;

/// A client of one daemon.
pub struct Client {
    options: ClientOptions,
    link: Option<Link>,
    started: Started,
    /// What the other machine has said of itself.
    far: Option<Far>,
    warned: bool,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(options: ClientOptions) -> Self {
        Self { options, link: None, started: Started::default(), far: None, warned: false }
    }
}
