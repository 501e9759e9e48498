//! A model server that plays what it is told: what coding agents talk to in tests, and when people try things out.
//!
//! One server speaks every dialect of this crate, by the path that is called: a dialect is a module with a type that
//! implements `Dialect`, and a line in `dialect::all`. What it answers is written as [markers](script)
//! in the user's text, or in a [book](script::Book) of rules for texts without any. It keeps no conversation: an agent
//! sends the whole of it each time, so the step to play follows from the request, and retries and resumes repeat.
//!
//! Every request is [recorded](record::Recorder) byte for byte, and looked at: what breaks the protocol is answered with
//! an error and kept as a fault, which a test must not have.

pub mod anthropic;
mod dialect;
mod gates;
pub mod limits;
mod log;
pub mod openai;
pub mod record;
pub mod script;
mod server;
mod tries;

pub use server::{Options, Server, StartError};
