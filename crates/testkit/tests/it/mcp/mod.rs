//! The methods as tools: a client on standard input and output, one over HTTP, and a stranger's conformance suite.

mod agents;
pub(crate) mod client;
mod conformance;
mod http;
mod places;
mod tools;
