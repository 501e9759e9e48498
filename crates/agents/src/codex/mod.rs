//! OpenAI's Codex, over its app-server.
//!
//! One app-server for each CODEX_HOME, shared by all sessions of that home and held by a runner of its own
//! ([`server`]); one connection and one thread of the app-server for each session ([`driver`]); the protocol in tolerant
//! types of ours ([`wire`]). A turn ends when the app-server says that it has completed, and with nothing else.

mod environment;
mod find;
mod limits;
mod server;
mod wire;

pub(crate) use server::hold_server;
